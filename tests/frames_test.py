"""Tests of frames.py: films that are arrays, or come frame by frame."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from configs import restore as config
from revive_jax import frames, restore, types
from revive_jax.video import probe, reader, writer
from tests.pipeline import run_test
from tests.video import clips


def _settings(**values):
  """Quick ones: the classical stages, windows that are shorter than the film.
  """
  c = config.get_config('tiny')
  c.window, c.lookahead = 6, 2
  c.provenance.sign = False
  c.update(values)
  return c


class FramesTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def program(self, c, path):
    """The frames that the program makes of a file."""
    restore.restore(
        c, str(self.dir / 'work'), str(path), str(self.dir / 'out.mkv'))
    return list(reader.read_frames(probe.probe(str(self.dir / 'out.mkv'))))

  @parameterized.parameters('full', 'repair')
  def test_equals_the_film_of_the_program(self, mode):
    film = run_test._film(8, 48, 64)
    path = self.dir / 'film.mkv'
    writer.write_rgb(path, film, frame_rate=24)
    source = list(reader.read_frames(probe.probe(str(path))))
    c = _settings(composite=mode)
    wanted = np.stack([f.rgb for f in self.program(c, path)])
    found = frames.restore_frames(
        c, film, stamps=[f.pts for f in source], frame_rate=24)
    np.testing.assert_array_equal(found.frames, wanted)
    self.assertEqual(found.mask.shape, film.shape[:3])
    self.assertGreater(found.mask.mean(), 1e-4)
    changed = (found.frames != film).any(-1)
    np.testing.assert_array_equal(found.layers['change'] > 0, changed)
    self.assertTrue(changed.any())

  def test_native_samples_equal_the_film_of_the_program(self):
    self.check_native('yuv420p')

  @pytest.mark.slow
  def test_native_samples_of_more_bits(self):
    self.check_native('yuv422p10le')

  def check_native(self, pix_fmt):
    film = run_test._film(7, 32, 48)
    path = clips.write(self.dir / 'film.mkv', list(film), codec='ffv1',
                       pix_fmt=pix_fmt)
    c = _settings(composite='repair')
    source = list(reader.read_frames(probe.probe(path)))
    wanted = self.program(c, path)
    whole = frames.Film(c, source.__getitem__, len(source), frame_rate=25)
    for t, want in enumerate(wanted):
      for a, b in zip(frames.planes(whole.frame(t)[0]), want.planes,
                      strict=True):
        np.testing.assert_array_equal(a, b)

  @pytest.mark.slow
  def test_equals_the_program_with_the_network(self):
    film = np.concatenate([run_test._film(14, 64, 96), run_test._film(
        13, 64, 96, seed=3)])
    path = self.dir / 'film.mkv'
    writer.write_rgb(path, film, frame_rate=24)
    source = list(reader.read_frames(probe.probe(str(path))))
    c = config.get_config()
    c.window, c.lookahead = 6, 2
    wanted = [f.rgb for f in self.program(c, path)]
    whole = frames.Film(c, source.__getitem__, len(source), frame_rate=24)
    for t in (*range(0, 27, 5), 3, 26, 12, *range(27)):
      np.testing.assert_array_equal(whole.frame(t)[0].rgb, wanted[t])

  def test_in_any_order_within_a_bounded_memory(self):
    film = run_test._film(16, 24, 32)
    c, asked = _settings(), []

    def read(t):
      asked.append(t)
      return reader.SourceFrame(t, t, film[t], ())

    whole = frames.Film(c, read, len(film))
    self.assertEmpty(asked)
    with mock.patch.object(frames, '_KEPT', 4):
      first = [whole.frame(t)[0].rgb for t in range(16)]
      self.assertLessEqual(len(whole._done), 12)
      self.assertLen(asked, 32)  # Measured, and restored: each read twice.
      for t in (15, 0, 11, 10, 14, 5):
        np.testing.assert_array_equal(whole.frame(t)[0].rgb, first[t])
    with self.assertRaises(IndexError):
      whole.frame(16)

  def test_a_source_that_fails_once(self):
    film, fails = run_test._film(8, 32, 48), [True]

    def read(t):
      if t == 7 and len(whole.shots) and fails.pop():
        fails.append(False)
        raise OSError('a cable')
      return reader.SourceFrame(t, t, film[t], ())

    whole = frames.Film(_settings(), read, 8)
    with self.assertRaisesRegex(OSError, 'cable'):
      whole.frame(6)
    wanted = frames.restore_frames(_settings(), film).frames
    np.testing.assert_array_equal(whole.frame(6)[0].rgb, wanted[6])

  def test_what_nothing_was_done_to_comes_back_bit_for_bit(self):
    film = run_test._film(5, 32, 48)
    rng = np.random.default_rng(0)
    exact = rng.random(film.shape, np.float32)  # Between all codes.
    mask = np.zeros((1, 32, 48), bool)
    mask[0, 10:14, 20:26] = True
    c = _settings(composite='repair')
    with c.unlocked():
      c.strength.dust = c.strength.scratch = 0.0
    done = []
    found = frames.restore_frames(c, exact, mask=mask, told=done.append)
    self.assertEqual(done, [1, 2, 3, 4, 5])
    self.assertEqual(found.frames.dtype, np.float32)
    same = found.layers['change'] == 0
    np.testing.assert_array_equal(found.frames[same], exact[same])
    self.assertGreater(same.mean(), 0.9)
    self.assertTrue(found.mask[:, 10:14, 20:26].all())
    deep = frames.restore_frames(c, film.astype(np.uint16) * 257, mask=mask)
    self.assertEqual(deep.frames.dtype, np.uint16)

  def test_a_photograph(self):
    found = frames.restore_frames(_settings(), run_test._film(1, 32, 48))
    self.assertEqual(found.frames.shape, (1, 32, 48, 3))

  def test_settings(self):
    c = frames.settings(composite='repair', strength=0.5, weights='')
    self.assertEqual((c.composite, c.weights), ('repair', ''))
    self.assertEqual(c.strength.noise, 0.4)  # Half of 0.8.
    self.assertEqual(frames.settings(
        strength={'noise': 0.1}).strength.to_dict(),
                     config.get_config().strength.to_dict() | {'noise': 0.1})
    for values, words in (
        (dict(strengh=1), "no setting 'strengh'"),
        (dict(strength={'gloss': 1.0}), "no setting 'gloss'"),
        (dict(window='long'), 'cannot be'),
        (dict(strength='much'), 'cannot be'),
        (dict(output={'grian': 1}), 'cannot be.*grian'),
        (dict(name='nowhere'), 'no config')):
      with self.assertRaisesRegex(types.BadInput, words):
        frames.settings(**values)

  @parameterized.parameters(
      (dict(mask='brush.png'), 'mask=brush.png is for files'),
      (dict(repeats='all'), 'their number stays'),
      (dict(interlace='double'), 'fields'),
      (dict(mark=dict(visible=True)), 'marked'),
      (dict(output=dict(upscale=2)), 'size'),
      (dict(output=dict(keep_original=True)), 'keep_original=True is for'),
      (dict(encrypt=dict(key='keyring')), 'encrypt.key=.*sealed'),
      (dict(strength=dict(noise=2.0)), 'between 0 and 1'),
      (dict(weights='nowhere'), 'no weights'))
  def test_refuses_settings(self, values, words):
    with self.assertRaisesRegex(types.BadInput, words):
      frames.restore_frames(_settings(**values), run_test._film(2, 32, 48))

  @parameterized.parameters(
      (np.zeros((32, 48, 3), np.uint8), 'no film'),
      (np.zeros((0, 32, 48, 3), np.uint8), 'no film'),
      (np.zeros((2, 32, 48, 3), np.int64), 'int64'),
      (np.full((2, 32, 48, 3), 1.5), 'between 0 and 1'),
      (np.full((2, 32, 48, 3), np.nan), 'between 0 and 1'))
  def test_refuses_frames(self, film, words):
    with self.assertRaisesRegex(types.BadInput, words):
      frames.restore_frames(_settings(), film)

  def test_refuses_a_mask_of_another_size_and_frames_of_another(self):
    film = run_test._film(3, 32, 48)
    for mask in (np.zeros((3, 32, 40), bool), np.zeros((2, 32, 48), bool),
                 np.zeros((3, 32, 48))):
      with self.assertRaisesRegex(types.BadInput, 'does not fit'):
        frames.restore_frames(_settings(), film, mask=mask)
    whole = frames.Film(_settings(), lambda t: reader.SourceFrame(
        t, t, film[t, t:], ()), 3)
    with self.assertRaisesRegex(types.BadInput, 'Frame 1 is 48x31'):
      whole.frame(0)


if __name__ == '__main__':
  absltest.main()
