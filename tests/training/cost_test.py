"""Tests of training/cost.py."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from revive_jax.models import layers
from revive_jax.ops import convolution
from revive_jax.training import accumulation, cost, sharding

_PRODUCT = 2 * 3 * 4 * 5  # Of [3, 4] and [4, 5].
# A 3x3 convolution of 2 pictures of 8 x 8, of 3 channels to 4: along each axis
# 8 positions times 3 taps, less 2 that fall on the border.
_CONVOLUTION = 2 * 2 * 3 * 4 * (3 * 8 - 2) ** 2


def _shapes(*shapes):
  return [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]


def _of_xla(step, *args):
  return jax.jit(step).lower(*args).compile().cost_analysis()['flops']


class FlopsTest(parameterized.TestCase):

  def test_product(self):
    args = _shapes((3, 4), (4, 5))
    self.assertEqual(cost.flops(jnp.matmul, *args), _PRODUCT)
    self.assertEqual(cost.flops(jax.jit(jnp.matmul), *args), _PRODUCT)

  def test_product_of_batches(self):
    product = lambda x, y: jnp.einsum('bij,bjk->bik', x, y)
    args = _shapes((7, 3, 4), (7, 4, 5))
    self.assertEqual(cost.flops(product, *args), 7 * _PRODUCT)

  def test_convolution_and_gradients(self):
    args = _shapes((2, 8, 8, 3), (3, 3, 3, 4))
    self.assertEqual(cost.flops(convolution.conv3x3, *args), _CONVOLUTION)
    gradients = jax.grad(
        lambda x, kernel: (convolution.conv3x3(x, kernel)**2).sum(), (0, 1))
    # On CPUs that of the kernel is three products, the border with them.
    products = 3 * 2 * (2 * 8 * 8) * 3 * 12
    self.assertEqual(
        cost.flops(gradients, *args), 2 * _CONVOLUTION + products)

  def test_what_runs_often_counts_often(self):
    def loop(x):
      def inner(x, _):
        return jax.lax.fori_loop(0, 3, lambda _, x: x @ x, x), x @ x
      return jax.lax.scan(inner, x, length=10)
    self.assertEqual(
        cost.flops(loop, *_shapes((64, 64))), 10 * (3 + 1) * 2 * 64**3)

  def test_unknown_length_is_refused(self):
    loop = lambda x, stop: jax.lax.while_loop(
        lambda x: x.sum() < stop, lambda x: x @ x, x)
    with self.assertRaisesRegex(ValueError, 'length'):
      cost.flops(loop, *_shapes((4, 4), ()))
    without = lambda x, stop: jax.lax.while_loop(
        lambda x: x.sum() < stop, lambda x: 2 * x, x)
    self.assertEqual(cost.flops(without, *_shapes((4, 4), ())), 0)

  def test_the_dearest_branch_counts(self):
    branches = (lambda x: x, lambda x: x @ x, lambda x: x @ x @ x)
    switch = lambda i, x: jax.lax.switch(i, branches, x)
    count = cost.flops(
        switch, jax.ShapeDtypeStruct((), jnp.int32), *_shapes((4, 4)))
    self.assertEqual(count, 2 * 2 * 4**3)

  def test_the_branch_of_this_platform_counts(self):
    step = lambda x: jax.lax.platform_dependent(
        x, cpu=lambda x: x @ x, default=lambda x: x @ x @ x)
    wanted = 1 if jax.default_backend() == 'cpu' else 2
    self.assertEqual(cost.flops(step, *_shapes((4, 4))), wanted * 2 * 4**3)

  @parameterized.parameters(('', 6), ('products', 6), ('nothing', 8))
  def test_what_is_computed_again_counts_again(self, remat, products):
    net = lambda w, x: (jnp.tanh(jnp.tanh(x @ w) @ w) ** 2).sum()
    if remat:
      net = jax.checkpoint(net, policy=layers.REMAT[remat])
    # Forward two, for the weights two, for what is between and for x one each.
    self.assertEqual(
        cost.flops(jax.jit(jax.grad(net, (0, 1))), *_shapes((4, 4), (4, 4))),
        products * 2 * 4**3)

  def test_custom_gradients(self):
    @jax.custom_vjp
    def square(x):
      return x @ x

    square.defvjp(lambda x: (square(x), x),
                  lambda x, g: (g @ x.T @ x.T @ x.T,))
    args = _shapes((4, 4))
    self.assertEqual(cost.flops(square, *args), 2 * 4**3)
    gradient = jax.grad(lambda x: square(x).sum())
    self.assertEqual(cost.flops(gradient, *args), (1 + 3) * 2 * 4**3)

  def test_many_devices_do_together_what_one_does(self):
    def take(layout):
      def step(w, x):
        with jax.sharding.use_abstract_mesh(layout.mesh.abstract_mesh):
          return accumulation.value_and_grad(
              lambda w, x: (((x @ w) ** 2).mean(), ((), {})), w, x, parts=2)
      return cost.flops(jax.jit(step), *_shapes((5, 3), (16, 5)))
    # The product, and one for the gradient.
    for data, model in ((1, 1), (4, 1), (4, 2)):
      self.assertEqual(
          take(sharding.make_layout(data, model)), 2 * 2 * 16 * 5 * 3)

  def test_the_body_of_a_map_is_of_one_device(self):
    mesh = sharding.make_layout(4).mesh
    step = jax.jit(jax.shard_map(
        jnp.matmul, mesh=mesh, in_specs=(PartitionSpec(), PartitionSpec()),
        out_specs=PartitionSpec(), axis_names={'data'}, check_vma=False))
    self.assertEqual(
        cost.flops(step, *_shapes((3, 4), (4, 5))), 4 * _PRODUCT)

  @parameterized.named_parameters(
      ('stride', dict(window_strides=(2, 2), padding='SAME')),
      ('none beyond', dict(window_strides=(1, 1), padding='VALID')),
      ('dilated', dict(window_strides=(1, 1), padding=((1, 2), (2, 0)),
                       lhs_dilation=(2, 2), rhs_dilation=(1, 2))),
      ('groups', dict(window_strides=(1, 2), padding='SAME',
                      feature_group_count=4)),
      ('groups of the batch', dict(window_strides=(1, 1), padding='SAME',
                                   batch_group_count=2)),
  )
  def test_as_xla_without_loops(self, settings):
    kernel = (3, 3, 8 // settings.get('feature_group_count', 1), 16)
    convolve = lambda x, k: jax.lax.conv_general_dilated(
        x, k, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), **settings)
    args = _shapes((4, 12, 10, 8), kernel)
    self.assertEqual(cost.flops(convolve, *args), _of_xla(convolve, *args))

  def test_a_network_as_xla_counts_it(self):
    def loss(params, x):
      for kernel in params[:-1]:
        x = jnp.tanh(jax.lax.conv_general_dilated(
            x, kernel, (2, 2), 'SAME',
            dimension_numbers=('NHWC', 'HWIO', 'NHWC')))
      return ((x.reshape(x.shape[0], -1) @ params[-1]) ** 2).mean()

    *params, x = _shapes(
        (3, 3, 8, 32), (3, 3, 32, 32), (512, 64), (4, 16, 16, 8))
    count = cost.flops(jax.grad(loss), params, x)
    # XLA also counts additions, and what tanh takes.
    self.assertBetween(
        _of_xla(jax.grad(loss), params, x), 0.97 * count, 1.03 * count)


class TrafficTest(absltest.TestCase):

  def test_product_and_what_is_around_it(self):
    args = _shapes((3, 4), (4, 5))
    product = 4 * (3 * 4 + 4 * 5 + 3 * 5)
    self.assertEqual(cost.traffic(jnp.matmul, *args), (product, product))
    found = cost.traffic(lambda x, y: jnp.exp(x @ y).reshape(5, 3), *args)
    self.assertEqual(found, (product, product + 4 * 2 * 3 * 5))

  def test_loops_count_as_often_as_they_run(self):
    once = cost.traffic(lambda x: x @ x, *_shapes((8, 8)))
    often = cost.traffic(lambda x: jax.lax.scan(
        lambda x, _: (x @ x, None), x, length=7)[0], *_shapes((8, 8)))
    self.assertEqual(often.products, 7 * once.products)

  def test_of_a_cut_only_what_comes_out_is_read(self):
    found = cost.traffic(lambda x: x[10:12], *_shapes((1000,)))
    self.assertEqual(found, (0, 4 * 2 * 2))


class MemoryTest(absltest.TestCase):

  def test_memory(self):
    step = jax.jit(lambda x, y: (x @ y @ y, y[0]), donate_argnums=0)
    found = cost.memory(step.lower(*_shapes((64, 64), (64, 64))).compile())
    self.assertEqual(found.arguments, 2 * 4 * 64**2)
    self.assertEqual(found.aliased, 4 * 64**2)
    self.assertGreaterEqual(found.outputs, 4 * (64**2 + 64))
    self.assertGreaterEqual(found.temporaries, 4 * 64**2)
    self.assertEqual(found.peak, found.arguments + found.outputs
                     - found.aliased + found.temporaries)

  def test_it_is_that_of_one_device(self):
    layout = sharding.make_layout(4)
    x = jax.ShapeDtypeStruct(
        (64, 8), jnp.float32, sharding=sharding.by_batch(layout, 2))
    found = cost.memory(jax.jit(lambda x: x + 1).lower(x).compile())
    self.assertEqual(found.arguments, 4 * 64 * 8 // 4)


if __name__ == '__main__':
  absltest.main()
