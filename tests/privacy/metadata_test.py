"""Tests of leaving out what names places, people and devices."""

import pathlib

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from configs import restore as config
from revive_jax import restore
from revive_jax.privacy import metadata
from revive_jax.video import extras
from tests.video import covers_test, films

# As telephones and cameras write them, and FFmpeg shows them.
_PRIVATE = (
    ('location', '+48.8577+002.2950/'), ('location-eng', '+48.8577+002.2950/'),
    ('com.apple.quicktime.location.ISO6709', '+48.8577+002.2950+035.000/'),
    ('com.apple.quicktime.make', 'Maker'),
    ('com.apple.quicktime.model', 'Phone 9'),
    ('com.apple.quicktime.author', 'A. Person'),
    ('com.apple.quicktime.camera.lens_model', 'Back camera'),
    ('com.apple.quicktime.content.identifier', 'A1B2'),
    ('com.android.manufacturer', 'Maker'), ('com.android.version', '9'),
    ('GPSLatitude', '48.8'), ('EXIF:GPSLongitude', '2.3'),
    ('xmp:SerialNumber', '123'), ('RECORDING_LOCATION', 'Paris'),
    ('Camera Serial', '7'), ('owner', 'A. Person'),
    ('anything', '+48.8577+002.2950/'))
_PUBLIC = (
    ('title', 'A film'), ('comment', 'of long ago'), ('artist', 'Somebody'),
    ('creation_time', '1999-01-02T03:04:05.000000Z'), ('language', 'deu'),
    ('copyright', 'Somebody'), ('reel', '7'), ('SCANNER', 'a scanner'),
    ('description', 'Of a model in a state'), ('date', '1906'),
    ('timecode', '01:02:03:04'), ('track', '+3'))


class MetadataTest(parameterized.TestCase):

  @parameterized.parameters(*_PRIVATE)
  def test_private(self, key, value):
    self.assertTrue(metadata.is_private(key, value))

  @parameterized.parameters(*_PUBLIC)
  def test_public(self, key, value):
    self.assertFalse(metadata.is_private(key, value))

  def test_extras(self):
    chapter = {'id': 1, 'start': 0, 'metadata': {'title': 'one', 'gps': '1'}}
    before = extras.Extras(
        metadata=dict(_PRIVATE) | dict(_PUBLIC), chapters=(chapter,),
        picture={'title': 'Pictures', 'com.apple.quicktime.model': 'Phone'},
        timecode='01:02:03:04')
    after, said = metadata.kept(before, keep=False)
    self.assertEqual(after.metadata, dict(_PUBLIC))
    self.assertEqual(after.picture, {'title': 'Pictures'})
    self.assertEqual(after.chapters[0]['metadata'], {'title': 'one'})
    self.assertEqual(after.timecode, before.timecode)
    self.assertTrue(after.left_out('gps', '1'))  # In no other track.
    self.assertIn('GPSLatitude', said[0])
    self.assertNotIn('48.8', said[0])  # Keys, no values.
    self.assertEqual(metadata.kept(before, keep=True), (before, []))
    self.assertEqual(metadata.kept(after, keep=False)[1], [])

  @parameterized.product(suffix=('mkv', 'mp4'), keep=(False, True))
  def test_a_film_from_end_to_end(self, suffix, keep):
    folder = pathlib.Path(self.create_tempdir().full_path)
    private = {'location': '+48.8577+002.2950/',
               'com.apple.quicktime.model': 'Phone 9'}
    path = films.everything(
        str(folder / f'in.{suffix}'), labels=dict(films.LABELS, **private))
    c = config.get_config('tiny')
    c.keep_private_metadata = keep
    out = folder / f'out.{suffix}'
    report = restore.restore(c, str(folder / 'work'), path, str(out))
    with av.open(str(out)) as film:
      found = {k.lower(): v for k, v in film.metadata.items()}
      titles = [s.metadata.get('title') or s.metadata.get('name')
                for s in film.streams.audio]
      self.assertLen(film.chapters(), 2)
    self.assertEqual(bool({*private, 'location-eng'} & {*found}), keep)
    for key in ('title', 'comment', 'artist'):
      self.assertEqual(found[key], films.LABELS[key])
    self.assertEqual(titles, ['Ton', 'Commentaire'])
    self.assertEqual(extras.read(out).timecode, films.TIMECODE)
    said = [w for w in report['warnings'] if 'keep_private_metadata' in w]
    self.assertLen(said, 0 if keep else 1)
    if not keep:  # Nor does any byte of the file say it.
      self.assertNotRegex(out.read_bytes(), rb'Phone 9|48\.8577')

  def test_the_original_says_it_all_and_that_is_said(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    path = films.everything(str(folder / 'in.mkv'), labels=dict(
        films.LABELS, location='+48.8577+002.2950/'))
    for original, keep in ((True, False), (False, False), (True, True)):
      c = config.get_config('tiny')
      c.output.keep_original, c.keep_private_metadata = original, keep
      out = folder / f'out{original}{keep}.mp4'
      report = restore.restore(
          c, str(folder / f'work{original}{keep}'), path, str(out))
      said = [w for w in report['warnings'] if 'the original goes with' in w]
      self.assertLen(said, int(original and not keep))
      if said:  # It is true, too.
        beside = out.with_name(f'{out.name}.original.mkv')
        self.assertTrue(b'48.8577' in beside.read_bytes())
        self.assertIsNone(extras.read(out).metadata.get('location'))

  @parameterized.parameters(
      ('mkv', False, 'none'), ('mp4', False, 'none'), ('mkv', True, 'none'),
      ('mkv', True, 'blur'), ('mp4', False, 'blur'))
  def test_pictures_and_tracks_beside_a_film(self, suffix, keep, faces):
    folder = pathlib.Path(self.create_tempdir().full_path)
    shown = covers_test.picture('.jpg')
    picture = covers_test.private_jpeg(shown)
    path = films.everything(str(folder / 'in.mkv'), picture=picture,
                            text=b'GPS(2.2950, 48.8577, 19)')
    c = config.get_config('tiny')
    c.keep_private_metadata, c.redact.faces = keep, faces
    out = folder / f'out.{suffix}'
    report = restore.restore(c, str(folder / 'work'), path, str(out))
    data, said = out.read_bytes(), ' '.join(report['warnings'])
    # The cover: a piece of its coded pixels, anywhere in the file.
    self.assertEqual(shown[-200:] in data, faces == 'none')
    self.assertEqual(covers_test._SECRET in data, keep and faces == 'none')
    self.assertEqual(b'GPS(2.2950' in data, keep)
    self.assertEqual(films.FONT in data, suffix == 'mkv')
    self.assertEqual('faces are hidden and these may show them: cover picture '
                     in said, faces != 'none')
    if suffix == 'mkv':
      self.assertEqual('a device: subtitles 3 (' in said, not keep)
    if faces == 'none':
      with av.open(str(out)) as film:
        cover, = (s for s in film.streams.video if s.codec.name == 'mjpeg')
        found = bytes(next(film.demux(cover)))
      np.testing.assert_array_equal(*(
          cv2.imdecode(np.frombuffer(x, np.uint8), cv2.IMREAD_COLOR)
          for x in (found, shown)))


if __name__ == '__main__':
  absltest.main()
