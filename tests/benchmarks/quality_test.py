"""Tests of benchmarks/quality.py and its rows, on a clip made here."""

import contextlib
import io
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np
import pan
import quality
import quality_baselines as baselines
import quality_tasks as tasks
from scipy import ndimage

from revive_jax import types
from revive_jax.comparison import networks
from revive_jax.data import held_out
from revive_jax.degradations import chain
from revive_jax.models import restorer, weights
from revive_jax.video import writer
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_TINY = dict(features=8, deep_features=8, num_blocks=1)


def _clip(count=5, height=48, width=64):
  return np.stack(list(pan.frames(height, width, count, damaged=False)))


def _mean_over_time(frames, mask=None, cuts=None):
  """A network that answers with the mean of what it sees."""
  del mask, cuts
  mean = jnp.broadcast_to(frames.mean(1, keepdims=True), frames.shape)
  nothing = jnp.zeros((*frames.shape[:-1], 1))
  return restorer.Restored(mean, nothing, nothing, nothing), None


def _save(folder):
  values = params.draw(
      restorer.Restorer(**_TINY), jnp.zeros((1, 2, 32, 32, 3)))
  weights.save_weights(folder, values, model='restorer', steps=3,
                       settings=_TINY, card='')


class RowsTest(parameterized.TestCase):

  def test_median_over_time_is_scipys(self):
    grey = np.repeat(_clip()[..., :1], 3, -1)
    wanted = ndimage.median_filter(grey, (5, 1, 1, 1), mode='nearest')
    made = baselines.temporal_median(grey)
    self.assertLess(np.abs(made.astype(int) - wanted).max(), 4)  # YUV of 8 bit.

  def test_filters_keep_every_frame(self):
    codes = _clip(7).astype(np.float32) - 20.5  # Fractions, below the range.
    for name, row in baselines.denoisers(0.1).items():
      with self.subTest(name):
        result = row.restore(codes)
        self.assertEqual(result.restored.shape, codes.shape)
        self.assertFalse(result.found.any())

  def test_telea_changes_the_true_damage_alone(self):
    codes, damage = _clip(2), np.zeros((2, 48, 64), bool)
    damage[1, 10:14, 20:24] = True
    made = baselines.inpainted(codes, damage)
    self.assertFalse(((made != codes).any(-1) & ~damage).any())
    self.assertTrue((made != codes)[damage].any())

  def test_ablations(self):
    self.assertEqual(baselines.parse_ablations(['causal=a/b', 'half_width=c']),
                     {'causal': 'a/b', 'half_width': 'c'})
    for text in ('half', 'wide=c', 'causal='):
      with self.assertRaisesRegex(types.BadInput, 'no name=folder.*no_matcher'):
        baselines.parse_ablations([text])

  def test_single_frames_see_no_others(self):
    network = baselines.one_by_one(_mean_over_time)
    codes = _clip().astype(np.float32)
    row = baselines.as_they_are({'one': network})['one']
    np.testing.assert_allclose(row.restore(codes).restored, codes, atol=1e-3)
    row = baselines.as_they_are({'all': _mean_over_time})['all']
    np.testing.assert_allclose(row.restore(codes).restored, np.broadcast_to(
        codes.mean(0), codes.shape), atol=1e-2)

  def test_only_causal_ones_are_causal(self):
    load = lambda where, *, num_samples, causal, seed: iter(
        [('ours', networks.Network((where, causal), {}))])
    with mock.patch.object(networks, 'load', load), mock.patch.object(
        baselines, 'adapted', lambda call: call):
      found = baselines.load_networks('w', {'causal': 'a', 'no_flicker': 'b'})
    self.assertEqual(found, {
        'ours, network alone': ('w', False), 'causal': ('a', True),
        'no_flicker': ('b', False)})


class TasksTest(absltest.TestCase):

  def test_noise_is_not_clipped(self):
    clip = held_out.Clean('a@0', _clip())
    case, = tasks.noisy([clip], 30, 0)
    error = case.damaged - clip.frames
    self.assertAlmostEqual(error.std(), 30, delta=0.5)
    self.assertAlmostEqual(error.mean(), 0, delta=0.5)
    self.assertLess(case.damaged.min(), -10)
    again, = tasks.noisy([clip], 30, 0)
    np.testing.assert_array_equal(again.damaged, case.damaged)
    other, = tasks.noisy([clip], 30, 1)
    self.assertGreater(abs(other.damaged - case.damaged).max(), 1)

  def test_mixes_are_of_operators_that_there_are(self):
    for task in (*tasks.FAMILIES.values(), *tasks.SINGLE.values(),
                 tasks.SCRATCHES):
      self.assertContainsSubset(
          chain.MIXES[task.mix].operators, chain.OPERATORS)


class QualityTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    _save(self.dir / 'w')
    (self.dir / 'clips').mkdir()
    writer.write_rgb(self.dir / 'clips/a.mkv', _clip(), frame_rate=24)

  def _run(self, *more):
    flags = [f'--root={self.dir}/clips', f'--weights={self.dir}/w',
             '--frames=4', *more]
    text, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(said):
      quality.run(quality.parse(flags))
    return text.getvalue()

  def test_noise_and_what_is_done_is_kept(self):
    flags = ('--parts=noise', '--sigmas=20', f'--out={self.dir}/out')
    with mock.patch.object(baselines, 'load_networks',
                           return_value={'mean': _mean_over_time}):
      text = self._run(*flags)
    self.assertIn('| no change | 22.1', text)  # 20 log10 (255 / 20) = 22.11.
    self.assertIn('| sigma 20, by clip | a.mkv@0 |', text)
    self.assertIn('| mean | ', text)
    with mock.patch.dict(quality.PARTS, noise=None):
      self.assertEqual(self._run(*flags), text)

  def test_filters_are_left_out_on_request(self):
    flags = ('--parts=tape', '--severities=light', '--without_filters')
    same = baselines.method(lambda codes: codes)
    with mock.patch.object(baselines, 'load_networks', return_value={}), \
        mock.patch.object(baselines, 'pipelines', return_value={'own': same}):
      text = self._run(*flags)
    self.assertIn('| own | ', text)
    self.assertNotIn('FFmpeg', text)

  def test_quick_can_be_overruled(self):
    args = quality.parse(['--quick', '--sigmas=10,20'])
    self.assertEqual((args.sigmas, args.severities), ('10,20', 'medium'))

  def test_refuses_unknown_parts(self):
    with self.assertRaisesRegex(types.BadInput, 'voice.*choose of noise, film'):
      self._run('--parts=noise,voice')


if __name__ == '__main__':
  absltest.main()
