"""Tests of training the embedder of faces, through the loop."""

import pathlib

from absl.testing import absltest
import chex
import pytest

from configs import face as config
from revive_jax import train, types
from revive_jax.algorithms import settings
from revive_jax.models import face, weights
from tests import compiling
from tests.data import faces_test

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


class FaceTest(absltest.TestCase):

  @pytest.mark.slow
  def test_trains_and_resumes_exactly(self):
    dir_ = pathlib.Path(self.create_tempdir().full_path)
    c = config.get_config('tiny')
    c.data.root = faces_test._prepared(dir_ / 'faces', 9)
    c.batch_size, c.mesh.data = 4, 1
    c.optimizer.shape, c.optimizer.warmup = 'constant', 1000
    state = train.train(c, dir_ / 'whole')
    c.num_steps = 2
    train.train(c, dir_ / 'parts')
    c.num_steps = 3
    chex.assert_trees_all_equal(train.train(c, dir_ / 'parts'), state)
    found = weights.read_weights(dir_ / 'whole/weights')
    self.assertEqual((found.config['model'], found.config['steps']),
                     ('face', 3))
    self.assertEqual(
        face.load(dir_ / 'whole/weights')(
            faces_test.people.picture()[None, :64, :64]).shape, (1, 8))

  def test_what_cannot_be_is_refused(self):
    c = config.get_config('tiny')
    with self.assertRaisesRegex(types.BadInput, 'nothing to train on'):
      settings.check(c)
    c.data.root = 'faces'
    c.batch_size, c.accumulate = 16, 2
    with self.assertRaisesRegex(types.BadInput, 'told from all of its batch'):
      settings.check(c)
    c.accumulate, c.temperature = 1, 0.0
    with self.assertRaisesRegex(types.BadInput, 'temperature'):
      settings.check(c)


if __name__ == '__main__':
  absltest.main()
