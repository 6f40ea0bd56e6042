"""Batches drawn by Poisson sampling, as private training needs them.

In each step every unit (a record, or all records of one video) is drawn or not,
whatever becomes of the others; so the number that is drawn varies. For no other
way to draw is the account of privacy/private_sgd.py right. The seed is secret:
who knows it knows which units were drawn.
"""

import bisect
from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
from typing import Any

import grain
import numpy as np
from scipy import stats

from revive_jax import types
from revive_jax.data import augment, motion, pipeline

_OVERFLOW = 1e-18  # How probable a step is that draws more than capacity().
_STEPS = 2**40  # As good as endless.
_DRAWING, _VARYING = 0, 1  # What random numbers are for.


def capacity(num_units: int, expected: float, *, multiple: int = 1) -> int:
  """How many slots hold all that a step draws: a multiple of `multiple`.

  More are drawn in one step of 1e18, which does not show in epsilon.
  """
  most = bisect.bisect_left(
      range(num_units), -_OVERFLOW,
      key=lambda n: -stats.binom.sf(n, num_units, expected / num_units))
  return -(-max(most, 1) // multiple) * multiple


@functools.lru_cache(maxsize=16)
def draw(
    seed: int, step: int, *, num_units: int, expected: float, capacity: int
) -> np.ndarray:
  """The units of a step, [n <= capacity] int, in random order.

  Each is drawn with the probability expected / num_units, independently of the
  others; of more than capacity, so many are taken at random.
  """
  rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(
      seed, spawn_key=(_DRAWING, step))))
  drawn = np.flatnonzero(rng.random(num_units) < expected / num_units)
  return rng.permutation(drawn)[:capacity]


def members(
    source: Sequence[Any], unit_of: Sequence[int] | None
) -> Sequence[np.ndarray]:
  """The records of each unit, [n] int; there are as many as there are units.

  Args:
    source: records by index.
    unit_of: for each record a number of its video; None: it is its own unit.

  Raises:
    types.BadInput: there are none, they are not given for each record, or a
      record is made of more than one picture of the source.
  """
  if isinstance(source, motion.Photographs):
    raise types.BadInput(
        'Private training: photographs in motion show two of them in a clip, '
        'which then is no unit; leave them out (--config.data.photos).')
  if not len(source):
    raise types.BadInput('Private training: there is nothing in the source.')
  if unit_of is None:
    return np.arange(len(source))[:, None]
  unit_of = np.asarray(unit_of)
  if unit_of.shape != (len(source),):
    raise types.BadInput(
        f'Private training: videos are named for {unit_of.size} clips of '
        f'{len(source)}; name one for each.')
  _, counts = np.unique(unit_of, return_counts=True)
  return np.split(np.argsort(unit_of, kind='stable'), np.cumsum(counts)[:-1])


@dataclasses.dataclass(frozen=True)
class _Places:
  """The places of this host's batches: index to example."""

  source: Sequence[Any]
  members: Sequence[np.ndarray]
  # (record, random numbers) to an example.
  vary: Callable[[Any, np.random.Generator], dict[str, np.ndarray]]
  blank: Mapping[str, np.ndarray]  # An example where nothing was drawn.
  seed: int
  expected: float
  capacity: int
  micro_batch: int
  share: int  # Places of this host,
  first: int  # from this one.

  def __call__(self, index: int) -> dict[str, np.ndarray]:
    """An example and 'real': 1, or a blank one and 0."""
    step, place = divmod(int(index), self.share)
    slot = self._slot(self.first + place)
    units = draw(self.seed, step, num_units=len(self.members),
                 expected=self.expected, capacity=self.capacity)
    if slot >= len(units):
      return {**self.blank, 'real': np.float32(0)}
    rng = np.random.default_rng(np.random.SeedSequence(
        self.seed, spawn_key=(_VARYING, step, slot)))
    record = self.source[int(rng.choice(self.members[units[slot]]))]
    return self.vary(record, rng) | {'real': np.float32(1)}

  def _slot(self, place: int) -> int:
    """Slots are filled from 0; one micro-batch has micro_batch of them."""
    rounds = self.capacity // self.micro_batch
    return place % rounds * self.micro_batch + place // rounds


def make_private_dataset(
    source: Sequence[Any],
    *,
    num_frames: int,
    size: int,
    overlay_share: float = 0.0,
    **drawing: Any,
) -> grain.IterDataset:
  """Returns this host's batches of clips; see make_private_batches.

  Each is {'clean': uint8 [capacity / host_count, num_frames, size, size, 3],
  'real': float32 [capacity / host_count]}.

  Args:
    source: of data/sources.py: a record is of one video.
    num_frames: of a clip.
    size: height and width of a clip, px.
    overlay_share: of clips with look-alikes of damage laid over them.
    **drawing: for make_private_batches.

  Raises:
    types.BadInput: numbers that do not fit, or what members() refuses.
  """
  if min(num_frames, size) < 1:
    raise types.BadInput(
        f'Data: clips of {num_frames} frames of {size} px cannot be.')
  vary = augment.Augment(num_frames, size, overlay_share)
  return make_private_batches(
      source, vary=vary.random_map,
      blank={'clean': np.zeros((num_frames, size, size, 3), np.uint8)},
      **drawing)


def make_private_pictures(
    source: Sequence[Any], **drawing: Any
) -> grain.IterDataset:
  """Returns this host's batches of pictures; see make_private_batches.

  Each is {'image': uint8 [capacity / host_count, H, W, C], 'real': float32}.
  source: records with such an 'image', all of one shape.
  """
  if not len(source):
    raise types.BadInput('Private training: there is nothing in the source.')
  image = source[0]['image']
  return make_private_batches(
      source, vary=_as_it_is, blank={'image': np.zeros_like(image)}, **drawing)


def _as_it_is(record, rng):
  del rng
  return {'image': record['image']}


def make_private_batches(
    source: Sequence[Any],
    *,
    vary: Callable[[Any, np.random.Generator], dict[str, np.ndarray]],
    blank: Mapping[str, np.ndarray],
    unit_of: Sequence[int] | None = None,
    seed: int,
    expected: float,
    capacity: int,
    micro_batch: int | None = None,
    host_index: int = 0,
    host_count: int = 1,
    start: int = 0,
    **reading: int,
) -> grain.IterDataset:
  """Returns this host's batches, without end; the same for the same seed.

  'real' is 1 where a unit was drawn, 0 where blanks fill up. The hosts'
  batches, one behind the other, are that of a single host.

  Args:
    source: records.
    vary: makes an example, a dict of arrays, of a record and random numbers.
    blank: such an example, where nothing was drawn.
    unit_of: for each record a number of its video, if a video is the unit (one
      of its records, at random, is used when it is drawn); None: a record is.
    seed: of all that is random; secret, any size.
    expected: how many units are drawn on average.
    capacity: the most that are used; see capacity().
    micro_batch: as private_sgd.gradient has it: what is drawn is dealt out so
      that it fills few micro-batches, each on all hosts alike. None: one slot
      of each host, so that host h has the slots h, h + host_count, ...
    host_index: which host this is.
    host_count: of how many.
    start: steps that were done already.
    **reading: for pipeline.read_ahead.

  Raises:
    types.BadInput: numbers that do not fit, or what members() refuses.
  """
  found = members(source, unit_of)
  micro_batch = micro_batch or host_count
  _check(
      len(found), expected, capacity, micro_batch, host_index, host_count)
  share = capacity // host_count
  places = _Places(
      source, found, vary, blank, seed, expected, capacity, micro_batch, share,
      host_index * share)
  dataset = grain.MapDataset.range(start * share, _STEPS * share).map(places)
  return pipeline.read_ahead(
      dataset.batch(share, drop_remainder=True), **reading)


def _check(num_units, expected, capacity, micro_batch, index, count):
  if not 0 < expected <= num_units:
    raise types.BadInput(
        f'--config.batch_size: {expected} of {num_units} clips or videos '
        'cannot be drawn, on average; lower it, or give more.')
  if capacity < expected or capacity % micro_batch or micro_batch % count:
    raise types.BadInput(
        f'Private training: {capacity} slots for {expected:g} clips, in '
        f'micro-batches of {micro_batch} on {count} hosts, do not come out '
        'even; change --config.dp.micro_batch, a multiple of the hosts.')
  if not 0 <= index < count:
    raise types.BadInput(f'Data: host {index} of {count} does not exist.')
