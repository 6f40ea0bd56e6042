"""Tests of benchmarks/softness.py."""

import os
import types as python_types
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np
import softness

from revive_jax import types
from revive_jax.data import splits
from revive_jax.pipeline import detail, sharpness


class SoftnessTest(absltest.TestCase):

  def _folder(self, size=400):
    folder = self.create_tempdir().full_path
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3))
    cv2.imwrite(os.path.join(folder, 'a.png'), picture.astype(np.uint8))
    return folder

  def test_what_is_enlarged_is_softer(self):
    folder, found = self._folder(), []
    for factor in (1, 2, 3):
      clip, = softness.moved(folder, factor, 8, 3)
      self.assertEqual(clip.frames.shape, (3, 272, 272, 3))
      frame = clip.frames[1].astype(np.float32) / 255
      finest = frame - sharpness.softened(frame)
      found.append(float(finest.std()))
    self.assertLess(found[1], 0.7 * found[0])
    self.assertLess(found[2], 0.7 * found[1])

  def test_the_best_gain_is_what_is_missing(self):
    rng = np.random.default_rng(1)
    made = rng.uniform(0.3, 0.7, (8, 32, 32, 3)).astype(np.float32)
    made = np.stack([cv2.GaussianBlur(x, (0, 0), 1) for x in made])
    codes = np.round(255 * made).astype(np.uint8)
    clean = codes / np.float32(255)
    clean = np.stack([
        x + np.float32(0.4) * (x - sharpness.softened(x)) for x in clean])
    network = mock.Mock()
    network.restore.return_value = python_types.SimpleNamespace(restored=codes)
    nothing = detail.Fitted(
        np.zeros(6, np.float32), np.ones(6, np.float32),
        ((np.zeros((6, 1), np.float32), np.zeros(1, np.float32)),))
    with mock.patch.object(detail, 'load', lambda: nothing):
      found = softness.of_case(
          python_types.SimpleNamespace(damaged=codes, target=clean), network)
    self.assertAlmostEqual(found['best'], 0.4, delta=0.05)  # Of codes.
    self.assertEqual(found['chosen'], 0)
    self.assertAlmostEqual(found['alone'], found['with detail'], places=5)

  def test_a_row_has_means_and_the_clip_that_lost_most(self):
    one = {'alone': 30.0, 'with detail': 31.0, 'chosen': 0.2, 'best': 0.5}
    two = {'alone': 32.0, 'with detail': 30.5, 'chosen': 0.4, 'best': -0.5}
    self.assertEqual(
        softness.row('film', 2, [one, two]),
        'film | 2 | 31.00 | 30.75 | 0.30 | 0.00 | 1.50')

  def test_photographs_that_were_trained_on_are_refused(self):
    folder = self._folder(64)
    with mock.patch.object(
        softness.quality_clips, 'trained',
        lambda: softness.quality_clips.listed([folder])), \
        mock.patch.object(softness.methods, 'make_methods',
                          lambda c: {'restorer': mock.Mock(trained_on=())}), \
        self.assertRaisesRegex(
            types.BadInput, 'trained on.*name a folder without it'):
      softness.run(python_types.SimpleNamespace(
          photos=folder, weights='restorer', count=1, frames=4))

  def test_too_few_frames_and_no_photographs_are_refused(self):
    for count, frames in ((0, 16), (8, 3)):
      with self.assertRaisesRegex(types.BadInput, 'is less than'):
        softness.run(python_types.SimpleNamespace(
            photos=self._folder(64), weights='restorer', count=count,
            frames=frames))

  def test_weights_that_saw_a_photograph_are_refused(self):
    folder = self._folder()
    with mock.patch.object(
        softness.methods, 'make_methods', lambda c: {
            'own': mock.Mock(trained_on=frozenset(splits.marks(['a.png'])))}), \
        self.assertRaisesRegex(types.BadInput, 'trained on a.png'):
      softness.run(python_types.SimpleNamespace(
          photos=folder, weights='restorer', count=1, frames=4))


if __name__ == '__main__':
  absltest.main()
