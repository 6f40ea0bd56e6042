"""Tests of benchmarks/curves.py."""

import json
import pathlib

from absl.testing import absltest
import curves

from revive_jax import types


class CurvesTest(absltest.TestCase):

  def test_means_and_differences_by_hand(self):
    lines = [{'step': 5 * i, 'loss': float(i), 'a': 10.0 * i, 'b': 1.0}
             for i in range(1, 5)]
    self.assertEqual(
        curves.curve({'run': lines}, 'loss', 2).splitlines()[2:],
        ['| run | 20 | 1.5 | 3.5 |'])
    self.assertEqual(
        curves.curve({'run': lines}, 'a-b', 2).splitlines()[2:],
        ['| run | 20 | 14 | 34 |'])
    self.assertEqual(
        curves.curve({'run': lines, 'short': lines[:1]}, 'loss', 2).splitlines(
        )[2:], ['| run | 20 | 1.5 | 3.5 |', '| short | 5 | 1 | – |'])

  def test_a_term_that_no_run_has_is_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'no line of these runs'):
      curves.curve({'run': [{'step': 1, 'loss': 1.0}]}, 'los', 2)

  def test_a_folder_without_a_training_is_refused(self):
    folder = pathlib.Path(self.create_tempdir())
    with self.assertRaisesRegex(types.BadInput, 'no metrics.jsonl'):
      curves.read(str(folder))
    (folder / 'metrics.jsonl').write_text(
        json.dumps({'step': 1, 'loss': 2.0}) + '\n{"step": 2, "lo')
    self.assertEqual(curves.read(str(folder)), [{'step': 1, 'loss': 2.0}])


if __name__ == '__main__':
  absltest.main()
