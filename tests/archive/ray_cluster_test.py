"""Tests of ray_cluster.py: what is refused; and faults on a real cluster.

A cluster of several raylets runs on this machine. Workers, a machine and the
driver are ended while they work: each time every good film is what one machine
makes of it. The slow tests need the extra `cluster`.
"""

import contextlib
import pathlib
import signal
import socket
import sys
import tempfile
import time
from unittest import mock

from absl.testing import absltest, parameterized
import pytest

from revive_jax import types
from revive_jax.archive import films, ray_cluster, steps
from tests.archive import jobs, watching


class RefusalTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    (self.dir / 'a.mkv').write_bytes(b'')

  def _run(self, **options):
    films.restore_all(jobs.settings(**options), str(self.dir / 'work'),
                      str(self.dir / 'a.mkv'))

  def test_without_ray(self):
    with mock.patch.dict(sys.modules, ray=None), self.assertRaisesRegex(
        types.BadInput, r'needs Ray; .*revive-jax\[cluster\].*address=none'):
      self._run()

  def test_an_address_where_nobody_is(self):
    with socket.socket() as free:
      free.bind(('127.0.0.1', 0))
      address = f'127.0.0.1:{free.getsockname()[1]}'
    with mock.patch.dict(sys.modules, ray=mock.Mock()), self.assertRaisesRegex(
        types.BadInput, f'{address}: no Ray cluster answers .*refused.*status'):
      self._run(address=address)

  def test_an_address_where_another_is(self):
    ended = ray_cluster.subprocess.TimeoutExpired('ray', 2)
    with mock.patch.dict(sys.modules, ray=mock.Mock()), mock.patch.object(
        ray_cluster.subprocess, 'run', side_effect=ended) as run, socket.socket(
        ) as other:
      other.bind(('127.0.0.1', 0))
      other.listen()
      address = f'127.0.0.1:{other.getsockname()[1]}'
      with self.assertRaisesRegex(types.BadInput, 'within 2 seconds'):
        self._run(address=address, patience=2.0)
    self.assertEqual(run.call_args.kwargs['timeout'], 2)

  def test_a_gpu_where_there_is_none(self):
    ray = mock.Mock()
    ray.cluster_resources.return_value = {'CPU': 4.0}
    with mock.patch.dict(sys.modules, ray=ray), self.assertRaisesRegex(
        types.BadInput, 'gpus=1: the cluster has 0 GPUs'):
      self._run(gpus=1.0)
    ray.shutdown.assert_called_once()


class _FakeRay(mock.Mock):
  """What a pool asks of Ray; tasks end as they are told."""

  class exceptions:  # noqa: N801
    """Those that mean something."""

    RayError = type('RayError', (Exception,), {})
    WorkerCrashedError = type('WorkerCrashedError', (RayError,), {})
    OutOfMemoryError = type('OutOfMemoryError', (RayError,), {})
    NodeDiedError = type('NodeDiedError', (RayError,), {})
    ObjectLostError = type('ObjectLostError', (RayError,), {})
    TaskUnschedulableError = type('TaskUnschedulableError', (RayError,), {})


class PoolTest(parameterized.TestCase):

  def _pool(self, jobs_=(), finds_gpu=True, **options):
    ray = _FakeRay()
    ray.wait.return_value = ['asked'], []
    ray.get.return_value = finds_gpu
    ray.cluster_resources.return_value = {'CPU': 4.0, 'GPU': 2.0}
    ray.get_runtime_context.return_value.gcs_address = '127.0.0.1:6379'
    ray.nodes.return_value = [
        {'NodeID': name, 'Alive': True,
         'Resources': {'CPU': 2.0, 'GPU': 1.0, 'memory': 4e9}}
        for name in 'ab'] + [
            {'NodeID': 'c', 'Alive': False,
             'Resources': {'CPU': 64.0, 'GPU': 8.0}}]
    self.enter_context(mock.patch.dict(sys.modules, ray=ray))
    self.enter_context(mock.patch.object(ray_cluster, '_check_machines'))
    self.enter_context(mock.patch.object(ray_cluster.worker, 'packed'))
    return ray_cluster.RayPool(
        jobs.settings(**options), pathlib.Path('work'), list(jobs_)), ray

  def _options(self, ray):
    return ray.remote.return_value.return_value.options.call_args.kwargs

  def test_who_asks_for_gpus(self):
    pool, ray = self._pool(cpus=2.0, memory=1.5)
    self.assertTrue(pool.has_gpus)
    self.assertEqual(pool.room, 4)
    job = mock.Mock()
    job.name = 'a'
    for step, gpus in (('begin', None), ('share', 1.0), ('restore', 1.0),
                       ('finish', None)):
      pool.start(step, job)
      options = self._options(ray)
      self.assertEqual(options.get('num_gpus'), gpus)
      self.assertEqual(options['num_cpus'], 2.0)
      self.assertEqual(options['memory'], 1.5e9)
      self.assertEqual(options['max_retries'], 0)  # The scheduler counts.
    variables = ray.init.call_args.kwargs['runtime_env']['env_vars']
    self.assertEqual(variables['JAX_PLATFORMS'], 'cpu')

  def test_without_gpus(self):
    pool, ray = self._pool(gpus=0.0)
    self.assertFalse(pool.has_gpus)
    job = mock.Mock()
    job.name = 'a'
    pool.start('whole', job)
    self.assertNotIn('num_gpus', self._options(ray))

  def test_gpus_that_jax_does_not_find(self):
    with self.assertLogs(level='WARNING') as logs:
      pool, ray = self._pool(finds_gpu=False)
    self.assertFalse(pool.has_gpus)
    self.assertIn('films are restored without', logs.output[0])
    self.assertEqual(self._options(ray)['num_gpus'], 1.0)
    with self.assertRaisesRegex(
        types.BadInput, 'gpus=1: the cluster has GPUs, but jax finds none'):
      self._pool(finds_gpu=False, gpus=1.0)

  def _tell(self, pool, ray, told, step='begin'):
    job = mock.Mock()
    job.name = 'a'
    handle = object()
    ray.remote.return_value.return_value.options.return_value.remote = (
        mock.Mock(return_value=handle))
    self.assertIs(pool.start(step, job), handle)
    ray.wait.return_value, ray.get.return_value = ([handle], []), told
    (ended,) = pool.wait(1.0)
    return ended

  def test_a_machine_that_cannot_do_it(self):
    pool, ray = self._pool()
    self.enter_context(mock.patch.object(
        ray_cluster, '_at', lambda node, soft: (node, soft)))
    good = {'state': 'made', 'has_gpu': False}
    bad = {'unfit': 'The machine A does not see the workdir',
           'has_gpu': False, 'node': 'a'}
    with self.assertLogs(level='WARNING') as logs:
      ended = self._tell(pool, ray, bad)
    self.assertEqual(ended.how, 'unfit')  # It is not the film's fault.
    self.assertIn('The machine A does not see the workdir; it is left alone',
                  logs.output[0])
    self.assertNotIn('scheduling_strategy', self._options(ray))
    # The next goes to the other one, or, if that goes, anywhere.
    self.assertEqual(
        self._tell(pool, ray, good | {'node': 'b'}).how, 'done')
    self.assertEqual(self._options(ray)['scheduling_strategy'], ('b', True))
    # Until that machine has done something; what storage did not give is tried
    # on another, too.
    self._tell(pool, ray, good | {'node': 'a'})
    self._tell(pool, ray, good | {'node': 'a', 'is_passing': True})
    self._tell(pool, ray, good | {'node': 'b'})
    self.assertEqual(self._options(ray)['scheduling_strategy'], ('b', True))
    self._tell(pool, ray, good | {'node': 'a'})
    self._tell(pool, ray, good | {'node': 'b'})
    self.assertNotIn('scheduling_strategy', self._options(ray))
    with mock.patch.object(ray_cluster.machines, '_MOST', 1):
      # Nor has it a GPU, and the other one no workdir.
      self._tell(pool, ray, bad | {'is_of_gpu': True}, 'share')
      with self.assertRaisesRegex(types.BadInput, 'No machine of the cluster'):
        self._tell(pool, ray, bad | {'node': 'b'})

  @parameterized.parameters(
      dict(cpus=3.0), dict(gpus=2.0), dict(memory=4.1),
      dict(cpus=2.5, gpus=0.0))
  def test_refuses_tasks_that_fit_on_no_machine(self, **options):
    # All together have it, but for the memory.
    with self.assertRaisesRegex(types.BadInput, 'No machine of the cluster'):
      self._pool(**options)

  def test_a_head_that_is_gone(self):
    now = 100.0
    with mock.patch.object(ray_cluster.time, 'monotonic', lambda: now):
      with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        address = f'127.0.0.1:{server.getsockname()[1]}'
        head = ray_cluster._Head(address)
        now += 30
        self.assertTrue(head.answers())
      now += 10
      self.assertFalse(head.answers())
      self.assertFalse(head.is_gone)
      now += 15
      with self.assertRaisesRegex(
          types.BadInput, f'{address}: the head of the cluster is gone; start'):
        head.answers()
      self.assertTrue(head.is_gone)

  def test_weights_are_put_there_once(self):
    job = mock.Mock(settings={'weights': 'restorer', 'fills': '', 'upscaler':
                              'upscaler', 'output': {'upscale': 1}})
    _, ray = self._pool([job] * 100)
    ray.put.assert_called_once()
    self.assertIn('params', ray.put.call_args.args[0]._fields)

  @parameterized.parameters(
      ('WorkerCrashedError', 'died', 'crashed'),
      ('OutOfMemoryError', 'died', 'archive.memory'),
      ('NodeDiedError', 'lost', 'its machine was lost .it is gone'),
      ('RayError', 'died', 'it is gone'))
  def test_how_tasks_end(self, error, how, words):
    pool, ray = self._pool()
    ray.get.side_effect = getattr(ray.exceptions, error)('\nit is gone\nmore')
    job = mock.Mock()
    job.name = 'a'
    handle = pool.start('whole', job)
    ray.wait.return_value = [handle], []
    (ended,) = pool.wait(1.0)
    self.assertEqual((ended.handle, ended.how), (handle, how))
    self.assertRegex(ended.told['what'], words)


@pytest.mark.slow
class FaultsTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.place = tempfile.TemporaryDirectory()
    cls.dir = pathlib.Path(cls.place.name)
    source = cls.dir / 'in'
    source.mkdir()
    jobs.write_film(source / 'long.mkv', (60, 60), seed=1)
    jobs.write_film(source / 'short.mkv', (20,), seed=2)
    cls.expected = {p.stem: jobs.by_one_machine(cls.dir, p)
                    for p in sorted(source.iterdir())}
    cls.cluster = watching.cluster()
    cls.other = watching.join(cls.cluster)
    cls.words = (f'--config.archive.address={cls.cluster.address}',
                 '--config.archive.patience=60', '--config.progress=none')

  @classmethod
  def tearDownClass(cls):
    cls.cluster.shutdown()
    cls.place.cleanup()
    super().tearDownClass()

  def setUp(self):
    super().setUp()
    self.work = self.dir / self.id().rpartition('.')[2]
    self.run_ = None

  def tearDown(self):
    if self.run_ is not None and self.run_.poll() is None:
      self.run_.kill()
    super().tearDown()

  def _start(self, source='in'):
    self.run_ = watching.start(self.dir / source, self.work, *self.words)
    return self.run_

  def _made(self):
    """Shares that are whole."""
    return [p for p in self.work.glob('films/long/shares/*/*')
            if not p.name.startswith('.')]

  def _mid_segment(self):
    """What there is of a segment that is being coded."""
    return [p for p in self.work.glob('films/long/shares/*/.*/segments/*')
            if p.suffix != '.json']

  def _check(self, code=0, **states):
    said = self.run_.communicate(timeout=600)[0]
    self.assertEqual(self.run_.returncode, code, said)
    with open(self.work / 'report.json') as file:
      found = steps.json.load(file)
    is_again = {'done before': 'restored'}  # Of a driver's second run.
    self.assertEqual(
        {r['name']: is_again.get(r['state'], r['state'])
         for r in found['films']},
        {'long': 'restored', 'short': 'restored'} | states)
    for name, frames in self.expected.items():
      self.assertEqual(
          jobs.frames(self.work / f'outputs/{name}.mkv'), frames, name)
    self.assertEmpty([*self.work.glob('films/*/shares')])
    return {r['name']: r for r in found['films']}

  def test_a_worker_is_killed_in_the_middle_of_a_segment(self):
    self._start()
    watching.until(self._mid_segment, 'a segment')
    watching.kill(watching.until(
        lambda: watching.workers('share long'), 'a worker')[:1])
    row = self._check()['long']
    self.assertEqual((row['tries'], row['lost']), (1, 0))

  def test_a_machine_is_lost(self):
    machines = {node.all_processes['raylet'][0].process.pid: node for node in (
        type(self).other, watching.join(self.cluster))}
    self._start()
    watching.until(self._mid_segment, 'a segment')
    # Three shares at once, and the head can take one.
    works = watching.until(
        lambda: {watching.parent(p) for p in watching.workers('share long')}
        & set(machines), 'a worker there').pop()
    self.cluster.remove_node(machines.pop(works), allow_graceful=False)
    type(self).other = machines.popitem()[1]
    rows = self._check()
    self.assertGreater(rows['long']['lost'], 0)
    self.assertEqual([r['tries'] for r in rows.values()], [0, 0])  # No blame.

  def test_the_driver_is_killed_and_started_again(self):
    self._start()
    made = watching.until(self._made, 'a share')[0]
    self.run_.kill()
    self.run_.communicate()
    told = next(made.glob('0*.json'))
    number = told.stat().st_ino
    self._start()
    # What was whole is not made again.
    while self.run_.poll() is None:
      with contextlib.suppress(FileNotFoundError):  # It is finished.
        self.assertEqual(told.stat().st_ino, number)
      time.sleep(0.1)
    self._check()

  def test_ctrl_c_and_on(self):
    self._start()
    watching.until(self._mid_segment, 'a segment')
    # Held, so that they are not done before the signal comes.
    held = watching.until(lambda: watching.workers('share long'), 'a worker')
    watching.kill(held, signal.SIGSTOP)
    try:
      self.run_.send_signal(signal.SIGINT)
      said = self.run_.communicate(timeout=300)[0]
    finally:
      watching.kill(held, signal.SIGCONT)
    self.assertEqual(self.run_.returncode, 130, said)
    self.assertIn('the same command goes on', said)
    self._start()
    self._check()

  def test_the_head_is_lost(self):
    """Of a cluster of its own; what was whole goes on, on another."""
    cluster = watching.cluster()
    try:
      self.run_ = watching.start(
          self.dir / 'in', self.work, *self.words[1:],
          f'--config.archive.address={cluster.address}')
      watching.until(self._made, 'a share')
      every = cluster.head_node.all_processes.values()
      mine = {p.process.pid for found in every for p in found}
      watching.kill([*mine, *(p for p in watching.workers('share long')
                              if watching.parent(p) in mine)])
      said = self.run_.communicate(timeout=120)[0]
      self.assertEqual(self.run_.returncode, 2, said)
      self.assertIn('the head of the cluster is gone; start it again', said)
    finally:
      cluster.shutdown()
    self._start()
    self._check()

  def test_a_poisonous_film(self):
    source = self.dir / 'poisoned'
    source.mkdir()
    for name in ('long', 'short'):
      (source / f'{name}.mkv').symlink_to(self.dir / f'in/{name}.mkv')
    jobs.write_film(source / 'poison.mkv', (60, 60), seed=9)
    with watching.Poison('whole poison') as poison:
      self._start('poisoned')
      rows = self._check(1, poison='failed')
    self.assertLen(poison.killed, 3)
    self.assertRegex(rows['poison']['what'],
                     'after 3 tries of .*measure.*: its worker died')
    self.assertEqual(rows['short']['tries'], 0)

  def test_a_gpu_where_there_is_none(self):
    self.words = (*self.words, '--config.archive.gpus=1')
    said = self._start().communicate(timeout=300)[0]
    self.assertEqual(self.run_.returncode, 2, said)
    self.assertIn('the cluster has 0 GPUs', said)


if __name__ == '__main__':
  absltest.main()
