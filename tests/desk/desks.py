"""Desks for tests, with a film on them; none needs a network or a browser."""

import json
import pathlib
import shutil
import tempfile

import numpy as np

from configs import restore as config
from revive_jax import files, restore
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import known, masks, places, settings, upload, visitors
from revive_jax.video import writer
from tests.pipeline import run_test

KEY = 'Zm9yIHRlc3RzIG9ubHksIDMyIGJ5dGVzIG9mIGtleSE='  # 32 bytes.


class Clock:
  """Tells the time that it is told."""

  def __init__(self, now: float = 1_800_000_000.0):
    self.now = now

  def __call__(self) -> float:
    return self.now


def opened(root, *, sealed=False, limits=None, clock=None, **changed
           ) -> desk_lib.Desk:
  """A desk of the cheapest settings; sealed: with a key of its own."""
  c = config.get_config('tiny')
  c.sandbox, c.report, c.faces.policy = 'off', False, 'off'
  c.update(changed)
  if sealed:
    path = pathlib.Path(root).with_name('key')
    path.write_text(KEY)
    path.chmod(0o600)
    c.encrypt.key = f'file:{path}'
  return desk_lib.opened(c, root, limits, clock or Clock())


def clip(*lengths, height=32, width=48) -> np.ndarray:
  """Damaged frames [T, H, W, 3] uint8: shots of these lengths."""
  return np.concatenate([run_test._film(n, height, width, seed=3 * i)
                         for i, n in enumerate(lengths)])


def film_bytes(folder, frames, name='made.mkv') -> bytes:
  """The bytes of a file with these frames, losslessly."""
  path = pathlib.Path(folder) / name
  writer.write_rgb(path, frames, frame_rate=24)
  data = path.read_bytes()
  path.unlink()
  return data


def put(desk, data: bytes, name='tape.mkv', visitor=None) -> places.Place:
  """Uploads a film; its visitor is a new one, if there is none."""
  visitor = visitor or visitors.new(desk)
  with upload.receive(desk, visitor, name, len(data)) as receiver:
    for start in range(0, len(data), 10_000):
      receiver.write(data[start:start + 10_000])
    return places.find(desk, visitor, receiver.close())


def measured(root, *lengths, desk=None, sealed=False, **changed
             ) -> places.Place:
  """A film of shots of these lengths that was measured, on a desk in root.

  That of the first test that asks is copied for the others.

  Args:
    root: a new folder.
    *lengths: of clip().
    desk: options of opened().
    sealed: whether it is.
    **changed: settings.
  """
  key = json.dumps([lengths, sealed, changed], default=list, sort_keys=True)
  if key not in _ready:
    holder = tempfile.TemporaryDirectory()
    first = pathlib.Path(holder.name) / 'desk'
    place = put(opened(first, sealed=sealed, **changed),
                film_bytes(holder.name, clip(*lengths)))
    known.measure(place)
    _ready[key] = holder, place
  _, place = _ready[key]
  shutil.copytree(place.desk.root, root)
  own = opened(root, sealed=sealed, **(desk or {}), **changed)
  return places.find(own, place.visitor, place.id)


_ready = {}


def restored(place: places.Place) -> dict:
  """Restores a film as a job does, but in this process; its report."""
  with masks.composed(place) as digests:
    known.hand_over(place, digests)
  output = str(settings.output(place)).removesuffix(files.SEALED)
  return restore.restore(settings.config(place), str(place.folder / 'work'),
                         str(place.source), output)
