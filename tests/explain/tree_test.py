"""Tests of explain/tree.py."""

from unittest import mock

from absl.testing import absltest
import numpy as np

from revive_jax import reporting
from revive_jax.explain import record, tree
from revive_jax.pipeline import choose, measure


def _shot(rng):
  """A shot with measures on both sides of what decides."""
  near = lambda limit: float(limit * np.exp(rng.uniform(-1.5, 1.5)))
  is_picture = rng.random() < 0.25
  cracks = 0.0
  if is_picture:  # Where the limit is between these the clips did not say.
    cracks = float(rng.choice((0.0, 5e-4, 1e-3, 1.7e-3, 5e-3)))
  return measure.Shot(
      0, 1 if is_picture else int(rng.integers(2, 100)), 0, near(0.8 / 255),
      0.0 if is_picture else near(0.004), near(1e-4),
      0.0 if is_picture else near(2e-4), cracks, near(1.1),
      0.05, 0.95, False, np.zeros((0, 3)))


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

  def _fidelity(self):
    """How often each tree that ships says what choose decides, of 1."""
    known, rng = tree.shipped(), np.random.default_rng(0)
    self.assertCountEqual(known['trees'], tree.REPAIRS)
    shots = [_shot(rng) for _ in range(400)]
    rows = [tree.features(record.measured(s)) for s in shots]
    verdicts = [reporting.verdicts(choose.choose(
        s, mode='full', strength=dict.fromkeys(choose.KINDS, 1.0),
        stages=('auto',), output=dict(bits=8, grain=0.0),
        fill='temporal_median', inpaint='telea', denoiser='auto', seed=0,
        marked=False)) for s in shots]
    for repair in tree.REPAIRS:  # Each verdict is among them.
      self.assertLen({v[repair] for v in verdicts}, 2, repair)
    return {repair: tree.fidelity(
        known['trees'][repair], rows, [v[repair] for v in verdicts])
            for repair in tree.REPAIRS}

  def test_the_trees_that_ship_are_true_to_the_program(self):
    for repair, share in self._fidelity().items():
      self.assertGreaterEqual(share, 0.98, repair)

  def test_another_limit_in_the_program_is_noticed(self):
    rise = choose._rise
    with mock.patch.object(  # All begin where they were half way before.
        choose, '_rise', lambda x, low, high: rise(
            x, (low + high) / 2, high)):
      found = self._fidelity()
    for repair in ('flicker', 'noise', 'blur'):
      self.assertLess(found[repair], 0.95, repair)

  def test_rules_by_hand(self):
    known = tree.shipped()
    noisy = _row(noise_sigma_of_255=5.1, frames=24)
    self.assertTrue(tree.decide(known['trees']['noise'], noisy)[0])
    self.assertFalse(tree.decide(known['trees']['noise'], _row(frames=24))[0])


if __name__ == '__main__':
  absltest.main()
