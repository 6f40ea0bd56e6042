"""Tests of following faces."""

import json

from absl.testing import absltest
import numpy as np

from revive_jax.faces import find, track
from tests.faces import people

_SIDE = 240


def _detector(boxes):
  """A detector that finds boxes[i] at its i-th look; None: nothing."""
  left = iter(boxes)
  return lambda frame: find.merged([b for b in [next(left)] if b is not None])


def _place(t, speed):
  """Where the face of people.film is in frame t."""
  scale = np.array([speed, -0.5 * speed, 0, 0]) / _SIDE
  return people.FACE - t * scale


def _tracks(film, find_faces, shots=None):
  watcher = track.Watcher(find_faces)
  for frame in film:
    watcher(frame)
  return watcher.tracks(shots)


class TrackTest(absltest.TestCase):

  def test_follows_a_face(self):
    film = people.film(19)
    one, = _tracks(film, find.detector())
    self.assertEqual((one.number, one.start, one.stop, one.found),
                     (1, 0, 19, 4))
    for t in (0, 7, 18):
      found, = one.boxes([t])
      self.assertGreater(
          find.overlap([found], [_place(t, 1.0)])[0, 0], 0.7)

  def test_what_the_detector_misses_is_bridged(self):
    film = people.film(49, speed=0.8)
    looks = [None, (*_place(6, 0.8), 0.9), None, (*_place(18, 0.8), 0.9),
             (*_place(24, 0.8), 0.9), None, None, None, None]
    one, = _tracks(film, _detector(looks))
    # Found first in frame 6, and last in 24; followed both ways.
    self.assertEqual((one.start, one.stop, one.found), (0, 49, 3))
    for t in (0, 12, 40):
      self.assertGreater(find.overlap(
          one.boxes([t]), [_place(t, 0.8)])[0, 0], 0.7)

  def test_what_is_found_once_is_no_face(self):
    film = people.nothing(30)
    looks = [None, (0.2, 0.2, 0.3, 0.3, 0.9), None, None, None]
    self.assertEmpty(_tracks(film, _detector(looks)))

  def test_a_picture_is_believed_at_once(self):
    one, = _tracks(people.film(1), find.detector())
    self.assertEqual((one.start, one.stop), (0, 1))

  def test_a_track_ends_with_its_shot(self):
    film = np.concatenate([people.film(13), people.film(13)])
    first, second = _tracks(film, find.detector(), [(0, 13), (13, 26)])
    self.assertEqual((first.start, first.stop), (0, 13))
    self.assertEqual((second.start, second.stop), (13, 26))
    self.assertEqual((first.number, second.number), (1, 2))

  def test_across_what_is_taken_for_cuts_it_is_believed_in(self):
    film = people.film(12)
    looks = [(*_place(0, 1.0), 0.9), (*_place(3, 1.0), 0.9), None, None]
    shots = [(0, 6), (6, 9), (9, 12)]  # One look in each of the last two.
    for across, wanted in ((False, shots[:1]), (True, shots)):
      watcher = track.Watcher(
          _detector(looks), every=3, evidence=1, across=across)
      for frame in film:
        watcher(frame)
      tracks = watcher.tracks(shots)
      self.assertEqual([(t.start, t.stop) for t in tracks], wanted)
    self.assertEqual([t.found for t in tracks], [2, 0, 0])
    self.assertEqual([t.score for t in tracks], [0.9] * 3)
    for one in tracks:
      self.assertGreater(find.overlap(
          one.boxes([one.start]), [_place(one.start, 1.0)])[0, 0], 0.7)

  def test_across_what_is_never_sure_is_no_face(self):
    watcher = track.Watcher(_detector(
        [None, (0.2, 0.2, 0.3, 0.3, 0.3), None, None]), every=3, evidence=1,
                            across=True)
    for frame in people.nothing(12):
      watcher(frame)
    self.assertEmpty(watcher.tracks([(0, 6), (6, 12)]))

  def test_a_cut_ends_it(self):
    film = np.concatenate([people.film(13), people.nothing(13)])
    one, = _tracks(film, find.detector())
    self.assertLess(one.stop, 15)

  def test_boxes_between_and_beyond(self):
    keys = np.array([[4, 0, 0, 1, 1], [8, 0.4, 0, 1, 1]])
    one = track.Track(1, keys, 2, 0.9)
    boxes = one.boxes(np.arange(3, 10))
    self.assertTrue(np.isnan(boxes[[0, -1]]).all())
    np.testing.assert_allclose(boxes[1:-1, 0], [0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(one.boxes([2, 3], beyond=1)[:, 0], [np.nan, 0])

  def test_packed(self):
    one = track.Track(3, np.array([[4, 0.1, 0, 1, 1], [8, 0.4, 0, 1, 1]]), 2,
                      0.9)
    again, = track.unpacked(json.loads(json.dumps(track.packed([one]))))
    np.testing.assert_array_equal(again.keys, one.keys)
    self.assertEqual(again[2:], one[2:])

  def test_is_sure(self):
    self.assertTrue(track.is_sure([0.5, 0.5, 0.5], looks=5, most=10))
    self.assertFalse(track.is_sure([0.5, 0.5], looks=20, most=20))
    self.assertFalse(track.is_sure([0.9], looks=4, most=10))
    self.assertTrue(track.is_sure([0.9], looks=4, most=10, evidence=1))
    self.assertFalse(track.is_sure([0.4] * 6, looks=30, most=30, evidence=1))
    self.assertTrue(track.is_sure([0.5], looks=1, most=1))
    self.assertFalse(track.is_sure([], looks=1, most=1))


if __name__ == '__main__':
  absltest.main()
