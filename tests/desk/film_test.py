"""Tests of desk/film.py, known.py and pictures.py."""

from concurrent import futures
import math
import pathlib
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.desk import (
    decided,
    film,
    known,
    pictures,
    preview,
    settings,
    upload,
)
from revive_jax.pipeline import sharpness, survey
from revive_jax.video import probe, reader
from tests.desk import desks


class FilmTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.frames = desks.clip(6, 5)
    self.data = desks.film_bytes(self.dir, self.frames)
    self.place = desks.put(desks.opened(self.dir / 'desk'), self.data)

  def test_what_is_in_it(self):
    with mock.patch.object(sharpness, 'edge_width', lambda luma: math.nan):
      film.measure(self.place)
    found = film.opened(self.place)
    self.assertEqual(
        {k: found.info[k] for k in ('width', 'height', 'frames', 'sound')},
        {'width': 48, 'height': 32, 'frames': 11, 'sound': []})
    self.assertIn('11 frames of 48 by 32 pixels', found.sentences[0])
    self.assertIn('2 shots', found.sentences[0])
    self.assertEqual(
        [(s.start, s.stop) for s in found.shots], [(0, 6), (6, 11)])
    self.assertEqual(found.shots[1].clock, '00:00:00.250 to 00:00:00.458')
    shot = found.shots[0]
    titles = {f['title']: f for f in shot.findings}
    self.assertEqual(titles['Noise']['value'],
                     shot.measured['noise_sigma_of_255'])
    self.assertNotIn('Width of edges', titles)  # None was found.
    repaired, = [p for p in shot.proposal if p['stage'] == 'classical']
    self.assertEqual(repaired['title'], 'Repaired, without a network')
    self.assertTrue(repaired['reasons'])

  def test_measured_once_and_never_again(self):
    with self.assertRaisesRegex(types.BadInput, 'not looked through yet'):
      film.opened(self.place)
    self.assertFalse(film.is_measured(self.place))
    film.measure(self.place)
    with mock.patch.object(survey, 'survey', side_effect=AssertionError):
      film.measure(self.place)
      film.opened(self.place)
      report = desks.restored(self.place)  # The restore finds it, too.
      settings.change(self.place, composite='repair', format='mkv')
      again = desks.restored(self.place)
    self.assertEqual(report['speed']['frames'], 11)
    self.assertEqual(repr(again['measured']), repr(report['measured']))  # NaN.

  def test_a_page_that_is_loaded_anew_waits_for_what_was_begun(self):
    film_ = known._film
    with mock.patch.object(known, '_film', side_effect=film_) as begun:
      with futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(film.measure, [self.place, self.place]))
    begun.assert_called_once()
    self.assertTrue(film.is_measured(self.place))

  def test_what_is_chosen_may_need_more_than_was_measured(self):
    film.measure(self.place)
    settings.change(self.place, stabilise=0.5)
    self.assertFalse(film.is_measured(self.place))
    with self.assertRaisesRegex(types.BadInput, 'for what is chosen now'):
      film.opened(self.place)
    film.measure(self.place)
    stages = [p['stage'] for p in film.opened(self.place).shots[0].proposal]
    self.assertIn('stabilise', stages)

  def test_what_is_proposed_follows_what_is_decided(self):
    film.measure(self.place)
    decided.change(self.place, 1, stages={'classical': False})
    names = [[p['stage'] for p in s.proposal]
             for s in film.opened(self.place).shots]
    self.assertIn('classical', names[0])
    self.assertNotIn('classical', names[1])

  def test_frames_before_and_after(self):
    film.measure(self.place)
    for t in (10, 0, 7):
      np.testing.assert_array_equal(
          film.frame(self.place, t), self.frames[t])
    self.assertIsNone(film.frame(self.place, 0, 'after'))
    settings.change(self.place, format='mkv')
    desks.restored(self.place)
    restored = [f.rgb for f in reader.read_frames(
        probe.probe(str(settings.output(self.place))))]
    for t in (10, 0, 7):
      np.testing.assert_array_equal(
          film.frame(self.place, t, 'after'), restored[t])
    for t in (-1, 11, True, 'a'):
      with self.assertRaisesRegex(types.BadInput, 'from 0 to 10'):
        film.frame(self.place, t)

  def test_thumbnails(self):
    film.measure(self.place)
    data = film.thumbnail(self.place, 1, width=24)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    self.assertEqual(picture.shape, (16, 24, 3))
    key = film.opened(self.place).shots[1].key_frame
    small = cv2.resize(self.frames[key], (24, 16),
                       interpolation=cv2.INTER_AREA)[..., ::-1]
    self.assertLess(np.abs(picture.astype(int) - small).mean(), 4)
    self.assertEqual(film.thumbnail(self.place, 1, width=24), data)
    with self.assertRaisesRegex(types.BadInput, 'from 0 to 1'):
      film.thumbnail(self.place, 2)

  def test_where_faces_are_hidden_the_source_is_not_shown(self):
    settings.change(self.place, hide_faces='blur')
    film.measure(self.place)
    self.assertTrue(film.opened(self.place).hides)
    self.assertIsNone(film.frame(self.place, 0))

  def test_nothing_of_it_lies_plain_when_sealed(self):
    place = desks.put(
        desks.opened(self.dir / 'sealed', sealed=True), self.data,
        'grandmother.mkv')
    film.measure(place)
    film.opened(place)
    film.thumbnail(place, 0)
    settings.change(place, format='mkv')
    decided.change(place, 0, note='a private thought')
    desks.restored(place)
    self.assertIsNotNone(film.frame(place, 0, 'after'))
    for path in (self.dir / 'sealed').rglob('*'):
      data = path.read_bytes() if path.is_file() else b''
      for pattern in (self.data[200:264], b'grandmother', b'private thought',
                      b'\xff\xd8\xff\xe0', b'\x89PNG', b'\x1aE\xdf\xa3',
                      b'\x00\x00\x00\x18ftyp', b'noise_sigma', b'nut/multimed'):
        self.assertNotIn(pattern, data, path)

  def test_what_is_told_names_the_file_as_its_owner_does(self):
    film.measure(self.place)
    with mock.patch.object(film.known, 'opened', side_effect=types.BadInput(
        f'{self.place.source}: it is gone.')):
      with self.assertRaisesRegex(types.BadInput, '^tape.mkv: it is gone.$'):
        film.opened(self.place)

  def test_what_is_deleted_is_not_kept_in_memory(self):
    film.measure(self.place)
    film.frame(self.place, 0)
    preview.preview(self.place, 2)
    path = str(self.place.source)
    kept = lambda: [k for k in [*known._open, *pictures._frames]
                    if str(self.place.folder) in map(str, k) or path in k]
    self.assertNotEmpty(kept())
    upload.remove(self.place.desk, self.place.visitor, self.place.id)
    self.assertEmpty(kept())
    self.assertEmpty(preview._Steady._results)

  def test_a_picture_alone(self):
    good, data = cv2.imencode('.png', self.frames[0][..., ::-1])
    self.assertTrue(good)
    place = desks.put(self.place.desk, data.tobytes(), 'one.png',
                      self.place.visitor)
    film.measure(place)
    found = film.opened(place)
    self.assertEqual(found.sentences, ['A picture of 48 by 32 pixels.'])
    np.testing.assert_array_equal(film.frame(place, 0), self.frames[0])
    desks.restored(place)
    self.assertEqual(film.frame(place, 0, 'after').shape, (32, 48, 3))


if __name__ == '__main__':
  absltest.main()
