"""Random walks through time: damage changes, it is not redrawn each frame."""

import jax
import jax.numpy as jnp


def ornstein_uhlenbeck(
    rng: jax.Array,
    steps: int,
    shape: tuple[int, ...] = (),
    *,
    correlation: float,
    deviation: float | jax.Array = 1.0,
) -> jax.Array:
  """Stationary AR(1), the Ornstein-Uhlenbeck process sampled once a step.

  x[t + 1] = correlation x[t] + sqrt(1 - correlation^2) deviation e[t], with
  x[0] already of the stationary deviation. Returns [steps, *shape].

  One product with a lower triangular matrix [steps, steps] instead of a scan:
  steps are few, and it compiles at once.
  """
  noise = jax.random.normal(rng, (steps, *shape))
  time = jnp.arange(steps)
  lag = time[:, None] - time[None, :]
  decay = jnp.where(lag >= 0, correlation ** jnp.maximum(lag, 0), 0.0)
  first = (time == 0)[None, :]
  innovation = jnp.where(first, 1.0, jnp.sqrt(1 - correlation**2))
  matrix = (decay * innovation).astype(jnp.float32)
  high = jax.lax.Precision.HIGHEST
  return deviation * jnp.tensordot(matrix, noise, 1, precision=high)


def drift(
    rng: jax.Array,
    steps: int,
    shape: tuple[int, ...] = (),
    *,
    speed: float,
    correlation: float = 0.9,
) -> jax.Array:
  """A path that starts at 0 and moves speed a step (root mean square).

  The velocity is itself a walk, so a path keeps its direction for a while:
  about 1 / (1 - correlation) steps. Returns [steps, *shape].
  """
  velocity = ornstein_uhlenbeck(
      rng, steps, shape, correlation=correlation, deviation=speed
  )
  return jnp.cumsum(velocity, 0) - velocity[:1]
