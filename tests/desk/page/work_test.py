"""Tests of what the page is told, without a server."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import pytest

pytest.importorskip('fastapi')  # Of the extra ui.

from revive_jax import types  # noqa: E402
from revive_jax.desk import jobs, settings, turns  # noqa: E402
from revive_jax.desk.page import routes, work  # noqa: E402
from tests.desk import desks  # noqa: E402


class WorkTest(parameterized.TestCase):

  def test_a_later_job_does_not_take_a_film_away(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    place = desks.measured(folder / 'desk', 5, 4)
    for state in (jobs.State('none'), jobs.State('cancelled', 'restore')):
      self.assertFalse(work.told(place, state, 'en')['has_film'])
    desks.restored(place)
    for state in (jobs.State('none'), jobs.State('done', 'measure'),
                  jobs.State('cancelled', 'restore'),
                  jobs.State('crashed', 'restore')):
      self.assertTrue(work.told(place, state, 'en')['has_film'], state)
    settings.change(place, format='mov')  # One of another format is one, too.
    self.assertTrue(work.told(place, jobs.State('none'), 'en')['has_film'])

  @parameterized.parameters((types.BadInput, 400),
                            (turns.SupersededError, 429))
  def test_what_is_refused(self, kind, status):
    answer = routes._refused(mock.Mock(headers={}), kind('A sentence.'))
    self.assertEqual((answer.status_code, answer.body),
                     (status, b'{"error":"A sentence."}'))


if __name__ == '__main__':
  absltest.main()
