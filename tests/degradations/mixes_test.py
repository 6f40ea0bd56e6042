"""Which mixes a text names, and which it is refused for."""

from absl.testing import absltest, parameterized

from revive_jax import types
from revive_jax.degradations import mixes


class MixesTest(parameterized.TestCase):

  def test_shares_add_up_to_one(self):
    found = mixes.parse('footage:3, noise')
    self.assertEqual([mix for mix, _ in found],
                     [mixes.MIXES['footage'], mixes.MIXES['noise']])
    self.assertEqual([share for _, share in found], [0.75, 0.25])

  def test_an_operator_is_left_out(self):
    (mix, share), = mixes.parse('film-flicker-dust')
    self.assertEqual(share, 1)
    self.assertEqual(
        set(mixes.MIXES['film'].operators) - set(mix.operators),
        {'flicker', 'dust'})

  @parameterized.parameters(
      ('acid', 'mix.*film'), ('film:0', 'positive'), ('film:x', 'positive'),
      ('film:inf', 'positive'), ('film-rain', 'rain.*scratches'), ('', 'film'))
  def test_refuses(self, text, told):
    with self.assertRaisesRegex(types.BadInput, told):
      mixes.parse(text)

  @parameterized.parameters(
      ([0.6, 0.2, 0.2], 10, [6, 2, 2]), ([0.5, 0.5], 1, [0, 1]),
      ([0.4, 0.3, 0.3], 8, [3, 3, 2]), ([1.0], 7, [7]))
  def test_counts(self, shares, total, expected):
    self.assertEqual(mixes.counts(shares, total), expected)


if __name__ == '__main__':
  absltest.main()
