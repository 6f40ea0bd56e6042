"""Telemetry: tracks of text in which a camera says where it was.

Drones write a subtitle for each second, or frame: GPS(2.2950, 48.8577, 15), or
[latitude: 48.8577] [longitude: 2.2950].
"""

import os
import re

import av

from revive_jax.video import probe, sandbox

_PLACE = re.compile(
    rb'\bGPS\w*["\']?\s*[(:=\[]|\b(latitude|longt?itude)["\']?\s*[:=]|'
    rb'\b(lat|lon|lng)["\']?\s*[:=]\s*["\']?-?\d+\.\d{3}|'
    rb'\bHOME\s*\(\s*[NSEW]?\s*-?\d|[+-]\d{2}\.\d{3,}[+-]\d{3}\.\d{3,}',
    re.IGNORECASE)
_LOOKED_AT = 20  # Packets of a track...
_SECONDS = 20.0  # ...and so much of the film.


def names_place(text: bytes) -> bool:
  """Whether text says where a camera was, as cameras say it."""
  return bool(_PLACE.search(text))


def tracks(path: str | os.PathLike) -> set[int]:
  """The subtitles of a film, by stream, that say where its camera was.

  Looked for where cameras begin to say so: in the first seconds.
  """
  if sandbox.covers(path):
    return {*sandbox.call(_tracks, path, path)}
  return {*_tracks(path)}


def _tracks(path) -> list[int]:
  found, seen = set(), {}
  with probe.open_video(path) as container:
    texts = list(container.streams.subtitles)
    if not texts:
      return []
    pictures = probe.video_stream(container, path)
    try:
      for packet in container.demux([pictures, *texts]):
        index = packet.stream_index
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is not None and stamp * packet.time_base > _SECONDS:
          break
        if index == pictures.index or not packet.size:
          continue
        seen[index] = seen.get(index, 0) + 1
        if seen[index] <= _LOOKED_AT and names_place(bytes(packet)):
          found.add(index)
    except av.FFmpegError:
      pass  # What is damaged is told of where it is copied.
  return sorted(found)
