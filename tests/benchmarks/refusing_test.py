"""Tests of benchmarks/refusing.py, through a command that uses it."""

import contextlib
import io
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import curves
import live
import quality
import restore
import softness
import speed
import start


class RefusingTest(parameterized.TestCase):

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

  @parameterized.parameters(
      (softness, '--photos=.'), (restore,), (live,), (speed,))
  def test_weights_that_do_not_exist(self, command, *flags):
    said = self._refused(command, '--weights=nowhere', *flags)
    self.assertIn('nowhere', said)
    self.assertEqual(said.count('\n'), 1)

  @parameterized.parameters(
      (quality, '--severities=light,bad', "'bad' is not known; choose of"),
      (quality, '--sigmas=10,x', "'x' is no whole number"),
      (quality, '--parts=real', 'name a folder of some with --old'),
      (restore, '--sizes=480p', 'as many of both'),
      (restore, '--sizes=a,b,c', 'sizes of 240p'),
      (start, 'nowhere.mp4', 'no such file'))
  def test_what_would_end_a_long_run(self, command, flag, words):
    said = self._refused(command, flag)
    self.assertIn(words, said)
    self.assertEqual(said.count('\n'), 1)


if __name__ == '__main__':
  absltest.main()
