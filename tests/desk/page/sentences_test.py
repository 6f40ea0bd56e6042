"""Tests that what the program measures and proposes is told in each language.
"""

import dataclasses

from absl.testing import absltest, parameterized

from revive_jax.desk.page import strings
from revive_jax.explain import sentences
from revive_jax.pipeline import choose, measure


def _shot(**values):
  """A shot of which everything that is asked for is known."""
  fields = {f.name: 0 for f in dataclasses.fields(measure.Shot)}
  return measure.Shot(**{**fields, 'stop': 24, **values})


def _whys(learned, **values):
  plan = choose.choose(
      _shot(**values), mode='full', strength=dict.fromkeys(choose.KINDS, 1.0),
      stages=('auto',), output={}, fill='inpaint', inpaint='telea',
      denoiser='auto', seed=0, marked=True, learned=learned)
  return [reason for s in plan.stages for reason in sentences.reasons(s.why)]


class SentencesTest(parameterized.TestCase):

  @parameterized.parameters(True, False)
  def test_reasons_are_translated(self, learned):
    for values in (
        dict(noise=0.03, flicker=0.05, spots=1e-3, scratches=1e-3, high=0.5,
             edge_width=2.0),
        dict(), dict(stop=1, cracks=0.01, edge_width=2.0)):
      for reason in _whys(learned, **values):
        self.assertRegex(strings.translate('zh', reason), '[\u4e00-\u9fff]')

  def test_what_was_measured_is_translated(self):
    for one in sentences.MEASURES.values():
      for text in (one.name, one.unit, one.meaning):
        self.assertRegex(strings.translate('zh', text), '[\u4e00-\u9fff]')


if __name__ == '__main__':
  absltest.main()
