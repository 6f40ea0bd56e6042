"""Differentially private gradients, and the account of what they give away.

DP-SGD (Abadi et al. 2016, arXiv:1607.00133): the gradient of each example is
clipped, and their sum gets Gaussian noise. Clipping, noise and accounting are
jax-privacy's. The guarantee: with any one unit (a clip, or a video) left out,
whatever is learnt would be at most e^epsilon times less likely, or more, but
for a probability of delta.

It holds for all weights of a run, against those who see them, if
- units are drawn as data/poisson.py does, and training looks at them in no
  other way: no further loss, no statistics of them, no step that is left out
  because of a term below;
- the seeds of the drawing and of the noise are secret, see draw_secret;
- the log is not published: its terms get no noise.
Noise in float32 is not proof against attacks on its last bits (Mironov 2012,
doi:10.1145/2382196.2382264).
"""

import bisect
from collections.abc import Callable
import dataclasses
import functools
import importlib
import math
import secrets
from typing import Any

from absl import logging
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
import numpy as np
from scipy import stats

from revive_jax import types

_LOST = 100.0  # Epsilon; all that is more is as good as infinite.
_LEAST_NOISE = 0.2  # A few steps with less spend as much.

# (params, a batch of one example) to (loss, further terms), all of them
# scalars.
Loss = Callable[[Any, Any], tuple[jax.Array, dict[str, jax.Array]]]


def _library(name: str) -> Any:
  """A module of jax-privacy, which takes seconds to import."""
  try:
    return importlib.import_module(name)
  except ImportError as error:
    raise types.BadInput(
        'Private training (--config.dp) needs jax-privacy, which is not '
        "installed; run `pip install 'revive-jax[privacy]'`.") from error


def _check_positive(key: str, value: float) -> None:
  if not 0 < value < math.inf:
    raise types.BadInput(
        f'--config.dp.{key}={value} makes no training private; choose a '
        'positive number.')


def _check_delta(delta: float) -> None:
  if not 0 < delta < 1:
    raise types.BadInput(
        f'--config.dp.delta={delta} is a probability; choose one far below '
        '1 / the number of clips or videos.')


def check(
    *, clip_norm: float, noise_multiplier: float, delta: float,
    budget: float | None = None,
) -> None:
  """Refuses settings of config.dp that cannot be, and a missing jax-privacy.

  budget: the most epsilon that may be spent, --config.dp.epsilon; None: any.

  Raises:
    types.BadInput: one of them is not possible.
  """
  _check_positive('clip_norm', clip_norm)
  _check_positive('noise_multiplier', noise_multiplier)
  _check_delta(delta)
  if budget is not None:
    _check_positive('epsilon', budget)
  _library('jax_privacy')


def draw_secret() -> int:
  """64 random bits of the system: the seed of the noise and of the drawing.

  Who knows or guesses it can take the noise off again. A checkpoint keeps it,
  so that a run can go on; whoever gets weights must not get it.
  """
  return secrets.randbits(64)


def noise_key(secret: int) -> jax.Array:
  """The key of all 64 bits of a secret; jax.random.key takes 32 of them."""
  halves = np.array([secret >> 32, secret % 2**32], np.uint32)
  return jax.random.wrap_key_data(halves, impl='threefry2x32')


def gradient(
    loss_of: Loss, params: Any, batch: Any, real: jax.Array, rng: jax.Array, *,
    clip_norm: float, noise_multiplier: float, expected: float,
    micro_batch: int, mesh: Mesh | None,
) -> tuple[dict[str, jax.Array], Any]:
  """The private gradient of a batch that data/poisson.py has drawn.

  (Sum of the real examples' clipped gradients + noise of the standard deviation
  noise_multiplier * clip_norm) / expected. Where an example's gradient is not
  finite, 0 is taken.

  Args:
    loss_of: see Loss. It must not look at data other than its example.
    params: what the gradient is by; float32.
    batch: a tree of arrays [B, ...].
    real: [B] in {0, 1}; 0: nothing was drawn for this slot; it counts for
      nothing.
    rng: a key that differs from step to step, and that nothing else is drawn
      from. The noise does not depend on the number of devices.
    clip_norm: the longest that the gradient of an example may be.
    noise_multiplier: see Mechanism.
    expected: how many examples are drawn on average (not: how many were).
    micro_batch: how many are looked at together, over all devices; a divisor of
      B. In memory are as many gradients, and the sum. Micro-batch i has every
      (B / micro_batch)-th slot from i; those after the last that has a real
      example are left out.
    mesh: what shares out the batch, along its axis `data`; micro_batch is a
      multiple of that. None: the batch is on one device.

  Returns:
    terms: of the loss, means over the real examples (0 if there is none), and
      'clipped': the share whose gradient was longer than clip_norm. They are
      for the log, and not private.
    grads: the gradient, like params.
  """
  _check_positive('noise_multiplier', noise_multiplier)
  terms, total = clipped_sum(
      loss_of, params, batch, real, clip_norm=clip_norm,
      micro_batch=micro_batch, mesh=mesh)
  privatizer = _library('jax_privacy.noise_addition').gaussian_privatizer(
      stddev=noise_multiplier * clip_norm, prng_key=rng)
  noised, _ = privatizer.update(total, privatizer.init(total))
  return terms, jax.tree.map(lambda x: x / expected, noised)


def clipped_sum(
    loss_of: Loss, params: Any, batch: Any, real: jax.Array, *,
    clip_norm: float, micro_batch: int, mesh: Mesh | None,
) -> tuple[dict[str, jax.Array], Any]:
  """The terms and the sum of clipped gradients of gradient(): without noise.

  One example more or less changes the sum by clip_norm at most, another one in
  its place by twice that.
  """
  _check_positive('clip_norm', clip_norm)
  devices = 1 if mesh is None else mesh.shape['data']
  if micro_batch < 1 or micro_batch % devices or len(real) % micro_batch:
    raise types.BadInput(
        f'--config.dp.micro_batch={micro_batch} must divide the {len(real)} '
        f'slots of a batch, and be a multiple of the {devices} devices.')
  totals = functools.partial(
      _totals, loss_of, clip_norm=clip_norm,
      rounds=len(real) // micro_batch, axis=None if mesh is None else 'data')
  if mesh is not None:
    # The compiler must not do it: it gets the gradients of a convolution's
    # kernel, one for each example, wrong on all devices but the first (jaxlib
    # 0.10.2). Nor may jax: with check_vma it adds up before the clip.
    alone, shared = PartitionSpec(), PartitionSpec('data')
    totals = jax.shard_map(
        totals, mesh=mesh, in_specs=(alone, shared, shared), out_specs=alone,
        axis_names={'data'}, check_vma=False)
  count, terms, grads = totals(params, batch, real > 0)
  return jax.tree.map(lambda x: x / jnp.maximum(count, 1), terms), grads


def _totals(loss_of, params, batch, real, *, clip_norm, rounds, axis):
  """Number of real examples, sums of their terms and of clipped gradients.

  Of this device's examples, and added up over all along axis.
  """
  add_up = (lambda x: x) if axis is None else lambda x: jax.lax.psum(x, axis)
  take = _library('jax_privacy.clipping').clipped_grad(
      loss_of, has_aux=True, l2_clip_norm=clip_norm, return_grad_norms=True)
  split = jax.tree.map(
      lambda x: x.reshape(-1, rounds, *x.shape[1:]), (batch, real))

  def part(i):
    examples, real = jax.tree.map(
        lambda x: jax.lax.dynamic_index_in_dim(x, i, 1, keepdims=False), split)
    grads, each = take(params, examples, is_padding_example=~real)
    terms = each.aux | {'clipped': 1.0 * (each.grad_norms > clip_norm)}
    # Padding may be anything, not finite as well.
    terms = {k: jnp.where(real, v, 0).sum() for k, v in terms.items()}
    return 1.0 * real.sum(), terms, grads

  # As many rounds on each device: a model that is itself shared out talks.
  used = add_up(1 * split[1].any(0)) > 0
  needed = jnp.where(used, 1 + jnp.arange(rounds), 0).max()
  zeros = jax.tree.map(
      lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(part, 0))
  return add_up(jax.lax.fori_loop(
      0, needed, lambda i, sums: jax.tree.map(jnp.add, sums, part(i)), zeros))


@dataclasses.dataclass(frozen=True)
class Mechanism:
  """What a step does, as far as privacy goes. All of it counts as public.

  num_units: clips, or videos, that may be drawn. expected: how many are drawn,
  on average. noise_multiplier: standard deviation of the noise, in clip_norm.
  delta: how probable it may be that epsilon does not hold. capacity: the most
  that a step uses, a random choice of those drawn; None: all of them.
  """

  num_units: int
  expected: float
  noise_multiplier: float
  delta: float
  capacity: int | None = None

  def __post_init__(self):
    _check_positive('noise_multiplier', self.noise_multiplier)
    _check_delta(self.delta)
    if not 0 < self.expected <= self.num_units:
      raise types.BadInput(
          f'--config.batch_size: {self.expected} of {self.num_units} clips or '
          'videos cannot be drawn, on average; lower it, or give more.')
    if self.capacity is not None and self.capacity < self.expected:
      raise types.BadInput(
          f'Private training: {self.capacity} slots do not hold the '
          f'{self.expected:g} clips that are drawn on average; see '
          'data/poisson.py, capacity().')
    if self.delta * self.num_units >= 1:
      logging.warning(
          '--config.dp.delta=%g: to publish one of the %d clips or videos, '
          'drawn at random, would count as private; lower it.',
          self.delta, self.num_units)


@functools.lru_cache(maxsize=8)
def _one_step(
    num_units: int, expected: float, noise_multiplier: float, capacity: int
) -> Any:
  """The privacy loss distribution of one step; takes up to some seconds."""
  # What DpsgdTrainingAccountant of jax-privacy makes anew at every call.
  losses = _library('dp_accounting.pld.privacy_loss_distribution')
  return losses.from_truncated_subsampled_gaussian_mechanism(
      dataset_size=num_units, sampling_probability=expected / num_units,
      truncated_batch_size=capacity, noise_multiplier=noise_multiplier)


def _composed(
    steps: int, mechanism: Mechanism, delta: float, capacity: int
) -> float:
  one = _one_step(mechanism.num_units, mechanism.expected,
                  mechanism.noise_multiplier, capacity)
  return float(one.self_compose(steps).get_epsilon_for_delta(delta))


def _is_lost(steps: int, mechanism: Mechanism) -> bool:
  """Whether so much is spent that to know it exactly takes GBs of memory."""
  if mechanism.noise_multiplier < _LEAST_NOISE:
    return True
  fewer = 8 ** int(math.log(max(steps - 1, 1), 8))
  return fewer < steps and epsilon(fewer, mechanism) > _LOST


@functools.lru_cache(maxsize=4096)
def epsilon(steps: int, mechanism: Mechanism) -> float:
  """What so many steps have spent: an upper bound, at mechanism.delta.

  For a unit that is there or not; for one that is replaced by another it is
  2 epsilon, at (1 + e^epsilon) delta. From privacy loss distributions
  (arXiv:2207.04380); well above 100, where nothing is private, a coarse bound
  (Bun and Steinke 2016, arXiv:1605.02065, proposition 1.3). A call takes about
  0.1 s, ten times that with a capacity so small that it counts.
  """
  m = mechanism
  if steps <= 0:
    return 0.0
  if _is_lost(steps, m):
    rho = 2 * steps / m.noise_multiplier**2  # Of a sensitivity of 2.
    return rho + 2 * math.sqrt(rho * math.log(1 / m.delta))
  if m.capacity is None or m.capacity >= m.num_units:
    return _composed(steps, m, m.delta, m.num_units)
  # How often a step draws more than capacity, of these or one unit more. If
  # never, nothing is truncated; so this costs (1 + e^epsilon) * overflow of
  # delta at most, of which a hundredth is set aside for it.
  overflow = steps * stats.binom.sf(
      m.capacity, m.num_units + 1, m.expected / m.num_units)
  found = _composed(steps, m, 0.99 * m.delta, m.num_units)
  if (1 + math.exp(min(found, 700.0))) * overflow <= 0.01 * m.delta:
    return found
  return _composed(steps, m, m.delta, m.capacity)  # Looser; arXiv:2508.15089.


def steps_within(
    budget: float, mechanism: Mechanism, most: int = 10_000_000
) -> int:
  """The most steps, up to `most`, whose epsilon is within the budget; or 0.

  Raises:
    types.BadInput: the budget is not positive.
  """
  _check_positive('epsilon', budget)
  high = min(1, most)
  while high < most and epsilon(high, mechanism) <= budget:
    high = min(2 * high, most)
  return bisect.bisect_right(
      range(1, high + 1), budget, lo=high // 2,
      key=lambda steps: epsilon(steps, mechanism))


def statement(steps: int, mechanism: Mechanism, *, unit: str) -> str:
  """What may be said of weights after so many steps, for their model card.

  unit: 'clip' or 'video'.
  """
  m = mechanism
  return (
      f'({epsilon(steps, m):.3g}, {m.delta:g})-differentially private for one '
      f'{unit} added or removed, after {steps} steps of DP-SGD: Poisson '
      f'sampling of {m.expected:g} out of {m.num_units}, at most '
      f'{m.capacity or m.num_units} a step, noise multiplier '
      f'{m.noise_multiplier:g}; accounted for with privacy loss distributions '
      '(dp-accounting).')
