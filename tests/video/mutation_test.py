"""Films with random bytes in them: frames or one sentence; nothing else.

All are read in a process of their own, which a crash or a hang ends.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys

from absl.testing import absltest
import pytest

from revive_jax import types
from revive_jax.video import probe, reader
from tests.video import clips

_SECONDS = 60  # For one file; it takes about 0.02.
# Name, encoder, pixel format, options.
_FILMS = (
    ('a.mp4', 'libx264', 'yuv420p', {'g': '6'}),
    ('b.mp4', 'libx265', 'yuv420p', {'x265-params': 'log-level=none'}),
    ('a.mkv', 'ffv1', 'yuv420p', {'level': '3', 'slicecrc': '1'}),
    ('b.mkv', 'libx264', 'yuv420p', {'g': '6'}),
    ('a.avi', 'mpeg4', 'yuv420p', {'bf': '2'}),
    ('b.avi', 'mjpeg', 'yuvj420p', {}),
    ('a.mov', 'prores_ks', 'yuv422p10le', {}),
    ('a.webm', 'libvpx-vp9', 'yuv420p', {}),
    ('b.webm', 'libvpx', 'yuv420p', {}),
    ('a.ts', 'mpeg2video', 'yuv420p', {'bf': '2'}),
    ('b.ts', 'libx264', 'yuv420p', {'g': '6'}),
    ('a.mpg', 'mpeg2video', 'yuv420p', {'bf': '2'}),
    ('a.flv', 'libx264', 'yuv420p', {}),
    ('a.wmv', 'wmv2', 'yuv420p', {}),
    ('a.mxf', 'mpeg2video', 'yuv422p', {}),
    ('a.gif', 'gif', 'rgb8', {}),
)


def mutated(data: bytes, seed: int) -> bytes:
  """Returns data with one to 300 bytes set at random, or a piece of it lost."""
  rng = random.Random(seed)
  made = bytearray(data)
  for _ in range(rng.choice((1, 3, 10, 30, 100, 300))):
    made[rng.randrange(len(made))] = rng.randrange(256)
  if rng.random() < 0.2:
    start = rng.randrange(len(made))
    del made[start:start + rng.randrange(1, 1000)]
  return bytes(made)


def _outcome(path) -> str:
  """Reads a film to its end: 'frames', or 'refused' in one sentence."""
  try:
    info = probe.probe(path)
    before = None
    for frame in reader.read_frames(info):
      assert before is None or frame.pts > before, 'time goes back'
      assert frame.rgb.shape == (info.height, info.width, 3)
      before = frame.pts
    return 'frames'
  except types.BadInput as error:
    assert '\n' not in str(error), 'more than one sentence'
    return 'refused'


def _read_many(folder, count):
  """In the process: all mutations of all films; says which comes next."""
  folder = pathlib.Path(folder)
  films = sorted(folder.glob('*.*'))
  (folder / 'mutated').mkdir()
  for film in films:
    data = film.read_bytes()
    for seed in range(count):
      path = folder / 'mutated' / film.name
      path.write_bytes(mutated(data, seed))
      print(json.dumps([film.name, seed]), flush=True)
      signal.alarm(_SECONDS)  # Nobody handles it, so it ends the process.
      print(_outcome(str(path)), flush=True)
      signal.alarm(0)


class MutationTest(absltest.TestCase):

  def _check(self, count):
    folder = self.create_tempdir().full_path
    for name, codec, pix_fmt, options in _FILMS:
      # Not narrower: x265 writes beyond its memory below 64 pixels.
      clips.write(os.path.join(folder, name), clips.pictures(12, 48, 64),
                  codec=codec, pix_fmt=pix_fmt, options=options)
    done = subprocess.run(
        [sys.executable, '-c', 'from tests.video import mutation_test; '
         f'mutation_test._read_many({folder!r}, {count})'],
        capture_output=True, text=True, check=False,
        cwd=pathlib.Path(__file__).parents[2])
    lines = done.stdout.splitlines()
    self.assertEqual(
        done.returncode, 0, f'{lines[-1:]}: {done.stderr[-2000:]}')
    outcomes = lines[1::2]
    self.assertLen(outcomes, count * len(_FILMS))
    self.assertLessEqual(set(outcomes), {'frames', 'refused'})
    self.assertGreater(outcomes.count('frames'), len(outcomes) // 3)

  def test_ten_of_each_container(self):
    self._check(10)

  @pytest.mark.slow
  def test_two_hundred_of_each_container(self):
    self._check(200)


if __name__ == '__main__':
  absltest.main()
