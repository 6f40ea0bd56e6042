"""Draws which damage a clip suffers, in which order and how strongly."""

from collections.abc import Mapping
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from revive_jax.degradations import codec, film, lines, sensor, spots, tone
from revive_jax.degradations import textures as textures_lib
from revive_jax.ops import color

SEVERITY = {'light': 0.5, 'medium': 1.0, 'heavy': 2.0}

# An operator draws from a key folded with its place in this table: append.
OPERATORS = {
    'blur': sensor.blur,
    'monochrome': tone.monochrome,
    'grain': film.grain,
    'scratches': lines.scratches,
    'dust': spots.dust,
    'hairs': lines.hairs,
    'flicker': tone.flicker,
    'stains': spots.stains,
    'weave': film.weave,
    'fading': tone.fading,
    'colour_cast': tone.colour_cast,
    'anisotropic_blur': sensor.anisotropic_blur,
    'white_noise': sensor.white_noise,
    'poisson_noise': sensor.poisson_noise,
    'rescale': sensor.rescale,
    'block_compression': codec.block_compression,
    'lost_blocks': codec.lost_blocks,
    'lost_frames': codec.lost_frames,
    'textures': textures_lib.textures,
}
_OBJECTS = ('scratches', 'dust', 'hairs', 'stains', 'textures', 'lost_blocks')


class Mix(NamedTuple):
  """What a chain draws from.

  operators: name -> probability that it acts on a clip. options: name ->
  keyword arguments of the operator. shuffled: the probability that a call
  draws the order anew, else it is as listed. spread: the severity of each
  operator is that of the clip times a factor drawn from this range.
  """

  operators: Mapping[str, float]
  options: Mapping[str, Mapping[str, Any]] = {}
  shuffled: float = 0.0
  spread: tuple[float, float] = (1.0, 1.0)


MIXES = {
    # The medium severity that bars speak of: lens, stock, print, projector.
    'film': Mix(
        operators={
            'blur': 1.0,
            'monochrome': 0.5,
            'grain': 1.0,
            'scratches': 1.0,
            'dust': 1.0,
            'hairs': 1.0,
            'flicker': 1.0,
        }
    ),
    # Far wider than any test: variety decides what a network learns.
    'training': Mix(
        operators={
            'blur': 0.4,
            'anisotropic_blur': 0.2,
            'monochrome': 0.4,
            'grain': 0.6,
            'white_noise': 0.3,
            'poisson_noise': 0.2,
            'scratches': 0.7,
            'dust': 0.7,
            'hairs': 0.5,
            'stains': 0.3,
            'flicker': 0.5,
            'weave': 0.3,
            'fading': 0.3,
            'colour_cast': 0.3,
            'rescale': 0.2,
            'block_compression': 0.3,
            'lost_blocks': 0.15,
            'lost_frames': 0.1,
        },
        options={
            'blur': {'sigma': (0.3, 1.6), 'jitter': 0.1},
            'grain': {'sigma': 12 / 255, 'size': (0.3, 1.2), 'jitter': 0.1},
            'white_noise': {'sigma': (2 / 255, 20 / 255)},
            'scratches': {
                'width': (0.8, 8.0),
                'opacity': (0.15, 1.0),
                'partial': 0.3,
                'broken': 0.3,
                'additive': 0.3,
            },
            'dust': {'radius': (0.7, 10.0), 'opacity': (0.3, 1.0)},
            'hairs': {'opacity': (0.3, 1.0), 'width': (0.7, 3.0)},
            'flicker': {'gamma': 0.08, 'local': 0.04},
            'rescale': {'factor': (1.2, 3.0)},
            'block_compression': {'strength': (0.3, 2.0)},
        },
        shuffled=1.0,
        spread=(0.3, 1.3),
    ),
    # What the default restorer learns from: film damage first, in its physical
    # order half of the time; flicker is what the explicit estimate leaves. No
    # fading, no cast: tone cannot be told from the scene's own within the
    # network's reach, and a network that was asked to changed good pictures.
    'restoration': Mix(
        operators={
            'blur': 0.8,
            'monochrome': 0.5,
            'grain': 0.8,
            'white_noise': 0.1,
            'stains': 0.2,
            'scratches': 0.7,
            'dust': 0.75,
            'hairs': 0.6,
            'textures': 0.4,
            'weave': 0.1,
            'flicker': 0.4,
            'block_compression': 0.15,
            'lost_blocks': 0.08,
        },
        options={
            'blur': {'sigma': (0.3, 1.2), 'jitter': 0.1},
            'grain': {'sigma': 11 / 255, 'size': (0.35, 1.0), 'jitter': 0.1},
            'white_noise': {'sigma': (2 / 255, 16 / 255)},
            'scratches': {
                'count': 2.0,
                'width': (1.0, 6.0),
                'opacity': (0.3, 1.0),
                'partial': 0.2,
                'broken': 0.2,
                'additive': 0.2,
            },
            'dust': {'radius': (0.8, 8.0), 'opacity': (0.4, 1.0)},
            'hairs': {'opacity': (0.4, 1.0), 'width': (0.7, 2.5)},
            'flicker': {'gain': 0.02, 'gamma': 0.02, 'local': 0.02},
            'block_compression': {'strength': (0.3, 1.5)},
        },
        shuffled=0.5,
        spread=(0.5, 1.4),
    ),
}


def degrade(
    rng: jax.Array, clip: jax.Array, severity: jax.Array, **options
) -> tuple[jax.Array, jax.Array, dict[str, Any]]:
  """degrade_batch of one clip [T, H, W, 3]; severity is a scalar.

  Over several clips use degrade_batch, not vmap: under vmap the order differs
  from clip to clip, and every operator runs at every position.
  """
  severities = jnp.asarray(severity, jnp.float32)[None]
  result = degrade_batch(rng, clip[None], severities, **options)
  return jax.tree.map(lambda x: x[0], result)


def degrade_batch(
    rng: jax.Array,
    clips: jax.Array,
    severities: jax.Array,
    *,
    mix: str | Mix = 'film',
    diagonal: float | None = None,
    density: float = 1.0,
    textures: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, dict[str, Any]]:
  """Damages clips [B, T, H, W, 3] at severities [B] by the operators of a mix.

  mix: a name in MIXES, or a Mix. diagonal: of the film that the clips were cut
  from, px; None if they are whole frames. density multiplies the numbers of
  objects (small crops). textures [N, S, S]: shapes of real artefacts, drawn
  instead of the dust and hairs of a mix that does not name them; a mix that
  does goes without where none are given.

  The order is drawn once for all clips, whether and how strongly an operator
  acts for each clip.

  Returns damaged [B, T, H, W, 3], damage [B, T, H, W, 1] (1 where pixels were
  replaced), and the record, every entry with leading axis B: order [B, P]
  (indices into names(mix)), active and severity {name: [B]}, operators
  {name: the operator's own record, zeros where it does not act}.
  """
  mix = MIXES[mix] if isinstance(mix, str) else mix
  if textures is None:
    mix = without_textures(mix)
  elif 'textures' not in mix.operators:
    mix = with_textures(mix)
  steps = _steps(mix, diagonal, density, textures)
  order_rng, clip_rng = jax.random.split(rng)
  clip_rngs = jax.vmap(functools.partial(jax.random.fold_in, clip_rng))(
      jnp.arange(clips.shape[0])
  )
  inputs = clip_rngs, severities
  order = jnp.arange(len(steps))
  state = clips, jnp.zeros_like(clips[..., :1])
  if mix.shuffled:
    order_rng, choice_rng = jax.random.split(order_rng)
    order = jnp.where(
        jax.random.bernoulli(choice_rng, float(mix.shuffled)),
        jax.random.permutation(order_rng, len(steps)),
        order,
    )
    state, records = _in_drawn_order(steps, order, inputs, state)
  else:
    records = {}
    for name, step in steps.items():
      state, records[name] = step(inputs, state)
  record = {
      'order': jnp.broadcast_to(order, (clips.shape[0], len(steps))),
      'active': {k: v.pop('active') for k, v in records.items()},
      'severity': {k: v.pop('severity') for k, v in records.items()},
      'operators': records,
  }
  return *state, record


def without_textures(mix: Mix) -> Mix:
  """The mix without real textures."""
  return mix._replace(
      operators={k: p for k, p in mix.operators.items() if k != 'textures'})


def with_textures(mix: Mix) -> Mix:
  """The mix with real textures in place of drawn dust and hairs."""
  operators = {}
  for name, probability in mix.operators.items():
    name = 'textures' if name in ('dust', 'hairs') else name
    operators[name] = max(probability, operators.get(name, 0.0))
  return mix._replace(operators=operators)


def reference(
    clean: jax.Array, record: dict[str, Any], *, keep_weave: bool = False
) -> jax.Array:
  """What a restorer is asked for: clean [T, H, W, 3], less what is no damage.

  Grey where the film was made monochrome: colours cannot be asked for.
  keep_weave: moved as the damaged clip is, for restorers that do not
  stabilise. record: of degrade; for a batch, vmap over both.
  """
  active, operators = record['active'], record['operators']
  if 'monochrome' in active:
    clean = jnp.where(active['monochrome'], color.grey(clean), clean)
  if keep_weave and 'weave' in active:
    moved = film.move(clean, operators['weave']['shift'])
    clean = jnp.where(active['weave'], moved, clean)
  return clean


def names(mix: str | Mix) -> tuple[str, ...]:
  """The operators of a mix, in the order that record['order'] counts."""
  mix = MIXES[mix] if isinstance(mix, str) else mix
  return tuple(mix.operators)


def _steps(mix, diagonal, density, textures):
  """name -> step(inputs, state) -> (state, record), for each operator."""
  steps = {}
  for name, probability in mix.operators.items():
    options = dict(mix.options.get(name, {}), diagonal=diagonal)
    if name in _OBJECTS:
      options['density'] = density
    if name == 'textures':
      options['textures'] = textures
    steps[name] = functools.partial(
        _step,
        operator=functools.partial(OPERATORS[name], **options),
        index=list(OPERATORS).index(name),
        probability=probability,
        spread=mix.spread,
        moves=name == 'weave',
    )
  return steps


def _step(inputs, state, *, operator, index, probability, spread, moves):
  """Applies one operator to those clips of the batch that it acts on."""
  rngs, severities = inputs
  keys = jax.vmap(lambda k: jax.random.split(jax.random.fold_in(k, index), 3))(
      rngs
  )
  active = jax.vmap(lambda k: jax.random.bernoulli(k, probability))(keys[:, 0])
  factor = jax.vmap(
      lambda k: jax.random.uniform(k, minval=spread[0], maxval=spread[1])
  )(keys[:, 1])
  severities = severities * factor

  def act(clips, damage):
    damaged, new, record = jax.vmap(operator)(keys[:, 2], clips, severities)
    old = damage
    if moves:
      old = jax.vmap(film.move_damage)(damage, record['shift'])
    choose = lambda a, b: jnp.where(
        active.reshape(-1, *(1,) * (a.ndim - 1)), a, b
    )
    record = jax.tree.map(lambda x: choose(x, jnp.zeros_like(x)), record)
    damage = choose(jnp.maximum(old, new), damage)
    return (choose(damaged, clips), damage), record

  def rest(clips, damage):
    shapes = jax.eval_shape(act, clips, damage)[1]
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return (clips, damage), zeros

  if probability < 1:
    state, record = jax.lax.cond(active.any(), act, rest, *state)
  else:
    state, record = act(*state)
  severities = jnp.where(active, severities, 0.0)
  return state, {'active': active, 'severity': severities, **record}


def _in_drawn_order(steps, order, inputs, state):
  """Runs the steps in a traced order: each is compiled once, in a switch."""
  shapes = {
      k: jax.eval_shape(step, inputs, state)[1] for k, step in steps.items()
  }
  records = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

  def branch(name):
    def run(carry):
      state, records = carry
      state, record = steps[name](inputs, state)
      return state, {**records, name: record}

    return run

  branches = [branch(name) for name in steps]
  carry, _ = jax.lax.scan(
      lambda carry, i: (jax.lax.switch(i, branches, carry), None),
      (state, records),
      order,
  )
  return carry
