"""Tests of fields: split and woven exactly, colours not mixed, marked."""

import io

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.video import color, fields, formats
from tests.video import clips, woven


class FieldsTest(parameterized.TestCase):

  @parameterized.product(
      pix_fmt=('yuv420p', 'yuv422p10le', 'yuv411p', 'gray', 'rgb24',
               'gbrp12le'),
      height=(16, 17, 18, 19))
  def test_weave_undoes_split(self, pix_fmt, height):
    frame = clips.noise_frame(pix_fmt, height, 20)
    planes = formats.read_planes(
        frame, formats.layout(pix_fmt, 6, 1, height))
    top, bottom = fields.split(planes)
    self.assertEqual(top[0].shape[0], (height + 1) // 2)
    np.testing.assert_array_equal(bottom[0][0], planes[0][1])
    for got, want in zip(fields.weave(top, bottom), planes, strict=True):
      self.assertEqual(got.dtype, want.dtype)
      np.testing.assert_array_equal(got, want)

  def test_clips(self):
    clip = np.arange(2 * 5 * 3 * 3).reshape(2, 5, 3, 3)
    top, bottom = fields.split((clip,), axis=1)
    np.testing.assert_array_equal(bottom[0], clip[:, 1::2])
    np.testing.assert_array_equal(
        fields.weave(top, bottom, axis=1)[0], clip)

  @parameterized.parameters(
      ((4, 4), (2, 4)), ((2, 4), (3, 4)), ((2, 4), (2, 5)))
  def test_fields_that_do_not_fit(self, top, bottom):
    with self.assertRaises(ValueError):
      fields.weave((np.zeros(top),), (np.zeros(bottom),))

  @parameterized.product(
      pix_fmt=('yuv420p', 'yuv422p', 'yuv444p', 'yuv420p10le', 'gray'),
      height=(16, 18, 19))
  def test_rgb_of_each_field_alone(self, pix_fmt, height):
    layout = formats.layout(pix_fmt, 6, 1, height)
    planes = formats.read_planes(
        clips.noise_frame(pix_fmt, height, 20), layout)
    rgb = fields.to_rgb(planes, layout)
    self.assertEqual(rgb.shape, (height, 20, 3))
    if height % 4 == 0:  # Then a field is a picture of the layout.
      for half, got in zip(
          fields.split(planes), (rgb[::2], rgb[1::2]), strict=True):
        np.testing.assert_array_equal(got, color.to_rgb(
            tuple(np.ascontiguousarray(p) for p in half), layout))

  @parameterized.product(height=(16, 18, 19))
  def test_two_moments_of_colour_do_not_mix(self, height):
    # The top field is red, the bottom field blue: by hand from BT.601.
    layout = formats.layout('yuv420p', 6, 1, height)
    shapes = layout.plane_shapes(height, 8)
    planes = tuple(np.empty(s, np.uint8) for s in shapes)
    for plane, red, blue in zip(
        planes, (81, 90, 240), (41, 240, 110), strict=True):
      plane[::2], plane[1::2] = red, blue
    rgb = fields.to_rgb(planes, layout)
    np.testing.assert_array_equal(rgb[::2], np.broadcast_to(
        (254, 0, 0), rgb[::2].shape))
    np.testing.assert_array_equal(rgb[1::2], np.broadcast_to(
        (0, 0, 255), rgb[1::2].shape))
    everywhere = np.ones((height, 8), bool)
    made, kept = fields.join(rgb, everywhere, planes, layout, layout)
    self.assertEqual(kept, 0)
    for got, want in zip(made, planes, strict=True):
      self.assertEqual(got.shape, want.shape)
      np.testing.assert_allclose(got.astype(int), want, atol=1)
    self.assertGreater(  # The other way, they do.
        np.abs(color.to_rgb(planes, layout).astype(int) - rgb).max(), 50)

  @parameterized.product(
      pix_fmt=('yuv420p', 'yuv422p10le', 'gray', 'rgb24'), height=(16, 18, 19))
  def test_join_touches_only_the_field_that_changed(self, pix_fmt, height):
    layout = formats.layout(pix_fmt, 6, 1, height)
    planes = formats.read_planes(
        clips.noise_frame(pix_fmt, height, 20), layout)
    before = fields.to_rgb(planes, layout)
    same, kept = fields.join(before, None, planes, layout, layout)
    self.assertEqual(kept, height * 20)
    for got, want in zip(same, planes, strict=True):
      np.testing.assert_array_equal(got, want)
    after = before.copy()
    after[5, 3] = 0  # A line of the bottom field.
    changed = (before != after).any(-1)
    made, kept = fields.join(after, changed, planes, layout, layout)
    self.assertEqual(kept, height * 20 - 1)
    for got, want in zip(made, planes, strict=True):
      np.testing.assert_array_equal(got[::2], want[::2])
    differ = [(a != b).reshape(*a.shape[:2], -1).any(-1).sum()
              for a, b in zip(made, planes, strict=True)]
    self.assertLessEqual(sum(differ), 3)  # One sample of each plane.

  def test_join_in_another_format(self):
    layout = formats.layout('yuv420p', 6, 1, 20)
    deep = formats.layout('yuv420p10le', 6, 1, 20)
    planes = formats.read_planes(clips.noise_frame('yuv420p', 20, 24), layout)
    rgb = fields.to_rgb(planes, layout)
    made, kept = fields.join(rgb, None, planes, layout, deep)
    self.assertEqual(kept, 20 * 24)
    for got, want in zip(made, planes, strict=True):  # By hand: times four.
      np.testing.assert_array_equal(got, want.astype(np.uint16) * 4)
    noise = tuple(np.zeros(s) for s in layout.plane_shapes(20, 24))
    back, _ = fields.join(rgb, None, made, deep, layout, noise)
    for got, want in zip(back, planes, strict=True):
      np.testing.assert_array_equal(got, want)

  def test_clips_of_the_pipeline(self):
    rng = np.random.default_rng(0)
    source = rng.random((3, 9, 6, 3), np.float32)
    clip = types.Clip(
        source=source, frames=source, pts=np.arange(3), cuts=np.zeros(3, bool),
        damage=source[..., :1])
    top, bottom = fields.split_clip(clip)
    np.testing.assert_array_equal(bottom.damage, source[:, 1::2, :, :1])
    self.assertEqual(top.frames.shape, (3, 5, 6, 3))
    flow = np.ones((3, 9, 6, 2), np.float32)
    back = fields.weave_clip(
        top.replace(output=top.frames, flow_forward=flow[:, ::2]),
        bottom.replace(output=bottom.frames, flow_forward=flow[:, 1::2]))
    for value in (back.source, back.output):
      np.testing.assert_array_equal(value, source)
    np.testing.assert_array_equal(back.pts, clip.pts)
    np.testing.assert_array_equal(back.flow_forward, flow * (1, 2))

  def test_woven_frame(self):
    top, bottom = (clips.noise_frame('yuv420p10le', 16, 20, seed=s)
                   for s in (0, 1))
    top.colorspace, top.color_range = 1, 2
    frame = fields.woven(top, bottom)
    self.assertEqual((int(frame.colorspace), int(frame.color_range)), (1, 2))
    for got, even, odd in zip(
        *(woven.samples(f) for f in (frame, top, bottom)), strict=True):
      np.testing.assert_array_equal(got[::2], even[::2])
      np.testing.assert_array_equal(got[1::2], odd[1::2])

  @parameterized.product(codec=('ffv1', 'libx264'), top_first=(True, False))
  def test_marked_frames_make_a_file_that_says_so(self, codec, top_first):
    pictures = woven.interlaced(3, top_first=top_first)
    buffer = io.BytesIO()
    with av.open(buffer, 'w', format='matroska') as output:
      stream = output.add_stream(codec, rate=30, options={} if codec == 'ffv1'
                                 else {'flags': '+ildct+ilme', 'qp': '0'})
      stream.height, stream.width = pictures[0].shape
      stream.pix_fmt = 'yuv420p'
      stream.codec_context.field_order = 2 if top_first else 3
      for frame in map(fields.marker(top_first=top_first),
                       woven.frames(pictures, 'yuv420p')):
        output.mux(stream.encode(frame))
      output.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
      frames = list(container.decode(video=0))
      order = container.streams.video[0].codec_context.field_order
    self.assertEqual(order, 2 if top_first else 3)
    for frame, picture in zip(frames, pictures, strict=True):
      self.assertTrue(frame.interlaced_frame)
      np.testing.assert_array_equal(frame.to_ndarray()[:64], picture)


if __name__ == '__main__':
  absltest.main()
