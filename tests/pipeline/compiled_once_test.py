"""Tests that a film of a new size has the network compiled for it once."""

import functools

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from revive_jax.models import inference, restorer
from revive_jax.pipeline import choose, measure, run
from revive_jax.video import reader
from tests import compiling
from tests.models import params
from tests.pipeline import clips

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_EVENT = '/jax/core/compile/backend_compile_duration'


class _Programs:
  """Names of what is compiled, while in use."""

  def __enter__(self):
    self.names = []
    jax.monitoring.register_event_duration_secs_listener(self._see)
    return self

  def _see(self, event, seconds, **about):
    del seconds
    if event == _EVENT:
      self.names.append(about.get('fun_name', '?'))

  def __exit__(self, *error):
    jax.monitoring.unregister_event_duration_listener(self._see)


@functools.cache
def _network():
  model = restorer.Restorer(features=4, deep_features=4, num_blocks=1)
  drawn = params.draw(model, jnp.zeros((1, 1, 32, 32, 3)))
  return functools.partial(inference.restore_window, drawn, model=model)


def _run(film, *, tile=1024, overlap=16):
  shots, _ = measure.measure(iter(film), frame_rate=24.0)
  plans = [choose.choose(
      s, mode='full', strength=dict.fromkeys(choose.KINDS, 0.5),
      stages=('restore', 'composite', 'output'),
      output=dict(bits=8, grain=0.0), fill='temporal_median', inpaint='telea',
      denoiser='auto', seed=0, marked=False, learned=True) for s in shots]
  frames = (reader.SourceFrame(i, i, f, ()) for i, f in enumerate(film))
  parts = list(run.run(frames, shots, plans, window=5, context=3, tile=tile,
                       overlap=overlap, network=_network()))
  return np.concatenate([p.clip.restored for p in parts]), shots


def _film(num_frames, height, width, seed=0):
  film = clips.panning(num_frames, height, width, seed=seed)
  return np.round(255 * np.clip(film, 0, 1)).astype(np.uint8)


class CompiledOnceTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    _network()

  def test_a_film_with_every_length_of_window(self):
    # Shots of 12 and 6 frames: windows of 5 + 3, 5 + 2, 2; and of 5 + 1, 1.
    film = np.concatenate([_film(12, 40, 56), 255 - _film(6, 40, 56, seed=3)])
    with _Programs() as compiled:
      restored, shots = _run(film)
    self.assertLen(shots, 2)
    self.assertEqual(restored.shape, (18, 40, 56, 3))
    self.assertEqual(compiled.names, ['jit(restore_frames)'])
    # The same sixteens: nothing is new, and tiles are all of one size.
    film = _film(9, 44, 116)
    with _Programs() as compiled:
      restored, _ = _run(film, tile=64)
    self.assertEqual(restored.shape, (9, 44, 116, 3))
    self.assertEmpty(compiled.names)
    with _Programs() as compiled:  # And another size compiles one more.
      _run(_film(9, 20, 20))
    self.assertEqual(compiled.names, ['jit(restore_frames)'])

  def test_what_makes_up_a_shape_changes_nothing(self):
    frames = np.random.default_rng(0).random((1, 8, 48, 64, 3), np.float32)
    once, kept = _network()(frames, count=5)
    frames[:, 5:] = np.nan
    again, state = _network()(frames, count=5)
    for name in ('output', 'damage', 'flow'):
      np.testing.assert_array_equal(
          getattr(once, name)[:, :5], getattr(again, name)[:, :5])
    np.testing.assert_array_equal(kept.hidden, state.hidden)

  @pytest.mark.slow
  def test_as_the_network_itself(self):
    frames = np.random.default_rng(0).random((1, 8, 48, 64, 3), np.float32)
    network = functools.partial(inference.restore_frames, *_network().args,
                                **_network().keywords)
    found, kept = _network()(frames, count=5)
    wanted, state = network(frames[:, :5])
    for name in ('output', 'damage', 'log_variance', 'flow'):
      np.testing.assert_allclose(
          getattr(found, name)[:, :5], getattr(wanted, name), atol=1e-5)
    np.testing.assert_allclose(kept.hidden, state.hidden, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
