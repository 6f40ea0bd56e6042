"""Train: a config and a workdir in, weights out; one loop for all of them."""

import contextlib
import dataclasses
import functools
import json
import math
import pathlib
import signal
import threading
from typing import Any

from absl import logging
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import models, types
from revive_jax import workdir as workdir_lib
from revive_jax.data import mixture, pipeline
from revive_jax.degradations import chain
from revive_jax.degradations import textures as textures_lib
from revive_jax.models import weights as weights_lib
from revive_jax.training import batch as batch_lib
from revive_jax.training import checkpoint, log, optimizer, sharding, supervised
from revive_jax.training import state as state_lib

TRAINERS = {'supervised': supervised}
# What a run may go on with changed, without a word.
_FREE = ('num_steps', 'log_every', 'checkpoint_every', 'devices',
         'data.workers')


def train(c: ml_collections.ConfigDict, workdir: str) -> state_lib.TrainState:
  """Trains what c says, goes on from workdir's last checkpoint if it has one.

  Writes config.json, metrics.jsonl, plots/, tensorboard/, checkpoints/ and
  weights/ (the averaged network) into workdir. SIGTERM saves and returns.

  Args:
    c: configs/restorer.py, or another config of mode train.
    workdir: the folder of the run.

  Raises:
    types.BadInput: anything the user can set right.
    FloatingPointError: the loss is not finite; says at which step, and where.
  """
  check_settings(c)
  with workdir_lib.opened(workdir) as folder:
    _warn_of_changes(c, folder / 'config.json')
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    return _train(c, folder)


def _warn_of_changes(c, path) -> None:
  """Says which settings a run goes on with that it did not begin with."""
  try:
    before = json.loads(path.read_text())
  except (OSError, ValueError):
    return
  flat = lambda tree: {
      '.'.join(key.key for key in keys): value for keys, value in
      jax.tree_util.tree_leaves_with_path(
          tree, is_leaf=lambda x: not isinstance(x, dict))}
  now = flat(json.loads(json.dumps(c.to_dict())))
  changed = [k for k, v in flat(before).items()
             if k in now and now[k] != v and k not in _FREE]
  if changed:
    logging.warning('This run began with other settings: %s.', ', '.join(
        f'{k}={now[k]!r}' for k in sorted(changed)))


def check_settings(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  one_of = types.check_choice
  one_of('algorithm', c.algorithm, tuple(TRAINERS))
  one_of('model.name', c.model.name, tuple(models.MODELS))
  one_of('model.dtype', c.model.dtype, ('', 'float32', 'bfloat16'))
  one_of('damage.mix', c.damage.mix, tuple(chain.MIXES))
  one_of('optimizer.name', c.optimizer.name, ('muon', 'adamw'))
  one_of('optimizer.shape', c.optimizer.shape, ('cosine', 'constant'))
  for key in ('num_steps', 'batch_size', 'log_every', 'checkpoint_every'):
    if c[key] < 1:
      raise types.BadInput(f'--config.{key}={c[key]} is less than 1.')
  if not c.data.root and not c.data.photos and not c.data.tfds:
    raise types.BadInput(
        'There is nothing to train on; name a folder of videos or of prepared '
        'records with --config.data.root (see docs/data.md).')
  low, high = c.damage.severity
  if not 0 < low <= high:
    raise types.BadInput(
        f'--config.damage.severity={(low, high)} is no range of positive '
        'numbers; give the lower one first.')
  if c.data.size % 16:
    raise types.BadInput(
        f'--config.data.size={c.data.size} is not a multiple of 16.')
  devices = c.devices or jax.device_count()
  if devices > jax.device_count():
    raise types.BadInput(
        f'--config.devices={devices}, but there are {jax.device_count()}.')
  if c.batch_size % devices:
    raise types.BadInput(
        f'--config.batch_size={c.batch_size} is not a multiple of the '
        f'{devices} devices; change it, or --config.devices.')


def make_model(c: ml_collections.ConfigDict):
  """The network of c.model; its activations are bfloat16 on accelerators."""
  default = 'float32' if jax.default_backend() == 'cpu' else 'bfloat16'
  return models.MODELS[c.model.name](
      **c.model.settings.to_dict(), dtype=jnp.dtype(c.model.dtype or default))


def make_data(c: ml_collections.ConfigDict):
  """Batches of clean clips of c.data, this host's share."""
  d = c.data
  found, shares = mixture.mixture(
      root=d.root, tfds=d.tfds, tfds_dir=d.tfds_dir, tfds_split=d.tfds_split,
      photos=[f for f in d.photos.split(',') if f], photo_share=d.photo_share,
      look_alike_share=d.look_alike_share, held_out=d.held_out,
      num_frames=d.num_frames, size=d.size, seed=c.seed)
  return pipeline.make_dataset(
      found, shares, seed=c.seed, batch_size=c.batch_size,
      num_frames=d.num_frames, size=d.size, overlay_share=d.overlay_share,
      workers=d.workers, host_index=jax.process_index(),
      host_count=jax.process_count())


def make_trainer(c: ml_collections.ConfigDict, mesh, model):
  """(init, step): the first state, and the compiled step, of c.algorithm."""
  trainer = TRAINERS[c.algorithm]
  o = c.optimizer.to_dict()
  rate = optimizer.schedule(
      peak=o.pop('peak'), num_steps=c.num_steps, warmup=o.pop('warmup'),
      shape=o.pop('shape'), final_decay=o.pop('final_decay'))
  if o.pop('name') == 'muon':
    tx = optimizer.muon(rate, **o)
  else:
    tx = optimizer.adamw(
        rate, **{k: o[k] for k in ('b1', 'b2', 'weight_decay', 'clip_norm')})
  draw = c.damage.to_dict() | {'severity': tuple(c.damage.severity)}
  step = trainer.compile_step(
      mesh, model=model, tx=tx, seed=c.seed, draw=batch_lib.Draw(**draw),
      weights=c.losses.to_dict(), damage_weight=c.damage_weight,
      epsilon=c.charbonnier_epsilon, ema_decay=c.ema_decay)
  init = functools.partial(trainer.init_state, model=model, tx=tx)
  return init, step


def _first_state(c, model, init, same):
  """The state before the first step, and the steps behind its weights."""
  rng = jax.random.key(c.seed)
  if not c.init_from:
    return jax.jit(init, out_shardings=same)(rng), 0
  found = weights_lib.read_weights(c.init_from)
  if found.config['model'] != c.model.name:
    raise types.BadInput(
        f'{c.init_from}: weights of a {found.config["model"]}, but the config '
        f'trains a {c.model.name}.')
  example = jnp.zeros((1, 2, 32, 32, 3))
  expected = jax.eval_shape(model.init, rng, example)['params']
  weights_lib.check_shapes(found.params, expected)
  state = jax.jit(lambda p: init(rng, params=p), out_shardings=same)(
      found.params)
  return state, int(found.config.get('steps', 0))


def _textures(c, same):
  """The shapes of c.data.textures on all devices, or None."""
  if not c.data.textures:
    return None
  try:
    textures = textures_lib.load_textures(c.data.textures)
  except FileNotFoundError as error:
    raise types.BadInput(f'--config.data.textures: {error}') from error
  return jax.device_put(textures, same)


def _train(c, folder) -> state_lib.TrainState:
  mesh = sharding.make_mesh(c.devices or None)
  same = sharding.replicated(mesh)
  # What the user may have to set right comes before what takes long.
  data, textures = iter(make_data(c)), _textures(c, same)
  model = make_model(c)
  init, step_fn = make_trainer(c, mesh, model)
  with contextlib.ExitStack() as stack:
    saved = stack.enter_context(checkpoint.opened(
        folder / 'checkpoints', every=c.checkpoint_every))
    like = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=same),
        jax.eval_shape(init, jax.random.key(c.seed)))
    if (found := saved.restore_latest(like, data)) is not None:
      state, data, notes = found
      before = notes['before']
    else:
      state, before = _first_state(c, model, init, same)
    start = int(state.step)
    writer = None
    if jax.process_index() == 0:
      writer = stack.enter_context(log.opened(
          folder, total_steps=c.num_steps, start_step=start))
    stop = stack.enter_context(_stopped_by_sigterm())
    loop = _Loop(c, folder, mesh, step_fn, saved, writer, stop, before)
    return loop.run(state, data, textures, start)


@dataclasses.dataclass(frozen=True)
class _Loop:
  """What every step of one run needs; the state goes through as a value."""

  c: ml_collections.ConfigDict
  folder: pathlib.Path
  mesh: jax.sharding.Mesh
  step_fn: Any
  saved: checkpoint.Checkpoints
  writer: log.Log | None
  stop: threading.Event
  before: int  # Steps behind the weights it began with.

  def run(self, state, data, textures, start) -> state_lib.TrainState:
    """Steps until the last one, or until told to stop."""
    metrics, step = None, start
    for step in range(start + 1, self.c.num_steps + 1):
      batch = sharding.put_batch(next(data), self.mesh)
      state, new = self.step_fn(state, batch['clean'], textures)
      # The step before is looked at while this one runs.
      self.look(step - 1, metrics)
      metrics = new
      stopping = self.stop.is_set()
      due = step % self.c.checkpoint_every == 0 or step == self.c.num_steps
      if due or stopping:
        self.look(step, metrics)  # What is not finite is never saved.
        metrics = None
        self.saved.save(step, state, data, {'before': self.before}, force=True)
        self.write_weights(state, step)
      if stopping:
        logging.warning('Stopped by SIGTERM; step %d is saved.', step)
        break
    self.saved.wait()
    self.complete_weights(state)
    return state

  def look(self, step, metrics) -> None:
    """Logs metrics, and stops where they are not finite."""
    if metrics is None:
      return
    values = {k: float(v) for k, v in metrics.items()}
    culprits = [k for k, v in values.items() if not math.isfinite(v)]
    if culprits:
      raise FloatingPointError(
          f'Step {step}: {", ".join(culprits)} not finite; the last good '
          f'checkpoint is in {self.folder / "checkpoints"}. Lower the learning '
          'rate (--config.optimizer.peak) or look at the data.')
    if self.writer is not None and (
        step % self.c.log_every == 0 or step == self.c.num_steps):
      self.writer.write(step, values)

  def complete_weights(self, state) -> None:
    """Writes the weights of a run that was killed after its last step."""
    path, step = self.folder / 'weights' / 'config.json', int(state.step)
    written = json.loads(path.read_text())['steps'] if path.exists() else None
    if written != self.before + step:
      self.write_weights(state, step)

  def write_weights(self, state, step) -> None:
    """The averaged network as a weights folder, for restore and evaluate."""
    if jax.process_index():
      return
    c = self.c
    settings = c.model.settings.to_dict()
    weights_lib.save_weights(
        self.folder / 'weights', jax.tree.map(np.asarray, state.ema),
        model=c.model.name, settings=settings, steps=self.before + step,
        card=f'# {c.model.name}\n\n{self.before + step} steps, {settings}, '
        f'trained by `{c.algorithm}` from {c.init_from or "random numbers"}.\n'
        'Settings of the run: config.json of its workdir.\n')


@contextlib.contextmanager
def _stopped_by_sigterm():
  """Yields an event that SIGTERM sets; elsewhere than in main, nothing does."""
  event = threading.Event()
  if threading.current_thread() is not threading.main_thread():
    yield event
    return
  old = signal.signal(signal.SIGTERM, lambda *_: event.set())
  try:
    yield event
  finally:
    signal.signal(signal.SIGTERM, old)
