"""Tests of training/private.py, with a small stand-in for the restorer."""

import functools
from types import SimpleNamespace
from unittest import mock

from absl.testing import absltest, parameterized
import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from revive_jax.losses import adversarial
from revive_jax.models import dense, discriminator
from revive_jax.training import batch as batch_lib
from revive_jax.training import gan, image_gan, private, sharding, supervised
from tests import compiling
from tests.training import layouts

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_COUNT = 8  # Slots of a batch.
_SECRET = 2**63 + 2**31 + 5
_LAYOUTS = {'four': dict(data=4), 'mixed': dict(data=2, model=2, fsdp=True)}
_COSTS = dict(weights={'charbonnier': 1.0}, damage_weight=0.0, epsilon=1e-2)
_RULES = gan.Rules(
    game=adversarial.GAMES['hinge'], adversarial={'frame': 0.3, 'clip': 0.2},
    feature_matching=0.1, perceptual=0.0, warping=0.0, lecam=0.0, start=-1,
    warmup=1)
# Its state holds the gradient of the first step.
_TX = optax.sgd(1e-2, momentum=0.9)


class _Painter(nn.Module):
  """Adds what a layer makes of each pixel to it."""

  @nn.compact
  def __call__(self, frames, *, mask=None, cuts=None, use_future=None,
               noise=None):
    del mask, cuts, use_future, noise
    output = frames + nn.Dense(3, name='out')(nn.Dense(8, name='in')(frames))
    return SimpleNamespace(output=output), None, ()

  def noise_shape(self, shape):
    return shape[0], 1


_PLAIN = dict(model=_Painter(), tx=_TX)
_GAN = dict(
    model=_Painter(), tx={'generator': _TX, 'discriminators': _TX},
    judges={'frame': discriminator.FrameDiscriminator(4),
            'clip': discriminator.ClipDiscriminator(4)})


def _damage(rng, clean, *, draw, textures):
  """A square is black: cheaper to compile than real damage."""
  del rng, draw, textures
  clean = clean.astype(jnp.float32) / 255
  damage = jnp.zeros((*clean.shape[:-1], 1)).at[:, :, 8:16, 4:12].set(1)
  return batch_lib.Batch(
      damaged=clean * (1 - damage), target=clean, damage=damage, mask=damage,
      cuts=jnp.zeros(clean.shape[:2], bool), use_future=jnp.ones(len(clean)))


def _losses(restored, directions, batch, **unused):
  del directions, unused
  return {'charbonnier': ((restored.output - batch.target) ** 2).mean()}


def _data(real=(1,) * _COUNT, seed=0):
  """A batch; as floats, so that it may hold what is not a number."""
  clean = np.random.default_rng(seed).integers(0, 256, (_COUNT, 3, 32, 32, 3))
  return {'clean': clean.astype(np.float32), 'real': np.float32(real)}


def _with(data, slots, value):
  clean = data['clean'].copy()
  clean[slots] = value
  return data | {'clean': clean}


@functools.cache
def _first(is_gan):
  module, static = (gan, _GAN) if is_gan else (supervised, _PLAIN)
  init = private.with_room(functools.partial(module.init_state, **static))
  return jax.device_get(jax.jit(init)(jax.random.key(0)))


def _state(is_gan=False, secret=_SECRET):
  return private.with_secret(jax.device_put(_first(is_gan)), secret)


def _compile(
    layout, parts=1, *, is_gan=False, clip_norm=10.0, multiplier=1e-6):
  del parts
  step, static = ((private.gan_step, _GAN | dict(rules=_RULES, features=None))
                  if is_gan else (private.train_step, _PLAIN))
  noise = private.Noise(clip_norm, multiplier, _COUNT, 4, layout.mesh)
  return private.compile_step(
      layout, step, seed=0, draw=None, noise=noise, ema_decay=0.9, **static,
      **_COSTS)


@functools.cache
def _compiled(**settings):
  return _compile(sharding.make_layout(1), **settings)


def _after(data, state=None, **settings):
  """State and metrics after a step on one device."""
  if state is None:
    state = _state(settings.get('is_gan', False))
  return jax.device_get(_compiled(**settings)(state, data, None))


def _gradient(data, state=None, **settings):
  """The gradient that the step took, both sides of a GAN; a list of arrays."""
  opt_state = _after(data, state, **settings)[0].opt_state
  sides = ([opt_state[k] for k in ('generator', 'discriminators')]
           if settings.get('is_gan') else [opt_state])
  return [x for side in sides for x in jax.tree.leaves(side[0].trace)]


def _norm(leaves):
  return np.linalg.norm(np.concatenate([x.ravel() for x in leaves]))


def _apart(a, b):
  return _norm([x - y for x, y in zip(a, b, strict=True)])


class _Case(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(batch_lib, 'damage', _damage))
    self.enter_context(mock.patch.object(supervised, 'losses', _losses))

  def _padded(self, **settings):
    real = np.array([1, 0, 1, 1, 0, 1, 0, 0])
    wanted = _after(_data(real), **settings)
    for value in (0, 255, np.nan, np.inf):
      data = _with(_data(real), real == 0, value)
      chex.assert_trees_all_equal(_after(data, **settings), wanted)


class StepTest(_Case):

  def test_without_noise_and_clipping_it_is_supervised(self):
    data = _data()
    plain = supervised.compile_step(
        sharding.make_layout(1), seed=0, draw=None, ema_decay=0.9, **_PLAIN,
        **_COSTS)
    init = supervised.init_state(jax.random.key(0), **_PLAIN)
    wanted, metrics = plain(init, data['clean'], None)
    found, others = _after(data)
    chex.assert_trees_all_close(
        (found.params, found.ema, found.opt_state),
        (wanted.params, wanted.ema, wanted.opt_state), rtol=1e-3, atol=2e-5)
    self.assertEqual(others.pop('clipped'), 0)
    self.assertEqual(set(others), set(metrics))
    for key, value in others.items():
      np.testing.assert_allclose(value, metrics[key], rtol=1e-3, err_msg=key)
    self.assertEqual(int(found.step), 1)

  def test_padding_changes_nothing(self):
    self._padded()

  @parameterized.parameters(*_LAYOUTS)
  def test_devices(self, name):
    self._same(name, is_gan=False)

  @parameterized.parameters(*_LAYOUTS)
  @pytest.mark.slow
  def test_devices_of_both_sides(self, name):
    self._same(name, is_gan=True)

  def _same(self, name, is_gan):
    batches = [_data((1, 1, 0, 1, 1, 1, 0, 1), i) for i in range(2)]
    (one, metrics, _), (other, others, shared) = (
        layouts.steps(
            functools.partial(
                _compile, is_gan=is_gan, multiplier=0.5, clip_norm=1.0),
            _state(is_gan), batches, parts=1, constants=(None,), **layout)
        for layout in (dict(data=1), _LAYOUTS[name]))
    chex.assert_trees_all_close(one, other, rtol=2e-3, atol=2e-5)
    chex.assert_trees_all_close(metrics, others, rtol=2e-3, atol=1e-4)
    self.assertEqual(shared > 0, name == 'mixed')

  def test_what_is_not_finite_leaves_out_no_step(self):
    real = np.ones(_COUNT, np.float32)
    real[3] = 0
    wanted = _gradient(_data(real))
    first = _state().params
    for value in (np.nan, np.inf, 1e30):
      state, metrics = _after(_with(_data(), 3, value))
      chex.assert_tree_all_finite((state, metrics))
      moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), state.params,
                           jax.device_get(first))
      self.assertGreater(min(jax.tree.leaves(moved)), 0)
      if not np.isfinite(value):  # It is as if it was not drawn.
        chex.assert_trees_all_close(
            jax.tree.leaves(state.opt_state[0].trace), wanted, rtol=1e-6)

  def test_nothing_drawn_is_a_step_too(self):
    state, metrics = _after(
        _data((0,) * _COUNT), multiplier=0.5, clip_norm=1.0)
    chex.assert_tree_all_finite((state, metrics))
    self.assertEqual(int(state.step), 1)


class NoiseTest(_Case):

  def _noise(self, state=None):
    return _gradient(_data((0,) * _COUNT), state, multiplier=0.5, clip_norm=1.0)

  def test_differs_by_step_and_secret_alone(self):
    first = self._noise()
    chex.assert_trees_all_equal(self._noise(), first)
    later = _state().replace(step=jnp.ones((), jnp.int32))
    others = [self._noise(later)] + [
        self._noise(_state(secret=s)) for s in (_SECRET + 1, _SECRET - 2**63)]
    for i, noise in enumerate(others):
      for other in [first, *others[:i]]:
        self.assertGreater(_apart(noise, other), 0.5 * _norm(first))
    deviation = _norm(first) / np.sqrt(sum(x.size for x in first))
    self.assertAlmostEqual(deviation * _COUNT / 0.5, 1, delta=0.4)

  @parameterized.parameters(0, 1, 2**32, 2**63, 2**64 - 1, _SECRET)
  def test_secret_comes_back(self, secret):
    self.assertEqual(private.secret_of(_state(secret=secret)), secret)

  def test_secret_is_in_its_place_alone(self):
    for is_gan in (False, True):
      one, other = (_state(is_gan, s) for s in (1, _SECRET))
      self.assertFalse(np.array_equal(one.secret, other.secret))
      chex.assert_trees_all_equal(
          one.replace(secret=()), other.replace(secret=()))

  def test_secret_stays(self):
    self.assertEqual(private.secret_of(_after(_data())[0]), _SECRET)


# Every clip is clipped; one program for all of these.
_SHORT = dict(is_gan=True, clip_norm=1e-2)


class GanTest(_Case):

  def test_padding_changes_nothing(self):
    self._padded(**_SHORT)

  def test_both_sides_learn(self):
    first = jax.device_get(_state(True))
    state, metrics = _after(_data(), **_SHORT)
    moved = jax.tree.map(
        lambda a, b: not np.array_equal(a, b), first.params, state.params)
    self.assertTrue(all(jax.tree.leaves(moved)))
    chex.assert_trees_all_equal(
        first.opt_state['usual'], state.opt_state['usual'])
    self.assertLess({'accuracy/frame', 'adversarial/clip', 'clipped', 'psnr',
                     'grad_norm/discriminators', 'discriminator'}, set(metrics))

  def test_one_clip_bounds_both_sides(self):
    total = lambda data: [_COUNT * x for x in _gradient(data, **_SHORT)]
    alone = _data((1,) + (0,) * (_COUNT - 1))
    # Longer without the clip, and exactly as long with it, over both sides.
    self.assertEqual(_after(alone, **_SHORT)[1]['clipped'], 1)
    np.testing.assert_allclose(_norm(total(alone)), 1e-2, rtol=1e-3)
    whole = total(_data())
    for value in (0, 255, 1e6, _data(seed=1)['clean'][0]):
      apart = _apart(total(_with(_data(), 0, value)), whole)
      self.assertBetween(apart, 1e-6, 2e-2 * (1 + 1e-3))
    without = total(_data((0,) + (1,) * (_COUNT - 1)))
    np.testing.assert_allclose(_apart(without, whole), 1e-2, rtol=1e-3)


_PICTURES = dict(
    generator=dense.Generator(hidden=(8,), shape=(4, 4, 1), latent=3),
    discriminator=dense.Discriminator(hidden=(8,)),
    tx={'generator': _TX, 'discriminator': _TX})
_GAME = dict(game=adversarial.GAMES['non_saturating'], seed=0, gamma=0.1,
             ema_decay=0.9)


def _images(real=(1,) * _COUNT, seed=0):
  image = np.random.default_rng(seed).integers(0, 256, (_COUNT, 4, 4, 1))
  return {'image': image.astype(np.uint8), 'real': np.float32(real)}


def _picture_state():
  init = private.with_room(
      functools.partial(image_gan.init_state, **_PICTURES))
  return private.with_secret(init(jax.random.key(0)), _SECRET)


def _compile_pictures(
    layout, parts=1, clip_norm=10.0, multiplier=1e-6):
  del parts
  noise = private.Noise(clip_norm, multiplier, _COUNT, 4, layout.mesh)
  return private.compile_step(
      layout, private.picture_step, noise=noise, **_PICTURES, **_GAME)


@functools.cache
def _picture_step(**settings):
  return _compile_pictures(sharding.make_layout(1), **settings)


class PictureTest(_Case):

  def test_without_noise_and_clipping_it_is_the_usual_step(self):
    plain = image_gan.compile_step(
        sharding.make_layout(1), **_PICTURES, **_GAME)
    init = image_gan.init_state(jax.random.key(0), **_PICTURES)
    wanted, metrics = plain(init, _images()['image'])
    found, others = _picture_step()(_picture_state(), _images())
    chex.assert_trees_all_close(
        (found.params, found.ema, found.opt_state),
        (wanted.params, wanted.ema, wanted.opt_state), rtol=1e-3, atol=2e-5)
    self.assertEqual(others.pop('clipped'), 0)
    chex.assert_trees_all_close(others, metrics, rtol=1e-3, atol=1e-5)

  def _gradient(self, data, **settings):
    """Of the discriminator."""
    state, _ = _picture_step(**settings)(_picture_state(), data)
    return [np.asarray(x) for x in jax.tree.leaves(
        state.opt_state['discriminator'][0].trace)]

  def test_one_picture_bounds_the_discriminators_gradient(self):
    short = dict(clip_norm=1e-2)
    whole = self._gradient(_images(), **short)
    others = _images()
    others['image'][0] = 255 - others['image'][0]
    apart = _COUNT * _apart(self._gradient(others, **short), whole)
    self.assertBetween(apart, 1e-6, 2e-2 * (1 + 1e-3))
    without = self._gradient(_images((0,) + (1,) * (_COUNT - 1)), **short)
    np.testing.assert_allclose(
        _COUNT * _apart(without, whole), 1e-2, rtol=1e-3)

  def test_the_generator_sees_pictures_through_the_discriminator_alone(self):
    """Where hardly anything of them gets to it, all pictures are one."""
    apart = []
    for settings in ({}, dict(multiplier=1e6, clip_norm=1e-12)):
      one, other = (jax.tree.leaves(_picture_step(**settings)(
          _picture_state(), _images(seed=i))[0].params['generator'])
                    for i in range(2))
      apart.append(_apart(one, other))
    self.assertGreater(apart[0], 1e-6)
    self.assertLess(apart[1], 1e-3 * apart[0])

  @parameterized.parameters(*_LAYOUTS)
  def test_devices(self, name):
    batches = [_images((1, 1, 0, 1, 1, 1, 0, 1), i) for i in range(2)]
    (one, metrics, _), (other, others, _) = (
        layouts.steps(
            functools.partial(
                _compile_pictures, multiplier=0.5, clip_norm=1.0),
            _picture_state(), batches, parts=1, **layout)
        for layout in (dict(data=1), _LAYOUTS[name]))
    chex.assert_trees_all_close(one, other, rtol=2e-3, atol=2e-5)
    chex.assert_trees_all_close(metrics, others, rtol=2e-3, atol=1e-4)


if __name__ == '__main__':
  absltest.main()
