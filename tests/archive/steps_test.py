"""Tests of steps.py: a film in shares is the film of one machine."""

import json
import pathlib
import shutil
import types
from unittest import mock

from absl.testing import absltest, parameterized
import pytest

from configs import archive as config
from revive_jax import restore, samples, workdir
from revive_jax.archive import manifest, steps
from revive_jax.video import sandbox
from tests.archive import jobs


class StepsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.film = self.dir / 'film.mkv'

  def _one_machine(self, job):
    c = steps.ml_collections.ConfigDict(job.settings)
    path = str(self.dir / 'one.mkv')
    return restore.restore(c, str(self.dir / 'one'), str(self.film), path), path

  def _job(self, c):
    return jobs.job(self.dir, self.film, c)

  @pytest.mark.slow
  def test_by_shares_in_any_order_and_twice(self):
    jobs.write_film(self.film, (70, 90, 50))
    job = self._job(jobs.settings())
    begun = steps.run('begin', job, 48)
    self.assertEqual((begun['state'], begun['frames']), ('begun', 210))
    self.assertGreater(len(begun['shares']), 2)
    self.assertEqual(sum(s[2] for s in begun['shares']), 210)
    for share in [*reversed(begun['shares']), begun['shares'][0]]:
      self.assertEqual(steps.run('share', job, *share)['state'], 'made')
    found = steps.run('finish', job)
    self.assertEqual((found['state'], found['frames']), ('restored', 210))
    report, path = self._one_machine(job)
    self.assertEqual(jobs.frames(found['output']), jobs.frames(path))
    told = json.loads((pathlib.Path(job.work) / 'report.json').read_text())
    self.assertEqual(told['shots'], report['shots'])
    self.assertFalse((pathlib.Path(job.work) / 'shares').exists())
    self.assertEqual(steps.run('whole', job, 48)['state'], 'done before')

  @pytest.mark.slow
  def test_where_a_network_remembers_what_was_before(self):
    """Each segment by itself, also of those in the middle of a shot."""
    jobs.write_film(self.film, (60, 150))
    c = config.get_config()
    c.progress, c.report, c.window, c.lookahead = 'none', False, 8, 4
    job = self._job(c)
    begun = steps.run('begin', job, 10_000)
    self.assertLen(begun['shares'], 1)
    count = begun['shares'][0][1]
    self.assertGreater(count, 3)
    for number in reversed(range(count)):
      self.assertEqual(
          steps.run('share', job, number, number + 1, 0)['state'], 'made')
    found = steps.run('finish', job)
    self.assertEqual(found['state'], 'restored')
    _, path = self._one_machine(job)
    self.assertEqual(jobs.frames(found['output']), jobs.frames(path))

  @pytest.mark.slow
  def test_coded_with_losses_and_with_shares_that_are_lost(self):
    jobs.write_film(self.film, (70, 60))
    c = jobs.settings()
    c.output.codec = 'h264'
    job = self._job(c)
    shares = steps.run('begin', job, 48)['shares']
    self.assertGreater(len(shares), 1)
    for share in shares:
      steps.run('share', job, *share)
    place = next((pathlib.Path(job.work) / 'shares').iterdir())
    made = sorted(place.iterdir())
    shutil.rmtree(made[-1])  # What is missing, or changed, is made anew.
    coded = next(p for p in made[0].iterdir() if p.suffix == '.mp4')
    coded.write_bytes(coded.read_bytes()[:-9])
    found = steps.run('finish', job)
    c = steps.ml_collections.ConfigDict(job.settings)
    restore.restore(c, str(self.dir / 'one'), str(self.film),
                    str(self.dir / 'one.mkv'))
    self.assertEqual(jobs.frames(found['output']),
                     jobs.frames(self.dir / 'one.mkv'))

  def test_what_storage_does_not_give_is_asked_for_later(self):
    job = self._job(jobs.settings())
    for error, rests in ((OSError(116, 'stale'), 1), (ValueError('a bug'), 0)):
      with mock.patch.object(steps, '_opened', side_effect=error), (
          mock.patch.object(steps.time, 'sleep')) as sleep:
        found = steps.run('whole', job, 48)
      self.assertEqual(found['is_passing'], bool(rests))
      self.assertEqual(sleep.call_count, rests)

  def test_shares_of_a_film_that_is_whole_go(self):
    job = self._job(jobs.settings())
    place = pathlib.Path(job.work, 'shares', 'run')
    place.mkdir(parents=True)
    info = mock.Mock(path=str(self.film))
    with mock.patch.object(
        steps, '_opened', return_value=(None, info, 'out.mkv')
    ), mock.patch.object(steps.identity, 'of', return_value={}), (
        mock.patch.object(steps.films, 'finished',
                          return_value={'frames': 7})):
      found = steps.run('whole', job, 48)
    self.assertEqual((found['state'], found['frames']), ('done before', 7))
    self.assertFalse(place.parent.exists())

  def test_a_film_that_another_is_at_is_tried_again(self):
    self.film.write_bytes(b'no film')
    job = self._job(jobs.settings())
    info = mock.Mock(path=str(self.film))
    self.enter_context(mock.patch.object(steps, '_REST', 0.0))
    with mock.patch.object(steps, '_PATIENCE', 0.1), mock.patch.object(
        steps, '_opened', return_value=(None, info, 'out.mkv')
    ), mock.patch.object(steps.identity, 'of', return_value={}), (
        workdir.opened(job.work)):
      for step in (('whole', job, 48), ('finish', job)):
        found = steps.run(*step)
        self.assertEqual((found['state'], found['is_passing']),
                         ('failed', True))
        self.assertIn('another worker is still at', found['what'])

  def test_what_cannot_be_restored_is_said(self):
    self.film.write_bytes(b'no film')
    found = steps.run('whole', self._job(jobs.settings()), 48)
    self.assertEqual(found['state'], 'refused')
    self.assertIn('film.mkv', found['what'])
    self.assertNotIn('is_passing', found)
    gone = self._job(jobs.settings())._replace(
        entry=manifest.Entry(str(self.dir / 'gone.mkv')))
    self.assertEqual(steps.run('whole', gone, 48)['state'], 'refused')
    with mock.patch.object(
        steps, '_opened', side_effect=sandbox.KilledError('killed')):
      found = steps.run('whole', self._job(jobs.settings()), 48)
    self.assertEqual((found['state'], found['is_passing']), ('failed', True))
    # A film that nobody began: its share is tried again, not its fault.
    with mock.patch.object(steps, '_REST', 0.0):
      found = steps.run('share', self._job(jobs.settings()), 0, 1, 48)
    self.assertEqual((found['state'], found['is_passing']), ('failed', True))

  def test_a_medical_film_is_refused_before_it_is_measured(self):
    size = types.SimpleNamespace(num_frames=2, height=32, width=32)
    film = samples.SAMPLES['medical'](size, 0, self.dir).path
    job = jobs.job(self.dir, film)
    with mock.patch.object(restore.Film, 'measured') as measured:
      found = steps.run('begin', job, 48)
    self.assertEqual(found['state'], 'refused')
    self.assertIn('damaged.dcm: medical pictures are only repaired',
                  found['what'])
    measured.assert_not_called()

  @parameterized.parameters(('begin', 0), ('whole', 1))
  def test_who_only_measures_compiles_nothing(self, step, count):
    jobs.write_film(self.film, (6,))
    c = jobs.settings()
    c.weights = 'restorer'
    with mock.patch.object(
        steps.networks, 'compiled_ahead', side_effect=lambda n, *_: n
    ) as compiles, mock.patch.object(steps, '_finish', return_value={}):
      steps.run(step, self._job(c), 48)
    self.assertEqual(compiles.call_count, count)


if __name__ == '__main__':
  absltest.main()
