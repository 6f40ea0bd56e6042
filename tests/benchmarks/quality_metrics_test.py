"""Tests of benchmarks/quality_metrics.py and quality_real.py."""

from absl.testing import absltest
import numpy as np
import quality_metrics as metrics
import quality_real as real

from revive_jax.comparison import cases
from revive_jax.faces import similarity


def _case(damaged, target, damage):
  return cases.Case('a', cases.to_codes(target), damaged, target, damage, None,
                    None)


class ObjectsTest(absltest.TestCase):

  def test_counts_by_hand(self):
    damage, found = np.zeros((2, 1, 20, 20), bool)
    damage[0, 2:6, 2:6] = True  # Found by half,
    damage[0, 10:14, 2:6] = True  # and by less.
    damage[0, 18, 18] = True  # A speck is no object.
    found[0, 2:6, 2:4] = True  # Right.
    found[0, 10:11, 2:6] = True  # Right, but little of it.
    found[0, 2:6, 12:16] = True  # There is nothing.
    counts = metrics.objects(found, damage)
    self.assertEqual({k: v[0] for k, v in counts.items()}, {
        'object_found': 1, 'object_true': 2, 'object_right': 2,
        'object_called': 3})
    scored = metrics.object_scores(counts)
    self.assertAlmostEqual(scored['object_precision'], 2 / 3)
    self.assertAlmostEqual(scored['object_recall'], 1 / 2)
    self.assertAlmostEqual(scored['object_f1'], 4 / 7)

  def test_diagonal_neighbours_are_one_object(self):
    damage = np.eye(8, dtype=bool)[None]
    self.assertEqual(metrics.objects(damage, damage)['object_true'][0], 1)

  def test_nothing_to_find(self):
    none = np.zeros((1, 8, 8), bool)
    scored = metrics.object_scores(metrics.objects(none, none))
    self.assertEqual(set(scored.values()), {1.0})
    self.assertEqual(metrics.object_scores({'psnr': (1.0, 1.0)}), {})


class ResidualTest(absltest.TestCase):

  def test_is_the_share_that_is_left(self):
    rng = np.random.default_rng(0)
    target = rng.uniform(0.4, 0.6, (2, 24, 32, 3)).astype(np.float32)
    damage = np.zeros((2, 24, 32), bool)
    damage[:, :, 9:11] = True
    line = 0.4 * damage[..., None]
    case = _case(255 * (target + line), target, damage)
    left = lambda frames: metrics.residual(case, 255 * frames)['residual'][0]
    self.assertAlmostEqual(left(target + line), 1, places=4)
    self.assertAlmostEqual(left(target), 0, places=4)
    self.assertAlmostEqual(left(target - line / 8), -1 / 8, places=4)
    noise = 0.04 * rng.standard_normal(target.shape, np.float32)
    self.assertAlmostEqual(left(target + line / 4 + noise), 1 / 4, delta=0.02)

  def test_there_is_none_without_damage(self):
    target = np.zeros((1, 8, 8, 3), np.float32)
    self.assertEqual(metrics.residual(
        _case(target, target, np.zeros((1, 8, 8), bool)), target), {})


class TablesTest(absltest.TestCase):

  def test_means_begin_with_no_change(self):
    by_row = {'clean': {'a': {'psnr': (99.0, 1.0)}},
              'ours': {'a': {'psnr': (30.0, 1.0)}, 'b': {'psnr': (34.0, 1.0)}},
              'damaged': {'a': {'psnr': (20.0, 1.0)}}}
    found = metrics.means(by_row)
    self.assertEqual(list(found), ['no change', 'ours', 'clean'])
    self.assertEqual(found['ours'], {'psnr': 32.0})
    self.assertEqual(
        metrics.markdown('film', found, metrics.FIDELITY).splitlines(), [
            '| film | PSNR, dB |', '|---|---|', '| no change | 20.00 |',
            '| ours | 32.00 |', '| clean | 99.00 |'])


class IdentityTest(absltest.TestCase):

  def test_same_picture_is_the_same_person(self):
    # An embedding that knows the brightness of three parts of a face.
    def embed(faces):
      parts = faces.reshape(len(faces), 4, -1).mean(-1) / 255 - 0.5
      return parts / np.linalg.norm(parts, axis=-1, keepdims=True)
    box = np.array([[0.2, 0.2, 0.5, 0.5, 0.9]])
    target = np.random.default_rng(0).random((8, 48, 48, 3), np.float32)
    target[:, :24] /= 4
    case = _case(target, target, np.zeros(target.shape[:3], bool))
    identity = metrics.identities(
        similarity.Embedding(64, embed), lambda frame: box)
    total, count = identity(case, 255 * target)['identity']
    self.assertGreater(count, 0)
    self.assertAlmostEqual(total / count, 1, places=4)
    total, count = identity(case, 255 * target[:, ::-1])['identity']
    self.assertLess(total / count, 0.5)

  def test_no_faces(self):
    target = np.zeros((4, 48, 48, 3), np.float32)
    case = _case(target, target, np.zeros(target.shape[:3], bool))
    identity = metrics.identities(
        similarity.Embedding(64, None), lambda frame: np.zeros((0, 5)))
    self.assertEqual(identity(case, target), {})


class FlickerTest(absltest.TestCase):

  def test_by_hand(self):
    ramp = np.linspace(0.2, 0.8, 9).reshape(9, 1, 1, 1)  # A fade is none.
    still = np.broadcast_to(ramp, (9, 4, 4, 3))
    self.assertAlmostEqual(real.flicker(still[1:]), 0, delta=0.02)
    jump = np.full((9, 4, 4, 3), 0.5)
    jump[4] += 0.3  # Off by 0.3 once in 9: 0.3 sqrt(8) / 9.
    self.assertAlmostEqual(real.flicker(jump), 0.3 * 8**0.5 / 9, places=6)


if __name__ == '__main__':
  absltest.main()
