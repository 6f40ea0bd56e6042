"""Tests of metrics/table.py."""

from absl.testing import absltest

from revive_jax.metrics import table

_SHA = 64 * 'a'


def _found():
  """What evaluate.evaluate returns, of one clip and two methods."""
  scores = {
      'damaged': dict(psnr=20.0, flicker=0.03),
      'classical': dict(psnr=26.0, flicker=0.02, f1=0.5),
      'ours': dict(psnr=29.5, flicker=0.006, f1=0.9)}
  rows = {row: {'a@0': values, 'mean': values}
          for row, values in scores.items()}
  rows['ours']['mean'] = rows['ours']['mean'] | {'frechet': 1.25}
  return {
      'date': '2026-11-26', 'device': 'cpu', 'through': 'pipeline',
      'settings': {'seed': 0, 'damage': {'mix': 'film', 'severity': 'medium'}},
      'clips': {'a@0': dict(frames=4, height=48, width=64)},
      'methods': {'classical': {'parameters': 0},
                  'ours': {'parameters': 1234, 'sha256': _SHA, 'steps': 7}},
      'damaged': rows, 'undamaged': {},
      'uncertainty': {'in damage': {'ours': {
          'gained': 0.5, 'risk_area': 1e-3, 'temperature': 1.25}}}}


class TableTest(absltest.TestCase):

  def test_summary_keeps_clips_and_adds_their_mean(self):
    found = table.summary({'ours': {'a': {'psnr': (30.0, 1.0)},
                                    'b': {'psnr': (20.0, 1.0)}}})
    self.assertEqual(found, {'ours': {
        'a': {'psnr': 30.0}, 'b': {'psnr': 20.0}, 'mean': {'psnr': 25.0}}})

  def test_markdown(self):
    text = table.markdown(_found())
    for line in (
        '| mean | PSNR, dB | Fréchet, frames | flicker, % | F1 | parameters |',
        '| damaged | 20.00 | – | 3.000 | – | – |',
        '| ours | 29.50 | 1.2500 | 0.600 | 0.900 | 1,234 |',
        '- ours: +9.50 dB over the input, +3.50 dB over the best classical '
        'chain, flicker times 0.20',
        '| uncertainty in damage | risk: from random to oracle, % | its area, '
        'MSE | temperature |',
        '| ours | 50.0 | 1.00e-03 | 1.25 |',
        '| a@0, 64x48x4 | PSNR, dB | flicker, % | F1 |',
        f'- ours: 7 steps, sha256 {_SHA}'):
      self.assertIn(line, text.splitlines())
    self.assertNotIn('undamaged', text)


if __name__ == '__main__':
  absltest.main()
