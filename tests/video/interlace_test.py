"""Tests of measuring interlace: kinds, borders, flags, false alarms."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.video import fields, interlace
from tests.video import woven


def kinds(segments):
  return [(s.start, s.stop, s.kind) for s in segments]


def measured(pictures, pix_fmt='gray'):
  return interlace.measure(iter(woven.frames(pictures, pix_fmt)))


class MeasureTest(parameterized.TestCase):

  @parameterized.parameters(
      ('progressive', True), ('top-first', True), ('bottom-first', False),
      ('telecined', True), ('telecined', False))
  def test_kind(self, kind, top_first):
    if kind == 'progressive':
      pictures = woven.scenes(20)
    elif kind == 'telecined':
      pictures = woven.telecined(woven.scenes(16, 1.25), top_first=top_first)
    else:
      pictures = woven.interlaced(20, top_first=top_first)
    segment, = measured(pictures)
    self.assertEqual(
        (segment.start, segment.stop, segment.kind, segment.top_first),
        (0, 20, kind, top_first))
    self.assertEqual(sum(segment.verdicts), 20)
    self.assertEqual((segment.phase, segment.unrepeated), (0, ()))

  @parameterized.parameters(range(5))
  def test_phase_of_a_cadence_that_starts_in_the_middle(self, phase):
    pictures = woven.telecined(woven.scenes(24, 1.25))[phase:]
    segment, = measured(pictures)
    self.assertEqual((segment.kind, segment.phase), ('telecined', phase))
    self.assertEqual(segment.frame_phase(3), (phase + 3) % 5)

  def test_mixed_content_ends_at_the_cuts(self):
    pictures = (
        woven.scenes(17, kind=1) + woven.interlaced(15, kind=2)
        + woven.telecined(woven.scenes(16, 1.25)) + woven.scenes(12, kind=3)
        + woven.interlaced(15, top_first=False))
    self.assertEqual(kinds(measured(pictures)), [
        (0, 17, 'progressive'), (17, 32, 'top-first'), (32, 52, 'telecined'),
        (52, 64, 'progressive'), (64, 79, 'bottom-first')])

  def test_without_a_cut_the_border_is_off_by_one_at_most(self):
    border = interlace.measure(woven.frames(
        woven.scenes(20) + woven.interlaced(40)[20:]))[1].start
    self.assertBetween(border, 19, 21)

  def test_a_short_run_makes_no_segment(self):
    pictures = woven.scenes(40)
    pictures[20:22] = woven.interlaced(40)[20:22]
    self.assertEqual(kinds(measured(pictures)), [(0, 40, 'progressive')])

  def test_an_edited_cadence_is_two_segments(self):
    pictures = woven.telecined(woven.scenes(32, 1.25))
    del pictures[20:22]
    first, second = measured(pictures)
    self.assertEqual((first.kind, second.kind), ('telecined', 'telecined'))
    self.assertBetween(second.start, 19, 21)
    self.assertEqual(second.frame_phase(second.start), (second.start + 2) % 5)

  @parameterized.parameters(
      'yuv420p', 'yuv422p10le', 'yuv444p12le', 'gray16le', 'rgb24', 'nv12',
      'p010le', 'gbrp10le', 'yuv420p10be')
  def test_formats(self, pix_fmt):
    segment, = measured(woven.interlaced(8, top_first=False), pix_fmt)
    self.assertEqual(segment.kind, 'bottom-first')

  @parameterized.parameters(True, False)
  def test_flags_are_counted_and_not_believed(self, flag_top):
    marked = map(fields.marker(top_first=flag_top),
                 woven.frames(woven.scenes(12)))
    segment, = interlace.measure(marked)
    self.assertEqual((segment.kind, segment.flagged), ('progressive', 12))
    marked = map(fields.marker(top_first=flag_top),
                 woven.frames(woven.interlaced(12)))
    segment, = interlace.measure(marked)
    self.assertEqual((segment.kind, segment.flagged), ('top-first', 12))

  def test_small_things_moving_in_noise(self):
    # Idet, which compares means over the whole picture, finds nothing here.
    rng = np.random.default_rng(0)

    def picture(time):
      noisy = np.full((240, 320), 120) + rng.normal(0, 6, (240, 320))
      left = int(20 + 8 * time)
      noisy[96:144, left:left + 48] += 60
      return np.uint8(noisy.clip(0, 255))

    halves = [picture(t / 2) for t in range(48)]
    pictures = [woven.weave(*p) for p in zip(
        halves[::2], halves[1::2], strict=True)]
    self.assertEqual(kinds(measured(pictures)), [(0, 24, 'top-first')])
    self.assertEqual(kinds(measured(halves[::2])), [(0, 24, 'progressive')])


class FalseAlarmTest(parameterized.TestCase):

  @parameterized.product(speed=(0, 0.5, 1, 2), period=(2, 3))
  def test_fine_lines_moving_up(self, speed, period):
    y = np.arange(64)[:, None] + np.zeros((1, 96))
    pictures = [np.uint8(120 + 100 * np.cos(
        2 * np.pi * (y + speed * t) / period)) for t in range(16)]
    self.assertEqual(kinds(measured(pictures)), [(0, 16, 'progressive')])

  @parameterized.product(
      size=((16, 16), (33, 49), (48, 64), (64, 96)), count=(2, 4, 16))
  def test_noise(self, size, count):
    rng = np.random.default_rng(0)
    for low, high in ((0, 256), (100, 140)):
      pictures = [rng.integers(low, high, size).astype(np.uint8)
                  for _ in range(count)]
      self.assertEqual(kinds(measured(pictures)), [(0, count, 'progressive')])
      self.assertEqual(kinds(measured([pictures[0]] * count)),
                       [(0, count, 'progressive')])

  def test_flicker_cuts_and_frames_shown_twice(self):
    rng = np.random.default_rng(0)
    gains = rng.uniform(0.7, 1.1, 24)
    pictures = [np.uint8(np.clip(p * g, 0, 255)) for p, g in zip(
        woven.scenes(24), gains, strict=True)]
    self.assertEqual(kinds(measured(pictures)), [(0, 24, 'progressive')])
    cuts = [p for k in range(4) for p in woven.scenes(5, kind=k)]
    self.assertEqual(kinds(measured(cuts)), [(0, 20, 'progressive')])
    twice = [p for p in woven.scenes(10) for _ in range(2)]
    self.assertEqual(kinds(measured(twice)), [(0, 20, 'progressive')])

  def test_too_little_to_measure(self):
    self.assertEqual(measured([]), [])
    self.assertEqual(
        kinds(measured([woven.scene(0)])), [(0, 1, 'progressive')])
    tiny = [np.zeros((8, 8), np.uint8)] * 3
    self.assertEqual(kinds(measured(tiny)), [(0, 3, 'progressive')])

  def test_stops_where_the_size_changes(self):
    pictures = woven.scenes(6) + woven.scenes(6, height=80)
    self.assertEqual(kinds(measured(pictures)), [(0, 6, 'progressive')])


if __name__ == '__main__':
  absltest.main()
