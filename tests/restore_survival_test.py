"""A restore that is killed again and again: tests of its last promise."""

import os
import pathlib
import random
import subprocess
import sys
import time

from absl.testing import absltest
import numpy as np
import pytest

from revive_jax.video import probe, reader, writer
from tests.pipeline import run_test

_ROOT = pathlib.Path(__file__).parents[1]
_KILLS = 10


def _start(source, output, workdir, *words):
  return subprocess.Popen(
      [sys.executable, '-m', 'revive_jax.main', '--config=restore',
       f'--input={source}', f'--output={output}', f'--workdir={workdir}',
       '--config.window=8', '--config.lookahead=4', *words], cwd=_ROOT,
      env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _frames(path):
  return list(reader.read_frames(probe.probe(str(path))))


class RestoreSurvivalTest(absltest.TestCase):

  @pytest.mark.slow
  def test_ten_kills_at_random_moments(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    film = np.concatenate([
        run_test._film(150, 48, 64, seed=i) for i in range(2)])
    writer.write_rgb(folder / 'film.mkv', film, frame_rate=24)
    before = (folder / 'film.mkv').read_bytes()
    began = time.monotonic()
    whole = _start(folder / 'film.mkv', folder / 'whole.mp4', folder / 'a')
    said = whole.communicate()[0]
    self.assertEqual(whole.returncode, 0, said)
    seconds = time.monotonic() - began
    rng, killed, done = random.Random(0), 0, 0
    while killed < _KILLS:
      run = _start(folder / 'film.mkv', folder / 'out.mp4', folder / 'b')
      try:
        run.communicate(timeout=rng.uniform(0.1, 0.8) * seconds)
        # It was quicker than that: the next one begins anew.
        self.assertEqual(run.returncode, 0)
        (folder / 'out.mp4').unlink()
      except subprocess.TimeoutExpired:
        run.kill()
        run.communicate()
        killed += 1
        # If it is there, the run was killed after its last step.
        (folder / 'out.mp4').unlink(missing_ok=True)
        done += len(list((folder / 'b' / 'segments').glob('*.nut')) or list(
            (folder / 'b' / 'segments').glob('0*.mp4')))
    self.assertGreater(done, 0)
    last = _start(folder / 'film.mkv', folder / 'out.mp4', folder / 'b')
    said = last.communicate()[0]
    self.assertEqual(last.returncode, 0, said)
    one, other = _frames(folder / 'whole.mp4'), _frames(folder / 'out.mp4')
    self.assertLen(other, 300)
    for a, b in zip(one, other, strict=True):
      self.assertEqual(a.pts, b.pts)
      np.testing.assert_array_equal(a.rgb, b.rgb)
    self.assertEqual((folder / 'film.mkv').read_bytes(), before)
    self.assertEqual(
        {p.name for p in folder.iterdir()},
        {'film.mkv', 'whole.mp4', 'out.mp4', 'a', 'b'})


if __name__ == '__main__':
  absltest.main()
