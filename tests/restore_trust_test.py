"""Tests of what restore.py promises: nothing is changed in secret.

Films go through the whole path to a file, which is decoded again.
"""

import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np
import pytest

from configs import restore as config
from revive_jax import restore
from revive_jax.explain import origin
from revive_jax.pipeline import tally
from revive_jax.video import layers, probe, reader, writer
from tests.pipeline import run_test
from tests.video import clips


def _planes(path):
  return [f.planes for f in reader.read_frames(probe.probe(str(path)))]


def _layers(path):
  """{layer: frames [T, H, W]}, by PyAV alone."""
  with av.open(str(path)) as container:
    names = {s.index: s.metadata['LAYER'] for s in container.streams.video
             if 'LAYER' in s.metadata}
  found = {}
  for index, name in names.items():
    with av.open(str(path)) as container:
      found[name] = np.stack([f.to_ndarray() for f in container.decode(
          container.streams[index])])
  return found


class RestoreTrustTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _restore(self, path, output, c, **options):
    return restore.restore(c, str(self.dir / 'work'), str(path),
                           str(self.dir / output), **options)

  def _marked(self, pix_fmt, height, width):
    """A film of noise and a mask at odd places, repaired there alone."""
    frames = [clips.noise_frame(pix_fmt, height, width, seed=i)
              for i in range(3)]
    path = clips.write(self.dir / 'film.mkv', frames, codec='ffv1',
                       pix_fmt=pix_fmt, options={'level': '3'})
    mask = np.zeros((height, width), np.uint8)
    mask[11:18, 13:20] = mask[35:36, 41:42] = mask[-1, -1] = 255
    cv2.imwrite(str(self.dir / 'mask.png'), mask)
    c = config.get_config('tiny')
    c.composite, c.mask = 'repair', str(self.dir / 'mask.png')
    c.strength.dust = c.strength.scratch = 0.0
    self._restore(path, 'out.mkv', c)
    return path, cv2.dilate(mask, np.ones((3, 3))) > 0

  @parameterized.parameters(
      ('yuv420p', 51, 65), ('yuv420p10le', 51, 65), ('yuv422p10le', 50, 67),
      ('yuv444p', 40, 48), ('gray16le', 45, 49), ('yuv411p', 48, 64))
  def test_repair_is_exact_outside_the_mask(self, pix_fmt, height, width):
    path, mask = self._marked(pix_fmt, height, width)
    layout = probe.probe(path).layout
    self.assertEqual(probe.probe(str(self.dir / 'out.mkv')).layout, layout)
    padded = np.pad(mask, ((0, -height % layout.sub_y),
                           (0, -width % layout.sub_x)))
    blocks = padded.reshape(
        padded.shape[0] // layout.sub_y, layout.sub_y,
        padded.shape[1] // layout.sub_x, layout.sub_x).any((1, 3))
    found, changed = _layers(self.dir / 'out.mkv'), 0
    for t, (before, after) in enumerate(zip(
        _planes(path), _planes(self.dir / 'out.mkv'), strict=True)):
      for plane, (a, b) in enumerate(zip(before, after, strict=True)):
        allowed = blocks if plane else mask
        np.testing.assert_array_equal(a[~allowed], b[~allowed])
        changed += int((a != b).sum())
        # And whatever did change is marked, with all that shares a sample.
        marked = found['change'][t] > 0
        kept = origin.classes(found['origin'][t]) == 0
        if plane:
          grow = lambda x: np.repeat(np.repeat(
              x, layout.sub_y, 0), layout.sub_x, 1)[:height, :width]
          self.assertTrue(marked[grow(a != b)].all())
          self.assertFalse(kept[grow(a != b)].any())
        else:
          self.assertTrue(marked[a != b].all())
          self.assertFalse(kept[a != b].any())
    self.assertGreater(changed, 100)

  @parameterized.parameters(('mkv', 'tracks'))
  def test_layers_of_a_stopped_run_are_those_of_one_that_was_not(
      self, suffix, form):
    path = self.dir / 'film.mkv'
    writer.write_rgb(path, run_test._film(24, 32, 48), frame_rate=24)
    c = config.get_config('tiny')
    c.window, c.lookahead, c.output.layers = 8, 2, form
    place = layers.where if form == 'tracks' else layers.sidecar
    with mock.patch.object(tally, 'SEGMENT', 8):
      self._restore(path, f'whole.{suffix}', c)
      seen = []

      def stop(clip):
        seen.append(clip)
        if len(seen) > 1:
          raise KeyboardInterrupt

      with self.assertRaises(KeyboardInterrupt):
        self._restore(path, f'out.{suffix}', c, see=stop)
      kept = {p.name for p in (self.dir / 'work/segments').iterdir()}
      self.assertContainsSubset({'000000.layers.nut', '000000.json'}, kept)
      self._restore(path, f'out.{suffix}', c)
    whole = _layers(place(self.dir / f'whole.{suffix}'))
    found = _layers(place(self.dir / f'out.{suffix}'))
    self.assertEqual(list(found), ['damage', 'change', 'uncertainty', 'origin',
                                   'origin_frame'])
    for name, frames in found.items():
      self.assertLen(frames, 24)
      np.testing.assert_array_equal(frames, whole[name])
    self.assertGreater(int((found['damage'] > 0).sum()), 0)

  def test_the_change_is_the_difference_of_the_two_files(self):
    path = self.dir / 'film.mkv'
    writer.write_rgb(path, run_test._film(4, 48, 64), frame_rate=24)
    self._restore(path, 'out.mkv', config.get_config('tiny'))
    change = _layers(self.dir / 'out.mkv')['change']
    for a, b, shown in zip(_planes(path), _planes(self.dir / 'out.mkv'), change,
                           strict=True):
      difference = np.abs(a[0].astype(int) - b[0]).max(-1)
      np.testing.assert_array_equal(difference, shown)

  def test_a_mask_that_decides(self):
    """White is repaired, black stays, grey is left to the program."""
    self._check_mask('')

  @pytest.mark.slow
  def test_a_mask_that_decides_over_the_network(self):
    self._check_mask('restorer')

  def _check_mask(self, weights):
    film = np.repeat(run_test._film(1, 64, 96), 5, 0)
    film[2, 8:13, 8:13] = film[2, 8:13, 60:65] = 255  # Two spots of dust.
    path = self.dir / 'film.mkv'
    writer.write_rgb(path, film, frame_rate=24)
    mask = np.full((64, 96), 128, np.uint8)
    mask[:, 50:] = 0
    mask[40:44, 20:24] = 255
    cv2.imwrite(str(self.dir / 'mask.png'), mask)
    c = config.get_config('tiny')
    c.weights, c.mask = weights, str(self.dir / 'mask.png')
    c.mask_overrides = True
    c.strength.flicker = c.strength.tone = c.strength.blur = 0.0
    self._restore(path, 'out.mkv', c)
    before, after = _planes(path), _planes(self.dir / 'out.mkv')
    found = _layers(self.dir / 'out.mkv')
    for t, ((a,), (b,)) in enumerate(zip(before, after, strict=True)):
      np.testing.assert_array_equal(a[:, 50:], b[:, 50:])
      self.assertEqual(found['damage'][t, :, 50:].max(), 0)
      self.assertTrue((found['damage'][t, 40:44, 20:24] == 255).all()
                      or weights)
      self.assertTrue((origin.classes(
          found['origin'][t, 40:44, 20:24]) >= 2).all())
    self.assertGreater(int((before[2][0] != after[2][0])[8:13, 8:13].sum()), 40)

  @pytest.mark.slow
  def test_the_command_line(self):
    """Restored, explained, and given back."""
    clips.write(self.dir / 'film.mp4', clips.pictures(6, 48, 64))
    call = lambda *words: subprocess.run(
        [sys.executable, '-c', 'from revive_jax import main; main.run()',
         *words], capture_output=True, text=True, cwd=self.dir, check=False)
    done = call('--config=restore:tiny', '--input=film.mp4', '--output=out.mkv',
                '--config.output.keep_original')
    self.assertEqual(done.returncode, 0, done.stderr)
    done = call('--mode=explain', '--input=out.mkv', '--time=0.1',
                '--output=frame.png')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('invented', done.stdout)
    self.assertIsNotNone(cv2.imread(str(self.dir / 'frame.png')))
    done = call('--mode=restore-original', '--input=out.mkv',
                '--output=back.mp4')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(clips.packets(self.dir / 'back.mp4', 'video'),
                     clips.packets(self.dir / 'film.mp4', 'video'))
    done = call('--mode=explain', '--input=film.mp4')
    self.assertEqual(done.returncode, 2)
    self.assertIn('no layers', done.stderr)


if __name__ == '__main__':
  absltest.main()
