"""Tests of pipeline/composite.py, optimise.py and output.py."""

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import composite, optimise, output
from tests.pipeline import clips

_NONE = dict(scratch=0.0, dust=0.0, noise=0.0)
_ALL = dict(scratch=1.0, dust=1.0, noise=1.0)


def _clip():
  source = np.round(clips.panning(3, 24, 32) * 255).astype(np.float32)
  source /= np.float32(255)
  kind = np.zeros((3, 24, 32, 1), np.uint8)
  kind[1, 8:12, 8:12] = types.DamageKind.DUST
  kind[:, :, 20] = types.DamageKind.SCRATCH
  return clips.clip(
      source, damage=(kind > 0).astype(np.float32), damage_kind=kind,
      restored=np.clip(source + np.float32(0.2), 0, 1),
      tone=np.float32([[0.1, 1.0]] * 3))


class CompositeTest(absltest.TestCase):

  def test_repair_keeps_every_pixel_outside_the_mask(self):
    clip = _clip()
    done = composite.composite(clip, mode='repair', strength=_ALL)
    done = optimise.optimise(done, mode='repair', sharpen=1.0)
    done = output.output(done, mode='repair', grain=1.0, sigma=0.1)
    outside = ~composite.damage_mask(clip)
    np.testing.assert_array_equal(done.output[outside], clip.source[outside])
    self.assertTrue((done.output != clip.source)[clip.damage[..., 0] > 0].any())

  def test_strength_zero_is_the_source_exactly(self):
    clip = _clip().replace(tone=None)
    for mode in composite.MODES:
      done = composite.composite(clip, mode=mode, strength=_NONE)
      done = output.output(done, mode=mode)
      np.testing.assert_array_equal(done.output, clip.source)

  def test_strength_acts_by_kind(self):
    clip = _clip().replace(tone=None)
    done = composite.composite(
        clip, mode='full', strength=_NONE | {'scratch': 0.5})
    np.testing.assert_array_equal(done.output[1, 8:12, 8:12],
                                  clip.source[1, 8:12, 8:12])
    half = (clip.source + clip.restored)[:, :, 20] / 2
    np.testing.assert_allclose(done.output[:, :, 20], half, atol=1e-6)

  def test_a_broken_promise_is_noticed(self):
    clip = _clip()
    clip = clip.replace(output=clip.source + np.float32(0.1))
    with self.assertRaisesRegex(RuntimeError, 'outside the damage mask'):
      output.output(clip, mode='repair')

  def test_unknown_mode_is_refused(self):
    with self.assertRaisesRegex(ValueError, "'half'"):
      composite.composite(_clip(), mode='half', strength=_ALL)

  def test_what_is_sharpened_is_not_kept_and_black_marks_are(self):
    edge = np.zeros((1, 16, 32, 3), np.float32)
    edge[..., 16:, :] = 1
    edge = cv2.GaussianBlur(edge[0], (0, 0), 1.0)[None]
    mask = np.zeros((1, 16, 32, 1), np.float32)
    mask[:, :4] = -1
    clip = clips.clip(edge).replace(
        output=edge, user_mask=mask, origin=np.zeros((1, 16, 32, 1), np.uint8))
    done = optimise.optimise(clip, mode='full', sharpen=1.0)
    changed = (done.output != edge).any(-1)
    self.assertFalse(changed[:, :4].any())
    self.assertTrue(changed[:, 4:].any())
    np.testing.assert_array_equal(
        done.origin[..., 0], changed * int(types.Origin.DENOISED))
    done = optimise.optimise(clip, mode='repair', sharpen=1.0)
    np.testing.assert_array_equal(done.output, edge)
    self.assertFalse(done.origin.any())

  def test_sharpening_steepens_edges_and_stays_in_the_range(self):
    edge = np.zeros((1, 16, 32, 3), np.float32)
    edge[..., 16:, :] = 1
    edge = cv2.GaussianBlur(edge[0], (0, 0), 1.0)[None]
    clip = clips.clip(edge).replace(output=edge)
    sharp = optimise.optimise(clip, mode='full', sharpen=1.0).output
    self.assertLessEqual(sharp.max(), 1.0)
    rise = lambda x: np.abs(np.diff(x[0, 8, 4:28, 0])).max()
    self.assertGreater(rise(sharp), 1.2 * rise(edge))


if __name__ == '__main__':
  absltest.main()
