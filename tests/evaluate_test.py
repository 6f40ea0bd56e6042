"""Tests of evaluate.py: the whole table on tiny clips, and refusals."""

import json
import pathlib
import re

from absl.testing import absltest, parameterized
import cv2
import jax
import jax.numpy as jnp
import jsonschema
import numpy as np

from configs import evaluate as config
from revive_jax import evaluate, types
from revive_jax.comparison import cases
from revive_jax.data import splits
from revive_jax.models import restorer, weights
from tests import compiling
from tests.data import clips
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_SETTINGS = dict(features=8, deep_features=8, num_blocks=1)


def _write_sequence(folder, frames):
  folder.mkdir(parents=True)
  for i, frame in enumerate(frames):
    cv2.imwrite(str(folder / f'{i:03d}.png'), frame[..., ::-1])


def _save_weights(folder):
  """Saves random weights; returns how many numbers they are."""
  values = params.draw(
      restorer.Restorer(**_SETTINGS), jnp.zeros((1, 2, 32, 32, 3)))
  weights.save_weights(folder, values, model='restorer', settings=_SETTINGS,
                       card='', steps=3)
  return sum(x.size for x in jax.tree.leaves(values))


class EvaluateTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    frames, _ = clips.shots([8], width=72, seed=1)
    _write_sequence(self.dir / 'clean/walk', frames)
    self.c = config.get_config('tiny')
    self.c.data.root = str(self.dir / 'clean')

  def _evaluate(self):
    return evaluate.evaluate(self.c, str(self.dir / 'work'))

  def test_table_has_all_rows_and_columns(self):
    frames, _ = clips.shots([7], width=72, seed=2)
    _write_sequence(self.dir / 'clean/run', frames)
    clips.write_pictures(self.dir / 'photos', 1, height=120, width=160)
    self.c.data.photos, self.c.data.photo_clips = str(self.dir / 'photos'), 1
    count = _save_weights(self.dir / 'a/weights')
    self.c.weights = self.c.features = str(self.dir / 'a/weights')
    found = self._evaluate()
    names = {'walk@1', 'run@0', 'p000.png@0'}
    self.assertEqual(set(found['clips']), names)
    self.assertEqual(list(found['damaged']),
                     ['clean', 'damaged', 'classical',
                      'classical, every stage', 'ours (a/weights)'])
    self.assertEqual(found['clips']['run@0'],
                     {'frames': 6, 'height': 48, 'width': 48})
    keys = {'psnr', 'ssim', 'ms_ssim', 'psnr_damage', 'warping_error',
            'flicker', 'precision', 'recall', 'f1', 'frames_per_second',
            'perceptual', 'perceptual_damage'}
    for row in ('classical', 'classical, every stage', 'ours (a/weights)'):
      for part in (*names, 'mean'):
        self.assertEqual(set(found['damaged'][row][part]), keys | (
            {'frechet', 'frechet_clips'} if part == 'mean' else set()))
        for value in found['damaged'][row][part].values():
          self.assertTrue(np.isfinite(value))
      self.assertEqual(set(found['undamaged'][row]['mean']),
                       {'psnr', 'false_share'})
    unsure = found['uncertainty']['everywhere']['ours (a/weights)']
    self.assertLess(unsure['oracle_area'], unsure['random_area'])
    self.assertGreater(unsure['temperature'], 0)
    about = found['methods']['ours (a/weights)']
    self.assertEqual((about['parameters'], about['steps']), (count, 3))
    mean = np.mean([found['damaged']['damaged'][n]['psnr'] for n in names])
    self.assertAlmostEqual(found['damaged']['damaged']['mean']['psnr'], mean,
                           places=4)
    work = self.dir / 'work'
    written = json.loads((work / 'table.json').read_text())
    formats = pathlib.Path(__file__).parents[1] / 'docs/formats.md'
    schema = json.loads(re.search(
        r'```json table\n(.*?)```', formats.read_text(), re.S).group(1))
    jsonschema.validate(written, schema)
    written['damaged']['damaged']['mean']['f1'] = 1.5
    with self.assertRaises(jsonschema.ValidationError):
      jsonschema.validate(written, schema)
    text = (work / 'table.md').read_text()
    for word in ('| ours (a/weights) |', about['sha256'], 'F1', 'undamaged',
                 f'{count:,}'):
      self.assertIn(word, text)
    self.assertTrue((work / 'plots/uncertainty_everywhere.png').exists())
    for name in names:
      picture = cv2.imread(str(work / f'sheets/{name}.png'))
      # damaged, damage, two of each method, clean; a crop below.
      self.assertEqual(picture.shape, (2 * (48 + 20), 9 * 48, 3))

  def test_model_alone(self):
    _save_weights(self.dir / 'w')
    self.c.weights, self.c.through = str(self.dir / 'w'), 'model'
    self.c.sheets = self.c.undamaged = False
    found = self._evaluate()
    self.assertLen(found['damaged'], 3)
    self.assertEqual(found['undamaged'], {})
    self.assertFalse((self.dir / 'work/sheets').exists())

  def test_damage_depends_on_the_seed_and_the_name_alone(self):
    clip = cases.read_clips(self.c)[0]
    make = lambda clip, seed: cases.make_case(
        clip, None, seed=seed, mix='film', severity=1.0)
    first = make(clip, 0)
    np.testing.assert_array_equal(first.damaged, make(clip, 0).damaged)
    for other in (make(clip, 1), make(clip._replace(name='x'), 0)):
      self.assertTrue((first.damaged != other.damaged).any())
    self.assertTrue(first.damage.any())
    # The clean clip moves by 2 px, and is reduced from 72 px to 48.
    seen = np.asarray(first.flow)[np.asarray(first.visible)[..., 0] > 0]
    np.testing.assert_allclose(np.median(seen, 0), [-4 / 3, 0], atol=0.1)

  @parameterized.parameters(
      ('data.root', '', 'data.root'),
      ('data.root', 'nowhere', 'nowhere'),
      ('data.clips', ('jump',), 'jump'),
      ('data.clips', ('walk', 'walk'), 'twice'),
      ('data.starts', (1, 2), 'starts'),
      ('data.num_frames', 2, 'num_frames'),
      ('data.height', 8, 'height'),
      ('data.photos', 'nowhere', 'nowhere'),
      ('damage.severity', 'mild', 'mild'),
      ('damage.mix', 'rain', 'rain'),
      ('damage.textures', 'nowhere', 'nowhere'),
      ('weights', 'nowhere', 'nowhere'),
      ('features', 'nowhere', 'nowhere'),
      ('niqe', 'restorer', 'natural'),
      ('num_samples', 1, 'num_samples'),
      ('through', 'magic', 'magic'))
  def test_refusals(self, key, value, word):
    self.c.update_from_flattened_dict({key: value})
    with self.assertRaisesRegex(types.BadInput, word):
      self._evaluate()
    self.assertFalse((self.dir / 'work').exists())

  def test_clips_that_were_trained_on_are_refused(self):
    for name, card in (('mine', ['walk']), ('other', ['run'])):
      values = params.draw(
          restorer.Restorer(**_SETTINGS), jnp.zeros((1, 2, 32, 32, 3)))
      weights.save_weights(
          self.dir / name, values, model='restorer', settings=_SETTINGS,
          card='', trained_on=splits.marks(card))
    self.c.weights = f'{self.dir}/other,{self.dir}/mine'
    with self.assertRaisesRegex(types.BadInput, r'mine\) was trained on walk'):
      self._evaluate()
    self.assertFalse((self.dir / 'work').exists())

  def test_what_ships_knows_its_clips(self):
    names = ['grid_bbaf2n.mpg', 'sam2_01_dog.mp4']
    for name in weights.shipped():
      seen = weights.read_weights(name).config['trained_on']
      self.assertContainsSubset(splits.marks(names), seen)
      self.assertNotIn(splits.marks(['sam2_03_blocks.mp4'])[0], seen)

  def test_model_without_weights(self):
    self.c.through = 'model'
    with self.assertRaisesRegex(types.BadInput, 'weights'):
      self._evaluate()


if __name__ == '__main__':
  absltest.main()
