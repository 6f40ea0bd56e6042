"""The steps of a film in an archive, each of which may run twice, or half.

begin measures it, and says which shares it has; share makes the segments of
one, in a folder that gets its name when they are whole; finish takes them all
into the film's folder, and restores the rest of it as on one machine: nothing,
if nothing was lost. So the film is that of one machine, and so is its report.
"""

from collections.abc import Callable
import fcntl
import functools
import json
import os
import pathlib
import shutil
import time
from typing import Any
import uuid

from absl import logging
import ml_collections

from revive_jax import (
    companions,
    files,
    films,
    identity,
    networks,
    restore,
    settings,
    types,
)
from revive_jax import workdir as workdir_lib
from revive_jax.archive import manifest
from revive_jax.models import weights
from revive_jax.pipeline import segments as segments_lib
from revive_jax.pipeline import shares as shares_lib
from revive_jax.pipeline import upscale
from revive_jax.video import probe, sandbox, target, writer

_PATIENCE = 60.0  # Seconds that another run of a film is waited for.
_REST = 60.0  # Seconds for storage, or memory, to be there again.


def run(
    name: str, job: manifest.Job, *arguments: Any
) -> dict[str, Any]:
  """Runs a step, one of _STEPS, whatever comes of it.

  Returns:
    'state', seconds, and what the step says. 'refused' and 'failed' have what
    was wrong, in 'what', and is_passing where that may be over the next time.
  """
  start = time.monotonic()
  try:
    found = _STEPS[name](job, *arguments)
  except types.BadInput as error:
    found = {'state': 'refused', 'what': str(error)}
    if isinstance(error, sandbox.KilledError):
      found |= {'state': 'failed', 'is_passing': True}
  except Exception as error:  # One film must not keep the others waiting.
    logging.exception('%s', job.entry.path)
    found = {'state': 'failed', 'what': f'{type(error).__name__}: {error}',
             'is_passing': isinstance(error, (OSError, MemoryError))}
    if found['is_passing']:  # At once it would be the same again.
      time.sleep(_REST)
  return found | {'seconds': round(time.monotonic() - start, 3)}


def _begin(job, frames: int, *, goes_on: bool) -> dict[str, Any]:
  """Measures a film, and divides it.

  frames: of a share, at least. goes_on: whether a film that is one share is
  restored at once.
  """
  c, info, destination = _opened(job)
  made_of = identity.of(c, info, destination)
  folder = pathlib.Path(job.work)
  if before := films.finished(folder / 'done.json', made_of, destination):
    # Where a worker was killed after the film was whole.
    shutil.rmtree(folder / 'shares', ignore_errors=True)
    return {'state': 'done before', 'frames': before['frames'],
            'output': destination, 'film_seconds': before.get('film_seconds')}
  folder.mkdir(parents=True, exist_ok=True)
  _wait_for(folder)
  _check(c, job, info, destination)
  with workdir_lib.opened(folder):
    kept = segments_lib.opened(folder / 'segments', made_of)
    film = _film(c, info, destination, kept)
    found, plans = film.prepared(restores=goes_on)
    shares = shares_lib.divide(
        film.work(found.shots), plans, film.planned, frames)
    run_ = _place(folder)
    run_.mkdir(parents=True, exist_ok=True)
  sizes = [shares_lib.frames_of(film.work(found.shots), range(*s))
           for s in shares]
  if len(shares) == 1 and goes_on:
    return _finish(job)
  return {'state': 'begun', 'frames': len(found.stamps), 'shares': [
      (*s, n) for s, n in zip(shares, sizes, strict=True)]}


def _share(job, start: int, stop: int, frames: int) -> dict[str, Any]:
  """Makes the segments [start, stop) of a film, which are so many frames."""
  folder = pathlib.Path(job.work)
  place = _place(folder)
  final = place / f'{start:06d}-{stop:06d}'
  if final.is_dir():
    return {'state': 'made', 'frames': frames}
  c, info, destination = _opened(job)
  part = place / f'.{final.name}.{uuid.uuid4().hex[:8]}'
  part.mkdir()  # Not what is above it: that goes when the film is whole.
  try:
    (part / 'segments').mkdir()
    for name in ('key.json', 'measured.json'):
      shutil.copyfile(folder / 'segments' / name, part / 'segments' / name)
    kept = segments_lib.opened(
        part / 'segments', json.loads((part / 'segments/key.json').read_text()))
    film = _film(c, info, destination, kept)
    found, plans = film.prepared()
    film.restore(found.shots, plans, len(found.stamps), range(start, stop))
    if not final.is_dir():
      (part / 'segments').rename(final)
  except OSError:
    if not final.is_dir():  # Another worker was as quick.
      raise
  finally:
    shutil.rmtree(part, ignore_errors=True)
  return {'state': 'made', 'frames': frames}


def _finish(job) -> dict[str, Any]:
  """Joins a film of its shares; makes what is missing."""
  c, info, destination = _opened(job)
  folder = pathlib.Path(job.work)
  # Before: of a file that is changed meanwhile this is not the film.
  made_of = identity.of(c, info, destination)
  _wait_for(folder)
  _take_in(folder)
  report = restore.restore(c, job.work, info.path, destination)
  told = {'frames': report['speed']['frames'],
          'film_seconds': _length(info, report)}
  workdir_lib.write_json(folder / 'done.json', told | {'made_of': made_of})
  shutil.rmtree(folder / 'shares', ignore_errors=True)
  return told | {'state': 'restored', 'output': destination,
                 'warnings': report['warnings']}


_STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    'begin': functools.partial(_begin, goes_on=False),
    'whole': functools.partial(_begin, goes_on=True),
    'share': _share, 'finish': _finish, 'restore': _finish}


def _opened(job):
  """The settings of a job, what its film is, and where it goes."""
  c = ml_collections.ConfigDict(job.settings).lock()
  settings.check(c)
  source = sandbox.guarded(job.entry.path, c.sandbox, many=True)
  info = probe.probe(source, frame_rate=c.frame_rate)
  settings.check_film(c, info)
  return c, info, job.output + target.suffix(
      upscale.enlarged(info, c.output.upscale))


def _check(c, job, info, destination) -> None:
  """Refuses what would else be found at the end of a long film."""
  enlarged = upscale.enlarged(info, c.output.upscale)
  companions.check(c, job.work, destination, target.choose(
      destination, enlarged, c.output.codec, c.output.bits or 'auto'))
  writer.check_output(
      destination, enlarged, codec=c.output.codec, bits=c.output.bits or 'auto')


def _film(c, info, destination, kept) -> restore.Film:
  network = _network(c.weights, c.fills, c.seed) if c.weights else None
  return restore.Film(
      c, info, files.name(destination), kept, network, None,
      upscale.load(c.output.upscale, c.upscaler))


@functools.lru_cache(maxsize=2)  # What a worker restores next is much like it.
def _network(name, fills, seed):
  c = ml_collections.ConfigDict(
      dict(weights=name, fills=fills, seed=seed, num_samples=1))
  return networks.make_network(weights.read_weights(name), c)


def _place(folder: pathlib.Path) -> pathlib.Path:
  """Where the shares of a film lie that are whole, by what they are of."""
  key = json.loads((folder / 'segments' / 'key.json').read_text())
  return folder / 'shares' / segments_lib.run_of(key)[:16]


def _take_in(folder: pathlib.Path) -> None:
  """Puts what is in shares among the segments; they stay where they are."""
  if not (folder / 'segments' / 'key.json').is_file():
    return
  place = _place(folder)
  for share in sorted(place.glob('[0-9]*-[0-9]*')):
    for told in sorted(share.glob(f'{"[0-9]" * 6}.json')):
      if (folder / 'segments' / told.name).exists():
        continue
      notes = json.loads(told.read_text())
      # Its notes last: what is not named by notes was never finished.
      for name in (*notes['files'], *notes['beside'], told.name):
        _link(share / name, folder / 'segments' / name)


def _link(source, place) -> None:
  place.parent.mkdir(exist_ok=True)
  part = place.with_name(f'.{place.name}.part')
  part.unlink(missing_ok=True)
  try:
    os.link(source, part)
  except OSError:  # A disk that has no links.
    shutil.copyfile(source, part)
  os.replace(part, place)


def _wait_for(folder: pathlib.Path) -> None:
  """Waits until nobody is at a film: a worker whose driver died may still be.

  Raises:
    TimeoutError: somebody still is, as on a machine that was taken for lost.
  """
  end = time.monotonic() + _PATIENCE
  while time.monotonic() < end:
    try:
      with open(folder / 'lock', 'a') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return
    except BlockingIOError:
      time.sleep(0.5)
    except OSError:  # What opens the folder says what is wrong with it.
      return
  raise TimeoutError(f'another worker is still at {folder}')


def _length(info, report) -> float:
  """Seconds of a film."""
  return round(float(
      info.duration or report['speed']['frames'] / info.frame_rate), 3)
