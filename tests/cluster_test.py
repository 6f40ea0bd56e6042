"""Tests of cluster.py, with real processes."""

import json
import os
import pathlib
import signal
import time
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import numpy as np
import pytest

from revive_jax import cluster, types
from revive_jax.models import weights
from tests import processes

_JOBSET = {'JOBSET_NAME': 'film', 'JOBSET_JOB': 'workers',
           'JOBSET_PROCESSES': '4', 'JOB_COMPLETION_INDEX': '2'}


def _metrics(folder):
  lines = pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()
  return [{k: v for k, v in json.loads(line).items() if k != 'time'}
          for line in lines]


class SpecTest(parameterized.TestCase):

  def test_parse(self):
    self.assertEqual(cluster.parse('host:8476,2,1', {}), ('host:8476', 2, 1))
    self.assertEqual(
        cluster.parse('[::1]:99,1,0', {}), ('[::1]:99', 1, 0))
    self.assertEqual(
        cluster.parse('auto', _JOBSET), ('film-workers-0-0.film:8476', 4, 2))
    self.assertEqual(cluster.parse('auto', {}), (None, None, None))

  @parameterized.parameters(
      'yes', 'host,2,1', 'host:0,2,1', ':80,2,1', 'host:80,2,2', 'host:80,0,0',
      'host:x,2,1', 'host:80,2', 'host:80,2,1,0')
  def test_refuses(self, spec):
    with self.assertRaisesRegex(types.BadInput, 'neither auto nor HOST:PORT'):
      cluster.parse(spec, {})

  def test_a_task_of_slurm_has_its_whole_node(self):
    found = lambda address, **names: cluster._detection(address, names)
    self.assertEqual(
        found(None, SLURM_GPUS_ON_NODE='4')['local_device_ids'], [0, 1, 2, 3])
    self.assertEqual(
        found(None, SLURM_GPUS_ON_NODE='4', SLURM_NTASKS_PER_NODE='4'), {})
    self.assertEqual(
        found(None, SLURM_GPUS_ON_NODE='2', SLURM_STEP_TASKS_PER_NODE='1(x3)'),
        {'local_device_ids': [0, 1]})
    for tasks in ('2(x3)', '2,1', '4'):
      self.assertEqual(found(
          None, SLURM_GPUS_ON_NODE='2', SLURM_STEP_TASKS_PER_NODE=tasks), {})
    self.assertEqual(found(None), {})
    self.assertEqual(found('host:1', SLURM_GPUS_ON_NODE='4'),
                     {'cluster_detection_method': 'deactivate'})

  def test_seconds_of_the_start(self):
    name = 'REVIVE_JAX_START_SECONDS'
    self.assertEqual(cluster.start_seconds({}), 300)
    self.assertEqual(cluster.start_seconds({name: '7'}), 7)
    for text in ('abc', '0', '-1', '', '1.5'):
      with self.assertRaisesRegex(types.BadInput, f'{name}={text} is no whole'):
        cluster.start_seconds({name: text})

  def test_what_the_first_process_refuses(self):
    def refuse():
      raise types.BadInput('No.')

    done = []
    cluster.alone(lambda: done.append(1))
    self.assertEqual(done, [1])
    with self.assertRaisesRegex(types.BadInput, 'No.'):
      cluster.alone(refuse)
    # Another process does not try, and is told.
    with mock.patch.object(cluster, 'is_first', lambda: False), (
        mock.patch.object(cluster, 'agreed', lambda value: False)):
      with self.assertRaisesRegex(types.BadInput, 'Process 0 refused'):
        cluster.alone(lambda: done.append(2))
    self.assertEqual(done, [1])

  def test_alone(self):
    self.assertTrue(cluster.is_first())
    self.assertTrue(cluster.agreed(True))
    self.assertFalse(cluster.agreed(False))
    with cluster.preemption() as stopped:
      self.assertFalse(stopped(1))
      os.kill(os.getpid(), signal.SIGTERM)
      self.assertTrue(stopped(2))


class ProcessesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _run(self, name, *words, two=False):
    """Starts a run, waits, and checks that it ended well."""
    start = processes.start_two if two else (
        lambda *x: [processes.start(*x)])
    runs = start(self.folder / name, *words)
    said = processes.finish(*runs)
    self.assertEqual([run.returncode for run in runs], [0] * len(runs), said)

  def _same(self, one, two):
    for a, b in zip(_metrics(one), _metrics(two), strict=True):
      for name, value in a.items():
        np.testing.assert_allclose(value, b[name], rtol=1e-4, err_msg=name)
    found = [weights.read_weights(f'{f}/weights').params for f in (one, two)]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
      np.testing.assert_allclose(a, b, atol=2e-4)

  def test_two_processes_do_what_one_does(self):
    self._run('one')
    # The state is shared out: each process has half of it.
    self._run('two', '--config.mesh.fsdp=True', two=True)
    self._same(self.folder / 'one', self.folder / 'two')

  def test_what_process_0_refuses_both_refuse_at_once(self):
    workdir = self.folder / 'other'
    workdir.mkdir()
    (workdir / 'config.json').write_text('{"algorithm": "gan"}')
    runs = processes.start_two(workdir)
    said = processes.finish(*runs)
    self.assertEqual([run.returncode for run in runs], [2, 2], said)
    self.assertIn('a run of the algorithm gan', said[0])
    self.assertIn('Process 0 refused this run', said[1])

  @pytest.mark.slow
  def test_processes_that_do_not_share_a_disk(self):
    self._run('one')
    address = f'127.0.0.1:{processes.free_port()}'
    runs = [processes.start(self.folder / name,
                            f'--distributed={address},2,{i}')
            for i, name in enumerate(('one', 'two'))]
    said = processes.finish(*runs)
    self.assertEqual([run.returncode for run in runs], [2, 2], said)
    for text in said:
      self.assertIn('do not see the same checkpoints', text)

  @pytest.mark.slow
  def test_sigterm_to_one_stops_both_and_one_goes_on(self):
    words = ('--config.num_steps=300', '--config.checkpoint_every=1000')
    self._run('whole', *words)
    runs = processes.start_two(
        self.folder / 'part', *words, '--config.mesh.fsdp=True')
    processes.wait_for(self.folder / 'part/metrics.jsonl', runs[0], 20)
    runs[1].send_signal(signal.SIGTERM)
    said = processes.finish(*runs)
    self.assertEqual([run.returncode for run in runs], [0, 0], said)
    stopped = len(_metrics(self.folder / 'part'))
    self.assertBetween(stopped, 20, 299)
    self._run('part', *words)  # By one process, from the halves of two.
    self._same(self.folder / 'whole', self.folder / 'part')

  @pytest.mark.slow
  def test_a_dead_process_ends_the_other(self):
    for dead, words in (
        (1, r'stopped sending heartbeats\):\s+1\b|Task 1 heartbeat timeout'),
        (0, 'leader task')):
      runs = processes.start_two(
          self.folder / str(dead), '--config.num_steps=1000000')
      processes.wait_for(
          self.folder / f'{dead}/metrics.jsonl', runs[0], 20)
      runs[dead].kill()
      began = time.monotonic()
      said, = processes.finish(runs[1 - dead])
      self.assertNotEqual(runs[1 - dead].returncode, 0)
      # With the leader the runtime itself goes down, perhaps before us.
      self.assertRegex(said, 'cannot go on' if dead else (
          'cannot go on|Terminating process because the JAX distributed'))
      self.assertRegex(said, words)
      # Twice what is said: this machine may be busy.
      self.assertLess(time.monotonic() - began, 2 * cluster.HEARTBEAT_SECONDS)
      runs[dead].communicate()

  def test_a_coordinator_that_does_not_answer(self):
    run = processes.start(
        self.folder / 'lost',
        f'--distributed=127.0.0.1:{processes.free_port()},2,1',
        REVIVE_JAX_START_SECONDS='1')
    said, = processes.finish(run)
    self.assertEqual(run.returncode, 2, said)
    self.assertRegex(said, 'coordinator at 127.0.0.1:.* does not answer after '
                     '1 s .*process 0 is running')
    self.assertFalse((self.folder / 'lost').exists())


if __name__ == '__main__':
  absltest.main()
