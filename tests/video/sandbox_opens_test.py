"""Tests of who opens a film that nobody vouches for, and when."""

import pathlib
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import av

from configs import restore as config
from revive_jax import films, types
from revive_jax.pipeline import survey
from revive_jax.privacy import encryption
from revive_jax.privacy import vault as vault_lib
from revive_jax.video import durations, probe, sandbox, telemetry, tracks
from tests.video import clips
from tests.video import films as films_lib


class OpensTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  @parameterized.parameters(
      ('mkv', 'flac', {}), ('avi', 'pcm_s16le', {'keep_original': True}))
  def test_who_restores_opens_no_film_before_a_worker_was_through(
      self, suffix, sound, settings):
    folder, events = self.dir / 'in', []
    folder.mkdir()
    film = folder / f'film.{suffix}'
    clips.write(film, clips.pictures(6), sounds=(sound,), seconds=0.24)
    opened, surveyed = av.open, survey.survey

    def noting(file, mode='r', *rest, **more):
      if file == str(film):
        caller = sys._getframe(2)
        events.append((caller.f_globals['__name__'], caller.f_code.co_name))
      return opened(file, mode, *rest, **more)

    def read_through(*arguments, **options):
      found = surveyed(*arguments, **options)
      events.append('read through')
      return found

    c = config.get_config('tiny')
    c.report, c.audio.level = True, 1.0
    c.output.update(settings)
    with mock.patch.object(av, 'open', noting), mock.patch.object(
        survey, 'survey', read_through):
      row, = films.restore_all(
          c, str(self.dir / 'work'), str(folder), str(self.dir / 'out'))
    self.assertEqual(row.state, 'restored', row.what)
    self.assertEqual(events[0], 'read through')
    own, copies = 'revive_jax.video.', {('tracks', '__init__')}
    if settings:
      copies |= {('original', name) for name in (
          'travels', '_table', '__init__')}
    self.assertEqual({*events[1:]}, {(own + a, b) for a, b in copies})

  @parameterized.parameters(
      ('flac', '.mp4', None), ('adpcm_ms', '.mkv', 'adpcm_ms'),
      ('pcm_alaw', '.mp4', 'pcm_alaw'), ('flac', '.mov', 'flac'))
  def test_sound_that_a_file_cannot_hold_is_found_by_a_worker(
      self, sound, suffix, found):
    film = self.dir / 'film.nut'
    clips.write(film, clips.pictures(2), sounds=(sound,), seconds=0.1)
    apart = sandbox.guarded(str(film), 'on')
    for path in (str(film), apart):
      self.assertEqual(tracks.unwritable_sound(path, suffix), found)

  def test_only_what_copies_packets_opens_a_film_itself(self):
    film = self.dir / 'film.mkv'
    clips.write(film, clips.pictures(2), sounds=('flac',), seconds=0.1)
    path = sandbox.guarded(str(film), 'on')
    with self.assertRaisesRegex(RuntimeError, 'outside of the sandbox'):
      probe.open_video(path)
    with probe.open_video(path, copies=True) as container:
      self.assertLen(container.streams.audio, 1)

  def test_what_is_told_of_tracks_is_the_same(self):
    film = self.dir / 'all.mkv'
    films_lib.everything(str(film), text=b'GPS(2.2950, 48.8577, 19)')
    apart = sandbox.guarded(str(film), 'on')
    self.assertEqual(telemetry.tracks(apart), {3})
    self.assertEqual(tracks._labels(apart), tracks._labels(str(film)))
    self.assertEqual(*(durations.of([0, 1], probe.probe(path))[1]
                       for path in (apart, str(film))))

  def test_sealed_pictures_under_auto_are_told_of_once(self):
    vault = vault_lib.Vault(encryption.MasterKey(bytes(32)))
    folder = vault.path(self.dir / 'frames')
    folder.mkdir()
    with self.assertLogs(level='WARNING') as logged:
      for _ in range(2):
        self.assertFalse(sandbox.covers(
            sandbox.guarded(folder, 'auto', many=True)))
    self.assertLen(logged.output, 1)
    self.assertRegex(logged.output[0], 'frames: sealed pictures are decoded in')
    with self.assertRaisesRegex(types.BadInput, 'sealed pictures cannot be'):
      sandbox.guarded(folder, 'on')


if __name__ == '__main__':
  absltest.main()
