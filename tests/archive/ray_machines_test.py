"""Tests of a real cluster: networks by its store, machines that cannot do it.

They need the extra `cluster`.
"""

import json
import pathlib

from absl.testing import absltest
import jax.numpy as jnp
import pytest

from revive_jax import types
from revive_jax.archive import films
from revive_jax.models import restorer, weights
from tests.archive import jobs, watching
from tests.models import params

_SETTINGS = dict(features=8, deep_features=8, num_blocks=1)
_BROKEN = """
import sys
class Broken:
  def find_spec(self, name, path=None, target=None):
    if name == 'revive_jax':
      raise ImportError('a part of it is missing')
sys.meta_path.insert(0, Broken())
"""


@pytest.mark.slow
class MachinesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.source, self.work = self.dir / 'in', self.dir / 'work'
    self.source.mkdir()

  def _cluster(self, **more):
    found = watching.cluster(**more)
    self.addCleanup(found.shutdown)
    return found

  def _check(self, expected):
    found = json.loads((self.work / 'report.json').read_text())
    self.assertEqual(
        {r['name']: (r['state'], r['tries']) for r in found['films']},
        dict.fromkeys(expected, ('restored', 0)))
    for name, frames in expected.items():
      self.assertEqual(
          jobs.frames(self.work / f'outputs/{name}.mkv'), frames, name)
    return {r['name']: r for r in found['films']}

  def test_a_network_that_is_in_the_store_alone(self):
    cluster = self._cluster()
    watching.join(cluster)
    values = params.draw(
        restorer.Restorer(**_SETTINGS), jnp.zeros((1, 2, 32, 32, 3)))
    weights.save_weights(self.dir / 'w', values, model='restorer', steps=3,
                         settings=_SETTINGS, card='')
    # No worker finds it on a disk: it is held here, and was never elsewhere.
    weights.hold('of no disk', weights.read_weights(self.dir / 'w'))
    self.addCleanup(weights._held.pop, 'of no disk')
    # Its second share begins 16 frames into a shot, with what is remembered.
    jobs.write_film(self.source / 'long.mkv', (180, 120), seed=1)
    jobs.write_film(self.source / 'short.mkv', (20,), seed=2)
    c = jobs.settings(frames=160, address=cluster.address, patience=60.0)
    c.weights, c.window, c.lookahead = 'of no disk', 8, 4
    expected = {film.stem: jobs.by_one_machine(self.dir, film, c)
                for film in sorted(self.source.iterdir())}
    films.restore_all(c, str(self.work), str(self.source))
    self.assertEqual(self._check(expected)['long']['shares'], 2)

  def test_one_joins_that_cannot_run_the_program(self):
    broken = self.dir / 'broken'
    broken.mkdir()
    (broken / 'sitecustomize.py').write_text(_BROKEN)
    for i in range(6):
      jobs.write_film(self.source / f'{i}.mkv', (50,), seed=i)
    expected = {film.stem: jobs.by_one_machine(self.dir, film)
                for film in sorted(self.source.iterdir())}
    cluster = self._cluster()
    run = watching.start(
        self.source, self.work, '--config.progress=none',
        f'--config.archive.address={cluster.address}',
        '--config.archive.patience=60')
    watching.until(lambda: watching.workers('whole'), 'a worker')
    watching.join(cluster, PYTHONPATH=str(broken))
    said = run.communicate(timeout=600)[0]
    self.assertEqual(run.returncode, 0, said)
    self.assertRegex(
        said, r'The machine \S+ cannot run this program \(a part of it is '
        r'missing\); it is left alone for 60 seconds')
    self._check(expected)

  def test_a_gpu_that_jax_does_not_find(self):
    jobs.write_film(self.source / 'a.mkv', (10,))
    cluster = self._cluster(num_gpus=1)  # So Ray says.
    options = dict(address=cluster.address, patience=60.0)
    run = lambda **more: films.restore_all(
        jobs.settings(**options, **more), str(self.work), str(self.source))
    with self.assertRaisesRegex(
        types.BadInput, 'gpus=1: the cluster has GPUs, but jax finds none'):
      run(gpus=1.0)
    with self.assertLogs(level='WARNING') as logs:
      run()
    self.assertIn('films are restored without', ' '.join(logs.output))
    self._check({'a': jobs.by_one_machine(self.dir, self.source / 'a.mkv')})


if __name__ == '__main__':
  absltest.main()
