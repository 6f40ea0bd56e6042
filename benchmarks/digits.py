"""Fréchet distances of made digits to real ones, and a picture of them.

python benchmarks/digits.py --gan=runs/mnist_gan/weights \
    --vae=runs/mnist_vae/weights [--samples=300 --picture=digits.png]

In the features of a small classifier that is trained here, on the embedded
digits, and whose accuracy on the test digits is said. Each set has as many
pictures as the test digits, since the distance is biased up where they are few;
the baseline, real against real, is the test digits, which are the only ones
that no network has seen. Prints a table in Markdown.
"""

import argparse
import datetime

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import refusing

from revive_jax import models, types
from revive_jax.data import digits
from revive_jax.metrics import frechet
from revive_jax.models import weights
from revive_jax.training import image_gan, vae
from revive_jax.video import sheet


class Classifier(nn.Module):
  """Pictures [B, 28, 28, 1] in [0, 1] to logits [B, 10] and features [B, 64].
  """

  @nn.compact
  def __call__(self, x):
    """x as above."""
    for features in (16, 32):
      x = nn.relu(nn.Conv(features, (3, 3))(x))
      x = nn.max_pool(x, (2, 2), (2, 2))
    x = nn.relu(nn.Dense(64)(x.reshape(len(x), -1)))
    return nn.Dense(10)(x), x


def train_classifier(x, y, steps=600, seed=0):
  """Params of a Classifier, from pictures x [N, ...] in [0, 1], labels y."""
  model, tx = Classifier(), optax.adam(2e-3)
  params = model.init(jax.random.key(seed), x[:1])

  @jax.jit
  def step(params, opt_state, chosen):
    def loss_of(params):
      logits, _ = model.apply(params, x[chosen])
      return optax.softmax_cross_entropy_with_integer_labels(
          logits, y[chosen]).mean()
    updates, opt_state = tx.update(jax.grad(loss_of)(params), opt_state)
    return optax.apply_updates(params, updates), opt_state

  opt_state, rng = tx.init(params), np.random.default_rng(seed)
  for _ in range(steps):
    params, opt_state = step(params, opt_state, rng.integers(0, len(x), 128))
  return params


def made(path, count, seed=0) -> np.ndarray:
  """count pictures of the generator or autoencoder in a folder of weights."""
  found = weights.read_weights(path)
  model = models.build(found.config['model'], found.config['settings'])
  rng = jax.random.key(seed)
  if found.config['model'] == 'dense_generator':
    return np.asarray(image_gan.samples(
        found.params, rng, generator=model, count=count))
  z = jax.random.normal(rng, model.noise_shape((count,)))
  return np.asarray(vae.pixels(
      model.apply({'params': found.params}, z, method='decode'),
      likelihood=found.config['likelihood']))


@refusing.bad_input()
def main():
  """Trains the classifier, measures, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--gan', required=True, help='a folder of weights')
  parser.add_argument('--vae', required=True, help='a folder of weights')
  parser.add_argument('--samples', type=int, default=300)
  parser.add_argument('--picture', default='')
  args = parser.parse_args()
  split = lambda name: tuple(
      np.stack([x[key] for x in digits.embedded(name)])
      for key in ('image', 'label'))
  if args.samples > len(digits.embedded('test')):
    raise types.BadInput('There are not as many test digits as --samples.')
  (x, y), (tx, ty) = split('train'), split('test')
  x, tx = (jnp.float32(a) / 255 for a in (x, tx))
  params = train_classifier(x, jnp.asarray(y))
  apply = jax.jit(Classifier().apply)
  logits, _ = apply(params, tx)
  accuracy = (np.argmax(logits, 1) == ty).mean()
  moments = lambda a: frechet.Moments.of(apply(params, jnp.asarray(a))[1])
  real = moments(x)
  noise = np.random.default_rng(0).random((args.samples, 28, 28, 1))
  sets = {'real (test digits)': tx[:args.samples],
          'GAN': made(args.gan, args.samples),
          'VAE': made(args.vae, args.samples),
          'noise': noise.astype(np.float32)}
  print(f'{args.samples} pictures each against {len(x)} training digits; 64 '
        f'features of a classifier that is right on {accuracy:.1%} of the test '
        f'digits. {datetime.date.today()}.\n')
  print('| | Fréchet distance | its classes, of 10 |\n|---|---|---|')
  for name, pictures in sets.items():
    found = np.argmax(apply(params, jnp.asarray(pictures))[0], 1)
    print(f'| {name} | {frechet.distance(real, moments(pictures)):.2f} | '
          f'{len(np.unique(found))} |')
  if args.picture:
    rows = [np.asarray(a[:20]) for a in list(sets.values())[:3]]
    sheet.write_png(args.picture, sheet.grid(np.concatenate(rows), 20))


if __name__ == '__main__':
  main()
