"""Tests for comparison.methods: what users can ask for is measured, too."""

from absl.testing import absltest
import cv2
import numpy as np
from revive_jax.configs import evaluate

from revive_jax import types
from revive_jax.comparison import methods
from revive_jax.models import weights

_LOST = 8  # The frame that was lost, and the one before shown in its place.


class RepeatsTest(absltest.TestCase):

  def test_lost_frames_are_made_anew_where_that_is_asked_for(self):
    noise = np.random.default_rng(0).uniform(0, 255, (64, 160, 3))
    scene = cv2.GaussianBlur(noise, (0, 0), 3)
    scene = np.clip(128 + 4 * (scene - scene.mean()), 0, 255).astype(np.uint8)
    clean = np.stack([scene[:, 3 * t:3 * t + 96] for t in range(16)])
    codes = clean.copy()
    codes[_LOST] = codes[_LOST - 1]
    c = evaluate.get_config('tiny')
    error = {}
    for c.pipeline.repeats in ('leave', 'replace'):
      made = methods.restored_by(
          codes, settings=c.pipeline.to_dict(), network=None).restored
      error[c.pipeline.repeats] = np.abs(
          made[_LOST].astype(float) - clean[_LOST])[8:-8, 8:-8].mean()

    # The scene went on by 3 px, which the copy does not show.
    still = np.abs(codes[_LOST].astype(float) - clean[_LOST]).mean()
    self.assertGreater(error['leave'], 0.5 * still)
    self.assertLess(error['replace'], 0.2 * still)


class OneMethodTest(absltest.TestCase):

  def test_the_network_that_is_named(self):
    c = evaluate.get_config('tiny')
    c.weights, c.through = 'restorer', 'model'
    about = methods.make_method(c).about
    self.assertEqual(about['sha256'],
                     weights.read_weights('restorer').config['sha256'])

  def test_two_networks_are_refused(self):
    c = evaluate.get_config('tiny')
    c.weights, c.through = 'restorer,gan', 'model'
    with self.assertRaisesRegex(
        types.BadInput, r'\(restorer\), .*\(gan\); name'):
      methods.make_method(c)


if __name__ == '__main__':
  absltest.main()
