"""Draws which damage a clip suffers, in which order and how strongly."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from revive_jax.degradations import (
  codec,
  film,
  lines,
  mixes,
  sensor,
  spots,
  tape,
  tone,
)
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
    'motion_blur': sensor.motion_blur,
    'defocus': sensor.defocus,
    'low_light': sensor.low_light,
    'banding': codec.banding,
    'interlace': tape.interlace,
    'chroma_bleed': tape.chroma_bleed,
    'line_jitter': tape.line_jitter,
    'mistracking': tape.mistracking,
    'dropouts': tape.dropouts,
    'head_switching': tape.head_switching,
}
_OBJECTS = ('scratches', 'dust', 'hairs', 'stains', 'textures', 'lost_blocks',
            'mistracking', 'dropouts')


def _move_lines(damage, record):
  return tape.move_damage(damage, record['shift'])


# What moves the damage of the operators before it: (damage, record) -> damage.
_MOVES = {
    'weave': lambda damage, record: film.move_damage(damage, record['shift']),
    'line_jitter': _move_lines,
    'mistracking': _move_lines,
    'head_switching': _move_lines,
    'interlace': tape.weave_fields,
}

Mix = mixes.Mix
MIXES = mixes.MIXES


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
  mix = with_what_there_is(mix, textures)
  steps = steps_of(mix, diagonal, density, textures)
  order, inputs, state = begin(rng, clips, severities, mix)
  if mix.shuffled:
    state, records = _in_drawn_order(steps, order, inputs, state)
  else:
    records = {}
    for name, step in steps.items():
      state, records[name] = step(inputs, state)
  return *state, record_of(order, records, len(clips))


def begin(rng, clips, severities, mix):
  """What a chain over clips [B, T, H, W, 3] at severities [B] begins with.

  The order [P] of the operators; what every step is given: keys [B] and
  severities [B]; what the first one changes: clips, and damage [B, T, H, W, 1].
  """
  order_rng, clip_rng = jax.random.split(rng)
  clip_rngs = jax.vmap(functools.partial(jax.random.fold_in, clip_rng))(
      jnp.arange(clips.shape[0])
  )
  order = jnp.arange(len(mix.operators))
  if mix.shuffled:
    order_rng, choice_rng = jax.random.split(order_rng)
    order = jnp.where(
        jax.random.bernoulli(choice_rng, float(mix.shuffled)),
        jax.random.permutation(order_rng, len(mix.operators)),
        order,
    )
  state = clips, jnp.zeros_like(clips[..., :1])
  return order, (clip_rngs, severities), state


def record_of(order, records, count):
  """The record of degrade_batch, of the order [P] and those of the operators.

  records: name -> what its step returned, every entry [B, ...]. count: B.
  """
  rest = lambda v: {
      k: x for k, x in v.items() if k not in ('active', 'severity')}
  return {
      'order': jnp.broadcast_to(order, (count, len(records))),
      'active': {k: v['active'] for k, v in records.items()},
      'severity': {k: v['severity'] for k, v in records.items()},
      'operators': {k: rest(v) for k, v in records.items()},
  }


def with_what_there_is(mix: str | Mix, textures: jax.Array | None) -> Mix:
  """The mix as it acts where there are textures, and where there are none."""
  mix = MIXES[mix] if isinstance(mix, str) else mix
  if textures is None:
    return without_textures(mix)
  return mix if 'textures' in mix.operators else with_textures(mix)


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


def steps_of(mix, diagonal, density, textures):
  """name -> step(inputs, state) -> (state, record), for each operator.

  inputs and state: of begin(). Options: of degrade_batch.
  """
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
        move=_MOVES.get(name),
    )
  return steps


def _step(inputs, state, *, operator, index, probability, spread, move):
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
    if move is not None:
      old = jax.vmap(move)(damage, record)
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
