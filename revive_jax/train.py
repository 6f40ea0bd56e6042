"""Train: a config and a workdir in, weights out; one loop for all of them."""

import contextlib
import dataclasses
import json
import math
import pathlib
import signal
import threading

from absl import logging
import jax
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax import workdir as workdir_lib
from revive_jax.algorithms import ALGORITHMS, assembled
from revive_jax.models import weights as weights_lib
from revive_jax.training import checkpoint, log, sharding
from revive_jax.training import state as state_lib
from revive_jax.video import sheet

# What a run may go on with changed, without a word.
_FREE = ('num_steps', 'log_every', 'checkpoint_every', 'devices',
         'data.workers')


def train(c: ml_collections.ConfigDict, workdir: str) -> state_lib.TrainState:
  """Trains what c says, goes on from workdir's last checkpoint if it has one.

  Writes config.json, metrics.jsonl, plots/, tensorboard/, checkpoints/,
  weights/ (the averaged network) and, where there is something to see,
  pictures/ into workdir. SIGTERM saves and returns.

  Args:
    c: configs/restorer.py, or another config of mode train.
    workdir: the folder of the run.

  Raises:
    types.BadInput: anything the user can set right.
    FloatingPointError: the loss is not finite; says at which step, and where.
  """
  check_settings(c)
  with workdir_lib.opened(workdir) as folder:
    _compare(c, folder / 'config.json')
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    return _train(c, folder)


def _compare(c, path) -> None:
  """Says which settings a run goes on with that it did not begin with.

  Raises:
    types.BadInput: the run is of another algorithm.
  """
  try:
    before = dict(json.loads(path.read_text()))
  except (OSError, TypeError, ValueError):
    return
  if before.get('algorithm', c.algorithm) != c.algorithm:
    raise types.BadInput(
        f'{path.parent}: a run of the algorithm {before["algorithm"]}, not of '
        f'{c.algorithm}; choose another --workdir.')
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
  types.check_choice('algorithm', c.algorithm, tuple(ALGORITHMS))
  for key in ('num_steps', 'batch_size', 'log_every', 'checkpoint_every'):
    if c[key] < 1:
      raise types.BadInput(f'--config.{key}={c[key]} is less than 1.')
  if not 0 <= c.ema_decay < 1:
    raise types.BadInput(
        f'--config.ema_decay={c.ema_decay} is not in [0, 1).')
  devices = c.devices or jax.device_count()
  if devices > jax.device_count():
    raise types.BadInput(
        f'--config.devices={devices}, but there are {jax.device_count()}.')
  if c.batch_size % devices:
    raise types.BadInput(
        f'--config.batch_size={c.batch_size} is not a multiple of the '
        f'{devices} devices; change it, or --config.devices.')
  ALGORITHMS[c.algorithm].check(c)


def _first_state(c, parts, same):
  """The state before the first step, and the steps behind its weights."""
  rng = jax.random.key(c.seed)
  if not c.init_from:
    return jax.jit(parts.init, out_shardings=same)(rng), 0
  found = weights_lib.read_weights(c.init_from)
  if found.config['model'] != parts.name:
    raise types.BadInput(
        f'{c.init_from}: weights of a {found.config["model"]}, but the config '
        f'trains a {parts.name}.')
  params = parts.complete(rng, found.params)
  weights_lib.check_shapes(params, jax.eval_shape(parts.init, rng).ema)
  state = jax.jit(lambda p: parts.init(rng, params=p), out_shardings=same)(
      params)
  return state, int(found.config.get('steps', 0))


def _train(c, folder) -> state_lib.TrainState:
  mesh = sharding.make_mesh(c.devices or None)
  same = sharding.replicated(mesh)
  parts = ALGORITHMS[c.algorithm].assemble(c, mesh)
  data = iter(parts.data)
  with contextlib.ExitStack() as stack:
    saved = stack.enter_context(checkpoint.opened(
        folder / 'checkpoints', every=c.checkpoint_every))
    like = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=same),
        jax.eval_shape(parts.init, jax.random.key(c.seed)))
    if (found := saved.restore_latest(like, data)) is not None:
      state, data, notes = found
      before = notes['before']
    else:
      state, before = _first_state(c, parts, same)
    start = int(state.step)
    writer = None
    if jax.process_index() == 0:
      writer = stack.enter_context(log.opened(
          folder, total_steps=c.num_steps, start_step=start))
    stop = stack.enter_context(_stopped_by_sigterm())
    loop = _Loop(c, folder, mesh, parts, saved, writer, stop, before)
    return loop.run(state, data, start)


@dataclasses.dataclass(frozen=True)
class _Loop:
  """What every step of one run needs; the state goes through as a value."""

  c: ml_collections.ConfigDict
  folder: pathlib.Path
  mesh: jax.sharding.Mesh
  parts: assembled.Assembled
  saved: checkpoint.Checkpoints
  writer: log.Log | None
  stop: threading.Event
  before: int  # Steps behind the weights it began with.

  def run(self, state, data, start) -> state_lib.TrainState:
    """Steps until the last one, or until told to stop."""
    metrics, step = None, start
    for step in range(start + 1, self.c.num_steps + 1):
      batch = sharding.put_batch(next(data), self.mesh)
      state, new = self.parts.step(state, batch)
      # The step before is looked at while this one runs.
      self.look(step - 1, metrics)
      metrics = new
      stopping = self.stop.is_set()
      due = step % self.c.checkpoint_every == 0 or step == self.c.num_steps
      if due or stopping:
        self.look(step, metrics)  # What is not finite is never saved.
        metrics = None
        self.saved.save(step, state, data, {'before': self.before}, force=True)
        self.write_pictures(state, step)
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
          'rate (--config.optimizer) or look at the data.')
    if self.writer is not None and (
        step % self.c.log_every == 0 or step == self.c.num_steps):
      self.writer.write(step, values)
      if text := self.parts.warn(values):
        logging.log_every_n_seconds(logging.WARNING, text, 300)

  def write_pictures(self, state, step) -> None:
    """What the networks make at this step: pictures/<name>_<step>.png."""
    if self.parts.pictures is None or jax.process_index():
      return
    state = state.replace(ema=jax.device_get(state.ema))
    for name, picture in self.parts.pictures(state).items():
      sheet.write_png(
          self.folder / 'pictures' / f'{name}_{step:07d}.png', picture)

  def complete_weights(self, state) -> None:
    """Writes what a run that was killed after its last step did not."""
    path, step = self.folder / 'weights' / 'config.json', int(state.step)
    written = json.loads(path.read_text())['steps'] if path.exists() else None
    if written != self.before + step:
      self.write_pictures(state, step)
      self.write_weights(state, step)

  def write_weights(self, state, step) -> None:
    """The averaged network as a weights folder, for restore and evaluate."""
    if jax.process_index():
      return
    c, name, settings = self.c, self.parts.name, self.parts.settings
    weights_lib.save_weights(
        self.folder / 'weights', jax.tree.map(np.asarray, state.ema),
        model=name, settings=settings, steps=self.before + step,
        **self.parts.notes,
        card=f'# {name}\n\n{self.before + step} steps, {settings}, '
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
