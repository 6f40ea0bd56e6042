"""What a step costs: operations, traffic, memory, without running it."""

from collections.abc import Callable, Iterator
import math
from typing import Any, NamedTuple

import jax
from jax.extend import core
import numpy as np

_PRODUCTS = ('dot_general', 'conv_general_dilated')
# What compilers do without touching memory, or inside what uses it.
_SHAPES = ('reshape', 'squeeze', 'expand_dims', 'broadcast_in_dim', 'iota',
           'stop_gradient', 'copy')
_CUTS = ('slice', 'dynamic_slice', 'gather')


def flops(step: Callable[..., Any], *args: Any) -> int:
  """Floating-point operations of one step(*args), on all devices together.

  Those of matrix products and convolutions, a multiplication and an addition
  each; not those of other functions, Fourier transforms among them. Counted in
  the jaxpr, loops as often as they run: XLA's own count, compiled.
  cost_analysis()['flops'], takes the body of a loop once (jaxlib 0.10.2, on
  CPUs: 524,290 for ten products of 64 x 64 in a lax.scan, not 5,242,880), and
  the restorer is all loops. What is computed again for the gradient (remat) is
  counted again. Of branches the dearest counts, of those by platform the one of
  the default backend.

  Args:
    step: jitted or not; it is traced.
    *args: arrays, or jax.ShapeDtypeStruct.

  Raises:
    ValueError: products inside a loop whose length is not known beforehand.
  """
  return _of_jaxpr(jax.make_jaxpr(step)(*args).jaxpr, _operations)


class Traffic(NamedTuple):
  """Bytes that one step reads and writes; the truth lies between the two."""

  products: int  # Of matrix products and convolutions: all else is fused.
  unfused: int  # Of all operations that compute or move: nothing is fused.


def traffic(step: Callable[..., Any], *args: Any) -> Traffic:
  """What step(*args) reads and writes, counted as flops are: see there.

  Of each operation what goes in and what comes out, once; a result that is cut
  out of a larger array is all that is read of it.
  """
  jaxpr = jax.make_jaxpr(step)(*args).jaxpr
  return Traffic(_of_jaxpr(jaxpr, _product_bytes), _of_jaxpr(jaxpr, _bytes))


class Memory(NamedTuple):
  """Bytes on each device."""

  arguments: int
  outputs: int
  temporaries: int
  aliased: int  # Of the outputs, in the memory of arguments.
  peak: int  # At most: all of the above at once.


def memory(compiled: jax.stages.Compiled) -> Memory:
  """What the compiler set aside for a program.

  Its own peak_memory_in_bytes is not used: on CPUs (jaxlib 0.10.2) it leaves
  out the arguments, or the temporaries.
  """
  found = compiled.memory_analysis()
  arguments, outputs, temporaries, aliased = (
      getattr(found, f'{name}_size_in_bytes')
      for name in ('argument', 'output', 'temp', 'alias'))
  return Memory(arguments, outputs, temporaries, aliased,
                arguments + outputs - aliased + temporaries)


def _of_jaxpr(jaxpr, count) -> int:
  return sum(_of_equation(equation, count) for equation in jaxpr.eqns)


def _of_equation(equation, count) -> int:
  """The sum of count(equation) over an equation, with all that it calls."""
  name, params = equation.primitive.name, equation.params
  if name == 'cond':
    return _of_branches(count, **params)
  called = list(_called(params))
  if not called or name in _PRODUCTS:
    return count(equation)
  inside = sum(_of_jaxpr(jaxpr, count) for jaxpr in called)
  if name == 'while' and inside:
    raise ValueError(
        'Products inside a loop whose length is not known cannot be counted.')
  if name == 'scan':
    return params['length'] * inside
  if name == 'shard_map':  # Its body is what one device does.
    sizes = dict(params['mesh'].shape)
    return inside * math.prod(sizes[a] for a in params['newly_manual_axes'])
  return inside


def _operations(equation) -> int:
  name = equation.primitive.name
  if name == 'dot_general':
    return _of_product(equation)
  return _of_convolution(equation) if name in _PRODUCTS else 0


def _product_bytes(equation) -> int:
  return _bytes(equation) if equation.primitive.name in _PRODUCTS else 0


def _bytes(equation) -> int:
  """What an operation reads and writes; none, where only the shape changes."""
  name = equation.primitive.name
  if name in _SHAPES:
    return 0
  results = [_size(v) for v in equation.outvars]
  if name in _CUTS:  # Of the first operand only what comes out is read.
    return sum(results) + sum(
        min(_size(v), sum(results)) for v in equation.invars)
  return sum(results) + sum(map(_size, equation.invars))


def _size(variable) -> int:
  """Bytes; keys of random numbers have no size that NumPy knows."""
  shape, dtype = variable.aval.shape, variable.aval.dtype
  return math.prod(shape) * getattr(dtype, 'itemsize', 4)


def _called(params) -> Iterator[Any]:
  """The jaxprs among the parameters of an equation."""
  for value in params.values():
    for x in value if isinstance(value, (tuple, list)) else (value,):
      x = x.jaxpr if isinstance(x, core.ClosedJaxpr) else x
      if isinstance(x, core.Jaxpr):
        yield x


def _of_branches(count, branches, branches_platforms=None, **_) -> int:
  counts = [_of_jaxpr(branch.jaxpr, count) for branch in branches]
  if branches_platforms is None:
    return max(counts)
  # jax.lax.platform_dependent; None stands for all other platforms.
  here = jax.default_backend()
  names = {'gpu': ('gpu', 'cuda', 'rocm')}.get(here, (here,))
  return next(found for found, platforms in zip(
      counts, branches_platforms, strict=True)
      if platforms is None or set(platforms) & set(names))


def _of_product(equation) -> int:
  (summed, _), _ = equation.params['dimension_numbers']
  x, result = equation.invars[0].aval, equation.outvars[0].aval
  return 2 * result.size * math.prod(x.shape[axis] for axis in summed)


def _of_convolution(equation) -> int:
  """As XLA counts: not what falls on padding, or between dilated pixels."""
  params = equation.params
  x, kernel, result = (
      v.aval.shape for v in (*equation.invars, *equation.outvars))
  numbers = params['dimension_numbers']
  hits = math.prod(
      _hits(x[i], kernel[j], result[k], *window) for i, j, k, *window in zip(
          numbers.lhs_spec[2:], numbers.rhs_spec[2:], numbers.out_spec[2:],
          params['window_strides'], params['padding'],
          params['lhs_dilation'], params['rhs_dilation'], strict=True))
  batch, features = (result[i] for i in numbers.out_spec[:2])
  return 2 * batch * features * kernel[numbers.rhs_spec[1]] * hits


def _hits(size, taps, positions, stride, padding, dilation, spread) -> int:
  """Pairs of a position and a tap, along one axis, that meet a pixel.

  size, dilation: of what is convolved; taps, spread: of the kernel; positions:
  of the result.
  """
  at = (stride * np.arange(positions)[:, None] - padding[0]
        + spread * np.arange(taps))
  within = (at >= 0) & (at <= dilation * (size - 1)) & (at % dilation == 0)
  return int(within.sum())
