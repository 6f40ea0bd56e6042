"""Tests of integrations/vapoursynth: the real package, or a stand-in.

The stand-in is for Python 3.11, for which there are no wheels (see
fake_vapoursynth.py); where `import vapoursynth` works that is tested.
"""

import importlib.util
import pathlib
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax import frames
from revive_jax.video import color, formats, reader
from tests.integrations import fake_vapoursynth
from tests.pipeline import run_test

try:
  import vapoursynth as vs
except ImportError:
  vs = fake_vapoursynth

_FILE = (pathlib.Path(__file__).parents[2] / 'integrations/vapoursynth'
         / 'revive.py')
_QUICK = dict(weights='', fill='inpaint', denoiser='nlm', window=6,
              lookahead=2)


def _load():
  """The module, as `import revive` would find it."""
  spec = importlib.util.spec_from_file_location('revive', _FILE)
  module = importlib.util.module_from_spec(spec)
  with mock.patch.dict(sys.modules, {'vapoursynth': vs}):
    spec.loader.exec_module(module)
  return module


def _clip(planes, form, **props):
  """A clip of planes: for each frame an array for each plane."""
  height, width = planes[0][0].shape
  empty = vs.core.std.BlankClip(
      width=width, height=height, format=form, length=len(planes))

  def put(n, f):
    result = f.copy()
    for i, plane in enumerate(planes[n]):
      np.asarray(result[i])[:] = plane
    return result

  clip = empty.std.ModifyFrame(empty, put)
  return clip.std.SetFrameProps(**props) if props else clip


def _of_rgb(film, form):
  return _clip([[f[..., i] for i in range(3)] for f in film], form)


def _planes(frame):
  return [np.array(frame[i]) for i in range(frame.format.num_planes)]


class VapourSynthTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.revive = _load()
    self.film = run_test._film(8, 48, 64)

  def test_a_clip_is_what_the_program_makes_of_its_frames(self):
    vs.core.num_threads = 1  # Which would wait for itself.
    clip, mask = self.revive.restore(
        _of_rgb(self.film, vs.RGB24), with_mask=True, **_QUICK)
    self.assertGreaterEqual(vs.core.num_threads, 3)
    wanted = frames.restore_frames(frames.settings(**_QUICK), self.film)
    for n, frame in enumerate(clip.frames()):
      np.testing.assert_array_equal(
          np.stack(_planes(frame), -1), wanted.frames[n])
    found = np.stack([_planes(f)[0] for f in mask.frames()])
    np.testing.assert_array_equal(found, np.where(wanted.mask, 255, 0))
    self.assertAlmostEqual(
        clip.get_frame(4).props['ReviveDamaged'], wanted.mask[4].mean())
    self.assertEqual((clip.num_frames, clip.format.name), (8, 'RGB24'))

  def test_repair_leaves_the_samples_of_yuv(self):
    self.check_yuv('YUV420P10')

  @pytest.mark.slow
  def test_repair_leaves_the_samples_of_8_bits(self):
    self.check_yuv('YUV420P8')

  def check_yuv(self, name):
    form = getattr(vs, name)
    layout = formats.layout(
        'yuv420p' if name.endswith('P8') else 'yuv420p10le', 1, 2, 48, 1)
    source = [color.to_planes(f, layout) for f in self.film[:8]]
    clip = _clip(source, form, _Matrix=1, _Range=1, _ChromaLocation=0)
    self.assertEqual(self.revive._layout(clip.get_frame(0)), layout)
    found = self.revive.restore(clip, mode='repair', **_QUICK)
    whole = frames.Film(
        frames.settings(composite='repair', **_QUICK),
        lambda t: reader.SourceFrame(
            t, t, color.to_rgb(source[t], layout), source[t], layout), 8)
    shares = []
    for n in (7, 0, 1, 2, 3, 4, 5, 6):
      got, want = _planes(found.get_frame(n)), frames.planes(whole.frame(n)[0])
      for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
      shares.append((got[0] != source[n][0]).mean())
    self.assertBetween(np.mean(shares), 1e-4, 0.3)

  def test_what_samples_mean(self):
    blank = lambda form, **props: vs.core.std.BlankClip(
        width=64, height=48, format=form, length=1).std.SetFrameProps(
            **props).get_frame(0)
    layout = lambda *args, **props: self.revive._layout(blank(*args, **props))
    self.assertEqual(layout(vs.RGB48, _Range=1), formats.Layout(
        'gbrp16le', 'rgb', 16))
    # Grey without a range is limited, as VapourSynth has it.
    self.assertEqual(layout(vs.GRAY8), formats.Layout(
        'gray', 'grey', 8, full=False))
    old = layout(vs.YUV420P8, _ColorRange=0, _Matrix=6, _ChromaLocation=2)
    self.assertEqual(old, formats.Layout(
        'yuv420p', 'yuv', 8, 2, 2, matrix=6, full=True, siting=3))

  def test_single_precision_stays_where_nothing_was_done(self):
    exact = (self.film[:6] / np.float32(255)).astype(np.float32)
    exact[:, :4, :4] = 1 / 3 + 1e-6  # Between two codes of 16 bits.
    clip = self.revive.restore(
        _of_rgb(exact, vs.RGBS), mode='repair', **_QUICK)
    found = np.stack([np.stack(_planes(f), -1) for f in clip.frames()])
    wanted = frames.restore_frames(
        frames.settings(composite='repair', **_QUICK), exact).frames
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    same = found == exact
    self.assertGreater(same.mean(), 0.7)
    self.assertLess(same.mean(), 1)

  def test_two_after_each_other(self):
    vs.core.num_threads = 1
    settings = dict(_QUICK, strength={'noise': 0.0})
    once = self.revive.restore(_of_rgb(self.film[:6], vs.RGB48), **settings)
    twice = self.revive.restore(once, **settings)
    self.assertEqual(_planes(twice.get_frame(5))[0].shape, (48, 64))

  @parameterized.parameters(
      (dict(mode='half'), 'composite'), (dict(strength=2.0), 'between 0 and 1'),
      (dict(mask='brush.png'), 'is for files'), (dict(dust=1), "'dust'"),
      (dict(config='nowhere'), 'no config'))
  def test_refuses_settings(self, values, words):
    with self.assertRaisesRegex(vs.Error, f'revive: .*{words}'):
      self.revive.restore(
          _of_rgb(self.film[:2], vs.RGB24), **{**_QUICK, **values})

  def test_refuses_clips(self):
    half = vs.core.std.BlankClip(
        width=64, height=48, format=vs.RGBH, length=2)
    with self.assertRaisesRegex(vs.Error, 'revive: RGBH is not restored'):
      self.revive.restore(half, **_QUICK)
    fields = _of_rgb(self.film[:2], vs.RGB24).std.SetFrameProps(_FieldBased=2)
    with self.assertRaisesRegex(
        (vs.Error, ValueError), 'Frame 0 is interlaced'):
      self.revive.restore(fields, **_QUICK).get_frame(0)


if __name__ == '__main__':
  absltest.main()
