"""Optimizers: a schedule, clipping, and AdamW or Muon."""

from collections.abc import Sequence
from typing import Any

import jax
import optax
from optax import contrib

from revive_jax import types


def schedule(
    *, peak: float, num_steps: int, warmup: int, final_decay: float,
    shape: str = 'cosine',
) -> optax.Schedule:
  """Learning rate by step: linear warm-up to peak, then down to 0.

  shape 'cosine': a cosine from peak to 0 (arXiv:1608.03983). 'constant': peak
  until the last `final_decay` share of the steps, which fall linearly (as
  arXiv:2405.18392): for trainings that go on from others.
  """
  warmup = max(warmup, 1)
  if shape == 'cosine':
    return optax.warmup_cosine_decay_schedule(
        0.0, peak, warmup, max(num_steps, warmup + 1))
  if shape != 'constant':
    raise ValueError(f'The schedule {shape!r} is not cosine or constant.')
  tail = max(1, min(round(final_decay * num_steps), num_steps - warmup))
  return optax.join_schedules(
      [optax.linear_schedule(0.0, peak, warmup),
       optax.constant_schedule(peak),
       optax.linear_schedule(peak, 0.0, tail)],
      [warmup, max(num_steps - tail, warmup)])


def adamw(
    rate: optax.Schedule, *, b1: float, b2: float, weight_decay: float,
    clip_norm: float,
) -> optax.GradientTransformation:
  """AdamW (arXiv:1711.05101) of gradients clipped to a global norm."""
  return optax.chain(
      optax.clip_by_global_norm(clip_norm),
      optax.adamw(rate, b1=b1, b2=b2, weight_decay=weight_decay))


def scheduled_adamw(
    *, num_steps: int, peak: float, warmup: int, shape: str,
    final_decay: float, **settings: float,
) -> optax.GradientTransformation:
  """adamw() of settings, its rate by schedule() of the others."""
  return adamw(schedule(
      peak=peak, num_steps=num_steps, warmup=warmup, shape=shape,
      final_decay=final_decay), **settings)


def muon(
    rate: optax.Schedule, *, momentum: float, others: float, b1: float,
    b2: float, weight_decay: float, clip_norm: float,
) -> optax.GradientTransformation:
  """Muon for kernels, AdamW for the rest, of gradients clipped to a norm.

  The rest are vectors and the layers that end in a result.
  Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon; arXiv:2502.16982)
  makes each kernel's momentum orthogonal, so that what is rare in the gradient
  moves as far as what is loud: here, grain beside damage. In the same number
  of steps it learned far more than AdamW (docs/restorer.md).

  Args:
    rate: of the kernels; an orthogonal step has singular values of about 1.
    momentum: of the kernels.
    others: rate of the others, as a share of the kernels'.
    b1: of AdamW, for the others.
    b2: of AdamW, for the others.
    weight_decay: of all, times the rate.
    clip_norm: the greatest norm of the whole gradient.
  """
  return optax.chain(
      optax.clip_by_global_norm(clip_norm),
      contrib.muon(
          rate, beta=momentum, weight_decay=weight_decay, adam_b1=b1,
          adam_b2=b2, adam_weight_decay=weight_decay,
          adam_learning_rate=lambda step: others * rate(step),
          muon_weight_dimension_numbers=_as_matrices))


def only(
    tx: optax.GradientTransformation, names: Sequence[str]
) -> optax.GradientTransformation:
  """tx for the parts of a network of these names; others stay; (): all learn.

  Raises:
    types.BadInput: from init, where the network has no such part.
  """
  if not names:
    return tx

  def labels(params):
    if unknown := sorted(set(names) - set(params)):
      raise types.BadInput(
          f'--config.only: the network has no part {unknown[0]!r}; it has '
          f'{", ".join(sorted(params))}.')
    return {name: 'learns' if name in names else 'stays' for name in params}

  return optax.partition({'learns': tx, 'stays': optax.set_to_zero()}, labels)


def _as_matrices(params: Any) -> Any:
  """How kernels [..., in, out] are seen as matrices; None: no matrix.

  Nor are the layers that end in a result (named out, or ..._out): there an
  orthogonal step moves what is seen by more than it is away from its target.
  """
  def shape_of(path, x):
    last = any(str(k.key).split('_')[-1] == 'out' for k in path)
    if x.ndim < 2 or last:
      return None
    return contrib.MuonDimensionNumbers(tuple(range(x.ndim - 1)), x.ndim - 1)

  return jax.tree_util.tree_map_with_path(shape_of, params)
