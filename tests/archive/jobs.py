"""Films and jobs for the tests of the archive."""

import hashlib
import os
import pathlib

import ml_collections
import numpy as np

from configs import archive as config
from revive_jax import restore
from revive_jax.archive import manifest
from revive_jax.video import probe, reader, writer
from tests.pipeline import run_test


def write_film(path, lengths=(60, 60), seed=0, size=(48, 64)):
  """Writes a film of shots of so many frames."""
  shots = [run_test._film(n, *size, seed=seed + i)
           for i, n in enumerate(lengths)]
  shots = [255 - s if i % 2 else s for i, s in enumerate(shots)]
  writer.write_rgb(path, np.concatenate(shots), frame_rate=24)


def settings(**options):
  """configs/archive.py, tiny, that says nothing."""
  c = config.get_config('tiny')
  c.progress = 'none'
  c.archive.update(options)
  return c


def job(folder, film, c=None, name='film'):
  """A job of a film; its output is folder/out/NAME.mkv."""
  folder = pathlib.Path(folder)
  (folder / 'films').mkdir(exist_ok=True)
  return manifest.jobs(
      c or settings(), [manifest.Entry(os.fspath(film))], [name],
      folder / 'films', folder / 'out')[0]


def by_one_machine(folder, film, c=None):
  """The frames of what --mode=restore makes of a film."""
  name = f'one_{film.stem}'
  settings_ = job(folder, film, c, name=name).settings
  path = str(folder / f'{name}.mkv')
  restore.restore(ml_collections.ConfigDict(settings_), str(folder / name),
                  str(film), path)
  return frames(path)


def frames(path):
  """A sum of each frame of a film, with its timestamp."""
  return [(f.pts, hashlib.md5(b''.join(
      np.ascontiguousarray(p).tobytes() for p in f.planes)).hexdigest())
          for f in reader.read_frames(probe.probe(str(path)))]
