"""Restoring with trained weights: what the package offers to other programs."""

import functools
import os
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import models, types
from revive_jax.models import fills, latent, restorer, weights
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
  name = found.config['model']
  if name not in models.RESTORERS:
    what = ('does not restore frames' if name in (*models.MODELS, 'niqe')
            else 'this version does not have')
    raise types.BadInput(
        f'{found.name}: weights of a model {name!r}, which {what}; those that '
        f'restore: {", ".join(models.RESTORERS)}.')
  example = jnp.zeros((1, 1, restorer.BLOCK, restorer.BLOCK, 3))
  return _checked(found, lambda model: (example,)), found.params


def _checked(found: weights.Weights, example) -> nn.Module:
  """The network of weights, which must fit it; example: model to its inputs."""
  name, settings = found.config['model'], found.config['settings']
  dtype = jnp.float32 if jax.default_backend() == 'cpu' else jnp.bfloat16
  try:
    model = models.build(name, settings, dtype=dtype)
    expected = jax.eval_shape(
        lambda: model.init(jax.random.key(0), *example(model)))['params']
  except (TypeError, ValueError, ArithmeticError) as error:
    raise types.BadInput(
        f'{found.name}: settings {settings} are not those of a {name}; the '
        'weights are of another version, or their config.json is damaged.'
    ) from error
  weights.check_shapes(found.params, expected)
  return model


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
    sample: jax.Array | int | None = None,
    count: jax.Array | int | None = None,
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
    sample: which of its answers, of a network with noise; None: the first, 0.
    count: how many there are, others making up a shape; None: all.

  Returns:
    Restored, and the state.
  """
  chex.assert_shape(frames, (None, None, None, None, 3))
  shape = frames.shape
  height, width = shape[2:4]
  frames = resize.pad_to_multiple(frames, restorer.BLOCK)
  if mask is not None:
    if mask.shape != (*shape[:-1], 1):
      raise types.BadInput(
          f'A mask of shape {mask.shape} does not fit frames of shape {shape}; '
          'it must have one channel, and the same size.')
    mask = (mask > 0.5).astype(jnp.float32)
    mask = resize.pad_to_multiple(mask, restorer.BLOCK)
  if cuts is not None:
    cuts = cuts.astype(bool)
  noise = None
  if sample is not None and getattr(model, 'noise', 0):
    noise = jax.random.normal(
        jax.random.key(sample), model.noise_shape(frames.shape))
  restored, state, _ = model.apply(
      {'params': params}, frames, mask=mask, cuts=cuts, state=state,
      causal=causal, carry_after=carry_after, noise=noise, count=count)
  restored = restored.replace(output=jnp.clip(restored.output, 0, 1))
  return _cut(restored, height, width), state


def _cut(restored, height, width):
  cut = lambda x: x[:, :, :height, :width]
  return restorer.Restored(
      output=cut(restored.output), damage=cut(restored.damage),
      log_variance=cut(restored.log_variance),
      flow=restored.flow[:, :, :, :-(-height // 2), :-(-width // 2)])


def restore_window(
    params: Any, frames: np.ndarray, *, model: nn.Module,
    mask: np.ndarray | None = None, cuts: np.ndarray | None = None,
    state: restorer.State | None = None, causal: bool = False,
    carry_after: int | None = None, sample: int = 0, count: int | None = None,
) -> tuple[restorer.Restored, restorer.State]:
  """restore_frames, compiled once for all sizes of the same sixteens.

  Whatever is not given is filled in: another program would be compiled for it.
  """
  batch, time, height, width, _ = frames.shape
  pads = [(0, 0), (0, 0), (0, -height % restorer.BLOCK),
          (0, -width % restorer.BLOCK), (0, 0)]
  if mask is None:
    mask = np.zeros((*frames.shape[:-1], 1), np.float32)
  frames, mask = (np.asarray(x, np.float32) for x in (frames, mask))
  if pads[2][1] or pads[3][1]:
    frames, mask = (np.pad(x, pads, mode='edge') for x in (frames, mask))
  cuts = np.zeros((batch, time), bool) if cuts is None else np.array(cuts, bool)
  if state is None:
    cuts[:, 0] = True
    # NumPy, here and below: on a device each size would compile more programs.
    state = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(
        lambda: model.initial_state(batch, *frames.shape[2:4])))
  count = time if count is None else count
  restored, state = restore_frames(
      params, frames, model=model, mask=mask, cuts=cuts, state=state,
      causal=causal, sample=np.int32(sample), count=np.int32(count),
      carry_after=np.int32(count if carry_after is None else carry_after))
  restored = jax.tree.map(np.asarray, restored)
  return _cut(restored, height, width), state


class Samples(NamedTuple):
  """Several restored clips that differ in what damage hides."""

  restored: restorer.Restored
  outputs: jax.Array  # [S, B, T, H, W, 3]; outside the damage all are equal.
  mean: jax.Array  # [B, T, H, W, 3], over the S.
  # [B, T, H, W, 1], predicted for the clean picture around mean: from how the S
  # differ and the sigma of each; 0 outside the damage.
  deviation: jax.Array


class Fills(NamedTuple):
  """Trained fills, of load_fills."""

  model: nn.Module
  params: Any
  sigma: float  # Standard deviation of the clean picture around a fill.


def load_fills(
    where: str | os.PathLike, *, restorer_weights: str | os.PathLike
) -> Fills:
  """Trained fills (configs/fills.py), for a restorer.

  Args:
    where: as of load_weights.
    restorer_weights: of the restorer they are to fill for.

  Raises:
    types.BadInput: there are none, they are damaged, of something else, or were
      trained for another restorer.
  """
  found = weights.read_weights(where)
  if found.config['model'] != 'fill_vae':
    raise types.BadInput(
        f'{found.name}: weights of a {found.config["model"]}, which makes no '
        'fills; train some with --config=fills.')
  x = jnp.zeros((1, restorer.BLOCK, restorer.BLOCK, 3))
  model = _checked(found, lambda model: (
      x, x[..., :1], x[..., :1], x,
      jnp.zeros(fills.noise_shape(x.shape, model.latent))))
  other = weights.read_weights(restorer_weights).config['sha256']
  if found.config.get('restorer') != other:
    raise types.BadInput(
        f'{found.name}: these fills were trained for another restorer than '
        f'{restorer_weights}; train some for it with --config=fills '
        f'--config.restorer={restorer_weights}.')
  return Fills(model, found.params, float(found.config['sigma']))


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
    sigma: float,
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
    sigma: of load_fills.
    num_samples: S.
    mask: as restore_frames'.
    cuts: as restore_frames'.
    causal: as restore_frames'.
  """
  restored, _ = restore_frames(
      params, frames, model=model, mask=mask, cuts=cuts, causal=causal)
  return sample_fills(
      fill_params, restored, rng, fill_model=fill_model, sigma=sigma,
      num_samples=num_samples)


class Filled(NamedTuple):
  """Restored, with one of several fills in it, and how much they differ."""

  output: jax.Array  # [B, T, H, W, 3]
  damage: jax.Array  # This and the next two: see restorer.Restored.
  log_variance: jax.Array
  flow: jax.Array
  spread: jax.Array  # [B, T, H, W, 1], Samples.deviation.


def fill_frames(
    params: Any, frames: jax.Array, *, model: nn.Module, fills: Fills,
    seed: int, num_samples: int, sample: jax.Array | int = 0, **options: Any,
) -> tuple[Filled, restorer.State]:
  """restore_frames, and in what it found damaged one of several fills.

  Args:
    params: as restore_frames', as are frames, model and options.
    frames: as above.
    model: as above.
    fills: of load_fills.
    seed: of all fills; the same for every window, so that a fill stays.
    num_samples: how many are compared, 2 at least.
    sample: which of them.
    **options: mask, cuts, state, causal, carry_after.
  """
  restored, state = restore_window(params, frames, model=model, **options)
  drawn = sample_fills(
      fills.params, restored, jax.random.key(seed), fill_model=fills.model,
      sigma=fills.sigma, num_samples=max(num_samples, 2))
  return Filled(drawn.outputs[sample], restored.damage, restored.log_variance,
                restored.flow, drawn.deviation), state


@functools.partial(jax.jit, static_argnames=('fill_model', 'num_samples'))
def sample_fills(
    fill_params: Any, restored: restorer.Restored, rng: jax.Array, *,
    fill_model: nn.Module, sigma: float, num_samples: int,
) -> Samples:
  """Fills what restore_frames found damaged, num_samples times; jitted.

  Args: as sample_frames'; restored: what restore_frames made of the clip.
  """
  if num_samples < 1:
    raise types.BadInput(f'{num_samples} samples cannot be; ask for one.')
  height, width = restored.output.shape[2:4]
  flat = lambda x: resize.pad_to_multiple(
      x.reshape(-1, *x.shape[2:]), fills.BLOCK)
  seen = (flat(restored.output),
          (flat(restored.damage) > 0.5).astype(jnp.float32),
          flat(restored.log_variance))
  shape = fills.noise_shape((1, *seen[0].shape[1:]), fill_model.latent)
  noise = jax.vmap(lambda i: jax.random.normal(
      jax.random.fold_in(rng, i), shape))(jnp.arange(num_samples))
  drawn = fill_model.apply({'params': fill_params}, *seen, noise, method='draw')
  outputs = drawn[:, :, :height, :width].reshape(
      num_samples, *restored.output.shape)
  hole = restored.damage > 0.5
  mean = jnp.where(hole, outputs.mean(0), restored.output)
  spread = ((outputs - mean[None]) ** 2).sum(0) / max(num_samples - 1, 1)
  deviation = jnp.sqrt(spread.mean(-1, keepdims=True) + sigma**2)
  return Samples(restored, outputs, mean, jnp.where(hole, deviation, 0))


def load_latent(where: str | os.PathLike) -> tuple[nn.Module, Any]:
  """The network and the params of a trained configs/vae_restorer.py.

  where: as of load_weights.

  Raises:
    types.BadInput: there are none, they are damaged, or of something else.
  """
  found = weights.read_weights(where)
  if found.config['model'] != 'latent_restorer':
    raise types.BadInput(
        f'{found.name}: weights of a {found.config["model"]}, which does not '
        'restore in latent space; train some with --config=vae_restorer.')
  x = jnp.zeros((1, 1, latent.BLOCK, latent.BLOCK, 3))
  model = _checked(found, lambda model: (
      x, x[..., :1], jnp.zeros(model.noise_shape(x.shape))))
  return model, found.params


@functools.partial(jax.jit, static_argnames='model')
def restore_latent(
    params: Any, frames: jax.Array, mask: jax.Array, *, model: nn.Module
) -> jax.Array:
  """Fills what is masked of frames, as restored in latent space; jitted.

  [B, T, H, W, 3] of any size; where the mask is not above a half the frames
  come back bit for bit.

  Args:
    params: of load_latent.
    frames: [B, T, H, W, 3] float32 in [0, 1], gamma-encoded RGB.
    mask: [B, T, H, W, 1], above a half where damage hides the picture.
    model: of load_latent.

  Raises:
    types.BadInput: the mask is of another size.
  """
  chex.assert_shape(frames, (None, None, None, None, 3))
  if mask.shape != (*frames.shape[:-1], 1):
    raise types.BadInput(
        f'A mask of shape {mask.shape} does not fit frames of shape '
        f'{frames.shape}; it must have one channel, and the same size.')
  height, width = frames.shape[2:4]
  hole = mask > 0.5
  output = model.apply(
      {'params': params}, resize.pad_to_multiple(frames, latent.BLOCK),
      resize.pad_to_multiple(hole.astype(jnp.float32), latent.BLOCK),
      method='restore')
  return jnp.where(hole, jnp.clip(output[:, :, :height, :width], 0, 1), frames)


def load_upscaler(where: str | os.PathLike) -> tuple[nn.Module, Any]:
  """The network and the params of a trained configs/upscaler.py.

  where: as of load_weights.

  Raises:
    types.BadInput: there are none, they are damaged, or of something else.
  """
  found = weights.read_weights(where)
  if found.config['model'] != 'upscaler':
    raise types.BadInput(
        f'{found.name}: weights of a {found.config["model"]}, which does not '
        "enlarge frames; take 'upscaler', which ships, or train some with "
        '--config=upscaler.')
  model = _checked(found, lambda model: (jnp.zeros((1, 8, 8, 3)),))
  return model, found.params


@functools.partial(jax.jit, static_argnames='model')
def upscale_frames(
    params: Any, frames: jax.Array, *, model: nn.Module
) -> jax.Array:
  """Frames [..., H, W, 3] in [0, 1], of any size, at twice the size; jitted.

  The mean of every 2 x 2 of [..., 2 H, 2 W, 3] is the pixel it was made from.

  Args:
    params: of load_upscaler.
    frames: float32, gamma-encoded RGB.
    model: of load_upscaler.
  """
  return model.apply({'params': params}, frames)
