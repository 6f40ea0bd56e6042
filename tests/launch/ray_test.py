"""Tests of launch/ray_cluster.yaml and ray_hosts.sh."""

import shlex
import subprocess
import sys

from absl.testing import absltest, parameterized
import jsonschema
import yaml

from tests.launch import fakes, kubernetes_test

_YAML = fakes.ROOT / 'launch/ray_cluster.yaml'
_HOSTS = str(fakes.ROOT / 'launch/ray_hosts.sh')


def _object(*required, **properties):
  return {'type': 'object', 'properties': properties,
          'required': list(required), 'additionalProperties': False}


_PROBE = _object(
    'tcpSocket', tcpSocket=_object('port', port={'type': 'integer'}),
    initialDelaySeconds={'type': 'integer'}, periodSeconds={'type': 'integer'})
_PARAMETERS = {'type': 'object', 'additionalProperties': {'type': 'string'}}
_GROUP = dict(rayStartParams=_PARAMETERS, template=_object(
    'spec', spec={'type': 'object', 'required': ['containers']}))
# By hand, from ray.io_rayclusters.yaml of ray-project/kuberay: the fields that
# are used. What is in a pod is checked as that of launch/kubernetes.yaml.
_CLUSTER = _object(
    'apiVersion', 'kind', 'metadata', 'spec', apiVersion={'const': 'ray.io/v1'},
    kind={'const': 'RayCluster'},
    metadata=_object('name', name=kubernetes_test._NAME),
    spec=_object(
        'headGroupSpec',
        headGroupSpec=_object('rayStartParams', 'template', **_GROUP),
        workerGroupSpecs={'type': 'array', 'minItems': 1, 'items': _object(
            'groupName', 'rayStartParams', 'template', **_GROUP,
            groupName=kubernetes_test._NAME, replicas={'type': 'integer'},
            minReplicas={'type': 'integer'},
            maxReplicas={'type': 'integer'})}))


class ClusterTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.found = yaml.safe_load(_YAML.read_text())
    self.head = self.found['spec']['headGroupSpec']
    (self.workers,) = self.found['spec']['workerGroupSpecs']

  def test_schema(self):
    jsonschema.validate(self.found, _CLUSTER)
    pod = {**kubernetes_test._POD, 'required': ['containers']}
    container = {**kubernetes_test._CONTAINER, 'properties': {
        **kubernetes_test._CONTAINER['properties'],
        'readinessProbe': _PROBE, 'livenessProbe': _PROBE}}
    pod['properties'] = {**pod['properties'], 'containers': {
        'type': 'array', 'items': container}}
    for group in (self.head, self.workers):
      jsonschema.validate(group['template']['spec'], pod)

  def test_both_see_the_same_and_run_the_same(self):
    one, two = (g['template']['spec'] for g in (self.head, self.workers))
    self.assertEqual(one['volumes'], two['volumes'])
    one, two = one['containers'][0], two['containers'][0]
    for name in ('image', 'env', 'volumeMounts'):
      self.assertEqual(one[name], two[name])
    self.assertIn({'name': 'RAY_USAGE_STATS_ENABLED', 'value': '0'}, one['env'])
    # A store that is larger would be on the disk.
    volumes = self.head['template']['spec']['volumes']
    (size,) = [v['emptyDir']['sizeLimit'] for v in volumes
               if v['name'] == 'memory']
    for group in (self.head, self.workers):
      self.assertLess(int(group['rayStartParams']['object-store-memory']),
                      0.95 * int(size.removesuffix('Gi')) * 2**30)
      for probe in ('readinessProbe', 'livenessProbe'):
        self.assertEqual(
            str(group['template']['spec']['containers'][0][probe]['tcpSocket'][
                'port']), group['rayStartParams']['node-manager-port'])

  def test_the_head_does_no_work_and_the_others_have_gpus(self):
    self.assertEqual(self.head['rayStartParams']['num-cpus'], '0')
    (worker,) = self.workers['template']['spec']['containers']
    self.assertGreaterEqual(worker['resources']['limits']['nvidia.com/gpu'], 1)

  def test_the_command_is_the_programs(self):
    text = _YAML.read_text().partition('apiVersion')[0]
    command = text[text.index('nohup ') + 6:text.index(' >> ')]
    words = shlex.split(command.replace('#', '').replace('\\\n', ' '))
    self.assertEqual(words.pop(0), 'revive-jax')
    code = ('import sys; from revive_jax import main; '
            'main.parse(sys.argv); print(main._CONFIG.value.archive.address, '
            'main.flags.FLAGS.workdir)')
    done = subprocess.run(
        [sys.executable, '-c', code, *words], capture_output=True, text=True,
        check=False, cwd=fakes.ROOT)
    self.assertEqual(done.stdout.strip(), 'auto /shared/run', done.stderr)


class HostsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.fakes = fakes.Fakes(self.create_tempdir().full_path)
    place = self.fakes.folder / 'said'
    self.fakes.add('ssh', f'echo "$3: $4" >> "{place}"\n[ "$3" != bad ]')

  def _said(self):
    return (self.fakes.folder / 'said').read_text().splitlines()

  def test_start_and_stop(self):
    done = self.fakes.run(_HOSTS, 'start', 'one', 'two', 'three')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('one:6379', done.stdout)
    quiet = 'RAY_USAGE_STATS_ENABLED=0 ray'
    self.assertEqual(self._said(), [
        f'one: {quiet} start --head --port=6379 --include-dashboard=false',
        f'two: {quiet} start --address=one:6379',
        f'three: {quiet} start --address=one:6379'])
    self.fakes.run(_HOSTS, 'stop', 'one', 'two')
    self.assertEqual(self._said()[3:], [f'two: {quiet} stop',
                                        f'one: {quiet} stop'])

  def test_a_machine_that_cannot_is_named(self):
    done = self.fakes.run(_HOSTS, 'start', 'one', 'bad', 'three')
    self.assertNotEqual(done.returncode, 0)
    self.assertIn('On bad this failed', done.stderr)

  @parameterized.parameters(((),), (('start',),), (('begin', 'one'),))
  def test_usage(self, words):
    done = self.fakes.run(_HOSTS, *words)
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'Usage:')


if __name__ == '__main__':
  absltest.main()
