"""Tests of synthetic motion, against its own path and OpenCV's estimate."""

import pickle

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import motion, sources
from tests.data import clips


def _path(offset, angle=0.0, zoom=1.0):
  offset = np.array(offset, float)
  count = len(offset)
  return motion.Path(offset, np.full(count, angle), np.full(count, zoom),
                     np.zeros((count, 2)))


def _places(height=90, width=120):
  """A picture whose values are its own coordinates (x, y, 0)."""
  y, x = np.mgrid[:height, :width].astype(np.float32)
  return np.stack([x, y, 0 * x], -1)


class LookTest(parameterized.TestCase):

  def test_moves_by_the_path(self):
    picture = np.random.default_rng(2).integers(
        0, 255, (23, 29, 3), dtype=np.uint8)
    picture = cv2.resize(picture, (200, 160), interpolation=cv2.INTER_CUBIC)
    offset = [(0, 0), (1.25, -0.5), (4, 2.75)]
    clip = motion.look(np.random.default_rng(0), picture, _path(offset),
                       size=96, scale=1.0)
    luma = clip.mean(-1).astype(np.float32)
    for frame, wanted in zip(luma, offset, strict=True):
      _, found = cv2.findTransformECC(
          frame, luma[0], np.eye(2, 3, dtype=np.float32),
          cv2.MOTION_TRANSLATION)
      # What is at u in a frame is at u + offset in the first.
      np.testing.assert_allclose(found[:, 2], wanted, atol=0.1)

  @parameterized.parameters((0.0, 1.0, 1.0), (0.3, 1.0, 0.8), (-1.0, 1.1, 1.0))
  def test_turns_and_zooms_by_the_path(self, angle, zoom, scale):
    clip = motion.look(
        np.random.default_rng(1), _places(), _path([(0, 0)], angle, zoom),
        size=40, scale=scale)[0]
    step = scale * zoom
    # remap rounds places to 1/32 px, and its cubic is not exact on ramps.
    np.testing.assert_allclose(
        clip[0, -1, :2] - clip[0, 0, :2],
        39 * step * np.array([np.cos(angle), np.sin(angle)]), atol=0.15)
    np.testing.assert_allclose(
        clip[-1, 0, :2] - clip[0, 0, :2],
        39 * step * np.array([-np.sin(angle), np.cos(angle)]), atol=0.15)

  def test_never_leaves_the_picture(self):
    # Across an edge, reflected coordinates turn round: a bend of 1.5 or more.
    for seed in range(40):
      rng = np.random.default_rng(seed)
      path = motion.draw_path(rng, 8)
      path = motion.Path(path.offset, path.angle, path.zoom,
                         np.zeros_like(path.parallax))
      clip = motion.look(rng, _places(), path, size=48, scale=1.1)
      bend = np.abs(np.diff(clip[..., :2], 2, axis=2)).max()
      self.assertLess(bend, 0.3)

  def test_parallax_moves_parts_differently(self):
    path = motion.Path(
        np.zeros((2, 2)), np.zeros(2), np.ones(2),
        np.array([[0.0, 0.0], [6.0, 0.0]]))
    clip = motion.look(
        np.random.default_rng(0), _places(), path, size=48, scale=1.0)
    moved = clip[1, ..., 0] - clip[0, ..., 0]
    self.assertGreater(moved.max() - moved.min(), 2)
    self.assertLess(np.abs(moved).max(), 6.1)
    np.testing.assert_allclose(clip[1, ..., 1], clip[0, ..., 1], atol=0.1)
    # Smooth: neighbours move alike.
    self.assertLess(np.abs(np.diff(moved, axis=1)).max(), 1)


class PathTest(absltest.TestCase):

  def test_paces(self):
    speeds = []
    for seed in range(300):
      path = motion.draw_path(np.random.default_rng(seed), 7)
      self.assertEqual(path.offset.shape, (7, 2))
      speeds.append(np.hypot(*np.diff(path.offset, axis=0).T).mean())
    speeds = np.array(speeds)
    # Still but for a hand, slow, medium and fast ones all occur.
    for low, high in ((0, 0.1), (0.1, 1), (1, 4), (4, 20)):
      self.assertBetween(
          ((speeds >= low) & (speeds < high)).mean(), 0.03, 0.6)


class CoverTest(absltest.TestCase):

  def test_a_shape_moves_against_the_camera(self):
    for seed in range(20):
      cover = motion.draw_cover(
          np.random.default_rng(seed), _path([(0, 0), (3, -2)]), 96)
      self.assertEqual(cover.shape, (2, 96, 96))
      self.assertBetween(cover.min(), 0, 1)
      self.assertGreater(cover.max(), 0.9)
      back = np.roll(cover[1], (-2, 3), (0, 1))
      inside = (slice(4, -4), slice(4, -4))
      np.testing.assert_allclose(back[inside], cover[0][inside], atol=0.05)


class PhotographsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.root = self.create_tempdir().full_path
    clips.write_pictures(self.root, 3)
    clips.write_pictures(self.root + '/small', 1, 20, 31)
    clips.write_pictures(self.root + '/large', 1, 1000, 800)

  def test_by_index(self):
    stills = sources.Pictures(self.root)
    source = motion.Photographs(stills, num_frames=5, size=32, variants=4)
    self.assertLen(source, 20)
    again = pickle.loads(pickle.dumps(source))
    for i in (3, 19, 0):
      clip = source[i]['clip']
      self.assertEqual((clip.shape, clip.dtype), ((5, 32, 32, 3), np.uint8))
      np.testing.assert_array_equal(clip, again[i]['clip'])
    self.assertTrue((source[0]['clip'] != source[5]['clip']).any())
    other = motion.Photographs(stills, num_frames=5, size=32, seed=1)
    self.assertTrue((source[0]['clip'] != other[0]['clip']).any())

  def test_a_held_out_picture_never_appears(self):
    # Of one colour each: every pixel, things in front too, is of the others.
    root = self.create_tempdir().full_path
    for i, grey in enumerate((40, 90, 140, 190)):
      cv2.imwrite(f'{root}/{i}.png', np.full((50, 60, 3), grey, np.uint8))
    stills = sources.Pictures(root, exclude=['2.png'])
    source = motion.Photographs(stills, num_frames=3, size=24)
    seen = set()
    for i in range(60):
      clip = source[i]['clip']
      seen |= {40, 90, 140, 190} & {
          v for v, n in zip(*np.unique(clip, return_counts=True), strict=True)
          if n > clip.size // 2}
    self.assertEqual(seen, {40, 90, 190})

  def test_refusals(self):
    with self.assertRaisesRegex(types.BadInput, 'cannot be'):
      motion.Photographs(sources.Pictures(self.root), num_frames=0, size=32)


if __name__ == '__main__':
  absltest.main()
