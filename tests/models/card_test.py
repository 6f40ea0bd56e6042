"""Tests of models/card.py, and of the cards that ship."""

import json
import pathlib

from absl.testing import absltest
import yaml

from revive_jax.models import card, weights

# Of those that the hub lists (huggingface.co/docs/hub/models-widgets).
_TASKS = ('video-to-video', 'image-to-image', 'image-feature-extraction',
          'other')
_LICENCES = ('apache-2.0',)


def _front(text):
  """The front matter of a card, as the hub reads it, and the text."""
  before, front, rest = text.split('---\n', 2)
  assert before == ''
  return yaml.safe_load(front), rest


class CardTest(absltest.TestCase):

  def test_by_hand(self):
    self.assertEqual(card.front('upscaler', 'apache-2.0'), """---
license: apache-2.0
library_name: revive_jax
pipeline_tag: image-to-image
tags:
- jax
- flax
- super-resolution
---

""")
    self.assertNotIn('license', card.front('restorer'))

  def test_the_cards_that_ship(self):
    folders = sorted(p.parent for p in weights._SHIPPED.glob('*/config.json'))
    self.assertGreater(len(folders), 5)
    for folder in folders:
      found, text = _front((folder / 'README.md').read_text())
      model = json.loads((folder / 'config.json').read_text())['model']
      self.assertEqual(found, _front(card.front(model, 'apache-2.0'))[0])
      self.assertIn(found['pipeline_tag'], _TASKS)
      self.assertIn(found['license'], _LICENCES)
      self.assertEqual(found['library_name'], 'revive_jax')
      self.assertContainsSubset(['jax'], found['tags'])
      self.assertTrue(all(isinstance(t, str) for t in found['tags']))
      self.assertTrue(text.startswith(f'\n# {folder.name}\n'), folder)

  def test_a_card_of_a_training(self):
    text = card.front('a_model_to_come') + '# net\n'
    found, rest = _front(text)
    self.assertEqual(found['pipeline_tag'], 'other')
    self.assertEqual(rest, '\n# net\n')

  def test_the_hubs_own_library_reads_them(self):
    try:
      import huggingface_hub
    except ImportError:
      self.skipTest('The extra hub is not there; the YAML was read above.')
    path = pathlib.Path(weights._SHIPPED) / 'restorer' / 'README.md'
    data = huggingface_hub.ModelCard.load(path).data
    self.assertEqual((data.license, data.library_name, data.pipeline_tag), (
        'apache-2.0', 'revive_jax', 'video-to-video'))


if __name__ == '__main__':
  absltest.main()
