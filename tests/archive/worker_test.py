"""Tests of worker.py: what a machine says that cannot do the work."""

import os
import pathlib
import sys
import time
from unittest import mock

from absl.testing import absltest
import numpy as np

import revive_jax
from revive_jax.archive import manifest, steps, worker
from revive_jax.models import weights


class WorkerTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.job = manifest.Job(
        'a', manifest.Entry('a.mkv'), {}, str(self.dir / 'films/a'), 'a')
    self.ray = mock.Mock()
    self.ray.get_runtime_context().get_node_id.return_value = 'node'
    self.enter_context(mock.patch.dict(sys.modules, ray=self.ray))
    self.run_ = self.enter_context(mock.patch.object(
        steps, 'run', return_value={'state': 'made'}))

  def _start(self, *, has_gpu=False, version=revive_jax.__version__, held=()):
    with mock.patch.object(time, 'sleep') as sleep:
      told = worker.task(pause=3.0)(
          version, dict(held), has_gpu, worker.packed('share', self.job, 0, 1))
    self.assertEqual((told['node'], told['has_gpu']), ('node', has_gpu))
    # Else it would be idle at once, and be given the next.
    self.assertEqual([c.args for c in sleep.mock_calls],
                     [(3.0,)] if 'unfit' in told else [])
    if 'unfit' in told:
      self.run_.assert_not_called()
      self.assertStartsWith(
          told['unfit'], f'The machine {os.uname().nodename} ')
    return told

  def _with_workdir(self):
    (self.dir / 'films').mkdir()

  def test_does_a_step_with_weights_of_the_store(self):
    self._with_workdir()
    found = weights.Weights({}, {'a': np.zeros(1)}, 'mine')
    self.ray.get.return_value = found
    with mock.patch.dict(weights._held):
      told = self._start(held={'mine': 'reference'})
      self.assertIs(weights.read_weights('mine'), found)
    self.assertEqual(told['state'], 'made')
    self.run_.assert_called_once_with('share', self.job, 0, 1)

  def test_without_the_workdir(self):
    self.assertEndsWith(self._start()['unfit'], ' does not see the workdir')
    self._with_workdir()
    with mock.patch.object(os, 'stat', side_effect=OSError(116, 'stale')):
      self.assertEndsWith(self._start()['unfit'], ' does not see the workdir')

  def test_of_another_version(self):
    self._with_workdir()
    self.assertEndsWith(
        self._start(version='9')['unfit'],
        f' has revive-jax {revive_jax.__version__}, and not 9')

  def test_without_a_gpu_that_jax_finds(self):
    self._with_workdir()
    told = self._start(has_gpu=True)
    self.assertEndsWith(told['unfit'], ' has no GPU that jax finds')
    self.assertTrue(told['is_of_gpu'])
    with mock.patch('jax.default_backend', side_effect=RuntimeError('cuda')):
      self.assertFalse(worker.finds_gpu())

  def test_where_the_program_is_broken(self):
    with mock.patch.dict(sys.modules, {'revive_jax.archive.worker': None}):
      self.assertRegex(self._start()['unfit'], 'cannot run this program .imp')


if __name__ == '__main__':
  absltest.main()
