"""Tests that the modes work on what the demo makes, as a user calls them."""

import json
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest
import av
import cv2
import numpy as np
import pytest

from tests.video import clips

_CALL = 'from revive_jax import main; main.run()'


def _frames(path):
  """All frames (RGB in 8 bits, as the demo's are) with times, by PyAV alone."""
  with av.open(str(path)) as container:
    unit = container.streams.video[0].time_base
    return [(f.pts * unit, f.format.name, f.to_ndarray(format='rgb24'))
            for f in container.decode(video=0)]


@pytest.mark.slow
class DemoModesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _call(self, *words, code=0):
    done = subprocess.run(
        [sys.executable, '-c', _CALL, *words], capture_output=True, text=True,
        cwd=self.dir, check=False)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertNotIn('Traceback', done.stderr)
    return done

  def test_explain_verify_and_restore_original(self):
    self._call('--config=demo:tiny')
    outputs = self.dir / 'runs' / 'demo' / 'outputs'
    film = str(outputs / 'restored.mkv')
    self._explain(film)
    self._restore_original(film, outputs / 'damaged.mkv')
    self._verify(film)

  def _explain(self, film):
    done = self._call('--mode=explain', f'--input={film}', '--time=0.25',
                      '--workdir=runs/demo', '--output=frame.png')
    self.assertIn('Frame 6 at 00:00:00.250 of restored.mkv.', done.stdout)
    self.assertRegex(done.stdout, r'invented \d+\.\d\d %')
    self.assertNotIn('is not shown', done.stdout)  # The source is.
    page = cv2.imread(str(self.dir / 'frame.png'))
    self.assertGreater(page.shape[0] * page.shape[1], 4 * 72 * 96)
    self.assertGreater(np.std(page), 10)

  def _restore_original(self, film, source):
    words = ('--mode=restore-original', f'--input={film}')
    done = self._call(*words, '--output=back.mkv')
    self.assertIn('back.mkv', done.stdout)
    self.assertEqual(clips.packets(self.dir / 'back.mkv', 'video'),
                     clips.packets(source, 'video'))
    back, known = _frames(self.dir / 'back.mkv'), _frames(source)
    self.assertLen(back, 12)
    for (at, kind, frame), (known_at, known_kind, known_frame) in zip(
        back, known, strict=True):
      self.assertEqual((at, kind), (known_at, known_kind))
      np.testing.assert_array_equal(frame, known_frame)
    done = self._call(*words, '--output=no.mkv', '--config.sandbox=on', code=2)
    self.assertIn('opens films in its own process', done.stderr)
    self.assertFalse((self.dir / 'no.mkv').exists())

  def _verify(self, film):
    words = ('--mode=verify', f'--input={film}', '--output=verdict.json')
    done = self._call(*words)
    self.assertLen(done.stdout.strip().splitlines(), 1)
    verdict = json.loads((self.dir / 'verdict.json').read_text())
    self.assertTrue(verdict['valid'] and verdict['is_intact'])
    self.assertFalse(verdict['is_trusted'])  # By a local test credential.
    self.assertEqual(verdict['where'], 'sidecar')
    changed = bytearray(pathlib.Path(film).read_bytes())
    changed[len(changed) // 2] ^= 1
    other = self.dir / 'changed.mkv'
    other.write_bytes(changed)
    shutil.copy(f'{film}.c2pa', f'{other}.c2pa')
    self._call('--mode=verify', f'--input={other}', code=1)


if __name__ == '__main__':
  absltest.main()
