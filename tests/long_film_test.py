"""A film of two hours: memory stays flat, and no frame is lost."""

import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
import numpy as np
import pytest

from revive_jax.video import probe, writer

_ROOT = pathlib.Path(__file__).parents[1]
_RATE = 24
_RESTORE = """
import json, sys
from configs import restore as config
from revive_jax import restore
c = config.get_config('tiny')
c.progress = 'none'
report = restore.restore(c, sys.argv[1], sys.argv[2], sys.argv[3])
print(json.dumps([report['speed'], report['outputs'][0]['frames']]))
"""


def _frames(count):
  """Shots of ten seconds each: a pattern that moves, with grain and dust."""
  rng = np.random.default_rng(0)
  scene, noise = None, rng.normal(0, 5, (64, 16, 24, 1))
  for t in range(count):
    if t % (10 * _RATE) == 0:
      scene = np.kron(rng.integers(30, 220, (4, 12, 3)), np.ones((4, 4, 1)))
    left = t % (10 * _RATE) // 12
    frame = scene[:, left:left + 24] + noise[t % 64]
    if t % 9 == 0:
      frame[5:8, 9:12] = 240
    yield np.clip(frame, 0, 255).astype(np.uint8)


class LongFilmTest(absltest.TestCase):

  def _restored(self, minutes):
    """Frames, and MB of memory at the most."""
    folder = pathlib.Path(self.create_tempdir().full_path)
    count = minutes * 60 * _RATE
    writer.write_rgb(folder / 'film.mkv', _frames(count), frame_rate=_RATE)
    done = subprocess.run(
        [sys.executable, '-c', _RESTORE, folder / 'work', folder / 'film.mkv',
         folder / 'out.mkv'], cwd=_ROOT, capture_output=True, text=True,
        check=False, env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'})
    self.assertEqual(done.returncode, 0, done.stderr[-2000:])
    speed, written = json.loads(done.stdout.splitlines()[-1])
    self.assertEqual(written, count)
    self.assertAlmostEqual(
        probe.probe(str(folder / 'out.mkv')).duration, 60 * minutes, delta=0.1)
    return speed['peak_memory_mb']

  @pytest.mark.slow
  def test_two_hours(self):
    short, long = self._restored(6), self._restored(120)
    self.assertLess(long, short + 100)


if __name__ == '__main__':
  absltest.main()
