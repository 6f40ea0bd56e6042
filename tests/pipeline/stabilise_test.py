"""Tests of pipeline/stabilise.py."""

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import preprocess, stabilise
from tests.pipeline import clips

_SIZE = (144, 192)


def _filmed(positions, *, angles=None, size=_SIZE, seed=0):
  """A picture shown at positions [T, 2] px; [T, H, W, 3] float32."""
  height, width = size
  rng = np.random.default_rng(seed)
  wide = rng.random((2 * height, 2 * width, 3), np.float32)
  wide = cv2.GaussianBlur(wide, (0, 0), 2.0)
  wide = np.clip(0.5 + 3 * (wide - wide.mean()), 0, 1)
  frames = []
  for t, (x, y) in enumerate(positions):
    turn = np.exp(1j * (0 if angles is None else angles[t]))
    middle = (width - 1) / 2 + 1j * (height - 1) / 2
    # The scene's point at the middle is shown at the middle plus (x, y).
    shift = (width + 1j * height) - (middle + x + 1j * y) / turn
    matrix = np.array([
        [(1 / turn).real, -(1 / turn).imag, shift.real],
        [(1 / turn).imag, (1 / turn).real, shift.imag]])
    frames.append(cv2.warpAffine(
        wide, matrix, (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP))
  return np.clip(np.stack(frames), 0, 1)


def _steps(frames):
  small = [stabilise.thumbnail(preprocess.luma(f)) for f in frames]
  rows = [stabilise.UNKNOWN]
  rows += [stabilise.step(a, b, width=frames.shape[2])
           for a, b in zip(small[:-1], small[1:], strict=True)]
  return np.array(rows)


def _rms(x):
  return float(np.sqrt((np.asarray(x) ** 2).sum(-1).mean()))


class StepTest(absltest.TestCase):

  def test_shift_and_turn_are_measured(self):
    frames = _filmed([(0, 0), (2.3, -1.4)], angles=[0, 0.01])
    step = stabilise.Step(*_steps(frames)[1])
    np.testing.assert_allclose(step[:3], (2.3, -1.4, 0.01), atol=0.05)
    self.assertAlmostEqual(step.angle, 0.01, delta=0.001)
    self.assertGreater(step.trust, 0.5)

  def test_what_moves_in_the_scene_does_not_count(self):
    frames = _filmed([(0, 0), (0.7, 0.4)])
    other = _filmed([(0, 0), (-5, 3)], seed=1)
    frames[:, 30:110, 20:110] = other[:, 30:110, 20:110]  # A quarter.
    np.testing.assert_allclose(_steps(frames)[1, :2], (0.7, 0.4), atol=0.05)

  def test_flat_and_tiny_frames_are_unknown(self):
    self.assertEqual(tuple(_steps(np.full((2, 64, 64, 3), 0.5, 'f'))[1]),
                     stabilise.UNKNOWN)
    self.assertEqual(tuple(_steps(_filmed([(0, 0)] * 2, size=(8, 8)))[1]),
                     stabilise.UNKNOWN)


class PathTest(absltest.TestCase):

  def _path(self, positions, kind='weave', **options):
    steps = np.zeros((len(positions), 4))
    steps[1:, :2] = np.diff(positions, axis=0)
    steps[:, 3] = 1
    options = dict(strength=1.0, size=(1080, 1920)) | options
    return stabilise.path(steps, kind=kind, **options)

  def test_even_and_sudden_pans_stay(self):
    t = np.arange(60.0)
    sudden = np.clip(t - 20, 0, 20) * 4.0  # Starts at 20, stops at 40.
    for x in (3 * t, sudden):
      path = self._path(np.stack([x, 0 * x], -1))
      np.testing.assert_allclose(path.wanted, path.found, atol=0.05)

  def test_weave_on_a_sudden_pan(self):
    rng = np.random.default_rng(0)
    t = np.arange(80.0)
    pan = np.stack([np.clip(t - 30, 0, 20) * 4.0, 0 * t], -1)
    weave = 0.8 * rng.standard_normal((80, 2))
    path = self._path(pan + weave)
    left = path.wanted[:, :2] - pan
    left -= left.mean(0)
    # Where the pan starts it may be softened, by no more than weave moves it.
    self.assertLess(_rms(left), _rms(weave))
    self.assertLess(np.abs(left).max(), 3 * weave.std())
    # Far from there:
    still = np.r_[0:18, 62:80]
    self.assertLess(_rms(np.diff(left, axis=0)[still[:-1]]),
                    0.25 * _rms(np.diff(weave, axis=0)))

  def test_strength_and_limit(self):
    rng = np.random.default_rng(0)
    weave = rng.standard_normal((40, 2))
    none = self._path(weave, strength=0.0)
    np.testing.assert_array_equal(none.wanted, none.found)
    half, full = self._path(weave, strength=0.5), self._path(weave)
    np.testing.assert_allclose(half.wanted - half.found,
                               (full.wanted - full.found) / 2)
    far = self._path(20 * weave, size=(96, 128))  # 2 % of 160 px.
    self.assertLessEqual(np.abs(far.wanted - far.found).max(), 3.2 + 1e-6)

  def test_unknown_kind_is_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'stabilise'):
      self._path(np.zeros((5, 2)), kind='zoom')

  def test_short_and_lost_shots(self):
    for count in (0, 1, 2, 4):
      path = self._path(np.zeros((count, 2)))
      self.assertEqual(path.found.shape, (count, 3))
    path = stabilise.path(np.zeros((9, 4)), kind='shake', strength=1.0,
                          size=(96, 128))
    np.testing.assert_array_equal(path.wanted, 0)


class StabiliseTest(absltest.TestCase):

  def test_planted_weave_goes_by_four_fifths_and_the_pan_stays(self):
    rng = np.random.default_rng(0)
    t = np.arange(48.0)
    pan = np.stack([0.6 * t, 0 * t], -1)
    weave = 1.2 * rng.standard_normal((48, 2))
    frames = _filmed(pan + weave)
    path = stabilise.path(_steps(frames), kind='weave', strength=1.0,
                          size=_SIZE)
    steady = stabilise.stabilise(
        clips.clip(frames, output=frames), motion=path)
    moved = np.cumsum(_steps(steady.output)[:, :2], 0)
    left = moved - pan
    left -= left.mean(0)
    # What is left is slow; of what one sees, the jumps, next to nothing.
    self.assertLess(_rms(left), 0.2 * _rms(weave))
    self.assertLess(_rms(np.diff(left, axis=0)),
                    0.1 * _rms(np.diff(weave, axis=0)))
    self.assertEqual(steady.output.shape, frames.shape)
    self.assertAlmostEqual(stabilise.jitter(_steps(frames)), _rms(weave),
                           delta=0.25)

  def test_a_clean_pan_stays_bit_for_bit(self):
    frames = _filmed([(1.3 * t, 0.2 * t) for t in range(20)])
    path = stabilise.path(_steps(frames), kind='weave', strength=1.0,
                          size=_SIZE)
    self.assertLess(np.abs(path.wanted - path.found)[:, :2].max(), 0.2)
    self.assertLess(stabilise.jitter(_steps(frames)), 0.05)

  def test_shake_is_turned_back(self):
    t = np.arange(40)
    angles = 0.01 * np.sin(2 * np.pi * t / 7)
    frames = _filmed(np.zeros((40, 2)), angles=angles)
    path = stabilise.path(_steps(frames), kind='shake', strength=1.0,
                          size=_SIZE)
    steady = stabilise.stabilise(clips.clip(frames, output=frames), motion=path)
    left = np.cumsum(_steps(steady.output)[:, 2])
    self.assertLess(left.std(), 0.2 * angles.std())

  def test_flat_frames_are_not_touched(self):
    frames = np.full((9, 64, 64, 3), 0.4, np.float32)
    path = stabilise.path(_steps(frames), kind='shake', strength=1.0,
                          size=(64, 64))
    clip = stabilise.stabilise(clips.clip(frames, output=frames), motion=path)
    np.testing.assert_array_equal(clip.output, frames)
    np.testing.assert_array_equal(clip.origin, types.Origin.KEPT)

  def test_the_border_comes_from_neighbours(self):
    frames = _filmed([(0, 0), (3, 0), (0, 0)])
    found = np.zeros((3, 3))
    found[1, 0] = 3
    path = stabilise.Path(found, np.zeros((3, 3)))
    clip = stabilise.stabilise(clips.clip(frames, output=frames), motion=path)
    # The middle frame goes left by 3 px: 3 columns at its right are missing.
    np.testing.assert_allclose(clip.output[1], frames[0], atol=1e-3)
    origin = clip.origin[1, ..., 0]
    self.assertTrue((origin[:, -3:] == types.Origin.MOVED).all())
    self.assertTrue((origin[:, :-3] == types.Origin.DENOISED).all())
    self.assertTrue((clip.origin_frame[1, :, -3:] == -1).all())
    self.assertTrue((clip.origin[[0, 2]] == types.Origin.KEPT).all())
    self.assertAlmostEqual(
        stabilise.lost_share(path, height=144, width=192), 3 / 192 / 3)

  def test_what_nobody_shows_is_invented(self):
    frames = _filmed([(0, 0)])
    path = stabilise.Path(np.zeros((1, 3)), np.float64([[2, 0, 0]]))
    clip = stabilise.stabilise(clips.clip(frames, output=frames), motion=path)
    self.assertTrue(
        (clip.origin[0, :, :2] == types.Origin.INVENTED).all())
    self.assertTrue((clip.origin[0, :, 2:] == types.Origin.DENOISED).all())


if __name__ == '__main__':
  absltest.main()
