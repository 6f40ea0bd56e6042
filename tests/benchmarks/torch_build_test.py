"""Tests of benchmarks/torch_build.py: that it is the same network."""

import pathlib
import subprocess
import sys

from absl.testing import absltest
import numpy as np
import pytest

from tests import compiling

_FOLDER = pathlib.Path(__file__).parents[2] / 'benchmarks'

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


class TorchBuildTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    pytest.importorskip('torch')

  @pytest.mark.slow  # Two builds to trace, and an extra.
  def test_equal_to_jax(self):
    import torch_build
    runs = torch_build.build('live', torch_build.pan(3, 48, 64))
    found = torch_build.differences(runs['jax'](), runs['eager']())
    self.assertLess(max(found), 1e-4)

  def test_a_difference_is_seen(self):
    import torch
    import torch_build
    zeros = np.zeros((1, 2)), np.zeros(3)
    other = torch.zeros(1, 2), torch.tensor([0, 0.5, 0])
    self.assertEqual(torch_build.differences(zeros, other), [0.0, 0.5])


class WithoutTorchTest(absltest.TestCase):

  def test_one_sentence(self):
    code = ("import runpy, sys; sys.modules['torch'] = None; "
            "sys.argv = ['torch_build.py']; "
            f"sys.path.insert(0, {str(_FOLDER)!r}); "
            f"runpy.run_path({str(_FOLDER / 'torch_build.py')!r}, "
            "run_name='__main__')")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True,
                          text=True)
    self.assertEqual(done.returncode, 1)
    self.assertIn("pip install 'revive-jax[torch]'", done.stderr)
    self.assertNotIn('Traceback', done.stderr)


if __name__ == '__main__':
  absltest.main()
