"""Tests of pipeline/run.py: windows, tiles, cuts."""

from absl.testing import absltest
import numpy as np

from revive_jax.pipeline import choose, measure, run
from revive_jax.video import reader
from tests.pipeline import clips


def _film(num_frames=26, height=96, width=128, seed=0):
  """A pan with flicker, grain, spots and a scratch; uint8."""
  rng = np.random.default_rng(seed)
  film = clips.panning(num_frames, height, width, seed=seed)
  film *= np.exp(0.08 * rng.standard_normal((num_frames, 1, 1, 1))).astype('f')
  film += 0.02 * rng.standard_normal(film.shape[:3])[..., None].astype('f')
  for t in range(num_frames):
    y, x = rng.integers(8, 80), rng.integers(8, 110)
    film[t, y:y + 5, x:x + 4] = 0.95
    film[t, :, 40 + t // 2:42 + t // 2] = 0.02
  return np.round(np.clip(film, 0, 1) * 255).astype(np.uint8)


def _run(film, *, window=24, tile=1024, overlap=32):
  shots, _ = measure.measure(iter(film), frame_rate=24.0)
  plans = [choose.choose(
      s, mode='full', strength=dict.fromkeys(choose.KINDS, 1.0),
      stages=('auto',), output=dict(bits=8, grain=1.0), fill='temporal_median',
      inpaint='telea', denoiser='auto', seed=0, marked=False) for s in shots]
  frames = (reader.SourceFrame(i, i, f, ()) for i, f in enumerate(film))
  parts = list(run.run(frames, shots, plans, window=window, context=10,
                       tile=tile, overlap=overlap))
  return np.concatenate([part.clip.output for part in parts]), shots


class RunTest(absltest.TestCase):

  def test_windows_do_not_show(self):
    film = _film()
    whole, _ = _run(film, window=100)
    for window in (5, 9):
      np.testing.assert_array_equal(_run(film, window=window)[0], whole)

  def test_tiles_do_not_show(self):
    film = _film(8, 160, 200)
    whole, _ = _run(film)
    tiled, _ = _run(film, tile=128, overlap=48)
    self.assertGreater(-10 * np.log10(((whole - tiled) ** 2).mean()), 32)
    # No edge where tiles meet: steps there are as steps elsewhere.
    step = np.abs(np.diff(tiled - whole, axis=2)).mean((0, 1, 3))
    self.assertLess(step[70:82].mean(), 3 * step.mean() + 1e-3)

  def test_no_frame_is_mixed_across_a_cut(self):
    first, second, other = _film(8), _film(9, seed=3), _film(9, seed=5)
    a, shots = _run(np.concatenate([first, second]))
    b, _ = _run(np.concatenate([first, other]))
    self.assertLen(shots, 2)
    np.testing.assert_array_equal(a[:8], b[:8])


if __name__ == '__main__':
  absltest.main()
