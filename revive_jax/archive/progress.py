"""Progress of an archive on stderr: films, frames, rate, time left."""

import json
import sys
import time

from revive_jax.archive import index, scheduler


class Meter:
  """What is done of an archive; it says so every few seconds."""

  def __init__(self, films: int, form: str, every: float = 5.0):
    """films: that there are. form: of progress.FORMS. every: seconds."""
    self._films, self._form, self._every = films, form, every
    self._start = self._last = time.monotonic()
    self.ended = self.bad = self.frames = 0  # Of this run.
    self._known = self._measured = self._quick = 0

  def note(self, event: scheduler.Event) -> None:
    """Counts what happened."""
    self.frames += event.frames
    self._known += event.known
    self._measured += event.known > 0
    if event.row is not None:
      self.ended += 1
      self.bad += not event.row.is_good
      self._quick += event.row.state == 'done before'
      if event.row.state == 'done before':
        self._known -= event.known
        self._measured -= event.known > 0

  def seconds_left(self) -> float | None:
    """An estimate, from the mean length of films; None: nothing is known."""
    took = time.monotonic() - self._start
    if not self.frames or not self._measured:
      return None
    others = self._films - self.ended - max(
        0, self._measured - (self.ended - self._quick - self.bad))
    left = self._known - self.frames + max(0, others) * (
        self._known / self._measured)
    return max(0.0, left) * took / self.frames

  def look(self, last: bool = False) -> None:
    """Says how far it is, if it is time to, or for the last time."""
    now = time.monotonic()
    if self._form == 'none' or not last and now - self._last < self._every:
      return
    self._last = now
    rate, left = self.frames / max(now - self._start, 1e-6), self.seconds_left()
    if self._form == 'json':
      line = json.dumps({
          'label': 'Archive', 'done': self.ended, 'total': self._films,
          'bad': self.bad, 'frames': self.frames,
          'frames_per_second': round(rate, 3),
          'seconds_left': None if left is None else round(left, 1)})
    else:
      line = (f'Archive: {self.ended}/{self._films} films '
              f'({100 * self.ended // max(self._films, 1)} %)'
              + (f', {self.bad} of them not restored' if self.bad else '')
              + f', {self.frames} frames, {rate:.1f} frames/s'
              + (f', {index.clock(left) or "0:00:00"} left'
                 if left is not None else ''))
    sys.stderr.write(line + '\n')
    sys.stderr.flush()
