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
from revive_jax.desk import known, places, settings, visitors
from revive_jax.video import mux, passage, probe, reader, stretch

_KEPT = 200 << 20  # Bytes of frames that are kept decoded.
_ROUNDED = 6e-4  # Seconds: MKV counts in milliseconds.
_lock = threading.RLock()
_frames: collections.OrderedDict = collections.OrderedDict()
_stamps = {}


def _forget(folder) -> None:
  """Lets go of the frames of the films in a folder."""
  with _lock:
    for key in [k for k in _frames
                if pathlib.Path(k[0]).is_relative_to(folder)]:
      del _frames[key]


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
  with _lock:
    wanted = range(start, stop)
    if not all(key(t) in _frames for t in wanted):
      for one in _read(found, start, stop):
        _frames[key(one.index)] = one
    result = []
    for t in wanted:
      if key(t) not in _frames:
        raise types.BadInput(
            f'{path}: frame {t} cannot be read any more; open the film again.')
      _frames.move_to_end(key(t))
      result.append(_frames[key(t)])
    most = max(len(result), _KEPT // max(result[0].rgb.nbytes, 1))
    while len(_frames) > most:
      _frames.popitem(last=False)
    return result


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
  with _lock:
    if key not in _stamps:
      _stamps.clear()
      _stamps[key] = mux.written_timestamps(files.name(path))
    return _stamps[key]
