"""Tests of benchmarks/refusing.py, through a command that uses it."""

import contextlib
import io
import sys
from unittest import mock

from absl.testing import absltest
import curves
import softness


class RefusingTest(absltest.TestCase):

  def _refused(self, command, *flags):
    with mock.patch.object(sys, 'argv', ['command', *flags]), \
        contextlib.redirect_stderr(io.StringIO()) as said, \
        self.assertRaises(SystemExit) as end:
      command.main()
    self.assertEqual(end.exception.code, 2)
    return said.getvalue()

  def test_a_workdir_without_steps(self):
    folder = self.create_tempdir().full_path
    self.assertEqual(
        self._refused(curves, f'a={folder}'),
        f'{folder}: no metrics.jsonl with steps in it; name the workdir of a '
        'training.\n')

  def test_weights_that_do_not_exist(self):
    said = self._refused(softness, '--photos=.', '--weights=nowhere')
    self.assertIn('nowhere', said)
    self.assertEqual(said.count('\n'), 1)


if __name__ == '__main__':
  absltest.main()
