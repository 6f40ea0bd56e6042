"""Tests of video/color.py: the place of chroma, grey, ways without RGB."""

import fractions

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax.video import color, formats

# AVChromaLocation: its name in FFmpeg, how far right and down of the middle of
# its block of 2x2 chroma lies, in pixels of luma.
_PLACES = {1: ('left', -0.5, 0), 2: ('center', 0, 0),
           3: ('topleft', -0.5, -0.5), 4: ('top', 0, -0.5),
           5: ('bottomleft', -0.5, 0.5),
           6: ('bottom', 0, 0.5)}


def _layout(siting, pix_fmt='yuv420p'):
  return formats.layout(pix_fmt, 1, 1, 100, siting)


class SitingTest(parameterized.TestCase):

  @parameterized.parameters(*_PLACES)
  def test_a_ramp_stays_where_it_is(self, siting):
    # Chroma that rises by one a pixel is, sampled at its place, its place.
    _, right, down = _PLACES[siting]
    y, x = np.mgrid[:20, :30].astype(np.float32)
    by, bx = np.mgrid[:10, :15]
    for ramp, wanted in ((x, 2 * bx + 0.5 + right), (y, 2 * by + 0.5 + down)):
      sampled = color.downsample(ramp, _layout(siting))
      np.testing.assert_allclose(
          sampled[1:-1, 1:-1], wanted[1:-1, 1:-1], atol=1e-5)
      again = color.upsample(sampled, _layout(siting))
      np.testing.assert_allclose(again[4:-4, 4:-4], ramp[4:-4, 4:-4], atol=1e-4)

  def test_hand_values(self):
    # Left: a quarter of the pixel before, half of its own, a quarter after.
    row = np.array([[0, 0, 100, 40, 0, 0]] * 2, np.float32)
    np.testing.assert_allclose(
        color.downsample(row, _layout(1)), [[0, 60, 10]])
    np.testing.assert_allclose(
        color.upsample(np.float32([[0, 60, 10]]), _layout(1)),
        [[0, 30, 60, 35, 10, 10]] * 2)

  @parameterized.parameters(1, 2, 3)
  def test_against_swscale(self, siting):
    # FFmpeg's scaler, told the place, halves a smooth picture.
    y, x = np.mgrid[:64, :64]
    smooth = np.uint8(128 + 60 * np.sin(x / 5) + 50 * np.cos(y / 4 + x / 9))
    frame = av.VideoFrame(64, 64, 'yuv444p')
    for plane in frame.planes:
      np.frombuffer(plane, np.uint8).reshape(64, -1)[:, :64] = smooth
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=64, height=64, format='yuv444p',
        time_base=fractions.Fraction(1, 25))
    scale = graph.add('scale', 'flags=bilinear+accurate_rnd:'
                      f'out_chroma_loc={_PLACES[siting][0]}')
    form, sink = graph.add('format', 'yuv420p'), graph.add('buffersink')
    source.link_to(scale)
    scale.link_to(form)
    form.link_to(sink)
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    want = np.frombuffer(graph.pull().planes[1], np.uint8).reshape(32, -1)
    got = color.downsample(smooth.astype(np.float32), _layout(siting))
    error = np.abs(got - want[:, :32])[2:-2, 2:-2].mean()
    others = [
        np.abs(color.downsample(smooth.astype(np.float32), _layout(s))
               - want[:, :32])[2:-2, 2:-2].mean() for s in (1, 2, 3)
        if s != siting]
    self.assertLess(error, 1)
    self.assertLess(error, min(others))

  @parameterized.product(
      siting=(0, *_PLACES), pix_fmt=('yuv420p', 'yuv422p', 'yuv411p'),
      size=((16, 16), (13, 17), (1, 1), (2, 3)))
  def test_shapes_and_flat_colours(self, siting, pix_fmt, size):
    layout = _layout(siting, pix_fmt)
    rgb = np.full((*size, 3), (200, 100, 50), np.uint8)
    planes = color.to_planes(rgb, layout)
    self.assertEqual([p.shape for p in planes], layout.plane_shapes(*size))
    np.testing.assert_allclose(color.to_rgb(planes, layout), rgb, atol=2)

  def test_not_where_there_is_one_sample_a_pixel(self):
    self.assertEqual(_layout(1, 'yuv444p').siting, 0)


class ConvertTest(parameterized.TestCase):

  def _planes(self, layout, size=(12, 14)):
    rng = np.random.default_rng(0)
    return tuple(rng.integers(0, 2**layout.bits, s).astype(layout.dtype)
                 for s in layout.plane_shapes(*size))

  @parameterized.product(full=(False, True), kind=('yuv420p', 'gray'))
  def test_more_bits_and_back_is_exact(self, full, kind):
    low, high = (formats.layout(kind + b, 1, 2 if full else 1, 100)
                 for b in ('', '10le'))
    planes = self._planes(low)
    up = color.convert(planes, low, high)
    if not full:  # Two zeros are appended.
      np.testing.assert_array_equal(up[0], planes[0].astype(int) * 4)
    for a, b in zip(planes, color.convert(up, high, low), strict=True):
      np.testing.assert_array_equal(a, b)

  def test_grey_has_neutral_chroma(self):
    layout = formats.layout('gray10le', 2, 0, 100)
    planes = self._planes(layout)
    for target, value in (('yuv420p', 128), ('yuv422p10le', 512)):
      made = color.convert(planes, layout, formats.layout(target, 1, 2, 100))
      for plane in made[1:]:
        np.testing.assert_array_equal(plane, value)

  def test_no_way_without_rgb(self):
    source = formats.layout('yuv420p', 1, 1, 100)
    for target in (formats.layout('rgb24', 2, 0, 100),
                   formats.layout('yuv420p', 6, 1, 100)):
      self.assertIsNone(color.convert(self._planes(source), source, target))

  def test_is_grey(self):
    layout = formats.layout('yuv420p', 1, 1, 100)
    luma, blue, red = self._planes(layout)
    blue[:], red[:] = 128, 128
    self.assertTrue(color.is_grey((luma, blue, red), layout))
    red[3, 4] = 129
    self.assertFalse(color.is_grey((luma, blue, red), layout))
    rgb = np.stack([luma] * 3, -1)
    layout = formats.layout('rgb24', 2, 0, 100)
    self.assertTrue(color.is_grey((rgb,), layout))
    rgb[7, 7, 1] ^= 1
    self.assertFalse(color.is_grey((rgb,), layout))

  def test_grey_rgb(self):
    rgb = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]])
    np.testing.assert_array_equal(  # BT.601, by hand.
        color.grey_rgb(rgb)[0, :, 0], [76, 150, 29, 9])


if __name__ == '__main__':
  absltest.main()
