"""Private training, as config.dp says: data, noise, and account."""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
import ml_collections

from revive_jax import cluster, types
from revive_jax.algorithms import assembled
from revive_jax.data import mixture, poisson
from revive_jax.privacy import private_sgd
from revive_jax.training import private, sharding
from revive_jax.training import state as state_lib

UNITS = ('clip', 'video')


class Training(NamedTuple):
  """What a private training has that others have not."""

  data: assembled.Batches
  noise: private.Noise
  keyed: Callable[[state_lib.TrainState], state_lib.TrainState]
  account: assembled.Account


def is_wanted(c: ml_collections.ConfigDict) -> bool:
  """Whether c.dp asks for privacy."""
  return bool(c.dp.clip_norm or c.dp.noise_multiplier)


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, or that would not be private."""
  if not c.dp.epsilon > 0:
    raise types.BadInput(
        f'--config.dp.epsilon={c.dp.epsilon} allows no step at all; choose a '
        'budget above 0, or inf.')
  if not is_wanted(c):
    if c.dp.epsilon < float('inf'):
      raise types.BadInput(
          f'--config.dp.epsilon={c.dp.epsilon}: without --config.dp.clip_norm '
          'and --config.dp.noise_multiplier nothing is private; set both.')
    return
  private_sgd.check(
      clip_norm=c.dp.clip_norm, noise_multiplier=c.dp.noise_multiplier,
      delta=c.dp.delta)
  if c.dp.micro_batch < 1:
    raise types.BadInput(
        f'--config.dp.micro_batch={c.dp.micro_batch} is less than 1.')
  if c.accumulate > 1:
    raise types.BadInput(
        '--config.accumulate is not for private training, which takes '
        '--config.dp.micro_batch examples at a time on each device.')


def check_clips(c: ml_collections.ConfigDict) -> None:
  """Refuses what check() does, and clips that are no units."""
  check(c)
  if not is_wanted(c):
    return
  types.check_choice('dp.unit', c.dp.unit, UNITS)
  if c.data.photos or c.data.tfds or not c.data.root:
    raise types.BadInput(
        'Private training knows what a clip and a video are in '
        '--config.data.root alone; leave out --config.data.photos and tfds.')


def prepare(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> Training:
  """Clips that are drawn as privacy asks for, and the account of it.

  Raises:
    types.BadInput: the budget is spent by the first step, or more is to be
      drawn than there is.
  """
  d = c.data
  (source,), _ = mixture.mixture(
      root=d.root, tfds='', tfds_dir='', tfds_split='', photos=(),
      photo_share=0.0, look_alike_share=0.0, held_out=d.held_out,
      num_frames=d.num_frames, size=d.size, seed=c.seed)
  unit_of = source.videos if c.dp.unit == 'video' else None
  make = functools.partial(
      poisson.make_private_dataset, source, unit_of=unit_of,
      num_frames=d.num_frames, size=d.size, overlay_share=d.overlay_share,
      workers=d.workers)
  return _training(
      c, layout, make, len(poisson.members(source, unit_of)), c.dp.unit)


def prepare_pictures(
    c: ml_collections.ConfigDict, layout: sharding.Layout, source: Any
) -> Training:
  """Pictures of a source, each a unit of its own; else as prepare."""
  make = functools.partial(poisson.make_private_pictures, source)
  return _training(c, layout, make, len(source), 'picture')


def _training(c, layout, make, units, unit) -> Training:
  """make: of poisson. units: how many of these there are."""
  micro_batch = c.dp.micro_batch * layout.mesh.shape['data']
  expected = float(c.batch_size)
  if expected > units:
    raise types.BadInput(
        f'--config.batch_size={c.batch_size} is more than there are: {units} '
        f'{unit}s; lower it, or give more.')
  slots = poisson.capacity(units, expected, multiple=micro_batch)
  mechanism = private_sgd.Mechanism(
      units, expected, c.dp.noise_multiplier, c.dp.delta, slots)
  make = functools.partial(
      make, expected=expected, capacity=slots, micro_batch=micro_batch,
      host_index=jax.process_index(), host_count=jax.process_count())
  return Training(
      data=lambda state: make(
          seed=private.secret_of(state), start=int(state.step)),
      noise=private.Noise(c.dp.clip_norm, c.dp.noise_multiplier, expected,
                          micro_batch, layout.mesh),
      keyed=functools.partial(
          private.with_secret, secret=cluster.shared(private_sgd.draw_secret()),
          place=sharding.replicated(layout)),
      account=_account(c, mechanism, unit))


def within_budget(
    c: ml_collections.ConfigDict, training: Training
) -> ml_collections.ConfigDict:
  """c with as many steps as there will be: what schedules go by."""
  c = ml_collections.ConfigDict(c)
  c.num_steps = training.account.last_step
  return c


def _account(c, mechanism, unit):
  """What has been spent, by step."""
  last = c.num_steps
  if c.dp.epsilon != float('inf'):
    last = private_sgd.steps_within(c.dp.epsilon, mechanism, c.num_steps)
  if not last:
    raise types.BadInput(
        f'--config.dp.epsilon={c.dp.epsilon}: the first step would spend '
        f'{private_sgd.epsilon(1, mechanism):.3g}; raise the budget or '
        '--config.dp.noise_multiplier, or lower --config.batch_size.')
  return assembled.Account(
      mechanism={
          'num_units': mechanism.num_units, 'expected': mechanism.expected,
          'noise_multiplier': mechanism.noise_multiplier,
          'delta': mechanism.delta, 'unit': unit},
      epsilon=lambda step: private_sgd.epsilon(step, mechanism),
      statement=lambda step: private_sgd.statement(
          step, mechanism, unit=unit),
      last_step=last)
