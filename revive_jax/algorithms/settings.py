"""Settings of a training: what cannot be, and what has changed."""

from collections.abc import Mapping
import json
import pathlib
from typing import Any

from absl import logging
import jax
import ml_collections

from revive_jax import types, workdir
from revive_jax.algorithms import ALGORITHMS, assembled, privately

# What a run may go on with changed, without a word.
_FREE = ('num_steps', 'log_every', 'checkpoint_every', 'mesh.data',
         'mesh.model', 'mesh.fsdp', 'accumulate', 'max_skipped',
         'model.remat', 'data.workers')

_FREE_OF_PRIVATE = ('dp.epsilon', 'dp.micro_batch')


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('algorithm', c.algorithm, tuple(ALGORITHMS))
  for key in ('num_steps', 'batch_size', 'log_every', 'checkpoint_every'):
    if c[key] < 1:
      raise types.BadInput(f'--config.{key}={c[key]} is less than 1.')
  if not 0 <= c.ema_decay < 1:
    raise types.BadInput(
        f'--config.ema_decay={c.ema_decay} is not in [0, 1).')
  if c.max_skipped < 0:
    raise types.BadInput(f'--config.max_skipped={c.max_skipped} is negative.')
  _check_mesh(c)
  ALGORITHMS[c.algorithm].check(c)


def _check_mesh(c) -> None:
  """Refuses devices that there are not, and batches that do not fit them."""
  count, hosts, m = jax.device_count(), jax.process_count(), c.mesh
  if m.model < 1 or m.data < 0 or m.model > count or m.data * m.model > count:
    raise types.BadInput(
        f'--config.mesh.data={m.data} times --config.mesh.model={m.model} does '
        f'not fit the {count} devices that there are.')
  data = m.data or count // m.model
  if hosts > 1 and (data * m.model != count or data % hosts):
    raise types.BadInput(
        f'--config.mesh: {data} x {m.model} does not use all {count} devices '
        f'of {hosts} processes alike; leave data=0, and make model a divisor '
        f'of the {count // hosts} devices of one process.')
  if 'dp' in c and privately.is_wanted(c):
    pass  # Its batches are of slots, which are made to fit.
  elif c.accumulate < 1 or c.batch_size % (data * c.accumulate):
    raise types.BadInput(
        f'--config.batch_size={c.batch_size} is not a multiple of {data} '
        f'devices along data times --config.accumulate={c.accumulate}; change '
        'one of them.')
  if m.model == 1:
    return
  rows = c.data.get('size', 28)  # Digits are of 28 rows.
  if rows % m.model or 'size' in c.data and (
      rows < 64 or rows % (32 * m.model)):
    raise types.BadInput(
        f'--config.mesh.model={m.model} cannot share out frames of {rows} '
        f'rows; let --config.data.size be a multiple of {32 * m.model}, and 64 '
        'at least.')


def compare(c: ml_collections.ConfigDict, path: pathlib.Path) -> None:
  """Says which settings a run goes on with that it did not begin with.

  path: config.json of its workdir; if there is none, it begins now.

  Raises:
    types.BadInput: the run is of another algorithm, or its privacy would be.
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
  now = flat(workdir.plain(c.to_dict()))
  changed = [k for k, v in flat(before).items()
             if k in now and now[k] != v and k not in _FREE]
  private = 'dp' in c and c.dp.clip_norm
  if private and (held := sorted(set(changed) - set(_FREE_OF_PRIVATE))):
    raise types.BadInput(
        f'{path.parent}: a private run goes on with what it began with, or its '
        f'noise would be used twice; changed are {", ".join(held)}. Set them '
        'back, or choose another --workdir.')
  if changed:
    logging.warning('This run began with other settings: %s.', ', '.join(
        f'{k}={now[k]!r}' for k in sorted(changed)))


def check_account(
    parts: assembled.Assembled, notes: Mapping[str, Any]
) -> None:
  """Refuses to go on with a private run whose data are others by now.

  notes: of the checkpoint it goes on from, or of the beginning.
  """
  before = notes.get('mechanism')
  now = parts.account.mechanism if parts.account else None
  if before is not None and before != now:
    raise types.BadInput(
        f'The run began with the privacy {before}, and would go on with {now}: '
        'its account would be wrong. Give it the same clips and settings, or '
        'choose another --workdir.')
