"""The desk: what one server holds, and how much it takes on."""

from collections.abc import Callable, Iterator
import contextlib
import fcntl
import functools
import importlib
import operator
import os
import pathlib
import tempfile
import time
from typing import NamedTuple

from absl import logging
import ml_collections
import numpy as np

from revive_jax import sealing, types
from revive_jax import settings as settings_lib
from revive_jax import workdir as workdir_lib
from revive_jax.models import weights
from revive_jax.privacy import keys
from revive_jax.privacy import vault as vault_lib
from revive_jax.video import images, probe, sandbox

NAME = 'desk.json'  # Its settings, for the jobs.
_OWN = ('ui', 'desk')  # Of a config, what a restore does not know.
# Settings that name weights, and those that name files.
_WEIGHTS = ('weights', 'fills', 'upscaler')
_FILES = ('mask', 'decisions', 'consent.file', 'provenance.key',
          'provenance.certificate', 'provenance.anchors', 'faces.detector',
          'faces.embedder', 'encrypt.passphrase_file')
_KEY = 'file:'  # Before the path of a key.


class Limits(NamedTuple):
  """What visitors may ask for, and for how long it is kept."""

  bytes: int = 4 << 30  # Of an upload.
  seconds: float = 1800.0  # Of film.
  films: int = 8  # Of one visitor.
  jobs: int = 1  # At once, altogether...
  jobs_of_visitor: int = 1  # ...and of one visitor.
  # Seconds from a last visit, or the end of a last job, to the end of it all.
  lifetime: float = 86400.0


class Desk(NamedTuple):
  """One desk; made by opened()."""

  c: ml_collections.ConfigDict  # Of each restore, before anything is chosen.
  root: pathlib.Path
  limits: Limits
  clock: Callable[[], float]  # Seconds, as time.time.
  vault: vault_lib.Vault | None  # What seals the files; None: nothing does.

  def path(self, name: str | os.PathLike) -> pathlib.Path:
    """A path in root whose file is sealed, if files are."""
    place = self.root / name
    return self.vault.path(place) if self.vault else place

  @contextlib.contextmanager
  def alone(self) -> Iterator[None]:
    """Keeps others out who begin or remove something, also other processes."""
    with open(self.root / 'lock', 'w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      yield


def opened(
    c: ml_collections.ConfigDict, root: str | os.PathLike,
    limits: Limits | None = None, clock: Callable[[], float] = time.time,
) -> Desk:
  """Opens a desk, in a folder that only its owner can read.

  Args:
    c: configs/restore.py, or what extends it.
    root: the folder; made, if there is none. What visitors left there stays.
    limits: how much it takes on; None: see Limits.
    clock: tells the time.

  Films of visitors are decoded without rights, where that can be.

  Raises:
    types.BadInput: settings that cannot be, a folder that cannot be written, or
      a passphrase that would have to be asked for by each job.
  """
  c = ml_collections.ConfigDict(
      {k: v for k, v in c.to_dict().items() if k not in _OWN})
  c.keep_segments, c.mode = True, 'restore'
  plain = importlib.import_module('revive_jax.configs.restore').get_config()
  c.live, c.export = plain.live, plain.export  # Of no use here.
  settings_lib.check(_without_consent(c))
  _make_absolute(c)
  if c.encrypt.key == 'passphrase' and not (
      c.encrypt.passphrase_file or keys.VARIABLE in os.environ):
    raise types.BadInput(
        'The desk starts a process for each film, which cannot ask for the '
        f'passphrase; put it into {keys.VARIABLE}, or name its file with '
        '--config.encrypt.passphrase_file.')
  root = pathlib.Path(root).absolute()
  with workdir_lib.written(root):
    (root / 'visitors').mkdir(parents=True, exist_ok=True)
    os.chmod(root, 0o700)
  if c.sandbox == 'auto':
    c.sandbox = 'on' if _can_sandbox(root) else 'off'
  workdir_lib.write_json(root / NAME, c.to_dict())
  return Desk(c, root, limits or Limits(), clock, sealing.vault(c))


def _make_absolute(c) -> None:
  """Gives files their whole paths: jobs run in other folders."""
  for names, path in ((_WEIGHTS, _weights_path), (_FILES, os.path.abspath)):
    for name in names:
      *above, key = name.split('.')
      node = functools.reduce(operator.getitem, above, c)
      if node[key]:
        node[key] = path(node[key])
  if c.encrypt.key.startswith(_KEY):
    c.encrypt.key = _KEY + os.path.abspath(c.encrypt.key.removeprefix(_KEY))


def _weights_path(name: str) -> str:
  """A whole path, unless they ship (those come first) or are of the hub."""
  if weights.ships(name):
    return name
  return os.path.abspath(name) if os.path.exists(name) else name


def _can_sandbox(root) -> bool:
  """Whether films of others can be opened in a process without rights here."""
  with tempfile.TemporaryDirectory(dir=root) as folder:
    path = pathlib.Path(folder) / 'grey.png'
    images.write_picture(path, np.full((16, 16), 128, np.uint8))
    try:
      probe.probe(sandbox.guarded(str(path), 'on'))
    except types.BadInput:
      logging.warning(
          'The films of visitors are decoded by the process of the desk: this '
          'system cannot take its rights away (--config.sandbox).')
      return False
  return True


def _without_consent(c):
  """Whoever is asked for it has not been asked yet."""
  c = ml_collections.ConfigDict(c.to_dict())
  c.consent.required = False
  return c
