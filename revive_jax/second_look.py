"""Second look: the restored film is measured while the rest is restored.

Segment by segment, as they are coded: a film is joined of them without another
coding, so they are its frames. What no shot is measured by is not even decoded.
"""

from collections.abc import Collection, Iterator, Sequence
from concurrent import futures
import logging
import pathlib
import threading
from typing import NamedTuple

import numpy as np

from revive_jax.pipeline import measure, remeasure
from revive_jax.video import probe, reader

_log = logging.getLogger(__name__)


class Part(NamedTuple):
  """A segment: its coded frames, and which ones of the film they are."""

  path: pathlib.Path
  start: int
  stop: int


class _StoppedError(Exception):
  """Nobody wants to know any more."""


class SecondLook:
  """What is measured of a restored film, in a thread of its own."""

  def __init__(
      self, parts: Sequence[Part], shots: Sequence[measure.Shot], *,
      frame_rate: float, waits: Collection[int]):
    """Begins.

    Args:
      parts: all segments of the film, in order.
      shots: of the source.
      frame_rate: frames per second.
      waits: the numbers of the parts that are not there yet.
    """
    self._parts, self._shots, self._rate = parts, shots, frame_rate
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
      return remeasure.remeasure(
          frames, self._shots, frame_rate=self._rate, motion=True)
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
      info = probe.probe(str(part.path), frame_rate=self._rate)
      for frame in reader.read_frames(info):
        if self._stopped:
          raise _StoppedError
        yield frame.rgb
    if self._stopped:
      raise _StoppedError

  def _needs(self, part) -> bool:
    """Whether frames of a part are among those that shots are measured by."""
    return any(
        part.start < min(shot.stop, shot.start + remeasure.MOST)
        and shot.start < part.stop for shot in self._shots)
