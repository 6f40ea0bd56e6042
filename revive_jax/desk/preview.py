"""A preview: one frame as it would be restored, under what is chosen now.

It goes through the pipeline of the restore (pipeline/run.py), with fewer frames
around it: as many as two processor cores get through in some seconds. Exactly,
on request, as the film will have it: then all windows of its shot up to the
frame are gone through.
"""

import collections
import dataclasses
import hashlib
import itertools
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from revive_jax import types
from revive_jax.desk import known, masks, pictures, places, turns, visitors
from revive_jax.pipeline import faces, fit, run, tally, timeline

_WORK = 5 * 854 * 480  # Pixels that are looked at for one.
_LEAST = 1  # Frames before and after, at least.
_MOST = 3 << 24  # Pixels that these may have: three frames of 16 megapixels.
_KEPT = 3  # Results of the network that are kept.
_turns = turns.Turns()  # Two at once would both be late.


class Preview(NamedTuple):
  """One frame, restored."""

  frame: int
  before: np.ndarray | None  # [H, W, 3] uint8; None where faces are hidden.
  after: np.ndarray  # [H, W, 3] uint8.
  layers: dict[str, np.ndarray]  # [H, W] uint8, see explain.origin.
  faces: list[dict[str, Any]]  # What was done to each, and a sentence.
  seconds: float
  is_exact: bool  # The finished film has this frame, but for its coding.
  sentences: list[str]


def preview(
    place: places.Place, frame: int, *, sample: int | None = None,
    exact: bool = False, kind: str | None = None,
) -> Preview:
  """Restores one frame as is chosen, decided and painted now.

  Args:
    place: the film.
    frame: its number.
    sample: which of several answers; None: the one that was decided.
    exact: take the time to make it as the film will have it.
    kind: while it waits for its turn, a newer one of this kind takes its place;
      None: none does.

  Raises:
    turns.SupersededError: one did, or too many wait for this film.
    types.BadInput: there is no such frame, it is too large, the film was not
      measured, or the settings cannot be.
  """
  with places.named(place):
    return _preview(place, frame, sample, exact, kind)


def _preview(place, frame, sample, exact, kind) -> Preview:
  start = time.monotonic()
  found = known.opened(place)
  pictures.check(len(found.survey.stamps), frame, place.name)
  if sample is not None and not 0 <= sample < found.c.num_samples:
    raise types.BadInput(
        f'There is no answer {sample}; with what is chosen they go from 0 to '
        f'{found.c.num_samples - 1}.')
  _check_size(place, found, frame)
  with _turns.turn(place.folder, kind):
    window, number, whole = _window(place, found, frame, sample, exact)
  finished = next(itertools.islice(tally.output_frames(
      window, dict.fromkeys(tally.COUNTED, 0), is_deep=found.film.is_deep,
      layered=True), number, None))
  people = _people(window, number)
  return Preview(
      frame, pictures.before(found, frame), pictures.eight_bits(finished.rgb),
      finished.layers, people, round(time.monotonic() - start, 2), whole,
      _sentences(found, frame, whole, people))


def answers(place: places.Place, frame: int) -> list[Preview]:
  """The frame in each of the answers that there are to choose from."""
  count = known.opened(place).c.num_samples
  return [preview(place, frame, sample=n, kind='answers')
          for n in range(count)]


def _check_size(place, found, frame) -> None:
  """Refuses what would keep all others waiting for minutes."""
  info = found.film.info
  shot = next(s for s in found.survey.shots if s.start <= frame < s.stop)
  count = min(2 * _LEAST + 1, shot.stop - shot.start)
  if count * info.height * info.width > _MOST:
    raise types.BadInput(
        f'{place.name}: its frames of {info.width} by {info.height} pixels are '
        'too large to be shown here before they are restored; the film can be '
        'restored all the same.')


def _window(place, found, frame, sample, exact):
  """The finished window with a frame, its place there, and if it is exact."""
  film, c = found.film, found.c
  number = next(i for i, s in enumerate(found.survey.shots)
                if s.start <= frame < s.stop)
  plans = list(found.plans)
  if sample is not None:
    plans[number] = _answered(plans[number], sample)
  size = dict(height=film.info.height, width=film.info.width)
  length = fit.window(c.window, **size)
  context = timeline.context(c.repeats, fit.context(c.lookahead, **size))
  shot = found.survey.shots[number]
  short = max(_LEAST, (_WORK // (size['height'] * size['width']) - 1) // 2)
  # Where the film has no more frames around it either, it is the same.
  whole = exact or (shot.stop - shot.start <= min(length, short + 1))
  options = dict(tile=c.tile, overlap=c.overlap, network=film.network)
  if whole:
    cut = run.cut(found.survey.shots, window=length, context=context)
    first = next(i for i, w in enumerate(cut) if w.core_start == shot.start)
    last = next(i for i, w in enumerate(cut)
                if w.core_start <= frame < w.core_stop)
    done = run.run(
        _read(found, shot.start, cut[last].stop), found.survey.shots, plans,
        window=length, context=context, only=range(first, last + 1),
        masks=_marks(place, found, shot.start, cut[last].stop), **options)
    return collections.deque(done, 1)[0], frame - cut[last].core_start, True
  short = min(short, context)
  start, stop = max(shot.start, frame - short), min(
      shot.stop, frame + short + 1)
  options['network'] = film.network and _Steady(film.network, 2 * short + 1)
  done = run.run(
      _read(found, start, stop), [shot], [plans[number]], window=1,
      context=short, only=[frame - shot.start],
      masks=_marks(place, found, start, stop), **options)
  return next(done), 0, False


def _answered(plan, sample):
  """The plan of a shot with another answer of the network."""
  return dataclasses.replace(plan, stages=tuple(
      dataclasses.replace(s, options={**s.options, 'sample': sample})
      if s.name == 'restore' else s for s in plan.stages))


def _read(found, start, stop):
  """The frames [start, stop), in their places; the others are not looked at."""
  yield from itertools.repeat(None, start)
  yield from pictures.around(found, start, stop)


def _marks(place, found, start, stop):
  """The masks of frames [start, stop), in their places; None: there are none.
  """
  if not found.c.mask:
    return None
  return itertools.chain(itertools.repeat(None, start), (
      masks.effective(place, t) for t in range(start, stop)))


class _Steady:
  """A network whose programs are few, and whose last results are kept.

  Whatever is decided after it, about strengths and stages, is then shown at
  once.
  """

  _results: collections.OrderedDict = collections.OrderedDict()
  _lock = threading.Lock()
  _forgotten = 0  # How often.

  def __init__(self, network, length: int):
    """All windows are made up to this length."""
    self._network, self._length = network, length

  def __call__(self, frames, *, mask, cuts, state, carry_after, **options):
    count = options.pop('count', frames.shape[1])
    key = self._key(frames, mask, cuts, (carry_after, count, options))
    if state is not None:
      raise ValueError('A preview begins without a memory.')
    with self._lock:
      made, before = self._results.get(key), self._forgotten
    if made is None:
      extra = max(0, self._length - frames.shape[1])
      longer = lambda x: np.concatenate([x, np.repeat(x[:, -1:], extra, 1)], 1)
      frames, mask, cuts = longer(frames), longer(mask), longer(cuts)
      if extra:
        cuts[:, -extra] = True
      made = self._network(
          frames, mask=mask, cuts=cuts, state=None, carry_after=carry_after,
          count=count, **options)
    self._keep(key, made, before)
    return made

  def _keep(self, key, made, before) -> None:
    """Keeps a result, unless its film may have been deleted meanwhile."""
    with self._lock:
      if self._forgotten == before:
        self._results[key] = made
        self._results.move_to_end(key)
      while len(self._results) > _KEPT:
        self._results.popitem(last=False)

  @classmethod
  def forget(cls, folder) -> None:
    """Lets go of all results: nobody knows which are of films in folder."""
    del folder
    with cls._lock:
      cls._forgotten += 1
      cls._results.clear()

  def _key(self, frames, mask, cuts, rest):
    digest = hashlib.blake2b(repr((rest, frames.shape)).encode())
    for array in (frames, mask, cuts):
      digest.update(np.ascontiguousarray(array))
    return id(self._network), self._length, digest.digest()


visitors.forgetting.append(_Steady.forget)


def _people(window, number) -> list[dict[str, Any]]:
  """What was done to the faces of a frame."""
  if window.clip.faces is None:
    return []
  found = []
  for row in np.asarray(window.clip.faces)[number]:
    if not np.isfinite(row[0]):
      continue
    told = dict(zip(faces.COLUMNS, row.tolist(), strict=True))
    done = faces.DONE[int(told['done'])]
    sentence = f'Face {int(told["track"])}: {done}'
    if told['done']:
      sentence += ', since more would have made it another person'
    found.append({
        'track': int(told['track']), 'done': done,
        'similarity_before': round(told['before'], 3),
        'similarity_after': round(told['after'], 3),
        'is_warning': bool(told['done']), 'sentence': f'{sentence}.'})
  return found


def _sentences(found, frame, whole, people) -> list[str]:
  told = [] if whole else [
      'Made from the few frames around it, so that it does not take long; the '
      'film itself looks at more of them, and may differ a little.']
  if found.c.output.upscale > 1:
    told.append('The film will be twice as wide and as high as shown here.')
  made = found.film.planned.replaced
  if made[frame]:
    told.append('This frame stands in for a lost one, and is made anew.')
  return told + [p['sentence'] for p in people if p['is_warning']]
