"""Second look: the restored film is measured while the rest is restored.

Segment by segment, as they are coded: a film is joined of them without another
coding, so they are its frames. What no shot is measured by is not even decoded.
"""

from collections.abc import Collection, Iterator, Sequence
from concurrent import futures
import dataclasses
import logging
import pathlib
import threading
from typing import NamedTuple

import ml_collections
import numpy as np

from revive_jax.ops import windows
from revive_jax.pipeline import measure, remeasure, segments
from revive_jax.video import deinterlace, mux, parts, probe, reader
from revive_jax.video import extras as extras_lib
from revive_jax.video import target as target_lib

_log = logging.getLogger(__name__)


class Part(NamedTuple):
  """A segment: its coded frames, and which ones of the film they are."""

  path: pathlib.Path
  start: int
  stop: int


def can_be(
    c: ml_collections.ConfigDict, target: target_lib.Target,
    decision: deinterlace.Decision
) -> bool:
  """Whether the segments of a film show what the film will show.

  Not of ProRes, which is decoded with other bits in a film; nor where frames
  are left out or made.
  """
  return bool(
      c.report and c.repeats == 'leave' and not c.encrypt.key
      and target.kind == 'video' and target.codec != 'prores'
      and not decision.keeps_fields)


def begin(
    kept: segments.Segments, shots: Sequence[measure.Shot],
    groups: Sequence[Sequence[windows.Segment]], to_do: Collection[int], *,
    info: probe.VideoInfo, target: target_lib.Target, extras: extras_lib.Extras
) -> 'SecondLook':
  """Begins to measure a film.

  Args:
    kept: its segments.
    shots: of the source.
    groups: the windows of each segment.
    to_do: the numbers of segments that are not there yet.
    info: of the source.
    target: what the segments are written as.
    extras: what the source holds besides.
  """
  return SecondLook(
      [Part(kept.path(parts.name(number, target)), own[0].core_start,
            own[-1].core_stop) for number, own in enumerate(groups)],
      shots, frame_rate=float(info.frame_rate), waits=to_do,
      colours=mux.colours(info, target, extras))


class _StoppedError(Exception):
  """Nobody wants to know any more."""


class SecondLook:
  """What is measured of a restored film, in a thread of its own."""

  def __init__(
      self, parts: Sequence[Part], shots: Sequence[measure.Shot], *,
      frame_rate: float, waits: Collection[int],
      colours: tuple[int, int, int]):
    """Begins.

    Args:
      parts: all segments of the film, in order.
      shots: of the source.
      frame_rate: frames per second.
      waits: the numbers of the parts that are not there yet.
      colours: matrix, range and siting of the film, of mux.colours: not all
        codecs tell their own, and the parts' files do not, either.
    """
    self._parts, self._shots, self._rate = parts, shots, frame_rate
    self._colours = dict(zip(
        ('colorspace', 'color_range', 'chroma_siting'), colours, strict=True))
    self._there = {number: threading.Event() for number in waits}
    self._stopped = False
    self._beside = futures.ThreadPoolExecutor(1, 'second look')
    self._found = self._beside.submit(self._measured)

  def finished(self, number: int) -> None:
    """A part that was waited for is there, whole."""
    self._there[number].set()

  def result(self) -> list[measure.Shot] | None:
    """What remeasure.remeasure says of the film; None: it could not be known.

    Waits for what is not measured yet; all parts must be finished.
    """
    try:
      return self._found.result()
    except Exception:  # The film is whole: it can still be read from its file.
      _log.warning('The restored segments could not be measured.',
                   exc_info=True)
      return None

  def close(self) -> None:
    """Ends it, wherever it is."""
    self._stopped = True
    for there in self._there.values():
      there.set()
    self._beside.shutdown()

  def _measured(self):
    frames = self._frames()
    try:
      found = remeasure.remeasure(
          frames, self._shots, frame_rate=self._rate, motion=True)
      for _ in frames:  # The last part, too, is to have ended.
        pass
      return found
    finally:
      frames.close()

  def _frames(self) -> Iterator[np.ndarray | None]:
    """All frames, in order; None for those of parts that need no look."""
    for number, part in enumerate(self._parts):
      if number in self._there:
        self._there[number].wait()
      if not self._needs(part):
        yield from [None] * (part.stop - part.start)
        continue
      yield from self._read(part)
    if self._stopped:
      raise _StoppedError

  def _read(self, part):
    info = probe.probe(str(part.path), frame_rate=self._rate)
    count = 0
    for frame in reader.read_frames(
        dataclasses.replace(info, **self._colours)):
      if self._stopped:
        raise _StoppedError
      count += 1
      yield frame.rgb
    if count != part.stop - part.start:
      raise ValueError(f'{part.path} has {count} frames.')

  def _needs(self, part) -> bool:
    """Whether frames of a part are among those that shots are measured by."""
    return any(
        part.start < min(shot.stop, shot.start + remeasure.MOST)
        and shot.start < part.stop for shot in self._shots)
