"""Tests of integrations/comfyui, against a stand-in for ComfyUI.

ComfyUI is no package on PyPI. What stands in for it here does as its nodes.py
(load_custom_node) and execution.py (validate_inputs, get_output_data) do: the
folder is loaded by its path, inputs are checked against INPUT_TYPES, and the
method FUNCTION is called by keywords. PyTorch is as large as all the rest; what
the node asks of a tensor is in _Tensor.
"""

import importlib.util
import os
import pathlib
import sys
import types as python_types
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import frames, types
from tests.pipeline import run_test

_FOLDER = pathlib.Path(__file__).parents[2] / 'integrations/comfyui'


class _Tensor:
  """Of torch.Tensor, what the node uses; .numpy() refuses as there."""

  def __init__(self, values, device='cpu', grad=False):
    self.values, self.device, self.grad = values, device, grad
    self.shape = values.shape

  def detach(self):
    return _Tensor(self.values, self.device)

  def cpu(self):
    return _Tensor(self.values, 'cpu', self.grad)

  def numpy(self):
    if self.device != 'cpu' or self.grad:
      raise TypeError("can't convert device type tensor to numpy")
    return self.values


class _Interrupted(Exception):
  pass


class ComfyTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.bars, self.stop_at = [], None
    comfy = python_types.ModuleType('comfy')
    comfy.utils = python_types.SimpleNamespace(ProgressBar=self._bar)
    comfy.model_management = python_types.SimpleNamespace(
        throw_exception_if_processing_interrupted=self._throw)
    torch = python_types.ModuleType('torch')
    torch.from_numpy = _Tensor
    self.enter_context(mock.patch.dict(
        sys.modules, {'comfy': comfy, 'torch': torch}))
    self.enter_context(mock.patch.dict(os.environ))
    self.film = run_test._film(6, 48, 64) / np.float32(255)

  def _bar(self, total):
    bar = mock.Mock(total=total)
    self.bars.append(bar)
    return bar

  def _throw(self):
    if self.stop_at is not None:
      self.stop_at -= 1
      if self.stop_at < 0:
        raise _Interrupted

  def _load(self):
    """As load_custom_node: (classes, names)."""
    spec = importlib.util.spec_from_file_location(
        str(_FOLDER).replace('.', '_x_'), _FOLDER / '__init__.py')
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {spec.name: module}):
      spec.loader.exec_module(module)
    self.assertEqual(module.NODE_CLASS_MAPPINGS.keys(),
                     module.NODE_DISPLAY_NAME_MAPPINGS.keys())
    return module.NODE_CLASS_MAPPINGS

  def run_node(self, **inputs):
    """As validate_inputs and get_output_data."""
    node = self._load()['ReviveFilm']
    asked = node.INPUT_TYPES()
    for name, (kind, *more) in asked['required'].items():
      value = inputs.setdefault(name, (more[0] if more else {}).get('default'))
      if isinstance(kind, list):
        inputs[name] = value = value or kind[0]
        self.assertIn(value, kind)
      elif kind == 'FLOAT':
        self.assertBetween(value, more[0]['min'], more[0]['max'])
    self.assertEmpty(
        {*inputs} - {*asked['required']} - {*asked.get('optional', {})})
    results = getattr(node(), node.FUNCTION)(**inputs)
    self.assertLen(results, len(node.RETURN_TYPES))
    self.assertEqual(node.RETURN_TYPES, ('IMAGE', 'MASK'))
    return results

  def test_a_batch_is_what_the_program_makes_of_its_frames(self):
    images, mask = self.run_node(
        images=_Tensor(self.film, 'cuda:0', grad=True), weights='none',
        strength=0.5)
    wanted = frames.restore_frames(
        frames.settings(weights='', strength=0.5), self.film)
    np.testing.assert_array_equal(images.values, wanted.frames)
    np.testing.assert_array_equal(mask.values, wanted.mask)
    self.assertEqual((images.values.dtype, mask.values.dtype),
                     (np.float32, np.float32))
    self.assertGreater(np.abs(images.values - self.film).max(), 0.1)
    bar, = self.bars
    self.assertEqual(bar.total, 6)
    self.assertEqual([c.args[0] for c in bar.update_absolute.call_args_list],
                     [1, 2, 3, 4, 5, 6])
    self.assertEqual(os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'], 'false')

  def test_what_is_painted_is_filled_and_nothing_else_is_touched(self):
    painted = np.zeros((1, 48, 64), np.float32)
    painted[0, 20:24, 30:36] = 1
    alpha = np.full_like(self.film[..., :1], 0.7)
    film = np.concatenate([self.film, alpha], -1)
    images, mask = self.run_node(
        images=_Tensor(film), weights='none', mode='repair',
        mask=_Tensor(painted))
    self.assertTrue((mask.values[:, 20:24, 30:36] == 1).all())
    near = np.pad(mask.values > 0, ((0, 0), (1, 1), (1, 1)))
    near = np.logical_or.reduce([  # What is filled reaches a pixel further.
        near[:, y:y + 48, x:x + 64] for y in range(3) for x in range(3)])
    self.assertTrue((images.values[~near] == film[~near]).all())
    self.assertTrue((images.values[..., :3] != film[..., :3]).any())
    self.assertTrue((images.values[..., 3] == np.float32(0.7)).all())

  def test_one_image(self):
    images, mask = self.run_node(
        images=_Tensor(self.film[:1]), weights='none')
    self.assertEqual((images.shape, mask.shape), ((1, 48, 64, 3), (1, 48, 64)))

  def test_cancel(self):
    self.stop_at = 2
    with self.assertRaises(_Interrupted):
      self.run_node(images=_Tensor(self.film), weights='none')
    self.assertEqual(self.bars[0].update_absolute.call_count, 2)

  def test_the_mask_of_a_picture_without_alpha_is_none(self):
    """ComfyUI loads 64 x 64 zeros for it, whatever the picture's size."""
    plain = self.run_node(images=_Tensor(self.film), weights='none')
    found = self.run_node(
        images=_Tensor(self.film), weights='none',
        mask=_Tensor(np.zeros((1, 64, 64), np.float32)))
    for a, b in zip(found, plain, strict=True):
      np.testing.assert_array_equal(a.values, b.values)

  def test_weights_that_ship_are_offered(self):
    kinds, options = self._load()['ReviveFilm'].INPUT_TYPES()[
        'required']['weights']
    self.assertEqual(kinds, ['gan', 'live', 'restorer', 'none'])
    self.assertEqual(options['default'], 'restorer')

  @parameterized.parameters(
      (dict(own_weights='nowhere'), "no weights 'nowhere'"),
      (dict(mask=_Tensor(np.ones((1, 5, 5), np.float32))), 'does not fit'))
  def test_refuses(self, inputs, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self.run_node(images=_Tensor(self.film), **{'weights': 'none', **inputs})


if __name__ == '__main__':
  absltest.main()
