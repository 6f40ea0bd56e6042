"""Training of the embedder of faces: one person near, all others far."""

from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import linalg

from revive_jax.training import sharding
from revive_jax.training import state as state_lib


def init_state(
    rng: jax.Array, *, model: nn.Module, tx: optax.GradientTransformation,
    side: int, params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step; params: to go on from, else drawn."""
  if params is None:
    params = model.init(rng, jnp.zeros((1, side, side, 3)))['params']
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=params, opt_state=tx.init(params),
      ema=jax.tree.map(jnp.copy, params))


def contrastive(
    vectors: jax.Array, person: jax.Array, *, temperature: float
) -> tuple[jax.Array, jax.Array]:
  """The loss [B], and whether the nearest of all is the same person, [B].

  Of every first view the second has to be told from all other vectors, decoys
  included (NT-Xent: Chen et al. 2020, arXiv:2002.05709, eq. 1).

  Args:
    vectors: [B, 3, D], unit length: two views of a person, and a decoy.
    person: [B]; further views of the same person count neither way.
    temperature: that cosines are divided by.
  """
  count = len(vectors)
  first, second, decoy = jnp.moveaxis(vectors, 1, 0)
  others = jnp.concatenate([first, second, decoy])
  cosine = first @ others.T / temperature
  same = person[:, None] == person[None, :]
  own = jnp.eye(count, dtype=bool)
  hidden = jnp.concatenate([same, same & ~own, same & ~own], 1)
  cosine = jnp.where(hidden, -1e9, cosine)
  target = count + jnp.arange(count)
  loss = optax.softmax_cross_entropy_with_integer_labels(cosine, target)
  return loss, cosine.argmax(1) == target


def train_step(
    state: state_lib.TrainState, batch: dict[str, jax.Array], *,
    model: nn.Module, tx: optax.GradientTransformation, temperature: float,
    ema_decay: float,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step on 'views' [B, 3, S, S, 3] uint8 of 'person' [B]."""
  views = batch['views'].astype(jnp.float32) / 255

  def loss_of(params):
    vectors = model.apply(
        {'params': params}, views.reshape(-1, *views.shape[2:]))
    vectors = vectors.reshape(*views.shape[:2], -1)
    loss, right = contrastive(
        vectors, batch['person'], temperature=temperature)
    cosine = (vectors[:, :1] * vectors[:, 1:]).sum(-1).mean(0)
    return loss.mean(), {
        'found': right.mean(), 'cosine_same': cosine[0],
        'cosine_decoy': cosine[1]}

  (loss, metrics), grads = jax.value_and_grad(
      loss_of, has_aux=True)(state.params)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(state.ema, params, state.step, decay=ema_decay)
  metrics |= {'loss': loss, 'grad_norm': optax.tree.norm(grads)}
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def discriminant(
    features: np.ndarray, person: np.ndarray, *, size: int, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
  """A last layer that tells persons apart: kernel [F, size] and bias [size].

  Fisher's linear discriminant (1936): the directions in which persons differ
  most, in units of what one person's pictures differ by. In closed form, so
  that a short training of the layers before it goes further.

  Args:
    features: [N, F], of pictures.
    person: [N], whom they show.
    size: of the vectors.
    ridge: what is added to the variance in every direction, as a share of the
      mean variance: rare directions must not count for much.
  """
  names, index = np.unique(person, return_inverse=True)
  count = np.bincount(index).astype(np.float64)
  features = np.asarray(features, np.float64)
  means = np.zeros((len(names), features.shape[1]))
  np.add.at(means, index, features)
  means /= count[:, None]
  within = features - means[index]
  within = within.T @ within / max(len(features) - len(names), 1)
  within += ridge * np.trace(within) / len(within) * np.eye(len(within))
  centre = means.mean(0)
  between = (means - centre).T @ (means - centre) / len(names)
  _, vectors = linalg.eigh(
      between, within,
      subset_by_index=(len(within) - size, len(within) - 1))
  return vectors.astype(np.float32), -(centre @ vectors).astype(np.float32)


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)
