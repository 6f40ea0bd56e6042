"""All films of an archive: from what the user gave to the table."""

from collections.abc import Iterator
import contextlib
import fcntl
import json
import os
import pathlib
import time

from absl import logging
import ml_collections

from revive_jax import progress as progress_lib
from revive_jax import sealing, types
from revive_jax import workdir as workdir_lib
from revive_jax.archive import (
  manifest,
  processes,
  progress,
  ray_cluster,
  rows,
  scheduler,
)
from revive_jax.models import weights

_EVERY = 30.0  # Seconds between two tables, at least,
_SELDOM = 20  # and so many times what one takes.
_LEAST = 48  # Frames of a share.
# Settings that name files: workers are in other folders.
_WEIGHTS = ('weights', 'fills', 'upscaler')
_FILES = (*_WEIGHTS, 'mask', 'consent.file', 'provenance.key',
          'provenance.certificate', 'provenance.anchors', 'faces.detector',
          'faces.embedder')


def restore_all(
    c: ml_collections.ConfigDict, workdir: str, source: str,
    destination: str | None = None,
) -> list[rows.Row]:
  """Restores all films; the same call goes on after one that was stopped.

  Args:
    c: configs/archive.py.
    workdir: gets a folder for each film (films/<name>), the table (films.csv),
      report.json and index.html. All machines must see it.
    source: see manifest.read.
    destination: a folder for the films; None: workdir/outputs.

  Returns:
    A row for each film of this share; the table has all.

  Raises:
    types.BadInput: anything the user can set right.
  """
  check(c)
  _keep_programs()
  work = pathlib.Path(os.path.abspath(workdir))
  output = pathlib.Path(os.path.abspath(destination or work / 'outputs'))
  c = _absolute(c)
  entries = [e._replace(path=os.path.abspath(e.path), consent=(
      e.consent and os.path.abspath(e.consent)))
             for e in manifest.read(source, (work, output))]
  _check_output(output, entries)
  own = manifest.share(entries, c.archive.share)
  place = work / 'parts' / c.archive.share.replace('/', '-of-') if (
      c.archive.share) else work
  with workdir_lib.opened(place), contextlib.ExitStack() as last:
    jobs = manifest.jobs(c, entries, _names(work, entries), work / 'films',
                         output)
    for folder in (work / 'films', output):
      with workdir_lib.written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = set(own)
    mine = [job for job in jobs if job.entry in wanted]
    pool = (processes.Processes(c.archive.processes)
            if c.archive.address == 'none'
            else ray_cluster.RayPool(c, work, mine))
    last.callback(pool.close)
    return _run(c, work, jobs, mine, pool)


def _run(c, work, jobs, mine, pool) -> list[rows.Row]:
  # Until they are looked at: if this is stopped, the table is as it was.
  found = {job.name: rows.before(job) for job in jobs}
  by_name, own = {job.name: job for job in jobs}, {job.name for job in mine}
  meter = progress.Meter(len(mine), c.progress)
  following = time.monotonic() + _EVERY  # When the next table is due.

  def write():
    with _alone(work):
      for job in jobs if c.archive.share else ():  # Others work on theirs.
        if job.name not in own:
          found[job.name] = rows.before(job)
      rows.write(work, found.values(), c.to_dict())

  events = scheduler.run(
      mine, pool, frames=c.archive.frames, tries=c.archive.tries,
      look=meter.look)
  try:
    for event in events:
      meter.note(event)
      if event.row is None:
        continue
      job = by_name[event.row.name]
      found[job.name] = rows.again(job, event.row)
      rows.keep(job, found[job.name])
      if not event.row.is_good:
        logging.warning('%s: %s', event.row.state, rows.named(event.row))
      if (begin := time.monotonic()) > following:
        write()
        # Of very many films it takes long, and others wait for the same lock.
        end = time.monotonic()
        following = end + max(_EVERY, _SELDOM * (end - begin))
  finally:
    meter.look(last=True)
    write()
  return [found[job.name] for job in mine]


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that an archive cannot have, each in one sentence."""
  if 'archive' not in c:
    raise types.BadInput(
        'The settings are not those of an archive; leave out --config, or set '
        '--config=archive, and name presets in the manifest.')
  options = c.archive
  sealing.refuse(c, 'An archive, whose films many machines read,')
  types.check_choice('progress', c.progress, progress_lib.FORMS)
  if c.decisions or c.num_samples > 1:
    raise types.BadInput(
        '--config.decisions and num_samples are about one film; restore it '
        'with --mode=restore.')
  for name, least in (('processes', 0), ('memory', 0), ('frames', _LEAST),
                      ('tries', 1), ('patience', 1), ('cpus', 0.01)):
    if options[name] < least:
      raise types.BadInput(
          f'--config.archive.{name}={options[name]} is less than {least}.')
  if options.gpus < 0 and options.gpus != -1:
    raise types.BadInput(
        f'--config.archive.gpus={options.gpus:g} is neither -1 nor 0 or more.')
  if options.share and options.address != 'none':
    raise types.BadInput(
        '--config.archive.share is for processes that know nothing of each '
        'other; a cluster shares by itself: leave it out, or set '
        '--config.archive.address=none.')
  if options.address == 'none' and options.gpus > 0:
    raise types.BadInput(
        f'--config.archive.gpus={options.gpus:g}: without Ray nobody hands out '
        'GPUs, and each process uses what it sees; leave it out.')


def _check_output(output, entries) -> None:
  """Refuses a folder where restored films might replace films."""
  if output.exists() and not output.is_dir():
    raise types.BadInput(
        f'{output}: this is a file; name a folder for the films.')
  if os.path.realpath(output) in {
      os.path.realpath(os.path.dirname(e.path)) for e in entries}:
    raise types.BadInput(
        f'{output}: films that are to be restored lie in this folder; name '
        'another one with --output.')


def _keep_programs() -> None:
  """Lets workers find the compiled programs where this process does."""
  import jax

  if folder := jax.config.jax_compilation_cache_dir:
    os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', folder)


def _absolute(c) -> ml_collections.ConfigDict:
  """c with whole paths of files that are there."""
  found = c.copy_and_resolve_references()
  with found.unlocked():
    for key in _FILES:
      *above, name = key.split('.')
      node = found
      for part in above:
        node = node[part]
      if os.path.exists(node[name]) and not (
          name in _WEIGHTS and weights.ships(node[name])):
        node[name] = os.path.abspath(node[name])
  return found


def _names(work, entries) -> list[str]:
  """A name for each film, which stays whatever is added later."""
  path = work / 'names.json'
  with _alone(work):
    try:
      before = dict(json.loads(path.read_text()))
    except (OSError, ValueError):
      before = {}
    found = manifest.names(entries, before)
    workdir_lib.write_json(path, before | {
        e.path: name for e, name in zip(entries, found, strict=True)})
  return found


@contextlib.contextmanager
def _alone(work: pathlib.Path) -> Iterator[None]:
  """Keeps others out who write the same table, each for its share."""
  with open(work / 'table.lock', 'w') as lock:
    with contextlib.suppress(OSError):  # Storage that has no locks.
      fcntl.flock(lock, fcntl.LOCK_EX)
    yield
