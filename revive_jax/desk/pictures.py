"""Pictures of a film: single frames, thumbnails; only what is needed is read.
"""

import bisect
import collections
import contextlib
import fractions
import itertools
import pathlib
import threading

import numpy as np

from revive_jax import files, types
from revive_jax.desk import known, places, settings, turns, visitors
from revive_jax.video import mux, passage, probe, reader, stretch

_KEPT = 200 << 20  # Bytes of frames that are kept decoded.
_ROUNDED = 6e-4  # Seconds: MKV counts in milliseconds.
_FILMS = 8  # Films whose timestamps are kept.
_lock = threading.Lock()  # Of the two below; nothing is read under it.
_frames: collections.OrderedDict = collections.OrderedDict()
_stamps: dict[tuple, tuple[list[int], fractions.Fraction]] = {}
_reading = turns.Locks()  # One reads a film, and finds what others read of it.


def _forget(folder) -> None:
  """Lets go of the frames of the films in a folder."""
  _reading.wait(folder)
  with _lock:
    for kept in (_frames, _stamps):
      for key in [k for k in kept
                  if pathlib.Path(k[0]).is_relative_to(folder)]:
        del kept[key]


visitors.forgetting.append(_forget)


def check(count: int, number: int, name: str) -> None:
  """Refuses a frame that is not there."""
  if isinstance(number, bool) or not isinstance(number, (
      int, np.integer)) or not 0 <= number < count:
    raise types.BadInput(
        f'{name}: there is no frame {number}; they go from 0 to {count - 1}.')


def around(
    found: known.Known, start: int, stop: int
) -> list[reader.SourceFrame]:
  """Frames [start, stop) of a film, as a restore reads them."""
  path = str(found.film.source.path)
  decision = found.film.decision
  key = lambda t: (path, decision.mode, decision.frames_out, t)
  wanted = [key(t) for t in range(start, stop)]
  with _reading.of(path):
    with _lock:
      result = {k: _frames[k] for k in wanted if k in _frames}
    if len(result) < len(wanted):
      result |= {key(one.index): one for one in _read(found, start, stop)}
    for t, one in enumerate(wanted, start):
      if one not in result:
        raise types.BadInput(
            f'{path}: frame {t} cannot be read any more; open the film again.')
    found_ = [result[k] for k in wanted]
    _keep(wanted, found_)
  return found_


def _keep(keys, frames) -> None:
  """Keeps frames, and as many others as there is room for."""
  most = max(len(frames), _KEPT // max(frames[0].rgb.nbytes, 1))
  with _lock:
    for one, frame_ in zip(keys, frames, strict=True):
      _frames[one] = frame_
      _frames.move_to_end(one)
    while len(_frames) > most:
      _frames.popitem(last=False)


def _read(found, start, stop):
  film = found.film
  if film.decision.changes or film.decision.keeps_fields:
    alone = stretch.read(film.source, film.stamps, start, stop,
                         decision=film.decision)
    if alone is not None:
      yield from alone
      return
  with contextlib.closing(passage.read_from(
      film.source, film.stamps, start=start, decision=film.decision)) as frames:
    for one in itertools.islice(frames, stop):
      if one is not None and one.index >= start:
        yield one


def before(found: known.Known, number: int) -> np.ndarray | None:
  """A frame of the source in 8 bits; None: faces are hidden."""
  if found.c.redact.faces != 'none':
    return None
  return eight_bits(around(found, number, number + 1)[0].rgb)


def eight_bits(rgb: np.ndarray) -> np.ndarray:
  """[H, W, 3] uint8 of uint8 or uint16."""
  return rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)


def frame(
    place: places.Place, number: int, which: str = 'before'
) -> np.ndarray | None:
  """See film.frame."""
  found = known.opened(place)
  check(len(found.survey.stamps), number, place.name)
  if which == 'before':
    return before(found, number)
  return _after(place, found, number)


def _after(place, found, number) -> np.ndarray | None:
  """The frame of the restored film that is shown when this one is."""
  path = settings.output(place)
  if not path.exists():
    return None
  info = probe.probe(files.name(path))
  if info.kind != 'video':
    return eight_bits(next(reader.read_frames(info)).rgb)
  stamps, _ = written(path)
  number = place_in(path, found, number)
  with contextlib.closing(passage.read_from(
      info, stamps, start=number)) as frames:
    for one in itertools.islice(frames, number, number + 1):
      return eight_bits(one.rgb)
  return None


def place_in(path, found: known.Known, number: int) -> int:
  """Which frame of a restored film is shown when this one of the source is."""
  stamps, unit = written(path)
  film, own = found.film, found.survey.stamps
  seconds = float((own[number] - own[0]) * film.info.time_base)
  return max(0, bisect.bisect_right(
      stamps, seconds + _ROUNDED,
      key=lambda stamp: float((stamp - stamps[0]) * unit)) - 1)


def written(path) -> tuple[list[int], fractions.Fraction]:
  """The timestamps of a film, and their unit; looked for once."""
  key = str(path), path.stat().st_mtime_ns
  with _reading.of(path):
    with _lock:
      found = _stamps.get(key)
    if found is None:
      found = mux.written_timestamps(files.name(path))
      with _lock:
        _stamps[key] = found
        while len(_stamps) > _FILMS:
          del _stamps[next(iter(_stamps))]
    return found
