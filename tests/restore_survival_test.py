"""A restore that is killed again and again: tests of its last promise."""

import os
import pathlib
import random
import subprocess
import sys
import time

from absl.testing import absltest, parameterized
import av
import numpy as np
import pytest

from revive_jax.video import probe, reader, writer
from tests.pipeline import run_test

_ROOT = pathlib.Path(__file__).parents[1]
_KILLS = 5  # Of each of two films.


def _start(source, output, workdir, *words):
  return subprocess.Popen(
      [sys.executable, '-m', 'revive_jax.main', '--config=restore',
       f'--input={source}', f'--output={output}', f'--workdir={workdir}',
       '--config.window=8', '--config.lookahead=4', *words], cwd=_ROOT,
      env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _frames(path):
  return list(reader.read_frames(probe.probe(str(path))))


def _layers(path):
  """Every frame of every layer, by PyAV alone."""
  with av.open(str(path)) as container:
    found = [s for s in container.streams.video if 'LAYER' in s.metadata]
    return [(frame.pts, frame.to_ndarray()) for frame in container.decode(
        *found)] if found else []


class RestoreSurvivalTest(parameterized.TestCase):

  @parameterized.parameters(('.mp4',), ('.mkv', '--config.repeats=all'))
  @pytest.mark.slow
  def test_ten_kills_at_random_moments(self, suffix, *words):
    """With layers, and frames that are left out, in the second half."""
    folder = pathlib.Path(self.create_tempdir().full_path)
    film = np.concatenate([
        run_test._film(150, 48, 64, seed=i) for i in range(2)])
    if words:
      copied = np.array([17, 70, 101, 222])
      film = np.insert(film, copied, film[copied - 1], axis=0)
    writer.write_rgb(folder / 'film.mkv', film, frame_rate=24)
    output = folder / f'out{suffix}'
    before = (folder / 'film.mkv').read_bytes()
    began = time.monotonic()
    whole = _start(folder / 'film.mkv', folder / f'whole{suffix}', folder / 'a',
                   *words)
    said = whole.communicate()[0]
    self.assertEqual(whole.returncode, 0, said)
    seconds = time.monotonic() - began
    rng, killed, done = random.Random(0), 0, 0
    while killed < _KILLS:
      run = _start(folder / 'film.mkv', output, folder / 'b', *words)
      try:
        run.communicate(timeout=rng.uniform(0.1, 0.8) * seconds)
        # It was quicker than that: the next one begins anew.
        self.assertEqual(run.returncode, 0)
        output.unlink()
      except subprocess.TimeoutExpired:
        run.kill()
        run.communicate()
        killed += 1
        # If it is there, the run was killed after its last step.
        output.unlink(missing_ok=True)
        done += len(list((folder / 'b' / 'segments').glob('*.nut')) or list(
            (folder / 'b' / 'segments').glob('0*.mp4')))
    self.assertGreater(done, 0)
    last = _start(folder / 'film.mkv', output, folder / 'b', *words)
    said = last.communicate()[0]
    self.assertEqual(last.returncode, 0, said)
    one, other = _frames(folder / f'whole{suffix}'), _frames(output)
    self.assertLen(other, 300)  # Copies are left out, and nothing else.
    for a, b in zip(one, other, strict=True):
      self.assertEqual(a.pts, b.pts)
      np.testing.assert_array_equal(a.rgb, b.rgb)
    layers = _layers(folder / f'whole{suffix}'), _layers(output)
    self.assertEqual(bool(layers[0]), suffix == '.mkv')
    for a, b in zip(*layers, strict=True):
      self.assertEqual(a[0], b[0])
      np.testing.assert_array_equal(a[1], b[1])
    self.assertEqual((folder / 'film.mkv').read_bytes(), before)
    self.assertEqual(
        {p.name for p in folder.iterdir() if p.suffix != '.c2pa'},
        {'film.mkv', f'whole{suffix}', output.name, 'a', 'b'})


if __name__ == '__main__':
  absltest.main()
