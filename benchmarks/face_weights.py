"""Makes the weights of the embedder of faces out of those of a training.

python benchmarks/face_weights.py --weights=RUN/weights --faces=FOLDER
    --output=FOLDER [--held_out=name,name --every=10 --card=CARD.md]

Its last layer is fitted anew, in closed form (training/face.py, discriminant),
on pictures of the persons that are not held out.
"""

import argparse
import pathlib

import jax
import numpy as np
import refusing

from revive_jax.data import face_damage, faces
from revive_jax.models import face, weights
from revive_jax.training import face as training

_VIEWS = 10  # Of a person, and as many at most of each of its pictures.
_RIDGE = 0.3


@refusing.bad_input()
def main():
  """Reads, fits, writes."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ('weights', 'faces', 'output'):
    parser.add_argument(f'--{name}', required=True)
  for name in ('held_out', 'card'):
    parser.add_argument(f'--{name}', default='')
  parser.add_argument('--every', type=int, default=10)
  args = parser.parse_args()
  found = weights.read_weights(args.weights)
  settings = found.config['settings']
  model = face.Embedder(tuple(settings['features']), settings['size'])
  people = faces.People(
      args.faces, every=args.every,
      held_out=[n for n in args.held_out.split(',') if n])
  pictures, person = _views(people, np.random.default_rng(0))
  run = jax.jit(lambda p, x: model.apply(
      {'params': p}, x.astype(np.float32) / 255, whole=False))
  features = np.concatenate([
      np.asarray(run(found.params, pictures[i:i + 64]))
      for i in range(0, len(pictures) // 64 * 64, 64)])
  kernel, bias = training.discriminant(
      features, person[:len(features)], size=settings['size'], ridge=_RIDGE)
  params = dict(found.params) | {'vector_out': {'kernel': kernel, 'bias': bias}}
  card = pathlib.Path(args.card).read_text() if args.card else '# face\n'
  weights.save_weights(args.output, params, model='face', settings=settings,
                       card=card, steps=found.config['steps'])


def _views(people, rng):
  """Pictures [N, 64, 64, 3] uint8 as training has them, and whose they are."""
  pictures, person = [], []
  for i, own in enumerate(people.pictures):
    for _ in range(_VIEWS * min(len(own), 4)):
      view = own[rng.integers(len(own))]
      if rng.random() < 0.4:  # The same face in other surroundings.
        j = rng.integers(len(people.pictures))
        view = faces.swap(people.pictures[j][0], view)
      pictures.append(face_damage.damage(faces.look(view, rng), rng))
      person.append(i)
  order = rng.permutation(len(person))
  return np.stack(pictures)[order], np.array(person)[order]


if __name__ == '__main__':
  main()
