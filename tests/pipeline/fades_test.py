"""Fades and dissolves are neither flicker nor cuts (flicker.py, shots.py).

Pictures fade linearly in codes, as a lab's printer or an editing program do.
"""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.pipeline import flicker, shots
from tests.pipeline import clips

_COUNT = 60
_TIME = np.arange(_COUNT)


def _light(name):
  """Brightness of each frame, as a share of the scene's, [T]."""
  return {
      'in': np.clip(_TIME / 24, 0, 1),
      'out': np.clip((_COUNT - 1 - _TIME) / 24, 0, 1),
      'in and out': np.clip(np.minimum(_TIME, _COUNT - 1 - _TIME) / 12, 0, 1),
      'all the shot': _TIME / (_COUNT - 1),
      'to half': 1 - 0.5 * np.clip((_TIME - 20) / 16, 0, 1),
  }[name]


def _scene(seed=0):
  return clips.panning(_COUNT, 48, 64, speed=0.5, seed=seed)


def _codes(film, sigma=0.0):
  grain = sigma * np.random.default_rng(0).standard_normal(film.shape[:3])
  film = film + grain[..., None]
  return np.uint8(np.round(255 * np.clip(film, 0, 1)))


def _steadied(codes):
  """The film after deflicker of full strength, and its cuts."""
  film = codes.astype(np.float32) / 255
  logs = [flicker.log_thumbnail(f[..., 1]) for f in film]
  rows = [(0, 1, 0)]
  rows += [flicker.compare(*p) for p in zip(logs[:-1], logs[1:], strict=True)]
  curve = flicker.flicker_curve(np.array(rows, float))
  tone = flicker.tone_correction(*curve, strength=1.0)
  cuts = []
  for _ in shots.find_cuts(iter(codes), 24.0, cuts):
    pass
  return flicker.apply_tone(film, tone), cuts


def _brightness(film):
  return film.mean((1, 2, 3))


class FadesTest(parameterized.TestCase):

  @parameterized.product(
      name=('in', 'out', 'in and out', 'all the shot', 'to half'),
      sigma=(0.0, 0.01))
  def test_a_fade_stays(self, name, sigma):
    codes = _codes(_scene() * _light(name)[:, None, None, None], sigma)
    steady, cuts = _steadied(codes)
    self.assertEqual(cuts, [0])
    np.testing.assert_allclose(
        _brightness(steady), _brightness(codes / 255), atol=0.02)

  def test_a_fade_to_white_stays(self):
    share = np.clip((_TIME - 30) / 20, 0, 1)[:, None, None, None]
    scene = _scene()
    codes = _codes(scene + share * (1 - scene))
    steady, cuts = _steadied(codes)
    self.assertEqual(cuts, [0])
    np.testing.assert_allclose(
        _brightness(steady), _brightness(codes / 255), atol=0.02)

  @parameterized.parameters(8, 16, 30)
  def test_a_dissolve_stays(self, length):
    share = np.clip((_TIME - 20) / length, 0, 1)[:, None, None, None]
    codes = _codes((1 - share) * _scene() + share * 0.6 * _scene(5))
    steady, cuts = _steadied(codes)
    self.assertEqual(cuts, [0])
    np.testing.assert_allclose(
        _brightness(steady), _brightness(codes / 255), atol=0.02)

  def test_flicker_on_a_fade_goes_and_the_fade_stays(self):
    rng = np.random.default_rng(0)
    light = _light('to half')
    planted = np.exp(0.05 * rng.standard_normal(_COUNT))
    film = _scene() * (0.9 * light * planted)[:, None, None, None]
    steady, cuts = _steadied(_codes(film))
    self.assertEqual(cuts, [0])
    wanted = np.log(0.9 * light * _brightness(_scene()))
    before = np.log(_brightness(film)) - wanted
    after = np.log(_brightness(steady)) - wanted
    self.assertLess(np.diff(after).std(), 0.35 * np.diff(before).std())
    self.assertLess(after.std(), before.std())


if __name__ == '__main__':
  absltest.main()
