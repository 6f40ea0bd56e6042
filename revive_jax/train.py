"""Train: a config and a workdir in, weights out; one loop for all of them."""

from collections.abc import Callable, Mapping
import contextlib
import dataclasses
import math
import pathlib
from typing import Any

from absl import logging
import jax
import ml_collections

from revive_jax import cluster, types
from revive_jax import workdir as workdir_lib
from revive_jax.algorithms import ALGORITHMS, assembled, outputs, settings
from revive_jax.data import splits
from revive_jax.models import weights as weights_lib
from revive_jax.training import checkpoint, log, sharding
from revive_jax.training import profile as profile_lib
from revive_jax.training import state as state_lib


def train(
    c: ml_collections.ConfigDict, workdir: str, profile: bool = False
) -> state_lib.TrainState:
  """Trains what c says, goes on from workdir's last checkpoint if it has one.

  Writes config.json, metrics.jsonl, plots/, tensorboard/, checkpoints/,
  weights/ (the averaged network) and, where there is something to see,
  pictures/ into workdir. SIGTERM saves and returns. Of several processes
  (revive_jax/cluster.py) each calls this; the first writes.

  Args:
    c: configs/restorer.py, or another config of mode train.
    workdir: the folder of the run, the same for all processes.
    profile: whether to record what some steps do, in workdir/profile.

  Raises:
    types.BadInput: anything the user can set right.
    FloatingPointError: more steps than c.max_skipped had something that was not
      finite; says at which step, and where.
  """
  settings.check(c)
  with contextlib.ExitStack() as stack:
    folder = pathlib.Path(workdir)
    preempted = stack.enter_context(cluster.preemption())
    stack.enter_context(cluster.watched())

    def begin():
      stack.enter_context(workdir_lib.opened(folder))
      settings.compare(c, folder / 'config.json')

    cluster.alone(begin)
    return _train(c, folder, profile, preempted)


def _first_state(c, parts, layout):
  """The state before the first step, and what is known of its weights."""
  rng = jax.random.key(c.seed)
  if not c.init_from:
    state = sharding.make_state(parts.init, layout, rng)
    return parts.keyed(state), {'before': 0, 'skipped': 0}
  found = weights_lib.read_weights(c.init_from)
  if found.config['model'] != parts.name:
    raise types.BadInput(
        f'{c.init_from}: weights of a {found.config["model"]}, but the config '
        f'trains a {parts.name}.')
  params = parts.complete(rng, found.params)
  weights_lib.check_shapes(params, jax.eval_shape(parts.init, rng).ema)
  state = sharding.make_state(
      lambda p: parts.init(rng, params=p), layout, params)
  if parts.account:
    logging.warning(
        'Privacy: what the weights %s were trained on is not in the account.',
        c.init_from)
  return parts.keyed(state), {
      'before': int(found.config.get('steps', 0)), 'skipped': 0,
      'trained_on': found.config.get('trained_on', ()),
      'epsilon_before': found.config.get('epsilon')}


def _train(c, folder, profile, preempted) -> state_lib.TrainState:
  layout = sharding.make_layout(**c.mesh)
  parts = ALGORITHMS[c.algorithm].assemble(c, layout)
  with contextlib.ExitStack() as stack:
    saved = stack.enter_context(checkpoint.opened(folder / 'checkpoints'))
    like = sharding.abstract(parts.init, layout, jax.random.key(c.seed))
    if (found := saved.restore_latest(like)) is not None:
      state, notes = found
    else:
      state, notes = _first_state(c, parts, layout)
    # Of all parts of the run, whatever each was trained on.
    notes['trained_on'] = sorted(
        {*notes.get('trained_on', ()), *splits.marks(parts.trained_on)})
    settings.check_account(parts, notes)
    writer = None
    if cluster.is_first():
      # Only now: what was refused leaves the settings of the run as they were.
      workdir_lib.write_json(folder / 'config.json', c.to_dict())
      writer = stack.enter_context(log.opened(
          folder, total_steps=_last_step(c, parts),
          start_step=int(state.step)))
    profiled = stack.enter_context(profile_lib.profiling(
        folder / 'profile' if profile and cluster.is_first() else None))
    loop = _Loop(c, folder, layout, parts, saved, writer, preempted, profiled,
                 notes)
    # Here, too: to close the checkpoints without a process that is gone would
    # be to wait for it, and to say nothing.
    stack.enter_context(cluster.watched())
    return loop.run(state, notes['skipped'])


def _last_step(c, parts) -> int:
  """The last one that is asked for, and that a private training may do."""
  account = parts.account
  return min(c.num_steps, account.last_step if account else math.inf)


@dataclasses.dataclass(frozen=True)
class _Loop:
  """What every step of one run needs; the state goes through as a value."""

  c: ml_collections.ConfigDict
  folder: pathlib.Path
  layout: sharding.Layout
  parts: assembled.Assembled
  saved: checkpoint.Checkpoints
  writer: log.Log | None
  preempted: Callable[[int], bool]  # Whether to stop after a step.
  profiled: Callable[[int], None]  # Told of each step that begins.
  notes: Mapping[str, Any]  # Of the checkpoint that it began with.

  def run(self, state, skipped) -> state_lib.TrainState:
    """Steps until the last one, or until told to stop."""
    metrics, start = None, int(state.step)
    data = iter(self.parts.data(state))
    last = _last_step(self.c, self.parts)
    if last < self.c.num_steps:
      logging.warning(
          'Privacy: %d of %d steps spend the budget (epsilon %.4g); the run '
          'ends there.', last, self.c.num_steps, self.c.dp.epsilon)
    for step in range(start + 1, last + 1):
      self.profiled(step - start)
      batch = sharding.put_batch(next(data), self.layout)
      state, new = self.parts.step(state, batch)
      # While this step runs, the one before is looked at. Nobody hears of a
      # step before the checkpoint that was due ahead of it is on the disk.
      self.saved.wait()
      skipped += self.look(step - 1, metrics, skipped)
      metrics, stopping = new, self.preempted(step)
      if stopping or step == last or step % self.c.checkpoint_every == 0:
        skipped += self.look(step, metrics, skipped)
        metrics = None
        self.save(state, step, skipped)
      if stopping:
        logging.warning('Stopped by SIGTERM; step %d is saved.', step)
        break
    self.saved.wait()
    written = outputs.written_steps(self.folder)  # None if it was killed there.
    if cluster.agreed(written != self.notes['before'] + int(state.step)):
      self.write_outputs(state, int(state.step))
    return state

  def spent(self, step) -> dict[str, float]:
    """Epsilon after so many steps, of private training."""
    account = self.parts.account
    if account is None:
      return {}
    return {'epsilon': account.epsilon(step)}

  def save(self, state, step, skipped) -> None:
    """Checkpoint, pictures and weights of a step."""
    notes = {**self.notes, 'skipped': skipped} | self.spent(step)
    if self.parts.account:
      notes['mechanism'] = self.parts.account.mechanism
    self.saved.save(step, state, notes)
    self.write_outputs(state, step)

  def look(self, step, metrics, skipped) -> int:
    """Logs metrics; 1 if the step was left out as not finite, else 0."""
    if metrics is None:
      return 0
    values = {k: float(v) for k, v in jax.device_get(metrics).items()}
    culprits = [k for k, v in values.items() if not math.isfinite(v)]
    if culprits:
      self.skip(step, culprits, skipped + 1)
    if self.writer is not None and (
        step % self.c.log_every == 0
        or step == _last_step(self.c, self.parts)):
      self.writer.write(step, values | self.spent(step))
      if text := self.parts.warn(values):
        logging.log_every_n_seconds(logging.WARNING, text, 300)
    return bool(culprits)

  def skip(self, step, culprits, skipped) -> None:
    """Says that a step was left out; stops if that is one too many."""
    what = f'Step {step}: {", ".join(culprits)} not finite'
    if skipped > self.c.max_skipped:
      raise FloatingPointError(
          f'{what}; the last good checkpoint is in '
          f'{self.folder / "checkpoints"}. Lower the learning rate '
          '(--config.optimizer), look at the data, or let some steps be left '
          'out (--config.max_skipped).')
    logging.warning('%s; it was left out, number %d of %d that may be.',
                    what, skipped, self.c.max_skipped)

  def write_outputs(self, state, step) -> None:
    """Pictures and weights of the averaged network, by the first process."""
    ema = sharding.gather(state.ema, self.layout)
    if cluster.is_first():
      outputs.write_pictures(
          self.folder, self.parts, state.replace(ema=ema), step)
      outputs.write_weights(
          self.folder, self.parts, ema, step=step,
          steps=self.notes['before'] + step, notes=self.spent(step) | {
              'trained_on': self.notes['trained_on']},
          algorithm=self.c.algorithm, began=self.c.init_from,
          epsilon_before=self.notes.get('epsilon_before'))
