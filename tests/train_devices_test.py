"""Tests of train.py on other devices, and of steps that go wrong."""

import gzip
import json
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import numpy as np
import pytest

from configs import mnist_vae
from revive_jax import train
from revive_jax.algorithms import image_vae
from revive_jax.training import profile as profile_lib
from revive_jax.training import sharding
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _config(steps, **mesh):
  c = mnist_vae.get_config('tiny')
  c.batch_size, c.num_steps, c.log_every, c.checkpoint_every = 16, steps, 1, 50
  # A schedule that does not depend on the number of steps.
  c.optimizer.update(shape='constant', warmup=1000, peak=1.0)
  c.mesh.update(mesh)
  return c


def _metrics(folder):
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


class DevicesTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.enter_context(mock.patch.object(sharding, '_SMALL', 16))
    # Pictures are compiled for each run, and are not what this is about.
    assemble = image_vae.assemble
    self.enter_context(mock.patch.object(
        image_vae, 'assemble',
        lambda *x: assemble(*x)._replace(pictures=None)))

  def test_goes_on_with_one_device(self):
    self._goes_on(('fewer', ((8, True), (1, False))))

  @pytest.mark.slow
  def test_goes_on_with_more_devices_and_with_fewer(self):
    self._goes_on(('fewer', ((8, True), (4, True), (2, False), (1, False))),
                  ('more', ((1, False), (8, True), (8, False))))

  def _goes_on(self, *runs):
    """A run that changes its devices (and fsdp) is one that does not."""
    whole = train.train(_config(6, data=1), self.folder / 'whole')
    for folder, meshes in runs:
      for steps, (data, fsdp) in enumerate(meshes, 2):
        steps = 6 if steps == len(meshes) + 1 else steps
        state = train.train(
            _config(steps, data=data, fsdp=fsdp), self.folder / folder)
        shared = [x for x in jax.tree.leaves(state)
                  if not x.is_fully_replicated]
        self.assertEqual(bool(shared), fsdp)
        self.assertLen(jax.tree.leaves(state)[0].sharding.device_set, data)
      self.assertEqual(int(state.step), 6)
      for a, b in zip(*map(jax.tree.leaves, (whole.ema, state.ema)),
                      strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
      for a, b in zip(_metrics(self.folder / 'whole'),
                      _metrics(self.folder / folder), strict=True):
        np.testing.assert_allclose(a['loss'], b['loss'], rtol=1e-5)

  def _with_nan_at(self, *steps):
    """The step as it is, but at some steps its loss is not a number."""
    compile_step = image_vae.vae.compile_step

    def patched(*args, **kwargs):
      step = compile_step(*args, **kwargs)

      def call(state, batch):
        bad = int(state.step) + 1 in steps
        state, metrics = step(state, batch)
        return state, metrics | ({'loss': np.nan} if bad else {})

      return call

    return mock.patch.object(image_vae.vae, 'compile_step', patched)

  def test_some_steps_may_be_left_out(self):
    c = _config(6, data=1)
    c.max_skipped = 2
    with self._with_nan_at(2, 5), self.assertLogs(level='WARNING') as seen:
      train.train(c, self.folder)
    said = '\n'.join(seen.output)
    self.assertIn('Step 2: loss not finite; it was left out, number 1 of 2',
                  said)
    self.assertIn('Step 5: loss not finite; it was left out, number 2 of 2',
                  said)
    self.assertLen(_metrics(self.folder), 6)
    # They are counted over restarts, too.
    c.num_steps = 9
    with self._with_nan_at(8), self.assertRaisesRegex(
        FloatingPointError, 'Step 8: loss not finite.*max_skipped'):
      train.train(c, self.folder)

  def test_profile(self):
    train.train(_config(9, data=1), self.folder, profile=True)
    trace, = (self.folder / 'profile').rglob('perfetto_trace.json.gz')
    events = json.loads(gzip.decompress(trace.read_bytes()))['traceEvents']
    self.assertGreater(len(events), 10)
    self.assertTrue(list((self.folder / 'profile').rglob('*.xplane.pb')))

  def test_a_run_too_short_for_a_profile_says_so(self):
    with self.assertLogs(level='WARNING') as seen:
      with profile_lib.profiling(self.folder / 'profile') as began:
        began(1)
        began(2)
    self.assertIn('fewer than 3 steps', '\n'.join(seen.output))
    self.assertFalse((self.folder / 'profile').exists())

  def test_one_program_for_all_steps(self):
    programs = []
    compile_step = image_vae.vae.compile_step

    def kept(*args, **kwargs):
      programs.append(compile_step(*args, **kwargs))
      return programs[-1]

    with mock.patch.object(image_vae.vae, 'compile_step', kept):
      train.train(_config(5, data=4, fsdp=True), self.folder)
    self.assertLen(programs, 1)
    self.assertEqual(programs[0]._cache_size(), 1)


if __name__ == '__main__':
  absltest.main()
