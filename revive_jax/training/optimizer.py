"""Optimizer: a schedule, clipping, AdamW."""

import optax


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
