"""Tests of comparison/uncertainty.py."""

import pathlib

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax.comparison import uncertainty


def _clip(seed, scale=2.0):
  """Errors scale times as large as predicted; a hole of small ones."""
  rng = np.random.default_rng(seed)
  deviation = np.exp(rng.uniform(-4, -2, (2, 24, 24, 1)))
  error = scale * deviation * rng.normal(size=(2, 24, 24, 3))
  found = np.zeros((2, 24, 24), bool)
  found[:, :8] = True
  return uncertainty.of_clip(error, deviation, found)


class UncertaintyTest(absltest.TestCase):

  def test_the_temperature_is_of_other_clips(self):
    clips = {name: _clip(i)['everywhere'] for i, name in enumerate('abcd')}
    clips['b'] = _clip(9, scale=3)['everywhere']  # Judged, not fitted on.
    found = uncertainty.judge(clips)
    self.assertAlmostEqual(found.temperature, 2, delta=0.1)
    self.assertLess(found.after.error, 0.7 * found.before.error)
    values = uncertainty.figures(found)
    self.assertLess(values['oracle_area'], values['risk_area'])
    self.assertLess(values['risk_area'], values['random_area'])

  def test_one_film_has_none(self):
    found = uncertainty.judge({'a@0': _clip(0)['in damage'],
                               'a@9': _clip(1)['in damage']})
    self.assertIsNone(found.temperature)
    self.assertNotIn('temperature', uncertainty.figures(found))

  def test_places(self):
    found = _clip(0)
    self.assertEqual(found['in damage'].count.sum(), 2 * 8 * 24 * 3)
    self.assertEqual(found['everywhere'].count.sum(), 2 * 24 * 24 * 3)
    nothing = uncertainty.of_clip(
        np.zeros((1, 4, 4, 3)), np.ones((1, 4, 4, 1)), np.zeros((1, 4, 4)) > 1)
    self.assertIsNone(uncertainty.judge({'a': nothing['in damage']}))

  def test_drawn(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'plots/x.png'
    judged = uncertainty.judge({n: _clip(i)['everywhere']
                                for i, n in enumerate('ab')})
    uncertainty.draw(path, {'ours': judged, 'theirs': judged}, 'Uncertainty')
    picture = cv2.imread(str(path))
    self.assertEqual(picture.shape, (720, 840, 3))
    self.assertGreater(picture.std(), 10)


if __name__ == '__main__':
  absltest.main()
