"""Tests of undoing telecine: every film frame comes back, evenly timed."""

import io

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax.video import deinterlace, interlace, telecine
from tests.video import woven


def undone(pictures, **options):
  """Returns (decision, frames) of pictures as measured."""
  decision = deinterlace.decide(
      interlace.measure(woven.frames(pictures, **options)), 'auto')
  return decision, list(deinterlace.apply(
      woven.frames(pictures, **options), decision))


def psnr(a, b):
  error = np.mean((a.astype(float) - b.astype(float)) ** 2)
  return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


class TelecineTest(parameterized.TestCase):

  @parameterized.product(top_first=(True, False), pix_fmt=('gray', 'yuv420p'))
  def test_the_film_comes_back_sample_for_sample(self, top_first, pix_fmt):
    film = woven.scenes(16, 1.25)
    decision, frames = undone(
        woven.telecined(film, top_first=top_first), pix_fmt=pix_fmt)
    self.assertLen(frames, 16)
    self.assertEqual(decision.frames_out, 16)
    for frame, source in zip(frames, woven.frames(film, pix_fmt), strict=True):
      for got, want in zip(
          woven.samples(frame), woven.samples(source), strict=True):
        np.testing.assert_array_equal(got, want)

  def test_times_are_those_of_24_frames_a_second(self):
    _, frames = undone(woven.telecined(woven.scenes(16, 1.25)))
    # By hand: film frame n of a telecine at 30 stands at n / 24 s.
    np.testing.assert_allclose(
        [float(f.pts * f.time_base) for f in frames], np.arange(16) / 24)

  def test_uneven_times_are_followed(self):
    pts = [0, 10, 30, 40, 60, 80, 90, 110, 130, 140]
    _, frames = undone(woven.telecined(woven.scenes(8, 1.25)), pts=pts)
    self.assertEqual(  # By hand: 1/4, 1/2 and 3/4 of the way to the next.
        [f.pts for f in frames],
        [0, 60, 140, 220, 320, 380, 480, 550])

  @parameterized.product(cut=(0, 1, 2, 3, 4), end=(0, 1, 2, 3, 4))
  def test_whole_film_frames_of_any_piece(self, cut, end):
    film = woven.scenes(28, 1.25)
    pictures = woven.telecined(film)[cut:35 - end]
    decision, frames = undone(pictures)
    self.assertEqual(decision.segments[0].kind, 'telecined')
    self.assertLen(frames, decision.frames_out)
    stamps = [f.pts for f in frames]
    self.assertEqual(stamps, sorted(set(stamps)))
    # Every film frame of which anything was left is there; those with both
    # fields left exactly.
    shown = [f.to_ndarray() for f in frames]
    order = [(0, 0), (1, 1), (1, 2), (2, 3), (3, 3)]
    left = [(4 * (i // 5) + a, 4 * (i // 5) + b) for i in range(35)
            for a, b in [order[i % 5]]][cut:35 - end]
    tops, bottoms = ({n for n, _ in left}, {n for _, n in left})
    for number in tops | bottoms:
      best = max(psnr(film[number], f) for f in shown)
      self.assertGreater(best, 98 if number in tops & bottoms else 25, number)
    self.assertLen(frames, len(tops | bottoms))

  def test_no_film_frame_is_lost_at_an_edit(self):
    film = woven.scenes(32, 1.25)
    pictures = woven.telecined(film)
    del pictures[21:24]  # 21 is BB, 24 is DD: film frame 18 (C) goes.
    _, frames = undone(pictures)
    shown = [f.to_ndarray() for f in frames]
    for number in {*range(32)} - {17, 18}:
      self.assertGreater(
          max(psnr(film[number], f) for f in shown), 40, number)

  def test_a_field_that_is_no_repeat_is_shown(self):
    pictures = woven.telecined(woven.scenes(40, 1.25))
    pictures[22] = woven.weave(255 - pictures[22], pictures[22])
    decision, frames = undone(pictures)
    segment, = decision.segments
    self.assertEqual(segment.unrepeated, (22,))
    self.assertLen(frames, 41)
    np.testing.assert_array_equal(
        frames[18].to_ndarray()[::2], pictures[22][::2])

  def test_film_through_an_encoder(self):
    film = woven.scenes(16, 1.25, height=96, width=128)
    buffer = io.BytesIO()
    with av.open(buffer, 'w', format='mp4') as output:
      stream = output.add_stream(
          'libx264', rate=30, options={'crf': '14', 'preset': 'veryfast'})
      stream.width, stream.height, stream.pix_fmt = 128, 96, 'yuv420p'
      for frame in woven.frames(woven.telecined(film), 'yuv420p'):
        output.mux(stream.encode(frame))
      output.mux(stream.encode(None))

    def decoded():
      buffer.seek(0)
      with av.open(buffer) as container:
        yield from container.decode(video=0)

    decision = deinterlace.decide(interlace.measure(decoded()), 'auto')
    frames = list(deinterlace.apply(decoded(), decision))
    self.assertLen(frames, 16)
    for frame, want in zip(frames, film, strict=True):
      self.assertGreater(psnr(frame.to_ndarray()[:96], want), 40)

  def test_count(self):
    # By hand: BC CD DD | AA BB BC: B, C, D, A, B, C.
    segment = interlace.Segment(7, 13, 'telecined', phase=2)
    self.assertEqual(telecine.count_frames(segment), 6)


if __name__ == '__main__':
  absltest.main()
