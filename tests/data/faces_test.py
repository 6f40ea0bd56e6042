"""Tests of pictures of faces by person."""

import json
import pathlib

from absl import flags
from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import face_damage, faces
from revive_jax.faces import similarity
from revive_jax.video import sheet, writer
from tests.faces import people


def _prepared(folder, count=4):
  """A folder as of prepare(): persons of one picture, and one of two."""
  rng = np.random.default_rng(0)
  for i in range(count):
    for j in range(2 if i == 0 else 1):
      sheet.write_png(
          pathlib.Path(folder) / f'p{i}' / f'{j}.png',
          cv2.resize(rng.integers(0, 255, (7, 7, 3)).astype(np.uint8),
                     (faces.SIDE,) * 2))
  return str(folder)


class FacesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    flags.FLAGS.mark_as_parsed()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def test_prepare(self):
    (self.dir / 'in').mkdir()
    sheet.write_png(self.dir / 'in' / 'portrait.png', people.picture())
    sheet.write_png(self.dir / 'in' / 'bricks.png', people.nothing(1)[0])
    writer.write_rgb(self.dir / 'in' / 'film.mkv', people.film(6),
                     frame_rate=25)
    (self.dir / 'people.json').write_text(json.dumps({'film': 'astronaut'}))
    self.assertEqual(faces.main([
        '--root', str(self.dir / 'in'), '--out', str(self.dir / 'out'),
        '--people', str(self.dir / 'people.json')]), 0)
    found = sorted(str(p.relative_to(self.dir / 'out'))
                   for p in (self.dir / 'out').rglob('*.png'))
    self.assertEqual(found, [
        'astronaut/film_00000.png', 'astronaut/film_00005.png',
        'portrait/portrait.png'])
    picture = cv2.imread(str(self.dir / 'out' / found[-1]))[..., ::-1]
    self.assertEqual(picture.shape, (faces.SIDE, faces.SIDE, 3))
    # What the network sees of it is what it sees of a film.
    seen = similarity.cut(people.picture() / np.float32(255), people.FACE)
    prepared = faces.middle(picture)
    self.assertGreater(np.corrcoef(
        seen[..., 1].ravel(), prepared[..., 1].ravel())[0, 1], 0.85)

  def test_nothing_there(self):
    (self.dir / 'in').mkdir()
    with self.assertRaisesRegex(types.BadInput, 'no face was found'):
      faces.prepare([str(self.dir / 'in')], self.dir / 'out')
    with self.assertRaisesRegex(types.BadInput, '0 persons'):
      faces.People(self.dir / 'out')

  def test_held_out_and_kept(self):
    root = _prepared(self.dir)
    every = lambda **o: faces.People(root, **o).names
    self.assertEqual(every(), ['p0', 'p1', 'p2', 'p3'])
    self.assertEqual(every(held_out=('p0',)), ['p1', 'p2', 'p3'])
    self.assertEqual(every(every=2), ['p0', 'p2'])
    self.assertEqual(every(held_out=('p0',), every=3, kept=True), ['p0', 'p1'])
    with self.assertRaisesRegex(types.BadInput, 'has no p9'):
      every(held_out=('p9',))

  def test_batches_are_those_of_the_seed(self):
    found = faces.People(_prepared(self.dir))
    first = [next(iter(faces.make_batches(found, seed=s, batch_size=4)))
             for s in (0, 0, 1)]
    self.assertEqual(first[0]['views'].shape, (4, 3, 64, 64, 3))
    self.assertEqual(first[0]['person'].shape, (4,))
    np.testing.assert_array_equal(first[0]['views'], first[1]['views'])
    self.assertTrue((first[0]['views'] != first[2]['views']).any())
    later = next(iter(faces.make_batches(found, seed=0, batch_size=4, start=1)))
    stream = iter(faces.make_batches(found, seed=0, batch_size=4))
    next(stream)
    np.testing.assert_array_equal(next(stream)['views'], later['views'])

  def test_swap_changes_the_face_and_not_its_surroundings(self):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 255, (faces.SIDE, faces.SIDE, 3)).astype(np.uint8)
            for _ in range(2))
    mixed = faces.swap(a, b)
    np.testing.assert_array_equal(mixed[:10], a[:10])
    middle = np.s_[45:65, 45:65]
    alike = lambda x: np.corrcoef(x[middle].ravel(), mixed[middle].ravel())
    self.assertGreater(alike(b)[0, 1], 0.95)
    self.assertLess(alike(a)[0, 1], 0.2)

  def test_damage_stays_a_picture(self):
    face = faces.middle(faces.cut(people.picture(), people.FACE * 320))
    for seed in range(20):
      damaged = face_damage.damage(face, np.random.default_rng(seed))
      self.assertEqual((damaged.shape, damaged.dtype), (face.shape, np.uint8))
      self.assertGreater(np.corrcoef(
          damaged[..., 1].ravel(), face[..., 1].ravel())[0, 1], 0.3)


if __name__ == '__main__':
  absltest.main()
