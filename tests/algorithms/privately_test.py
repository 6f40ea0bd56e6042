"""Tests of algorithms/privately.py: refusals, units, budget, and whole runs."""

import json
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np
import pytest

from configs import gan, mnist_gan, restorer
from revive_jax import train, types, workdir
from revive_jax.algorithms import gan as gan_algorithm
from revive_jax.algorithms import privately, settings
from revive_jax.data import clips as clips_lib
from revive_jax.data import digits, mixture, poisson
from revive_jax.privacy import private_sgd
from revive_jax.training import private, sharding
from tests import compiling
from tests.data import clips
from tests.training import problem
from tests.video import clips as video_clips

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_CONFIGS = {'restorer': restorer, 'gan': gan}
_MECHANISM = private_sgd.Mechanism(2, 1.0, 2.0, 1e-3)


def _config(name='restorer', **values):
  """A private training on one of two videos a step, on average."""
  c = _CONFIGS[name].get_config('tiny')
  c.data.root, c.mesh.data, c.damage.mix = problem.videos(), 1, 'short'
  c.batch_size = 1
  c.dp.update(clip_norm=1.0, noise_multiplier=2.0, delta=1e-3)
  if name == 'gan':
    c.gan.lecam = 0.0
  # A schedule that does not depend on the number of steps.
  c.optimizer.update(shape='constant', warmup=1000, peak=1.0)
  c.update_from_flattened_dict(values)
  return c


def _prepare(c):
  return privately.prepare(c, sharding.make_layout(1))


class _Case(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(problem.mixes())

  def _folder(self):
    return pathlib.Path(self.create_tempdir().full_path)

  def _refused(self, words, function, *args):
    """function(*args) is refused in one sentence that has these words."""
    with self.assertRaisesRegex(types.BadInput, words) as refused:
      function(*args)
    said = str(refused.exception)
    self.assertNotIn('\n', said)
    self.assertTrue(said.endswith('.'), said)


class ScheduleTest(_Case):

  def test_ends_where_the_budget_does(self):
    c = _config(**{'num_steps': 9, 'dp.epsilon': np.mean([
        private_sgd.epsilon(n, _MECHANISM) for n in (3, 4)]).item()})
    shorter = privately.within_budget(c, _prepare(c))
    self.assertEqual((shorter.num_steps, c.num_steps), (3, 9))


class RefusalTest(_Case):

  @parameterized.parameters(
      ({'dp.epsilon': 0.0}, r'dp.epsilon=0.0 allows no step'),
      ({'dp.epsilon': -1.0}, 'dp.epsilon=-1.0 allows no step'),
      ({'dp.epsilon': float('nan')}, 'dp.epsilon=nan'),
      ({'dp.delta': -1e-5}, 'dp.delta=-1e-05 is a probability'),
      ({'dp.delta': 1.0}, 'dp.delta=1.0 is a probability'),
      ({'dp.clip_norm': 0.0}, 'dp.clip_norm=0.0 makes no training private'),
      ({'dp.noise_multiplier': 0.0}, 'dp.noise_multiplier=0.0 makes no'),
      ({'dp.noise_multiplier': -1.0}, 'dp.noise_multiplier=-1.0 makes no'),
      ({'dp.unit': 'frame'}, 'dp.unit=.*clip.*video'),
      ({'dp.micro_batch': 0}, 'dp.micro_batch=0'),
      ({'data.photos': 'photos'}, 'leave out --config.data.photos'),
      ({'data.tfds': 'ucf101'}, 'data.photos and tfds'),
      ({'batch_size': 2, 'accumulate': 2}, 'accumulate.*dp.micro_batch'),
      ({'dp.clip_norm': 0.0, 'dp.noise_multiplier': 0.0, 'dp.epsilon': 1.0},
       'nothing is private'))
  def test_settings(self, values, words):
    settings.check(_config())
    self._refused(words, settings.check, _config(**values))

  def test_memory_of_real_clips(self):
    settings.check(_config('gan'))
    self._refused('gan.lecam=0', settings.check,
                  _config('gan', **{'gan.lecam': 0.1}))

  def test_without_privacy_all_of_it_goes(self):
    settings.check(_config(
        'gan', **{'dp.clip_norm': 0.0, 'dp.noise_multiplier': 0.0,
                  'gan.lecam': 0.1, 'batch_size': 2, 'accumulate': 2}))

  @parameterized.parameters(
      ({'batch_size': 3}, 'batch_size=3 .* 2 videos'),
      ({'dp.unit': 'clip', 'batch_size': 99}, 'batch_size=99 .* clips'),
      ({'dp.epsilon': 1e-3}, 'dp.epsilon=0.001: the first step would spend'))
  def test_what_the_data_show(self, values, words):
    self._refused(words, train.train, _config(**values), self._folder())


class ResumedTest(_Case):

  def _compare(self, before, now):
    path = self._folder() / 'config.json'
    workdir.write_json(path, before.to_dict())
    settings.compare(now, path)

  @parameterized.parameters(
      {'dp.noise_multiplier': 1.0}, {'dp.clip_norm': 2.0}, {'dp.delta': 1e-5},
      {'dp.unit': 'clip'}, {'data.root': 'elsewhere'}, {'data.num_frames': 4},
      {'data.overlay_share': 0.5}, {'batch_size': 2})
  def test_privacy_and_data_stay(self, **values):
    key, = values
    self._refused(f'a private run goes on .* changed are {key}', self._compare,
                  _config(), _config(**values))

  def test_no_run_becomes_private(self):
    plain = {'dp.clip_norm': 0.0, 'dp.noise_multiplier': 0.0}
    self._refused('changed are dp.clip_norm, dp.noise_multiplier',
                  self._compare, _config(**plain), _config())

  @parameterized.parameters({}, {'num_steps': 9}, {'mesh.data': 4})
  def test_the_rest_may_change(self, **values):
    # The budget, inf, is null in JSON.
    with self.assertNoLogs('absl', 'WARNING'):
      self._compare(_config(), _config(**values))

  def test_other_clips_at_the_same_place(self):
    account = _prepare(_config()).account
    parts = mock.Mock(account=account)
    settings.check_account(parts, {'mechanism': account.mechanism})
    fewer = account.mechanism | {'num_units': 1}
    self._refused('its account would be wrong', settings.check_account, parts,
                  {'mechanism': fewer})
    # Nor does it go on without privacy.
    self._refused('its account would be wrong', settings.check_account,
                  mock.Mock(account=None), {'mechanism': account.mechanism})


class UnitsTest(_Case):

  def test_clips_of_a_folder(self):
    source, = mixture.mixture(
        root=problem.videos(), tfds='', tfds_dir='', tfds_split='', photos=(),
        photo_share=0.0, look_alike_share=0.0, held_out=(), num_frames=3,
        size=32, seed=0)[0]
    counts = np.bincount(source.videos)
    self.assertEqual(counts.tolist(), [2, 2])  # 12 frames each: 9, and 3.
    for unit, number in (('video', 2), ('clip', 4)):
      said = _prepare(_config(**{'dp.unit': unit})).account.statement(1)
      self.assertIn(f'one {unit} added or removed', said)
      self.assertIn(f'1 out of {number},', said)

  def test_pieces_of_records(self):
    folder = self._folder()
    for seed, name in enumerate('ab'):
      frames, _ = clips.shots([10] * (seed + 1), seed=seed)
      video_clips.write(str(folder / f'{name}.mp4'), frames,
                        options={'crf': '4'})
    out = str(folder / 'records')
    clips_lib.prepare(str(folder), out, num_frames=8, size=48, max_height=54)
    c = _config(**{'data.root': out})
    training = _prepare(c)
    self.assertIn('1 out of 2,', training.account.statement(1))
    source, = mixture.mixture(
        root=out, tfds='', tfds_dir='', tfds_split='', photos=(),
        photo_share=0.0, look_alike_share=0.0, held_out=(), num_frames=3,
        size=32, seed=0)[0]
    names = [source._records[i]['name'] for i in range(len(source))]
    numbers = dict(zip(names, source.videos, strict=True))
    self.assertLen(set(numbers.values()), 2)
    self.assertEqual([numbers[n] for n in names], source.videos)
    c.dp.unit = 'clip'
    self.assertIn(f'1 out of {len(source)},',
                  _prepare(c).account.statement(1))

  @parameterized.parameters(1, 3, 4)
  def test_budget_gives_the_last_step(self, steps):
    spent = [private_sgd.epsilon(n, _MECHANISM) for n in (steps, steps + 1)]
    account = _prepare(_config(**{
        'dp.epsilon': np.mean(spent).item(), 'num_steps': 4})).account
    self.assertEqual(account.last_step, steps)
    self.assertEqual(account.epsilon(steps), spent[0])
    account = _prepare(_config(**{'num_steps': 7})).account
    self.assertEqual(account.last_step, 7)

  def test_slots_hold_what_is_drawn(self):
    training = _prepare(_config(**{'dp.micro_batch': 3}))
    state = private.with_secret(mock.Mock(
        step=0, replace=lambda secret: mock.Mock(step=0, secret=secret)), 5)
    batch = next(iter(training.data(state)))
    self.assertEqual(batch['clean'].shape, (3, 3, 32, 32, 3))
    self.assertEqual(training.noise.expected, 1.0)
    self.assertEqual(training.noise.micro_batch, 3)


class PicturesTest(_Case):

  def _config(self, **values):
    c = mnist_gan.get_config('tiny')
    c.mesh.data, c.batch_size, c.num_steps = 1, 8, 3
    c.dp.update(clip_norm=1.0, noise_multiplier=1.0, delta=1e-4)
    c.update_from_flattened_dict(values)
    return c

  @parameterized.parameters(
      ({'loss': 'relativistic'}, 'loss=relativistic shows real pictures'),
      ({'dp.epsilon': 0.0}, 'allows no step'),
      ({'dp.noise_multiplier': 0.0}, 'noise_multiplier=0.0 makes no'))
  def test_refuses(self, values, words):
    settings.check(self._config())
    self._refused(words, settings.check, self._config(**values))

  @pytest.mark.slow
  def test_a_run(self):
    folder = self._folder()
    state = train.train(self._config(), folder)
    self.assertEqual(int(state.step), 3)
    config = json.loads((folder / 'weights' / 'config.json').read_text())
    units = len(digits.embedded('train'))
    mechanism = private_sgd.Mechanism(
        units, 8.0, 1.0, 1e-4, poisson.capacity(units, 8.0, multiple=4))
    self.assertAlmostEqual(
        config['epsilon'], private_sgd.epsilon(3, mechanism), places=5)
    card = (folder / 'weights' / 'README.md').read_text()
    self.assertIn('for one picture added or removed, after 3 steps', card)
    self.assertTrue(list((folder / 'pictures').glob('samples_*.png')))
    # What another run goes on from is not in its account, and it says so.
    other = self._folder()
    train.train(self._config(init_from=str(folder / 'weights')), other)
    card = (other / 'weights' / 'README.md').read_text()
    self.assertIn('That is of the 3 steps of this run alone', card)
    self.assertIn(f'epsilon {config["epsilon"]:.3g}', card)


class RunTest(_Case):
  """Whole runs; those of one test share a compiled step."""

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(
        private_sgd, 'draw_secret', lambda: 2**63 + 5))
    real, made = private.compile_step, []

    def compile_step(layout, step, **static):
      if not made:
        made.append(real(layout, step, **static))
      return made[0]

    self.enter_context(
        mock.patch.object(private, 'compile_step', compile_step))

  def _spent(self, folder):
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    return [json.loads(line)['epsilon'] for line in lines]

  def _check_outputs(self, folder, steps):
    """What the run says that it has spent, everywhere the same."""
    wanted = [private_sgd.epsilon(n + 1, _MECHANISM) for n in range(steps)]
    np.testing.assert_allclose(self._spent(folder), wanted, rtol=1e-6)
    self.assertEqual(wanted, sorted(set(wanted)))
    config = json.loads((folder / 'weights' / 'config.json').read_text())
    self.assertAlmostEqual(config['epsilon'], wanted[-1])
    self.assertEqual(config['trained_on'], [])  # Who took part is a secret.
    card = (folder / 'weights' / 'README.md').read_text()
    self.assertIn(f'({wanted[-1]:.3g}, 0.001)-differentially private', card)
    self.assertIn('one video', card)
    saved = folder / 'checkpoints' / str(steps) / 'meta' / 'metadata'
    notes = json.loads(saved.read_text())['meta']
    self.assertAlmostEqual(notes['epsilon'], wanted[-1])
    self.assertEqual(notes['mechanism']['num_units'], 2)

  @pytest.mark.slow
  def test_resumed_equals_uninterrupted_and_says_what_is_spent(self):
    whole, resumed, stopped = (self._folder() for _ in range(3))
    wanted = train.train(_config(), whole)
    train.train(_config(num_steps=2), resumed)
    found = train.train(_config(num_steps=4), resumed)
    chex.assert_trees_all_equal(wanted, found)
    self._check_outputs(whole, 4)
    self._check_outputs(resumed, 4)
    # No weight that ships has the secret, nor does the folder's README.
    secret = np.asarray(found.secret).tobytes()
    for path in (resumed / 'weights').rglob('*'):
      self.assertNotIn(secret, path.read_bytes() if path.is_file() else b'')
    # A budget ends a run, without an error, and where it was.
    budget = np.mean([private_sgd.epsilon(n, _MECHANISM) for n in (3, 4)])
    with self.assertLogs(level='WARNING') as seen:
      state = train.train(
          _config(**{'dp.epsilon': budget.item()}), stopped)
    self.assertIn('3 of 4 steps spend the budget', '\n'.join(seen.output))
    self.assertEqual(int(state.step), 3)
    self._check_outputs(stopped, 3)
    again = train.train(
        _config(**{'dp.epsilon': budget.item(), 'num_steps': 9}), stopped)
    chex.assert_trees_all_equal(state, again)

  @pytest.mark.slow
  def test_both_sides_of_a_gan(self):
    folder = self._folder()
    c = _config('gan', num_steps=2)
    first = jax.eval_shape(
        gan_algorithm.assemble(c, sharding.make_layout(1)).init,
        jax.random.key(c.seed))
    state = train.train(c, folder)
    chex.assert_trees_all_equal_shapes(first, state)
    self.assertEqual(int(state.step), 2)
    self._check_outputs(folder, 2)
    self.assertFalse((folder / 'pictures').exists())


if __name__ == '__main__':
  absltest.main()
