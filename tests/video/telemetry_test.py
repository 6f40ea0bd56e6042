"""Tests of telemetry.py: tracks in which a camera says where it was."""

import os

from absl.testing import absltest, parameterized

from revive_jax.video import telemetry
from tests.video import clips, films


class TelemetryTest(parameterized.TestCase):

  # As drones and cameras write them.
  @parameterized.parameters(
      b'F/2.8, SS 320, ISO 100, EV 0, GPS (2.2950, 48.8577, 19), D 24.6m',
      b'HOME(2.2950,48.8577) 2017.08.05 14:11:51',
      b'[iso : 100] [latitude: 48.857700] [longtitude: 2.295000]',
      b'<font>[longitude: 2.295] [rel_alt: 1.3]</font>',
      b'{"lat": 48.8577, "lon": 2.2950}', b'+48.8577+002.2950/')
  def test_places(self, text):
    self.assertTrue(telemetry.names_place(text))

  @parameterized.parameters(
      b'Hello', b'At this latitude it snows.', b'Our GPS is broken!',
      b'She went home (at last).', b'lat: none', b'3.14 + 2.72')
  def test_what_people_say(self, text):
    self.assertFalse(telemetry.names_place(text))

  @parameterized.parameters('mkv', 'mp4')
  def test_tracks(self, suffix):
    path = os.path.join(self.create_tempdir().full_path, f'in.{suffix}')
    films.everything(path, text=b'GPS(2.2950, 48.8577, 19)')
    self.assertEqual(telemetry.tracks(path), {3})
    self.assertEqual(telemetry.tracks(films.everything(path)), set())
    clips.write(path, clips.pictures(2))
    self.assertEqual(telemetry.tracks(path), set())


if __name__ == '__main__':
  absltest.main()
