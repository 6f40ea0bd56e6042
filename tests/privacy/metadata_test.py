"""Tests of leaving out what names places, people and devices."""

from absl.testing import absltest, parameterized

from revive_jax.privacy import metadata
from revive_jax.video import extras

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
    self.assertIn('GPSLatitude', said[0])
    self.assertNotIn('48.8', said[0])  # Keys, no values.
    self.assertEqual(metadata.kept(before, keep=True), (before, []))
    self.assertEqual(metadata.kept(after, keep=False), (after, []))


if __name__ == '__main__':
  absltest.main()
