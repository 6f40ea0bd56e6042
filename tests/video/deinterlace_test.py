"""Tests of deinterlacing by segment: samples, times, modes, the report."""

import dataclasses
import fractions
import json
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.video import conceal, deinterlace, formats, interlace
from tests.video import clips, woven

Fraction = fractions.Fraction


def segments(*lengths_and_kinds):
  made, start = [], 0
  for length, kind in lengths_and_kinds:
    made.append(interlace.Segment(
        start, start + length, kind, kind != 'bottom-first'))
    start += length
  return made


def applied(frames, parts, mode='auto'):
  return list(deinterlace.apply(frames, deinterlace.decide(parts, mode)))


class ApplyTest(parameterized.TestCase):

  @parameterized.product(
      pix_fmt=('gray', 'gray10le', 'gray12le', 'yuv420p', 'yuvj420p',
               'yuv422p10le', 'yuv444p12le', 'yuv411p', 'rgb24', 'gbrp10le',
               'nv12', 'p010le', 'yuyv422'),
      top_first=(True, False))
  def test_each_field_keeps_its_lines(self, pix_fmt, top_first):
    frames = [clips.noise_frame(pix_fmt, 20, 24, seed=s) for s in range(4)]
    if pix_fmt == 'p010le':  # Its samples lie in the upper ten bits.
      frames = [f.reformat(format='p010le') for f in (
          clips.noise_frame('yuv420p10le', 20, 24, seed=s) for s in range(4))]
    for i, frame in enumerate(frames):
      frame.pts, frame.time_base = i, Fraction(1, 25)
      frame.colorspace, frame.color_range = 1, 2 if 'j' in pix_fmt else 1
    layout = formats.layout(pix_fmt, 1, 1, 20)
    planar = [f.reformat(format=formats.planar_format(pix_fmt), threads=1)
              for f in frames]
    kind = 'top-first' if top_first else 'bottom-first'
    out = applied(frames, segments((4, kind)))
    self.assertLen(out, 8)
    for i, frame in enumerate(out):
      self.assertEqual(frame.format.name, formats.planar_format(pix_fmt))
      if layout.kind == 'yuv':
        self.assertEqual(int(frame.colorspace), 1)
      first = 0 if (i % 2 == 0) == top_first else 1
      for got, want in zip(
          formats.read_planes(frame, layout),
          formats.read_planes(planar[i // 2], layout), strict=True):
        self.assertLess(int(got.max()), 2**layout.bits)
        np.testing.assert_array_equal(got[first::2], want[first::2])

  @parameterized.product(
      top_first=(True, False), pix_fmt=('gray', 'yuv422p10le'))
  def test_close_to_the_truth(self, top_first, pix_fmt):
    halves = woven.frames(woven.scenes(24, 0.5), pix_fmt)
    pictures = woven.frames(
        woven.interlaced(12, top_first=top_first), pix_fmt)
    kind = 'top-first' if top_first else 'bottom-first'
    layout = formats.layout(pix_fmt, 1, 2, 64)
    luma = lambda f: formats.read_planes(f, layout)[0].astype(float)
    combed = [luma(f) for f in pictures]
    out = applied(pictures, segments((12, kind)))
    errors = []
    for i, (frame, half) in enumerate(zip(out, halves, strict=True)):
      errors.append(np.mean((luma(frame) - luma(half))**2))
      self.assertLess(
          errors[-1], 0.15 * np.mean((combed[i // 2] - luma(half))**2))
    self.assertLess(np.mean(errors), 1e-4 * 4.0**layout.bits)  # 40 dB.

  def test_what_stands_still_keeps_its_fine_lines(self):
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 200, (32, 40)).astype(np.uint8)
    out = applied(woven.frames([picture] * 6), segments((6, 'top-first')))
    for frame in out[2:-2]:
      np.testing.assert_array_equal(frame.to_ndarray(), picture)

  def test_progressive_frames_are_the_ones_that_came(self):
    frames = [clips.noise_frame('yuv420p10le', 20, 24, seed=s)
              for s in range(9)]
    for i, frame in enumerate(frames):
      frame.pts, frame.time_base = i, Fraction(1, 25)
    before = [woven.samples(f) for f in frames]
    out = applied(iter(frames), segments(
        (3, 'progressive'), (3, 'top-first'), (3, 'progressive')))
    self.assertLen(out, 12)
    for got, want in ((out[:3], 0), (out[9:], 6)):
      for i, frame in enumerate(got):
        self.assertIs(frame, frames[want + i])
        for a, b in zip(
            woven.samples(frame), before[want + i], strict=True):
          np.testing.assert_array_equal(a, b)

  def test_neighbours_across_a_border_are_used(self):
    # The same as if all of it had been deinterlaced at once.
    whole = applied(
        woven.frames(woven.interlaced(12)), segments((12, 'top-first')))
    part = applied(woven.frames(woven.interlaced(12)), segments(
        (4, 'progressive'), (4, 'top-first'), (4, 'progressive')))
    for a, b in zip(part[4:12], whole[8:16], strict=True):
      np.testing.assert_array_equal(a.to_ndarray(), b.to_ndarray())
      self.assertEqual((a.pts, a.time_base), (b.pts, b.time_base))

  def test_times(self):
    # By hand: a second field lies half way to the next frame.
    pts = [5, 8, 11, 15, 18, 20]
    parts = segments((1, 'progressive'), (4, 'top-first'), (1, 'progressive'))
    out = applied(woven.frames(
        woven.interlaced(6), pts=pts, time_base=Fraction(1, 1000)), parts)
    self.assertEqual(
        [f.pts for f in out], [10, 16, 19, 22, 26, 30, 33, 36, 38, 40])
    self.assertEqual({f.time_base for f in out}, {Fraction(1, 2000)})
    out = applied(
        woven.frames(woven.interlaced(6), pts=pts), parts, 'same')
    self.assertEqual([f.pts for f in out], pts)

  def test_the_last_frame_lasts_as_long_as_the_one_before(self):
    out = applied(woven.frames(woven.interlaced(3), pts=[0, 40, 80]),
                  segments((3, 'top-first')))
    self.assertEqual([f.pts for f in out], [0, 40, 80, 120, 160, 200])
    one, = woven.frames(woven.interlaced(1))
    one.duration = 6
    out = applied([one], segments((1, 'top-first')))
    self.assertEqual([f.pts for f in out], [0, 6])

  def test_same_is_every_other_frame_of_double(self):
    parts = segments((6, 'bottom-first'))
    pictures = woven.interlaced(6, top_first=False)
    double = applied(woven.frames(pictures), parts, 'double')
    same = applied(woven.frames(pictures), parts, 'same')
    self.assertLen(same, 6)
    for a, b in zip(same, double[::2], strict=True):
      np.testing.assert_array_equal(a.to_ndarray(), b.to_ndarray())

  @parameterized.parameters('off', 'keep')
  def test_modes_that_leave_the_frames(self, mode):
    parts = segments((2, 'progressive'), (3, 'top-first'), (5, 'telecined'))
    frames = woven.frames(woven.interlaced(10))
    decision = deinterlace.decide(parts, mode)
    out = list(deinterlace.apply(iter(frames), decision))
    for i, (a, b) in enumerate(zip(out, frames, strict=True)):
      self.assertIs(a, b)
      self.assertEqual(a.pts, i)
    self.assertFalse(decision.changes)
    self.assertEqual(decision.keeps_fields, mode == 'keep')
    self.assertEqual([decision.by_field(i) for i in (0, 1, 2, 9)],
                     [False, False, mode == 'keep', mode == 'keep'])

  def test_fewer_and_more_frames_than_measured(self):
    for count in (1, 4, 5, 8):
      out = applied(woven.frames(woven.interlaced(count)), segments(
          (2, 'progressive'), (3, 'top-first')))
      self.assertLen(out, min(count, 2) + 2 * max(count - 2, 0))

  def test_yadif_where_there_is_no_bwdif(self):
    with mock.patch.object(
        av.filter, 'filters_available', {'yadif', 'idet'}):
      out = applied(
          woven.frames(woven.interlaced(4)), segments((4, 'top-first')))
    self.assertLen(out, 8)
    np.testing.assert_array_equal(
        out[2].to_ndarray()[::2], woven.interlaced(4)[1][::2])
    with mock.patch.object(av.filter, 'filters_available', {'idet'}):
      with self.assertRaisesRegex(types.BadInput, 'interlace=off'):
        applied(woven.frames(woven.interlaced(4)), segments((4, 'top-first')))

  def test_what_was_concealed_stays_known(self):
    frames = woven.frames(woven.interlaced(15))
    for i in (1, 6, 13):
      frames[i].opaque = ['repeated']
    parts = segments((5, 'progressive'), (5, 'top-first'), (5, 'telecined'))
    kinds = [conceal.kind(f) for f in deinterlace.apply(
        iter(frames), deinterlace.decide(parts, 'auto'))]
    expected = [''] * 19  # Film frame C comes with the second of its frames.
    for i in (1, 7, 8, 17):
      expected[i] = 'repeated'
    self.assertEqual(kinds, expected)

  @parameterized.parameters(([0, 1, 1],), ([0, 2, 1],))
  def test_times_must_increase(self, pts):
    with self.assertRaisesRegex(ValueError, 'increase'):
      applied(woven.frames(woven.scenes(3), pts=pts),
              segments((3, 'progressive')))


@dataclasses.dataclass(frozen=True)
class _Info:
  """What matters here of a probe.VideoInfo."""

  frame_rate: Fraction = Fraction(30000, 1001)
  time_base: Fraction = Fraction(1, 30000)
  frame_count: int = 10
  interlaced: bool = True
  field_order: int = 0


class DecisionTest(parameterized.TestCase):

  def test_by_kind_and_mode(self):
    parts = segments(
        (10, 'progressive'), (4, 'bottom-first'), (10, 'telecined'))
    expected = {  # (frames of each segment, factor of the time base)
        'off': ((10, 4, 10), 1), 'keep': ((10, 4, 10), 1),
        'same': ((10, 4, 8), 4), 'double': ((10, 8, 8), 4),
        'auto': ((10, 8, 8), 4)}
    for mode in deinterlace.MODES:
      decision = deinterlace.decide(parts, mode)
      self.assertEqual((decision.counts, decision.factor), expected[mode])
      self.assertEqual(decision.frames_in, 24)
    self.assertTrue(decision.top_first)
    with self.assertRaisesRegex(types.BadInput, 'interlace.*auto'):
      deinterlace.decide(parts, 'bob')
    self.assertEqual(deinterlace.decide([], 'auto').frames_out, 0)

  @parameterized.parameters(
      ('top-first', 'auto', Fraction(60000, 1001), 2, 20),
      ('top-first', 'same', Fraction(30000, 1001), 1, 10),
      ('telecined', 'auto', Fraction(24000, 1001), 4, 8),
      ('progressive', 'auto', Fraction(30000, 1001), 1, 10))
  def test_retimed(self, kind, mode, rate, factor, count):
    info = _Info()
    self.assertEqual(
        deinterlace.retimed(
            info, deinterlace.decide(segments((10, kind)), mode)),
        _Info(frame_rate=rate, time_base=Fraction(1, 30000 * factor),
              frame_count=count, interlaced=False))

  def test_retimed_where_nothing_is_retimed(self):
    info = _Info()
    for kind, order in (('top-first', 2), ('bottom-first', 3)):
      parts = segments((4, 'progressive'), (10, kind))
      decision = deinterlace.decide(parts, 'keep')
      kept = deinterlace.retimed(info, decision)
      self.assertEqual(kept, _Info(field_order=order))
      told = [deinterlace.report(deinterlace.decide(parts, mode))
              for mode in ('keep', 'double')]
      self.assertEqual([*map(deinterlace.field_order, told)], [order, 0])
      self.assertIs(
          deinterlace.retimed(info, deinterlace.decide(parts, 'off')), info)

  def test_report(self):
    pictures = (woven.scenes(16, kind=1) + woven.interlaced(12, kind=2)
                + woven.telecined(woven.scenes(16, 1.25)))
    decision = deinterlace.decide(
        interlace.measure(woven.frames(pictures)), 'auto')
    told = json.loads(json.dumps(deinterlace.report(decision)))
    self.assertEqual((told['frames_in'], told['frames_out']), (48, 56))
    self.assertEqual(
        [(s['start'], s['stop'], s['kind'], s['frames'], s['action'])
         for s in told['segments']],
        [(0, 16, 'progressive', 16, 'untouched'),
         (16, 28, 'top-first', 24, 'each field made a frame'),
         (28, 48, 'telecined', 16, 'telecine undone')])
    kept = json.loads(json.dumps(deinterlace.packed(decision)))
    self.assertEqual(deinterlace.unpacked(kept), decision)
    self.assertGreater(told['segments'][1]['evidence']['top_first'], 8)
    warning, = deinterlace.warnings(decision)
    self.assertIn('12 frames', warning)

  def test_flags_that_disagree_are_told(self):
    part = interlace.Segment(0, 9, 'progressive', flagged=7)
    warning, = deinterlace.warnings(deinterlace.decide([part], 'auto'))
    self.assertIn('7 frames are flagged', warning)


if __name__ == '__main__':
  absltest.main()
