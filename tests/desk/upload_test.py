"""Tests of desk/upload.py and places.py."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import av

from revive_jax import types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import film, jobs, places, upload, visitors
from revive_jax.video import probe
from tests.desk import desks


class UploadTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.data = desks.film_bytes(self.dir, desks.clip(4))

  def _desk(self, sealed=False, **limits):
    return desks.opened(self.dir / 'desk', sealed=sealed,
                        limits=desk_lib.Limits(**limits))

  def _left(self, desk, visitor):
    return [*(visitors.folder(desk, visitor) / 'films').iterdir()]

  def test_the_bytes_arrive(self):
    place = desks.put(self._desk(), self.data, 'Tante Käthe 1958.mkv')
    self.assertEqual(pathlib.Path(place.source).read_bytes(), self.data)
    self.assertEqual(place.name, 'Tante Käthe 1958.mkv')
    self.assertEqual(probe.probe(place.source).width, 48)
    film, = upload.films(place.desk, place.visitor)
    self.assertEqual((film['id'], film['name'], film['bytes']), (
        place.id, place.name, len(self.data)))

  def test_nothing_plain_lies_on_the_disk_when_sealed(self):
    desk = self._desk(sealed=True)
    visitor = visitors.new(desk)
    receiver = upload.receive(desk, visitor, 'secret_name.mkv')
    piece = self.data[200:264]  # Of coded pictures: found nowhere by chance.
    for start in range(0, len(self.data), 5000):
      receiver.write(self.data[start:start + 5000])
      self._assert_nowhere(piece)  # Also while it comes.
    place = places.find(desk, visitor, receiver.close())
    self._assert_nowhere(piece, b'secret_name', b'\x1aE\xdf\xa3')
    self.assertEqual(place.source.read_bytes(), self.data)
    self.assertEqual(place.name, 'secret_name.mkv')

  def _assert_nowhere(self, *patterns):
    found = [p for p in (self.dir / 'desk').rglob('*') if p.is_file()]
    self.assertNotEmpty(found)
    for path in found:
      for pattern in patterns:
        self.assertNotIn(pattern, path.read_bytes(), path)

  @parameterized.parameters(
      ('../../etc/passwd.mkv', 'passwd.mkv'), ('C:\\films\\a b.MOV', 'a b.MOV'),
      ('..mkv.mkv', 'mkv.mkv'), ('a\nb\x1b[2J.mkv', 'ab[2J.mkv'),
      (f'{"x" * 300}.mkv', f'{"x" * 76}.mkv'))
  def test_names_are_for_people_only(self, name, cleaned):
    self.assertEqual(upload.cleaned(name), cleaned)
    desk = self._desk()
    place = desks.put(desk, self.data, 'tape.mkv')
    self.assertEqual(pathlib.Path(place.source).name, 'source.mkv')

  def test_too_many_bytes(self):
    desk = self._desk(bytes=15_000)
    visitor = visitors.new(desk)
    with self.assertRaisesRegex(types.BadInput, 'more than the 0 MB'):
      upload.receive(desk, visitor, 'a.mkv', 15_001)
    receiver = upload.receive(desk, visitor, 'a.mkv', 100)  # It lies.
    receiver.write(bytes(15_000))
    with self.assertRaisesRegex(types.BadInput, 'more than'):
      receiver.write(b'1')
    self.assertEqual(self._left(desk, visitor), [])

  def test_a_disk_that_is_full_or_becomes_so(self):
    desk = self._desk()
    visitor = visitors.new(desk)
    room = mock.Mock(free=upload._SPARE + 100)
    with mock.patch.object(upload.shutil, 'disk_usage', lambda _: room):
      with self.assertRaisesRegex(types.BadInput, 'disk of this desk is full'):
        upload.receive(desk, visitor, 'a.mkv', 101)
      with mock.patch.object(upload, '_OFTEN', 10):
        receiver = upload.receive(desk, visitor, 'a.mkv', 100)
        receiver.write(bytes(25))
        room.free = 0
        receiver.write(bytes(4))
        with self.assertRaisesRegex(types.BadInput, 'is full'):
          receiver.write(bytes(2))
    self.assertEqual(self._left(desk, visitor), [])

  def test_too_long_a_film(self):
    desk = self._desk(seconds=0.1)  # It has 4 frames of 24 a second.
    visitor = visitors.new(desk)
    with self.assertRaisesRegex(types.BadInput, r'^tape.mkv: the film lasts'):
      desks.put(desk, self.data, visitor=visitor)
    self.assertEqual(self._left(desk, visitor), [])

  def test_too_long_a_film_that_does_not_say_so(self):
    """It is found when it is read through; nothing is done with it then."""
    path = self.dir / 'pipe.mkv'
    with av.open(str(path), 'w', format='matroska', options={
        'live': '1'}) as output:  # As it comes from a camera: without an end.
      stream = output.add_stream('ffv1', rate=24)
      stream.width, stream.height, stream.pix_fmt = 48, 32, 'yuv420p'
      for t, rgb in enumerate(desks.clip(24)):
        picture = av.VideoFrame.from_ndarray(rgb, 'rgb24')
        picture.pts = t
        output.mux(stream.encode(picture.reformat(format='yuv420p')))
      output.mux(stream.encode(None))
    self.assertIsNone(probe.probe(str(path)).duration)
    place = desks.put(self._desk(seconds=0.9), path.read_bytes())
    film.measure(place)
    for done in (film.opened, jobs.start):
      with self.assertRaisesRegex(
          types.BadInput, r'^tape.mkv: the film lasts 0.0 minutes, and this'):
        done(place)
    film.opened(place._replace(desk=self._desk(seconds=1.0)))

  def test_no_film(self):
    desk = self._desk()
    visitor = visitors.new(desk)
    with self.assertRaisesRegex(types.BadInput, r'letter.mkv: not a video'):
      desks.put(desk, b'Dear Sir,' * 100, 'letter.mkv', visitor)
    with self.assertRaisesRegex(types.BadInput, 'letter.doc: this is no kind'):
      upload.receive(desk, visitor, 'letter.doc')
    self.assertEqual(self._left(desk, visitor), [])

  def test_too_many_films(self):
    desk = self._desk(films=1)
    place = desks.put(desk, self.data)
    with self.assertRaisesRegex(types.BadInput, 'No more than 1 of your films'):
      upload.receive(desk, place.visitor, 'b.mkv')
    upload.remove(desk, place.visitor, place.id)
    self.assertEqual(upload.films(desk, place.visitor), [])
    upload.receive(desk, place.visitor, 'b.mkv').abort()

  def test_what_is_broken_off_is_gone(self):
    desk = self._desk()
    visitor = visitors.new(desk)
    with self.assertRaises(ConnectionError):
      with upload.receive(desk, visitor, 'a.mkv') as receiver:
        receiver.write(b'abc')
        raise ConnectionError
    self.assertEqual(self._left(desk, visitor), [])

  def test_no_film_is_anothers(self):
    desk = self._desk()
    mine, other = desks.put(desk, self.data), visitors.new(desk)
    for visitor, id_ in ((other, mine.id), (mine.visitor, '0' * 16),
                         (other, f'../../{mine.visitor}/films/{mine.id}'),
                         (mine.visitor, f'{mine.id}/'), (mine.visitor, None)):
      with self.assertRaises(types.BadInput):
        places.find(desk, visitor, id_)
    upload.remove(desk, other, mine.id)  # Of no effect.
    self.assertEqual(places.find(desk, mine.visitor, mine.id), mine)


if __name__ == '__main__':
  absltest.main()
