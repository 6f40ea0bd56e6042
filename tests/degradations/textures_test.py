"""Tests that real textures are read, and placed where recorded."""

import pathlib

from absl.testing import absltest
import cv2
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import textures
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0


class LoadTest(absltest.TestCase):

  def test_alpha_of_pictures_in_subfolders(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    for i in range(4):
      picture = np.full((40, 40, 4), 255, np.uint8)
      picture[..., 3] = 60 * i
      (folder / f'kind{i % 2}').mkdir(exist_ok=True)
      cv2.imwrite(str(folder / f'kind{i % 2}' / f'{i}.png'), picture)
    found = textures.load_textures(folder, size=10)
    self.assertEqual(found.shape, (4, 10, 10))
    self.assertEqual(found.dtype, np.uint8)
    self.assertEqual(found[:, 0, 0].tolist(), [0, 120, 60, 180])
    few = textures.load_textures(folder, size=10, max_count=2)
    self.assertEqual(few[:, 0, 0].tolist(), [0, 60])

  def test_an_empty_folder_is_refused(self):
    with self.assertRaisesRegex(FileNotFoundError, 'No PNG'):
      textures.load_textures(self.create_tempdir().full_path)


class TexturesTest(absltest.TestCase):

  def test_placed_where_recorded(self):
    shapes = np.zeros((2, 16, 16), np.uint8)
    shapes[0] = 255  # A square.
    shapes[1, :8] = 255  # The upper half of one.
    clip = jnp.full((4, 96, 96, 3), 0.5)
    run = jax.jit(
        lambda k, s: textures.textures(
            k, clip, s, textures=jnp.asarray(shapes), diagonal=_FILM,
            density=2.0, side=(12.0, 24.0), additive=0.0)
    )
    seen = 0
    for seed in range(6):
      damaged, damage, record = jax.tree.map(
          np.asarray, run(jax.random.key(seed), 1.0)
      )
      untouched = np.broadcast_to(damage == 0, damaged.shape)
      np.testing.assert_array_equal(damaged[untouched], 0.5)
      for t in range(4):
        alive = np.flatnonzero(record['alive'][t])
        if not alive.size:
          self.assertEqual(damage[t].sum(), 0)
        if alive.size != 1:
          continue
        item = {k: v[t, alive[0]] for k, v in record.items()}
        # A quarter of the side up, in the turned frame of the texture.
        up = item['side'] / 4
        y = item['y'] - np.cos(item['angle']) * up
        x = item['x'] + np.sin(item['angle']) * up
        if not (18 < item['y'] < 78 and 18 < item['x'] < 78):
          continue
        y, x = int(round(y)), int(round(x))
        expected = 0.5 + item['opacity'] * (item['colour'] - 0.5)
        np.testing.assert_allclose(damaged[t, y, x], expected, atol=1e-4)
        area = item['side'] ** 2 / (1 + item['index'])
        self.assertBetween(damage[t].sum(), 0.9 * area, 1.5 * area)
        # The lower half is empty in the second texture.
        y, x = round(2 * item['y'] - y), round(2 * item['x'] - x)
        self.assertEqual(damage[t, y, x, 0], 1 - item['index'])
        seen += 1
    self.assertGreater(seen, 3)


if __name__ == '__main__':
  absltest.main()
