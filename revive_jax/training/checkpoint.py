"""Checkpoints: the state and notes; the step is the position in the data.

`directory/<step>/` holds both, and manifest.json with the SHA-256 of its
files, which orbax does not keep: a flipped byte would be restored silently.
"""

from collections.abc import Iterator, Mapping
import contextlib
import errno
import hashlib
import json
import logging
import os
import pathlib
import shutil
from typing import Any

import jax
from jax.experimental import multihost_utils
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from revive_jax import cluster, types, workdir

_log = logging.getLogger(__name__)
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_FULL_TEXTS = tuple(os.strerror(number) for number in _FULL)
_MANIFEST = 'manifest.json'
_FORMAT = 2


class Checkpoints:
  """The checkpoints of one run; made by opened()."""

  def __init__(self, manager: ocp.CheckpointManager):
    self._manager = manager
    self._unsealed = []  # Steps that this run saved, without a manifest yet.

  @property
  def steps(self) -> list[int]:
    """The steps that are on the disk, in order."""
    return sorted(self._manager.all_steps())

  def save(self, step: int, state: Any, meta: Mapping[str, Any]) -> None:
    """Saves a state; one of a step that is already on the disk is left.

    Returns when the arrays are copied; a thread writes them, and wait() gives
    them their manifest.

    Args:
      step: steps done so far.
      state: any pytree of jax arrays, on any number of devices.
      meta: what else to keep, in JSON's types.

    Raises:
      types.BadInput: no space left on the disk, here or in the thread.
    """
    with _refusing_full_disk(self._manager.directory):
      self.wait()
      if step in self._manager.all_steps():
        return
      items = dict(
          state=ocp.args.StandardSave(state),
          meta=ocp.args.JsonSave({
              'format': _FORMAT, 'tree': _tree(state), 'meta': dict(meta)}))
      self._manager.save(step, args=ocp.args.Composite(**items), force=True)
      self._unsealed.append(step)

  def wait(self) -> None:
    """Waits until all is on the disk.

    Raises:
      types.BadInput: no space left on the disk.
    """
    if not self._unsealed:
      return
    with _refusing_full_disk(self._manager.directory):
      self._manager.wait_until_finished()
      for step in self._unsealed:
        folder = _folder(self._manager, step)
        if folder.is_dir() and jax.process_index() == 0:
          workdir.write_json(folder / _MANIFEST, {'sha256': _hashes(folder)})
      self._unsealed = []

  def restore_latest(
      self, abstract_state: Any
  ) -> tuple[Any, dict[str, Any]] | None:
    """The newest checkpoint that is whole: (state, meta).

    A newer one that is damaged is named in the log and set aside as
    `<step>.damaged`; one that was never finished is not looked at.

    Args:
      abstract_state: arrays or ShapeDtypeStructs with shardings; where the
        arrays were when they were saved does not matter.

    Returns:
      None if there is no checkpoint.

    Raises:
      types.BadInput: it is of another model, there are checkpoints but none is
        whole, or not all processes see them.
    """
    self.wait()
    abstract_state = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        abstract_state)
    damaged = []
    for step in reversed(self._common_steps()):
      try:
        found = self._restore(step, abstract_state)
      except _DamagedError as error:
        _log.warning(
            'The checkpoint of step %d in %s is damaged (%s); the one before '
            'it is used.', step, self._manager.directory, error)
        damaged.append(step)
        continue
      self._set_aside(damaged)
      return found
    if damaged:
      raise types.BadInput(
          f'{self._manager.directory}: none of the checkpoints '
          f'{", ".join(map(str, sorted(damaged)))} can be read; move the '
          'folder away to start from the beginning.')
    return None

  def _common_steps(self):
    """The steps that the first process sees, which all of them must."""
    steps = self.steps
    count = cluster.shared(len(steps))
    common = [cluster.shared(steps[i] if cluster.is_first() else 0)
              for i in range(count)]
    if not cluster.everywhere(steps == common):
      raise types.BadInput(
          f'{self._manager.directory}: the processes do not see the same '
          'checkpoints there; give all of them one --workdir, on a disk that '
          'they share.')
    return common

  def _is_sealed(self, step):
    """Whether there is a manifest that holds; raises _DamagedError if not so.

    The first process reads all bytes; the others take its word.
    """
    verdict, why = 0, _DamagedError('as process 0 says')
    if cluster.is_first():
      try:
        verdict = 1 + _check_manifest(
            _folder(self._manager, step), is_newest=step == self.steps[-1])
      except _DamagedError as error:
        why = error
    verdict = cluster.shared(verdict)
    if not verdict:
      raise why
    return verdict == 2

  def _restore(self, step, abstract_state):
    """One checkpoint; raises _DamagedError, or BadInput if it does not fit."""
    folder = _folder(self._manager, step)
    sealed = self._is_sealed(step)
    try:
      notes = self._manager.restore(
          step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta
      saved, meta = notes['tree'], notes['meta']
    except Exception as error:  # Whatever the libraries raise.
      raise _DamagedError(_first_line(error)) from error
    if notes.get('format') != _FORMAT:
      raise types.BadInput(
          f'{folder} was written by another version of the program; go on from '
          'its weights with --config.init_from, in another workdir.')
    _check_tree(folder, saved, _tree(abstract_state))
    items = dict(state=ocp.args.StandardRestore(abstract_state))
    try:
      found = self._manager.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:
      if not sealed:
        raise _DamagedError(_first_line(error)) from error
      raise types.BadInput(
          f'{folder} is whole but does not fit this run '
          f'({_first_line(error)}); choose another workdir.') from error
    return found.state, meta

  def _set_aside(self, steps):
    """Renames damaged checkpoints, so that their steps can be saved again."""
    if steps and jax.process_index() == 0:
      for step in steps:
        folder = _folder(self._manager, step)
        aside = folder.with_name(f'{folder.name}.damaged')
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    if steps:
      multihost_utils.sync_global_devices('checkpoints set aside')
      self._manager.reload()


@contextlib.contextmanager
def opened(
    directory: str | os.PathLike, *, keep: int = 3
) -> Iterator[Checkpoints]:
  """Opens the checkpoints of a run; at the end waits until all is written.

  Args:
    directory: their folder; made if there is none.
    keep: how many of the newest ones stay.

  Raises:
    types.BadInput: the folder cannot be made, or the disk is full.
  """
  directory = pathlib.Path(directory).absolute()
  options = ocp.CheckpointManagerOptions(
      cleanup_tmp_directories=True,
      preservation_policy=checkpoint_managers.preservation_policy.LatestN(
          keep))
  with _quiet(), contextlib.ExitStack() as stack:
    try:
      directory.mkdir(parents=True, exist_ok=True)
      if jax.process_index() == 0:
        _name_half_written(directory)
      manager = ocp.CheckpointManager(
          directory, options=options, item_names=('state', 'meta'))
    except OSError as error:
      raise types.BadInput(
          f'{directory}: no checkpoints can be kept there ({error.strerror}); '
          'choose another workdir.') from error
    stack.enter_context(_refusing_full_disk(directory))
    stack.callback(manager.close)
    checkpoints = Checkpoints(manager)
    try:
      yield checkpoints
    finally:
      checkpoints.wait()


def _name_half_written(directory: pathlib.Path) -> None:
  """Says which checkpoints a run that was killed left unfinished."""
  for path in sorted(directory.glob('*.orbax-checkpoint-tmp*')):
    _log.warning('%s is half written: the run was ended there. The checkpoint '
                 'before it is used.', path)


class _DamagedError(Exception):
  """A checkpoint that cannot be read, or whose bytes have changed."""


def _folder(manager, step) -> pathlib.Path:
  return pathlib.Path(manager.directory) / str(step)


def _tree(state) -> dict[str, str]:
  """The path of each leaf, and its dtype and shape."""
  return {
      jax.tree_util.keystr(path, simple=True, separator='/'):
          f'{leaf.dtype}{list(leaf.shape)}'
      for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def _check_tree(folder, saved, wanted) -> None:
  for key in sorted({*saved, *wanted}):
    if saved.get(key) != wanted.get(key):
      raise types.BadInput(
          f'{folder} is of another model: {key} is {saved.get(key, "absent")} '
          f'there and {wanted.get(key, "absent")} here; use the settings that '
          'it was made with, or another workdir.')


def _hashes(folder: pathlib.Path) -> dict[str, str]:
  """SHA-256 of each file under folder, by its relative name."""
  hashes = {}
  for path in sorted(folder.rglob('*')):
    if path.is_file() and path.name != _MANIFEST:
      with open(path, 'rb') as file:
        hashes[path.relative_to(folder).as_posix()] = (
            hashlib.file_digest(file, 'sha256').hexdigest())
  return hashes


def _check_manifest(folder: pathlib.Path, *, is_newest: bool = False) -> bool:
  """Whether there is a manifest; raises _DamagedError if it does not hold.

  is_newest: it may be missing, since a manifest is written when the next
    checkpoint is saved, or at the end; a run that was killed has none there.
  """
  path = folder / _MANIFEST
  if not path.exists():
    if not is_newest:
      raise _DamagedError(f'its {_MANIFEST} is missing')
    _log.warning(
        '%s has no %s: the run was ended before it was written, or somebody '
        'removed it; whether its bytes are as they were saved is not known.',
        folder, _MANIFEST)
    return False
  try:
    wanted = json.loads(path.read_bytes())['sha256']
    found = _hashes(folder)
    for name in wanted:
      if wanted[name] != found.get(name):
        raise _DamagedError(f'{name} is not as it was written')
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    raise _DamagedError(_first_line(error)) from error
  return True


def _first_line(error: BaseException) -> str:
  lines = str(error).strip().splitlines() or ['']
  return f'{type(error).__name__}: {lines[0][:200]}'.rstrip(' .:')


@contextlib.contextmanager
def _refusing_full_disk(directory) -> Iterator[None]:
  """Turns a full disk, which tensorstore words in its own way, to BadInput."""
  try:
    yield
  except types.BadInput:
    raise
  except Exception as error:
    cause = error
    while cause is not None:
      if (getattr(cause, 'errno', None) in _FULL
          or any(text in str(cause) for text in _FULL_TEXTS)):
        raise types.BadInput(
            f'{directory}: no space left on the disk for a checkpoint; free '
            'some and run again, it resumes from the one before.') from error
      cause = cause.__cause__ or cause.__context__
    raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Drops what orbax logs below a warning, and nothing else."""
  logger = logging.getLogger('absl')
  package = os.path.dirname(ocp.__file__) + os.sep

  def wanted(record):
    return (record.levelno >= logging.WARNING
            or not record.pathname.startswith(package))

  logger.addFilter(wanted)
  try:
    yield
  finally:
    logger.removeFilter(wanted)
