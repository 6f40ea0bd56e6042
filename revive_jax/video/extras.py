"""What a film holds beside pictures and sound: names, chapters, HDR, siting."""

from collections.abc import Callable, Mapping
import dataclasses
import fractions
import itertools
import os
import re

import av

from revive_jax.video import hdr, probe, sandbox
from revive_jax.video import siting as siting_lib

# Written anew by each muxer, and about the old file.
_STALE = re.compile(
    r'(encoder|duration|major_brand|minor_version|compatible_brands|rotate|'
    r'vendor_id|timecode|filename|mimetype|number_of_(frames|bytes)|bps|'
    r'_statistics_.*)(-\w+)?$', re.IGNORECASE)
# Side data of frames that PyAV cannot hand to an encoder, in plain words.
_FRAME_DATA = {
    'A53_CC': 'closed captions inside the pictures',
    'DYNAMIC_HDR_PLUS': 'HDR10+ dynamic metadata',
    'DYNAMIC_HDR_VIVID': 'HDR Vivid dynamic metadata',
    'DOVI_RPU_BUFFER': 'Dolby Vision metadata',
    'DOVI_METADATA': 'Dolby Vision metadata',
    'STEREO3D': 'the mark of stereoscopic pictures',
    'SPHERICAL': 'the mark of a spherical picture',
    'ICC_PROFILE': 'an ICC profile'}
_LOOKED_AT = 3  # Frames that are searched for side data.


@dataclasses.dataclass(frozen=True)
class Extras:
  """All of it; empty where the source is no video file."""

  metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
  picture: Mapping[str, str] = dataclasses.field(default_factory=dict)
  disposition: int = 0  # Of the video track.
  chapters: tuple[dict, ...] = ()
  timecode: str = ''
  siting: int = 0  # AVChromaLocation.
  static: hdr.Static = hdr.Static()
  frame_data: tuple[str, ...] = ()  # In the frames, and not to be kept.
  # Of a key and its value: whether no track may have it (privacy/metadata.py).
  left_out: Callable[[str, str], bool] = lambda key, value: False
  strips: bool = False  # Pictures and tracks beside the film, likewise.
  hides_pictures: bool = False  # Those may show what nobody may see.


def labels(metadata: Mapping[str, str]) -> dict[str, str]:
  """Returns metadata without what is about the old file alone."""
  kept = {k: v for k, v in metadata.items() if not _STALE.match(k)}
  if 'name' in kept:  # MP4's and QuickTime's word for the title of a track.
    kept.setdefault('title', kept.pop('name'))
  if kept.get('language') == 'und':
    del kept['language']
  if kept.get('creation_time', '').startswith('1970-01-01T00:00:00'):
    del kept['creation_time']  # How MP4 says that it does not know.
  return kept


def _timecode(container, stream) -> str:
  for metadata in (stream.metadata, container.metadata,
                   *(s.metadata for s in container.streams.data)):
    for key, value in metadata.items():
      if key.lower() == 'timecode':
        return value
  return ''


def _first_frames(container, stream):
  """Yields frames, as far as they decode."""
  try:
    yield from itertools.islice(container.decode(stream), _LOOKED_AT)
  except av.FFmpegError:
    return


def read(path: str | os.PathLike) -> Extras:
  """Returns what a file holds beside pictures and sound."""
  if not path or not os.path.isfile(path):
    return Extras()
  if sandbox.covers(path):
    return sandbox.call(read, path, path)
  with probe.open_video(path) as container:
    try:
      stream = probe.video_stream(container, path)
    except ValueError:
      return Extras(labels(container.metadata))
    found, lost = {}, {}
    for frame in _first_frames(container, stream):
      for data in frame.side_data:
        if data.type.name in _FRAME_DATA:
          lost[_FRAME_DATA[data.type.name]] = None
        else:
          found.setdefault(data.type.name, bytes(data))
    return Extras(
        labels(container.metadata), labels(stream.metadata),
        int(stream.disposition), tuple(container.chapters()),
        _timecode(container, stream), siting_lib.of_stream(stream),
        hdr.static(found.get('MASTERING_DISPLAY_METADATA'),
                   found.get('CONTENT_LIGHT_LEVEL')), tuple(lost))


def fits_rate(timecode: str, rate: fractions.Fraction) -> bool:
  """Returns whether a time code can count frames of such a rate."""
  if not re.match(r'\d\d:\d\d:\d\d[:;.]\d\d+$', timecode):
    return False
  frames = int(re.split('[:;.]', timecode)[3])
  dropping = ';' in timecode or '.' in timecode
  return frames < max(1, round(rate)) and (
      not dropping or round(rate) % 30 == 0)


def _seconds(chapter) -> tuple[float, str]:
  return (float(chapter['start'] * chapter['time_base']),
          chapter['metadata'].get('title', ''))


def missing(before: Extras, after: Extras) -> list[str]:
  """Returns, in words, what of before is not in after."""
  words = []
  have = {k.lower(): v for k, v in after.metadata.items()}
  keys = [k for k in before.metadata if k.lower() not in have]
  if keys:
    words.append(f'metadata ({", ".join(keys)})')
  old = [_seconds(c) for c in before.chapters]
  new = [_seconds(c) for c in after.chapters]
  if len(old) != len(new) or any(
      abs(a - b) > 0.002 or s != t
      for (a, s), (b, t) in zip(old, new, strict=False)):
    words.append(f'chapters ({len(new)} of {len(old)} as they were)')
  if before.timecode and before.timecode != after.timecode:
    words.append(f'the time code {before.timecode}')
  if before.siting and after.siting != before.siting:
    words.append('the place of chroma')
  if before.static and not after.static:
    words.append('HDR mastering data')
  return words
