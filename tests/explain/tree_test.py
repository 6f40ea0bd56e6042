"""Tests of explain/tree.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.explain import tree


def _row(**values):
  return [float(values.get(name, 0)) for name in tree.FEATURES]


class TreeTest(absltest.TestCase):

  def test_a_known_rule_is_found(self):
    """Repaired if noise is over 2 of 255: planted, among random others."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(0, 4, (200, len(tree.FEATURES)))
    verdicts = rows[:, list(tree.FEATURES).index('noise_sigma_of_255')] > 2
    found = tree.fit(rows[:150], verdicts[:150])
    self.assertEqual(found['feature'], 'noise_sigma_of_255')
    self.assertBetween(found['threshold'], 1.9, 2.1)
    self.assertGreaterEqual(
        tree.fidelity(found, rows[150:], verdicts[150:]), 0.95)
    self.assertEqual(
        tree.decide(found, _row(noise_sigma_of_255=5.1))[0], True)
    self.assertRegex(
        tree.decide(found, _row(noise_sigma_of_255=5.1))[1][0],
        r'noise of 5.1 > (1.9\d?|2(.0\d)?) of 255')
    self.assertLen(tree.printed(found, 'denoise'), 2)

  def test_one_verdict_is_no_rule(self):
    found = tree.fit([_row(frames=x) for x in range(9)], [True] * 9)
    self.assertEqual(found, {'verdict': True, 'samples': 9, 'agree': 9})
    self.assertEqual(tree.printed(found, 'x'), ['always -> x (9 of 9 cases)'])

  def test_what_was_not_measured_is_zero(self):
    measured = {'start': 2, 'end': 7, 'levels': [0.1, 0.9],
                'edge_width_pixels': None, 'noise_sigma_of_255': float('nan')}
    row = dict(zip(tree.FEATURES, tree.features(measured), strict=True))
    self.assertEqual(row['edge_width_pixels'], 0)
    self.assertEqual(row['noise_sigma_of_255'], 0)
    self.assertEqual(row['frames'], 5)
    self.assertAlmostEqual(row['level_range'], 0.8)

  def test_the_trees_that_ship_are_true_to_the_program(self):
    known = tree.shipped()
    self.assertCountEqual(known['trees'], tree.REPAIRS)
    self.assertGreaterEqual(min(known['fidelity'].values()), 0.95)
    noisy = _row(noise_sigma_of_255=5.1, frames=24)
    self.assertTrue(tree.decide(known['trees']['noise'], noisy)[0])
    self.assertFalse(tree.decide(known['trees']['noise'], _row(frames=24))[0])


if __name__ == '__main__':
  absltest.main()
