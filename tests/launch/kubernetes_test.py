"""Tests of launch/kubernetes.yaml: the fields of a JobSet, and what it runs."""

import copy
import subprocess
import sys

from absl.testing import absltest, parameterized
import jsonschema
import yaml

from revive_jax import cluster
from tests.launch import fakes

_PATH = fakes.ROOT / 'launch/kubernetes.yaml'


def _object(*required, **properties):
  return {'type': 'object', 'properties': properties,
          'required': list(required), 'additionalProperties': False}


def _list(items, **more):
  return {'type': 'array', 'items': items, 'minItems': 1, **more}


def _count(least=0):
  return {'type': 'integer', 'minimum': least}


_TEXT = {'type': 'string', 'minLength': 1}
# RFC 1035, which JobSet asks of what becomes the name of a pod.
_NAME = {'type': 'string', 'pattern': '^[a-z]([-a-z0-9]*[a-z0-9])?$'}
_TEXTS = _list(_TEXT)
_QUANTITY = {'type': ['string', 'integer'], 'minimum': 1,
             'pattern': r'^[0-9]+(\.[0-9]+)?([kMGTPE]i?|m)?$'}
_QUANTITIES = {'type': 'object', 'additionalProperties': _QUANTITY}
_VOLUME = _object(
    'name', name=_NAME,
    persistentVolumeClaim=_object(
        'claimName', claimName=_NAME, readOnly={'type': 'boolean'}),
    emptyDir=_object(medium={'enum': ['', 'Memory']}, sizeLimit=_QUANTITY))
_CONTAINER = _object(
    'name', 'image', name=_NAME, image=_TEXT, command=_TEXTS, args=_TEXTS,
    env=_list({
        **_object(
            'name', name={'type': 'string', 'pattern': '^[A-Z_]+$'},
            value={'type': 'string'},
            valueFrom=_object(
                'fieldRef',
                fieldRef=_object(
                    'fieldPath', apiVersion=_TEXT, fieldPath=_TEXT))),
        'oneOf': [{'required': ['value']}, {'required': ['valueFrom']}]}),
    ports=_list(_object(
        'containerPort', name=_NAME,
        containerPort={**_count(1), 'maximum': 65535},
        protocol={'enum': ['TCP', 'UDP', 'SCTP']})),
    resources=_object(requests=_QUANTITIES, limits=_QUANTITIES),
    volumeMounts=_list(_object(
        'name', 'mountPath', name=_NAME, mountPath=_TEXT,
        readOnly={'type': 'boolean'}, subPath=_TEXT)))
_POD = _object(
    'containers', 'restartPolicy',
    restartPolicy={'enum': ['Never', 'OnFailure']},
    terminationGracePeriodSeconds=_count(),
    securityContext=_object(
        runAsUser=_count(), runAsGroup=_count(), fsGroup=_count(),
        runAsNonRoot={'type': 'boolean'}),
    nodeSelector={'type': 'object', 'additionalProperties': _TEXT},
    containers=_list(_CONTAINER), volumes=_list(_VOLUME))
_JOB = _object(
    'template', completionMode={'enum': ['Indexed', 'NonIndexed']},
    completions=_count(1), parallelism=_count(1), backoffLimit=_count(),
    podFailurePolicy=_object('rules', rules=_list(_object(
        'action', action={'enum': ['FailJob', 'FailIndex', 'Ignore', 'Count']},
        onExitCodes=_object(
            'operator', 'values', containerName=_NAME,
            operator={'enum': ['In', 'NotIn']}, values=_list(_count()))))),
    template=_object('spec', spec=_POD))
# By hand, from jobset.x-k8s.io_jobsets.yaml of kubernetes-sigs/jobset and, for
# what is in a job, the reference of Kubernetes: the fields that are used, and
# their neighbours.
_JOBSET = {
    '$schema': 'https://json-schema.org/draft/2020-12/schema',
    **_object(
        'apiVersion', 'kind', 'metadata', 'spec',
        apiVersion={'const': 'jobset.x-k8s.io/v1alpha2'},
        kind={'const': 'JobSet'},
        metadata=_object('name', name=_NAME, namespace=_NAME),
        spec=_object(
            'replicatedJobs',
            network=_object(
                enableDNSHostnames={'type': 'boolean'}, subdomain=_NAME,
                publishNotReadyAddresses={'type': 'boolean'}),
            failurePolicy=_object(
                maxRestarts=_count(),
                restartStrategy={
                    'enum': ['Recreate', 'BlockingRecreate', 'InPlaceRestart']},
                rules=_list(_object(
                    'name', 'action',
                    name={'type': 'string', 'pattern':
                          '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$'},
                    action={'enum': ['FailJobSet', 'RestartJobSet',
                                     'RestartJobSetAndIgnoreMaxRestarts']},
                    onJobFailureReasons=_list({'enum': [
                        'BackoffLimitExceeded', 'DeadlineExceeded',
                        'FailedIndexes', 'MaxFailedIndexesExceeded',
                        'PodFailurePolicy']}),
                    targetReplicatedJobs=_TEXTS))),
            replicatedJobs=_list(_object(
                'name', 'template', name=_NAME, replicas=_count(1),
                template=_object('spec', spec=_JOB)))))}


class KubernetesTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.jobset = yaml.safe_load(_PATH.read_text())
    (self.job,) = self.jobset['spec']['replicatedJobs']
    self.spec = self.job['template']['spec']
    self.pod = self.spec['template']['spec']
    (self.container,) = self.pod['containers']

  def _environment(self, index):
    """What a pod sees; JobSet writes the labels, the Job the index."""
    labels = {
        'jobset-name': self.jobset['metadata']['name'],
        'replicatedjob-name': self.job['name'],
        'replicatedjob-replicas': str(self.job['replicas'])}
    paths = {f"metadata.labels['jobset.sigs.k8s.io/{name}']": value
             for name, value in labels.items()}
    environment = {'JOB_COMPLETION_INDEX': str(index)}
    for entry in self.container['env']:
      environment[entry['name']] = entry.get('value') or paths[
          entry['valueFrom']['fieldRef']['fieldPath']]
    return environment

  def test_schema(self):
    jsonschema.Draft202012Validator.check_schema(_JOBSET)
    jsonschema.validate(self.jobset, _JOBSET)

  @parameterized.parameters(
      (('spec', 'failurePolicy', 'maxRestart'), 1),
      (('spec', 'failurePolicy', 'maxRestarts'), '1'),
      (('spec', 'replicatedJobs', 0, 'template', 'spec', 'completionMode'),
       'indexed'),
      (('spec', 'replicatedJobs', 0, 'template', 'spec', 'template', 'spec',
        'containers', 0, 'arg'), ['--config=restorer']),
      (('spec', 'replicatedJobs', 0, 'template', 'spec', 'template', 'spec',
        'containers', 0, 'env', 0, 'value'), 2),
      (('metadata', 'name'), 'My_Run'),
  )
  def test_schema_refuses(self, path, value):
    jobset = copy.deepcopy(self.jobset)
    *path, last = path
    node = jobset
    for key in path:
      node = node[key]
    node[last] = value
    with self.assertRaises(jsonschema.ValidationError):
      jsonschema.validate(jobset, _JOBSET)

  def test_all_say_how_many_there_are(self):
    count = self.spec['completions']
    self.assertGreater(count, 1)
    self.assertEqual(self.spec['parallelism'], count)
    self.assertEqual(self.job['replicas'], 1)
    self.assertEqual(self._environment(0)['JOBSET_PROCESSES'], str(count))
    self.assertEqual(self.spec['completionMode'], 'Indexed')

  def test_pods_find_each_other(self):
    self.assertTrue(self.jobset['spec']['network']['enableDNSHostnames'])
    self.assertNotIn('subdomain', self.jobset['spec']['network'])
    # <jobSet.name>-<replicatedJob.name>-<job-index>-<pod-index>.<subdomain>, as
    # JobSet documents it; the subdomain is the JobSet's name.
    (port,) = self.container['ports']
    address = f'restorer-workers-0-0.restorer:{port["containerPort"]}'
    self.assertIn(address.partition(':')[0], _PATH.read_text())
    count = self.spec['completions']
    for i in range(count):
      environment = self._environment(i)
      self.assertEqual(
          cluster.parse('auto', environment), (address, count, i))
      self.assertLessEqual(len(f'restorer-workers-0-{i}-abcde'), 63)

  def test_volumes_limits_and_image(self):
    mounts = {m['name']: m['mountPath'] for m in self.container['volumeMounts']}
    self.assertSameElements(
        mounts, [volume['name'] for volume in self.pod['volumes']])
    workdir = next(a for a in self.container['args'] if 'workdir' in a)
    self.assertStartsWith(workdir, f'--workdir={mounts["shared"]}/')
    self.assertGreaterEqual(
        self.container['resources']['limits']['nvidia.com/gpu'], 1)
    self.assertGreaterEqual(self.pod['terminationGracePeriodSeconds'], 60)
    self.assertNotIn('/', self.container['image'])  # No registry of anybody's.

  def test_bad_input_is_not_tried_again(self):
    (rule,) = self.spec['podFailurePolicy']['rules']
    self.assertEqual(rule['onExitCodes']['values'], [2])
    self.assertEqual(
        rule['onExitCodes']['containerName'], self.container['name'])
    self.assertEqual(self.pod['restartPolicy'], 'Never')  # It asks for that.
    (rule,) = self.jobset['spec']['failurePolicy']['rules']
    self.assertEqual((rule['action'], rule['onJobFailureReasons']),
                     ('FailJobSet', ['PodFailurePolicy']))
    # One lost pod ends the job, and JobSet makes all anew.
    self.assertEqual(self.spec['backoffLimit'], 0)
    self.assertGreater(self.jobset['spec']['failurePolicy']['maxRestarts'], 0)

  def test_arguments_are_the_programs(self):
    self.assertIn('--distributed=auto', self.container['args'])
    code = ('import sys; from revive_jax import main; '
            'main.parse(sys.argv); print(main.flags.FLAGS.workdir)')
    done = subprocess.run(
        [sys.executable, '-c', code, *self.container['args']],
        capture_output=True, text=True, check=False, cwd=fakes.ROOT)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(done.stdout.strip(), '/shared/runs/restorer')

  def test_shellcheck_of_the_command(self):
    shell, option, script, *_ = self.container['command']
    self.assertEqual((shell, option), ('bash', '-c'))
    self.assertNotIn('$(', script)  # Kubernetes would put in a variable.
    done = subprocess.run(
        [fakes.SHELLCHECK, '--shell=bash', '-'], input=script, text=True,
        capture_output=True, check=False)
    self.assertEqual(done.returncode, 0, done.stdout)

  @parameterized.parameters(
      ('exit 0', 0), ('exit 2', 2),
      *((fakes.stopping(trap), code) for trap, code in fakes.STOPPED))
  def test_a_pod_that_is_stopped_is_not_done(self, body, code):
    programs = fakes.Fakes(self.create_tempdir().full_path)
    programs.add('revive-jax', body)
    done = programs.run(*self.container['command'], *self.container['args'])
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertEqual(list(programs.calls('revive-jax').values()),
                     [self.container['args']])


if __name__ == '__main__':
  absltest.main()
