"""Tests of pipeline/restore.py, with the shipped network in."""

import functools
import unittest

from absl.testing import absltest
import numpy as np
import pytest

from revive_jax import networks, types
from revive_jax.models import weights
from revive_jax.pipeline import choose, measure, restore, run
from revive_jax.video import reader
from tests.pipeline import clips


@functools.cache
def _network():
  return networks.make_network(weights.read_weights('restorer'))


def _film(num_frames=26, height=96, width=128, seed=0):
  """A pan with grain, spots and a scratch; uint8."""
  rng = np.random.default_rng(seed)
  film = clips.panning(num_frames, height, width, seed=seed)
  film += 0.03 * rng.standard_normal(film.shape[:3])[..., None].astype('f')
  for t in range(num_frames):
    y, x = rng.integers(8, 80), rng.integers(8, 110)
    film[t, y:y + 5, x:x + 4] = 0.95
    film[t, :, 40 + t // 2:42 + t // 2] = 0.02
  return np.round(np.clip(film, 0, 1) * 255).astype(np.uint8)


def _run(film, *, window=32, context=10, tile=1024, overlap=32, mode='full',
         marks=None, strength=1.0, beside=False):
  shots, _ = measure.measure(iter(film), frame_rate=24.0)
  plans = [choose.choose(
      s, mode=mode, strength=dict.fromkeys(choose.KINDS, strength),
      stages=('auto',), output=dict(bits=8, grain=0.0), fill='temporal_median',
      inpaint='telea', denoiser='auto', seed=0, marked=marks is not None,
      learned=True) for s in shots]
  frames = (reader.SourceFrame(i, i, f, ()) for i, f in enumerate(film))
  parts = list(run.run(
      frames, shots, plans, window=window, context=context, tile=tile,
      overlap=overlap, masks=marks, network=_network(), beside=beside))
  return [part.clip for part in parts], shots, plans


def _joined(parts, name):
  return np.concatenate([getattr(clip, name) for clip in parts])


def _psnr(a, b):
  return -10 * np.log10(((a - b) ** 2).mean() + 1e-12)


class RestoreTest(absltest.TestCase):

  def test_fills_all_its_fields_in_one_pass(self):
    parts, _, plans = _run(_film(12))
    self.assertIn('restore', [s.name for s in plans[0].stages])
    self.assertNotIn('classical', [s.name for s in plans[0].stages])
    self.assertEqual(_joined(parts, 'restored').shape, (12, 96, 128, 3))
    self.assertEqual(_joined(parts, 'flow_forward').shape, (12, 96, 128, 2))
    self.assertEqual(_joined(parts, 'log_variance').shape, (12, 96, 128, 1))
    damage = _joined(parts, 'damage')
    self.assertBetween(damage.min(), 0, 1)
    origin = _joined(parts, 'origin')
    holes = damage > 0.5
    self.assertTrue(np.isin(
        origin[holes], (types.Origin.MOVED, types.Origin.INVENTED)).all())

  def test_windows_hardly_show(self):
    self._windows_hardly_show(6)

  @pytest.mark.slow
  def test_longer_windows_hardly_show(self):
    self._windows_hardly_show(9)

  def _windows_hardly_show(self, window):
    film = _film()
    whole, _, _ = _run(film)
    parts, _, _ = _run(film, window=window)
    ahead, _, _ = _run(film, window=window, beside=True)
    for name in ('output', 'origin', 'origin_frame'):
      np.testing.assert_array_equal(_joined(ahead, name), _joined(parts, name))
    a, b = _joined(parts, 'restored'), _joined(whole, 'restored')
    self.assertGreater(_psnr(a, b), 50)
    # No edge: the step into a window is as wrong as other steps, not more.
    steps = np.abs(np.diff(a - b, axis=0)).mean((1, 2, 3))
    into = np.arange(len(steps)) % window == window - 1
    self.assertLess(steps[into].mean(), 3 * steps[~into].mean() + 1e-3)

  def test_the_forward_state_is_carried_exactly(self):
    film = _film(12)
    clip = clips.clip(np.float32(film) / 255)
    causal = functools.partial(_network(), causal=True)
    options = dict(network=causal, tile=1024, overlap=32, length=12,
                   keep=10)
    whole, _ = restore.restore(
        clip, core=slice(0, 12), memory=None, **options)
    first, memory = restore.restore(
        clips.clip(clip.frames[:5]), core=slice(0, 5), memory=None, **options)
    second, _ = restore.restore(
        clips.clip(clip.frames[3:]), core=slice(2, 9),
        memory=restore.unpacked(restore.packed(memory)), **options)
    np.testing.assert_allclose(
        first.restored, whole.restored[:5], atol=1e-5)
    np.testing.assert_allclose(
        second.restored[2:], whole.restored[5:], atol=1e-5)
    # The frames before are those of the window before.
    np.testing.assert_array_equal(second.restored[:2], first.restored[3:])

  def test_tiles_hardly_show(self):
    film = _film(6, 160, 200)
    whole, _, _ = _run(film)
    tiled, _, _ = _run(film, tile=128, overlap=48)
    a, b = _joined(tiled, 'restored'), _joined(whole, 'restored')
    self.assertGreater(_psnr(a, b), 38)
    step = np.abs(np.diff(a - b, axis=2)).mean((0, 1, 3))
    self.assertLess(step[70:82].mean(), 3 * step.mean() + 1e-3)

  def test_no_frame_is_mixed_across_a_cut(self):
    first, second, other = _film(8), _film(9, seed=3), _film(9, seed=5)
    a, shots, _ = _run(np.concatenate([first, second]))
    b, _, _ = _run(np.concatenate([first, other]))
    self.assertLen(shots, 2)
    np.testing.assert_array_equal(
        _joined(a, 'output')[:8], _joined(b, 'output')[:8])

  def test_repair_changes_nothing_outside_the_damage(self):
    film = _film(10)
    parts, _, _ = _run(film, mode='repair')
    codes = np.round(_joined(parts, 'output') * 255).astype(np.uint8)
    changed = (codes != film).any(-1)
    self.assertGreater(changed.sum(), 100)
    near = np.stack([
        _grown(d[..., 0] > 0.5) for d in _joined(parts, 'damage')])
    self.assertFalse((changed & ~near).any())

  def test_all_off_leaves_the_film(self):
    film = _film(4)
    parts, _, _ = _run(film, strength=0.0)
    np.testing.assert_array_equal(
        np.round(_joined(parts, 'output') * 255).astype(np.uint8), film)

  # 0.28 of the error is left, nearly all of it by the stage before: it takes a
  # film of low contrast for faded, and stretches its levels by an exponent of
  # 2.5. With strength.tone=0 it is 0.02. Once the bound is met this fails, and
  # the mark goes.
  @unittest.expectedFailure
  def test_what_is_marked_is_filled(self):
    film = np.round(255 * clips.panning(8)).astype(np.uint8)
    film[4, 30:40, 50:60] = 255
    marks = np.zeros(film.shape[:3], bool)
    marks[4, 30:40, 50:60] = True
    parts, _, _ = _run(film, marks=iter(marks))
    self.assertTrue((_joined(parts, 'damage')[4, 30:40, 50:60] == 1).all())
    kinds = _joined(parts, 'damage_kind')
    self.assertTrue(
        (kinds[4, 30:40, 50:60] == types.DamageKind.MARKED).all())
    clean = clips.panning(8)[4, 30:40, 50:60]
    filled = _joined(parts, 'output')[4, 30:40, 50:60]
    self.assertLess(np.abs(filled - clean).mean(), 0.25 * np.abs(
        1 - clean).mean())

  def test_lines_are_scratches_and_spots_are_dust(self):
    damage = np.zeros((1, 64, 80, 1), np.float32)
    damage[0, :, 20:22] = 0.9
    damage[0, 30:36, 50:56] = 0.9
    kinds = restore.damage_kinds(
        damage, clips.clip(np.zeros((1, 64, 80, 3), np.float32)), 0)
    self.assertEqual(kinds[0, 5, 20, 0], types.DamageKind.SCRATCH)
    self.assertEqual(kinds[0, 33, 53, 0], types.DamageKind.DUST)
    self.assertEqual(kinds[0, 5, 60, 0], types.DamageKind.NONE)

  def test_a_fill_that_a_neighbour_shows_was_moved(self):
    frames = np.repeat(clips.texture(32, 48)[None], 3, 0)
    damage = np.zeros((3, 32, 48, 1), np.float32)
    damage[1, 10:16, 10:16] = damage[1, 20:26, 30:36] = 1
    restored = frames.copy()
    restored[1, 20:26, 30:36] = 1 - restored[1, 20:26, 30:36]
    flow = np.zeros((3, 32, 48, 2), np.float32)
    found = restore.origins(frames, dict(
        damage=damage, restored=restored, flow_forward=flow,
        flow_backward=flow), start=0)
    self.assertEqual(found['origin'][1, 12, 12, 0], types.Origin.MOVED)
    self.assertIn(found['origin_frame'][1, 12, 12, 0], (-1, 1))
    self.assertEqual(found['origin'][1, 23, 33, 0], types.Origin.INVENTED)
    self.assertEqual(found['origin'][0, 0, 0, 0], types.Origin.DENOISED)


def _grown(mask):
  """mask and the pixels around it."""
  padded = np.pad(mask, 1)
  return np.any([padded[i:i + mask.shape[0], j:j + mask.shape[1]]
                 for i in range(3) for j in range(3)], 0)


if __name__ == '__main__':
  absltest.main()
