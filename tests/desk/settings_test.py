"""Tests of desk/settings.py."""

import os
import pathlib
import shlex
import subprocess
import sys

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from configs import restore as config
from revive_jax import main, types
from revive_jax.desk import (
    consent,
    decided,
    downloads,
    film,
    known,
    masks,
    settings,
)
from revive_jax.video import probe, reader
from tests.desk import desks


class SettingsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.place = desks.put(
        desks.opened(self.dir / 'desk'),
        desks.film_bytes(self.dir, desks.clip(4)), 'Omas Garten.mkv')

  def _given(self, words):
    """The values of --config.x=y, by x."""
    words = [w.removeprefix('--config.') for w in words
             if w.startswith('--config.')]
    return dict(w.split('=', 1) for w in words)

  def test_what_is_chosen_stays(self):
    self.assertEqual(settings.choices(self.place)['composite'], 'full')
    settings.change(self.place, composite='repair', upscale=1, sound=False)
    found = settings.choices(self.place)
    self.assertEqual((found['composite'], found['sound'], found['format']),
                     ('repair', False, 'mp4'))
    c = settings.config(self.place)
    self.assertEqual(c.composite, 'repair')
    self.assertEqual(c.audio.clicks, 0.0)

  @parameterized.parameters(
      (dict(composite='half'), 'composite'), (dict(format='exe'), 'format'),
      (dict(upscale=3), 'upscale'), (dict(upscale=True), 'of type bool'),
      (dict(answers=0), 'answers'), (dict(answers=100), 'answers'),
      (dict(stabilise=2.0), 'stabilise'), (dict(stabilise='much'), 'stabilise'),
      (dict(weights='/etc/passwd'), 'no choice'),
      (dict(keep_original=1), 'int'),
      (dict(hide_faces='blur', keep_original=True), 'keep_original'))
  def test_what_cannot_be_is_refused_and_nothing_changes(self, chosen, words):
    before = settings.choices(self.place)
    with self.assertRaisesRegex(types.BadInput, words):
      settings.change(self.place, **chosen)
    self.assertEqual(settings.choices(self.place), before)

  @parameterized.parameters(
      ('restorer', '', ('restorer', 'vae')), ('', '', ('restorer', 'vae')),
      ('gan', '', ('gan', '')), ('restorer', 'vae', ('restorer', 'vae')))
  def test_several_answers_are_of_the_network_that_one_answer_is_of(
      self, weights, fills, wanted):
    own = self._own(weights, fills)
    settings.change(own, answers=3)
    c = settings.config(own)
    self.assertEqual((c.num_samples, c.weights, c.fills), (3, *wanted))
    known.network(c)  # It takes them.
    settings.change(own, answers=1)
    self.assertEqual(settings.config(own).weights, weights)

  def test_other_networks_are_not_changed_for_several_answers(self):
    own = self._own('live', '')
    with self.assertRaisesRegex(types.BadInput, 'gives one answer only'):
      settings.change(own, answers=2)
    self.assertEqual(settings.choices(own)['answers'], 1)

  def _own(self, weights, fills):
    """The film, on a desk of a network."""
    return self.place._replace(desk=desks.opened(
        self.dir / 'desk', weights=weights, fills=fills))

  def test_the_job_gets_what_differs_from_the_config_that_ships(self):
    settings.change(self.place, keep_original=True)
    words = settings.arguments(self.place)
    self.assertIn('--config=restore', words)
    given = self._given(words)
    self.assertEqual(given['output.keep_original'], 'True')
    self.assertEqual(given['progress'], 'json')
    plain = config.get_config().to_dict()
    plain |= {'weights': '', 'fill': 'inpaint', 'denoiser': 'nlm',
              'report': False, 'sandbox': 'off', 'keep_segments': True,
              'progress': 'json'}
    plain['output']['keep_original'] = True
    plain['faces']['policy'] = 'off'
    self.assertEqual(settings.config(self.place).to_dict(), plain)
    self.assertLen(given, 9)

  def test_the_command_to_copy_names_the_files_of_its_reader(self):
    film.measure(self.place)
    decided.change(self.place, 0, strength={'noise': 0.5})
    consent.write(self.place, people=[('Oma', 'Oma', 'herself')],
                  purpose='family', scope=['full'], places=['home'])
    frame = film.frame(self.place, 0)
    masks.paint(self.place, frame=0, painted=frame[..., 0] > 128,
                erased=frame[..., 0] < 20)
    command = settings.command(self.place)
    self.assertNotIn(str(self.dir), command)
    words = shlex.split(command)
    self.assertEqual(words[:3], ['python', '-m', 'revive_jax.main'])
    self.assertIn('--input=Omas Garten.mkv', words)
    self.assertIn('--output=Omas Garten_restored.mp4', words)
    given = self._given(words)
    self.assertEqual((given['decisions'], given['mask'],
                      given['mask_overrides'], given['consent.file']),
                     ('decisions.json', 'mask.mkv', 'True', 'consent.json'))
    self.assertNotIn('progress', given)
    self.assertTrue(main.config_path('restore'))

  @pytest.mark.slow
  def test_the_command_to_copy_makes_the_same_film(self):
    film.measure(self.place)
    settings.change(self.place, format='mkv')
    decided.change(self.place, 0, strength={'dust': 0.5})
    frame = film.frame(self.place, 0)
    masks.paint(self.place, shot=0, painted=frame[..., 0] > 200,
                erased=frame[..., 0] < 20)
    desks.restored(self.place)
    home = self.dir / 'home'
    home.mkdir()
    for kind in ('original', 'decisions', 'mask'):
      (home / downloads.item(self.place, kind).name).write_bytes(
          b''.join(downloads.stream(self.place, kind)))
    words = shlex.split(settings.command(self.place))
    root = str(pathlib.Path(main.__file__).parents[1])
    subprocess.run([sys.executable, *words[1:]], cwd=home, check=True,
                   env=os.environ | {'PYTHONPATH': root})
    found = list(reader.read_frames(probe.probe(
        str(home / 'Omas Garten_restored.mkv'))))
    self.assertLen(found, 4)
    for t, one in enumerate(found):
      np.testing.assert_array_equal(
          one.rgb, film.frame(self.place, t, 'after'))

  def test_no_name_of_a_file_becomes_an_option(self):
    place = desks.put(
        self.place.desk, desks.film_bytes(self.dir, desks.clip(2)),
        '--config.weights=x; rm -rf ~.mkv', self.place.visitor)
    words = shlex.split(settings.command(place))
    self.assertIn('--input=--config.weights=x; rm -rf ~.mkv', words)
    self.assertNotIn('--config.weights=x; rm -rf ~.mkv', words)


if __name__ == '__main__':
  absltest.main()
