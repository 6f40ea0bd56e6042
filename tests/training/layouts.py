"""One step on many layouts of devices: all must do the same."""

from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np
import pytest

from revive_jax.training import sharding

PLAIN = dict(data=1, parts=1)
LAYOUTS = {
    'clips shared out': dict(data=4, parts=1),
    'state shared out': dict(data=4, fsdp=True, parts=1),
    'in parts': dict(data=1, parts=2),
    'rows shared out': dict(data=1, model=2, parts=1),
    'all of it': dict(data=2, model=2, fsdp=True, parts=2),
}


def steps(
    compile_step: Callable[..., Any], state: Any, batches: Iterable[Any], *,
    parts: int, constants: tuple[Any, ...] = (), **layout: Any,
) -> tuple[Any, dict[str, float], int]:
  """The state and metrics after steps on batches, on a layout of devices.

  And how many of the state's arrays are shared out. Fails if more than one
  program was compiled, or the step kept the memory of its state.
  """
  with mock.patch.object(sharding, '_SMALL', 8):
    layout = sharding.make_layout(**layout)
    step = compile_step(layout, parts=parts)
    state = jax.device_put(
        jax.device_get(state), sharding.of_state(state, layout))
    for batch in batches:
      put = jax.tree.map(lambda x: jax.device_put(
          x, sharding.by_batch(layout, x.ndim)), batch)
      before = state
      state, metrics = step(state, put, *constants)
      assert all(x.is_deleted() for x in jax.tree.leaves(before.params))
  assert step._cache_size() == 1, 'It was compiled anew.'
  shared = sum(not x.is_fully_replicated for x in jax.tree.leaves(state))
  return jax.device_get(state), jax.device_get(metrics), shared


def assert_same(test, name: str, plain, other) -> None:
  """What steps() gave on one device, and on the layout of a name."""
  (one, metrics, _), (many, others, shared) = plain, other
  test.assertEqual(set(metrics), set(others))
  for key, value in metrics.items():
    np.testing.assert_allclose(
        value, others[key], rtol=2e-3, atol=1e-5, err_msg=f'{name}: {key}')
  # Optimizers divide by the gradient's size: where that is rounding, steps
  # differ.
  apart = np.concatenate([np.abs(x - y).ravel() for x, y in zip(
      *(jax.tree.leaves(s.params) for s in (one, many)), strict=True)])
  test.assertLess(np.quantile(apart, 0.95), 1e-4, name)
  # What they keep are means of the gradients: small layers count, too.
  for a, b in zip(*(jax.tree.leaves(s.opt_state) for s in (one, many)),
                  strict=True):
    test.assertLessEqual(
        np.abs(a - b).max(), 0.02 * np.abs(a).max() + 1e-6, name)
  if LAYOUTS[name].get('fsdp'):
    test.assertGreater(shared, 5)
  else:
    test.assertEqual(shared, 0)


class TestCase(parameterized.TestCase):
  """For steps whose `after(**layout)`, a static method, gives steps()."""

  def test_the_most_mixed_layout_does_the_same(self):
    self._same('all of it')

  @parameterized.parameters(*list(LAYOUTS)[:-1])
  @pytest.mark.slow
  def test_every_layout_does_the_same(self, name):
    self._same(name)

  def _same(self, name):
    assert_same(self, name, self.after(**PLAIN), self.after(**LAYOUTS[name]))
