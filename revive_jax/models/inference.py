"""Restoring with trained weights: what the package offers to other programs."""

import functools
import os
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax import models, types
from revive_jax.models import fills, restorer, weights
from revive_jax.ops import resize


def load_weights(where: str | os.PathLike) -> tuple[nn.Module, Any]:
  """The network and the params of trained weights.

  Activations are float32 on CPUs and bfloat16 on accelerators.

  Args:
    where: a name that ships with the package, a folder, a file, or a hub id.

  Raises:
    types.BadInput: there are none, they are damaged, or they are of an
      architecture that this program does not have.
  """
  return build(weights.read_weights(where))


def build(found: weights.Weights) -> tuple[nn.Module, Any]:
  """load_weights, of weights that have been read."""
  name, settings = found.config['model'], found.config['settings']
  if name not in models.RESTORERS:
    what = ('does not restore frames' if name in models.MODELS
            else 'this version does not have')
    raise types.BadInput(
        f'{found.name}: weights of a model {name!r}, which {what}; those that '
        f'restore: {", ".join(models.RESTORERS)}.')
  dtype = jnp.float32 if jax.default_backend() == 'cpu' else jnp.bfloat16
  example = jnp.zeros((1, 1, restorer.BLOCK, restorer.BLOCK, 3))
  try:
    model = models.build(name, settings, dtype=dtype)
    expected = jax.eval_shape(model.init, jax.random.key(0), example)['params']
  except (TypeError, ValueError, ArithmeticError) as error:
    raise types.BadInput(
        f'{found.name}: settings {settings} are not those of a {name}; the '
        'weights are of another version, or their config.json is damaged.'
    ) from error
  weights.check_shapes(found.params, expected)
  return model, found.params


@functools.partial(jax.jit, static_argnames=('model', 'causal'))
def restore_frames(
    params: Any,
    frames: jax.Array,
    *,
    model: nn.Module,
    mask: jax.Array | None = None,
    cuts: jax.Array | None = None,
    state: restorer.State | None = None,
    causal: bool = False,
    carry_after: jax.Array | int | None = None,
) -> tuple[restorer.Restored, restorer.State]:
  """Restores frames [B, T, H, W, 3] in [0, 1], of any size; jitted.

  On CPU, GPU and TPU; shards over B as frames are sharded. It is compiled once
  for each shape.

  Args:
    params: of load_weights.
    frames: float32, gamma-encoded RGB, without global flicker.
    model: of load_weights.
    mask: [B, T, H, W, 1], above a half where a person marked damage.
    cuts: [B, T], true where a shot starts at this frame.
    state: what the last call returned, when frames go on from there.
    causal: use no future frames at all.
    carry_after: how many of the frames the returned state has seen; None: all.

  Returns:
    Restored, and the state.
  """
  chex.assert_shape(frames, (None, None, None, None, 3))
  height, width = frames.shape[2:4]
  frames = resize.pad_to_multiple(frames, restorer.BLOCK)
  if mask is not None:
    mask = (mask > 0.5).astype(jnp.float32)
    mask = resize.pad_to_multiple(mask, restorer.BLOCK)
  if cuts is not None:
    cuts = cuts.astype(bool)
  restored, state, _ = model.apply(
      {'params': params}, frames, mask=mask, cuts=cuts, state=state,
      causal=causal, carry_after=carry_after)
  cut = lambda x: x[:, :, :height, :width]
  return restorer.Restored(
      output=jnp.clip(cut(restored.output), 0, 1),
      damage=cut(restored.damage), log_variance=cut(restored.log_variance),
      flow=restored.flow[:, :, :, :-(-height // 2), :-(-width // 2)],
  ), state


class Samples(NamedTuple):
  """Several restored clips that differ in what damage hides."""

  restored: restorer.Restored
  outputs: jax.Array  # [S, B, T, H, W, 3]; outside the damage all are equal.
  mean: jax.Array  # [B, T, H, W, 3], over the S.
  deviation: jax.Array  # [B, T, H, W, 1], of the S: 0 outside the damage.


def load_fills(where: str | os.PathLike) -> tuple[nn.Module, Any]:
  """The network and the params of trained fills (configs/fills.py).

  Raises:
    types.BadInput: there are none, they are damaged, or they are of something
      else.
  """
  found = weights.read_weights(where)
  if found.config['model'] != 'fill_vae':
    raise types.BadInput(
        f'{found.name}: weights of a {found.config["model"]}, which makes no '
        'fills; train some with --config=fills.')
  model = models.build(found.config['model'], found.config['settings'])
  x = jnp.zeros((1, restorer.BLOCK, restorer.BLOCK, 3))
  noise = jnp.zeros(fills.noise_shape(x.shape, model.latent))
  expected = jax.eval_shape(
      model.init, jax.random.key(0), x, x[..., :1], x[..., :1], x, noise)
  weights.check_shapes(found.params, expected['params'])
  return model, found.params


@functools.partial(
    jax.jit, static_argnames=('model', 'fill_model', 'num_samples', 'causal'))
def sample_frames(
    params: Any,
    fill_params: Any,
    frames: jax.Array,
    rng: jax.Array,
    *,
    model: nn.Module,
    fill_model: nn.Module,
    num_samples: int,
    mask: jax.Array | None = None,
    cuts: jax.Array | None = None,
    causal: bool = False,
) -> Samples:
  """Restores frames [B, T, H, W, 3] in several plausible ways; jitted.

  Sample number i depends on rng and i alone, however many there are. All frames
  share its noise, so that a fill stays from frame to frame.

  Args:
    params: of load_weights.
    fill_params: of load_fills.
    frames: as restore_frames'.
    rng: what is drawn with.
    model: of load_weights.
    fill_model: of load_fills.
    num_samples: S.
    mask: as restore_frames'.
    cuts: as restore_frames'.
    causal: as restore_frames'.
  """
  restored, _ = restore_frames(
      params, frames, model=model, mask=mask, cuts=cuts, causal=causal)
  height, width = frames.shape[2:4]
  flat = lambda x: resize.pad_to_multiple(
      x.reshape(-1, *x.shape[2:]), fills.BLOCK)
  seen = (flat(restored.output),
          (flat(restored.damage) > 0.5).astype(jnp.float32),
          flat(restored.log_variance))
  shape = fills.noise_shape((1, *seen[0].shape[1:]), fill_model.latent)
  noise = jnp.stack([jax.random.normal(jax.random.fold_in(rng, i), shape)
                     for i in range(num_samples)])
  drawn = fill_model.apply({'params': fill_params}, *seen, noise, method='draw')
  outputs = drawn[:, :, :height, :width].reshape(num_samples, *frames.shape)
  mean = outputs.mean(0)
  # Zero to the last bit where all are the same.
  apart = outputs - outputs[:1]
  variance = (apart**2).mean(0) - apart.mean(0) ** 2
  deviation = jnp.sqrt(jnp.maximum(variance, 0).mean(-1, keepdims=True))
  return Samples(restored, outputs, jnp.where(
      deviation > 0, mean, outputs[0]), deviation)
