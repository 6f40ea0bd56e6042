"""The tiny training of the tests; its step is compiled once per device count.

The config is configs/restorer.py:tiny with a mix that compiles sooner, and with
the schedule of many steps, whatever the run's number of steps: so all runs
share one step. Test cases enter `mixes()` first.
"""

from collections.abc import Callable
import contextlib
import functools
import pathlib
import tempfile
from unittest import mock

import jax.numpy as jnp
import numpy as np

from configs import restorer as config
from revive_jax.algorithms import restorer
from revive_jax.degradations import chain
from revive_jax.training import sharding
from revive_jax.video import writer
from tests.models import params
from tests.pipeline import clips

_SHORT = chain.Mix({'monochrome': 0.5, 'grain': 1.0, 'dust': 1.0})
_SHARED = ('algorithm', 'seed', 'batch_size', 'model', 'damage', 'losses',
           'damage_weight', 'charbonnier_epsilon', 'optimizer', 'ema_decay')


def mixes():
  """Makes the mix `short` known, as a context."""
  return mock.patch.dict(chain.MIXES, short=_SHORT)


@functools.cache
def folder() -> tempfile.TemporaryDirectory:
  """A folder that goes when the tests end."""
  return tempfile.TemporaryDirectory()


@functools.cache
def videos() -> str:
  """A folder with two short videos."""
  root = pathlib.Path(folder().name) / 'videos'
  root.mkdir()
  for seed in range(2):
    film = np.round(255 * clips.panning(12, 48, 64, speed=1.5, seed=seed))
    writer.write_rgb(
        root / f'{seed}.mkv', film.astype(np.uint8), frame_rate=24)
  return str(root)


def make_config(**values):
  c = config.get_config('tiny')
  c.data.root = videos()
  c.damage.mix = 'short'
  c.mesh.data = 1
  c.optimizer.peak = 0.02
  c.update(values)
  return c


_make_trainer = restorer.make_trainer


def make_trainer(c, layout):
  """(init, step) of a config, whatever tests have put in its place."""
  return _make_trainer(c, layout, restorer.make_model(c))


@functools.cache
def trainer(devices=1):
  """(init, step) of the config on so many devices."""
  c = make_config(num_steps=100)
  return make_trainer(c, sharding.make_layout(devices))


@functools.cache
def first_params():
  model = restorer.make_model(make_config())
  return params.draw(model, jnp.zeros((1, 2, 32, 32, 3)))


@functools.cache
def clean(size=32) -> np.ndarray:
  """A batch of clean clips [8, 3, size, size, 3], uint8."""
  return np.stack([
      np.round(255 * clips.panning(3, size, size, speed=1.5, seed=seed))
      for seed in range(8)]).astype(np.uint8)


@contextlib.contextmanager
def shared_step(before_step: Callable = lambda state: state):
  """Lets train.train use the shared step; each state goes through a hook."""
  def make_trainer(c, layout, model):
    del model
    for key in _SHARED:
      assert c[key] == make_config()[key], f'The shared step has another {key}.'
    init, step = trainer(layout.mesh.size)
    return init, lambda state, *inputs: step(before_step(state), *inputs)

  with mock.patch.object(restorer, 'make_trainer', make_trainer):
    yield
