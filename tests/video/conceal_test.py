"""Tests of lost frames: found, filled in, named; none made up elsewhere."""

import dataclasses
import fractions
import os
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.video import conceal, probe, reader
from tests.video import clips

# (name, encoder, pixel format, options).
_CODECS = (
    ('mp4', 'libx264', 'yuv420p', {'bf': '2'}),
    ('ts', 'libx264', 'yuv420p', {'bf': '2'}),
    ('flv', 'libx264', 'yuv420p', {'bf': '2'}),
    ('avi', 'libx264', 'yuv420p', {'bf': '2'}),
    ('h264', 'libx264', 'yuv420p', {'bf': '2'}),
    ('mkv', 'libx264', 'yuv420p', {'x264-params': 'interlaced=1'}),
    ('mp4', 'libx265', 'yuv420p', {'x265-params': 'log-level=none'}),
    ('mkv', 'ffv1', 'yuv420p', {'g': '1', 'level': '3', 'slicecrc': '1'}),
    ('nut', 'ffv1', 'yuv420p10le', {}),
    ('avi', 'mpeg4', 'yuv420p', {'bf': '2'}),
    ('avi', 'mpeg4', 'yuv420p', {}),
    ('avi', 'mjpeg', 'yuvj420p', {}),
    ('avi', 'huffyuv', 'yuv422p', {}),
    ('mov', 'prores_ks', 'yuv422p10le', {}),
    ('mov', 'qtrle', 'rgb24', {}),
    ('webm', 'libvpx', 'yuv420p',
     {'auto-alt-ref': '1', 'lag-in-frames': '12'}),
    ('webm', 'libvpx-vp9', 'yuv420p',
     {'auto-alt-ref': '1', 'lag-in-frames': '12'}),
    ('ts', 'mpeg2video', 'yuv420p', {'bf': '2'}),
    ('mpg', 'mpeg2video', 'yuv420p', {'bf': '2'}),
    ('mxf', 'mpeg2video', 'yuv422p', {}),
    ('wmv', 'wmv2', 'yuv420p', {}),
    ('gif', 'gif', 'rgb8', {}),
)
_COUNT = 24


def _stamps(path):
  with av.open(path) as container:
    return [p.pts for p in container.demux(video=0) if p.size]


def _with_data(packet, data, stream):
  made = av.Packet(data)
  made.pts, made.dts = packet.pts, packet.dts
  made.duration, made.time_base = packet.duration, packet.time_base
  made.is_keyframe, made.stream = packet.is_keyframe, stream
  return made


def _broken_on_the_way(changes):
  """Changes packets between container and decoder, whatever the container."""
  real = conceal.packets

  def packets(container, stream, warn):
    for number, packet in enumerate(real(container, stream, warn)):
      if number in changes:
        packet = _with_data(packet, changes[number](bytes(packet)), stream)
      yield packet

  return mock.patch.object(conceal, 'packets', packets)


def _remux(path, output, changes):
  """Copies a film, some packets changed: a function of bytes by its number."""
  with av.open(path) as source, av.open(output, 'w') as target:
    stream = target.add_stream_from_template(source.streams.video[0])
    number = 0
    for packet in source.demux(video=0):
      if not packet.size:
        continue
      data = changes.get(number, bytes)(bytes(packet))
      target.mux(_with_data(packet, data, stream))
      number += 1
  return output


def _zeros(data):
  return bytes(len(data))


def _noise(data):
  """The second half of the packet turns into something else."""
  half = len(data) // 2
  return data[:half] + bytes(b ^ (i * 7 % 251)
                             for i, b in enumerate(data[half:], 1))


class ConcealTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)

  def _film(self, case, count=_COUNT):
    suffix, codec, pix_fmt, options = case
    return clips.write(
        self.path(f'a.{suffix}'), clips.pictures(count, 64, 96), codec=codec,
        pix_fmt=pix_fmt, options=options)

  def _read(self, path):
    warnings = []
    frames = list(reader.read_frames(probe.probe(path), warn=warnings.append))
    return frames, warnings

  @parameterized.parameters(*_CODECS)
  def test_healthy_films_are_left_alone(self, *case):
    path = self._film(case)
    frames, warnings = self._read(path)
    self.assertLen(frames, _COUNT)
    self.assertEqual({f.concealed for f in frames}, {''})
    known = {'h264': 'no timestamp', 'gif': 'alpha'}.get(case[0], '#')
    self.assertEmpty([w for w in warnings if known not in w])
    if case[0] not in ('h264', 'avi'):
      self.assertEqual([f.pts for f in frames], sorted(_stamps(path)))

  @parameterized.product(case=_CODECS, lost=((13,), (9, 10, 17)))
  def test_lost_packets_are_filled_in(self, case, lost):
    path = self._film(case)
    whole, _ = self._read(path)
    with _broken_on_the_way(dict.fromkeys(lost, _zeros)):
      frames, warnings = self._read(path)
    concealed = [f for f in frames if f.concealed]
    self.assertEqual([f.pts for f in frames], [f.pts for f in whole])
    if case[1] in ('huffyuv', 'qtrle') or case[0] == 'nut':
      return  # Zeros are a picture to these.
    self.assertGreaterEqual(len(concealed), len(lost))
    self.assertIn(
        f'at {conceal.clock(concealed[0].pts * probe.probe(path).time_base)}'
        if not frames[0].pts else 'at 00:00:00.', ' '.join(warnings))
    if case[0] not in ('h264', 'avi'):
      # What comes before the lost packet, in either order.
      first = min(_stamps(path)[lost[0]:])
      for a, b in zip(frames, whole, strict=True):
        if a.pts < first:
          np.testing.assert_array_equal(a.rgb, b.rgb)

  @parameterized.parameters(
      (('mov', 'prores_ks', 'yuv422p10le', {}),),
      (('avi', 'mjpeg', 'yuvj420p', {}),))
  def test_the_neighbour_stands_in(self, case):
    path = self._film(case, 10)
    whole, _ = self._read(path)
    broken = _remux(path, self.path('b.' + case[0]),
                   dict.fromkeys((0, 1, 4, 5, 9), _zeros))
    frames, warnings = self._read(broken)
    expected = [2, 2, 2, 3, 3, 3, 6, 7, 8, 8]  # Worked out by hand.
    for frame, source in zip(frames, expected, strict=True):
      np.testing.assert_array_equal(frame.rgb, whole[source].rgb)
      self.assertEqual(
          frame.concealed, '' if frame.index == source else 'repeated')
    self.assertEqual([f.pts for f in frames], [f.pts for f in whole])
    self.assertIn('5 frames could not be decoded', warnings[0])
    self.assertIn('at 00:00:00.000, 00:00:00.040, 00:00:00.160, 00:00:00.200, '
                  '00:00:00.360.', warnings[0])

  def test_only_ten_are_named(self):
    path = self._film(('mov', 'prores_ks', 'yuv422p10le', {}))
    broken = _remux(path, self.path('b.mov'),
                   dict.fromkeys(range(1, 15), _zeros))
    frames, warnings = self._read(broken)
    self.assertLen(frames, _COUNT)
    self.assertEndsWith(warnings[0], '00:00:00.400 and 4 more.')

  @parameterized.parameters(
      (('ts', 'mpeg2video', 'yuv420p', {'bf': '2'}),),
      (('mov', 'prores_ks', 'yuv422p10le', {}),))
  def test_what_the_decoder_mended_is_kept_and_named(self, case):
    path = self._film(case)
    broken = _remux(path, self.path('b.' + case[0]), {10: _noise})
    frames, warnings = self._read(broken)
    self.assertLen(frames, _COUNT)
    damaged = [f for f in frames if f.concealed]
    self.assertEqual([f.concealed for f in damaged], ['damaged'])
    self.assertIn('1 frames are damaged', warnings[0])

  def test_one_bit_of_ffv1(self):
    def flip(data):
      return data[:200] + bytes([data[200] ^ 4]) + data[201:]

    path = self._film(('mkv', 'ffv1', 'yuv420p',
                       {'g': '1', 'level': '3', 'slicecrc': '1'}))
    broken = _remux(path, self.path('b.mkv'), {12: flip})
    frames, _ = self._read(broken)
    self.assertEqual([f.index for f in frames if f.concealed], [12])
    self.assertEqual(frames[12].concealed, 'damaged')

  @parameterized.parameters('mp4', 'h264', 'avi')
  def test_nothing_behind_a_broken_end_is_lost(self, suffix):
    # The last packets are still in the decoder when the file ends.
    path = clips.write(
        self.path('a.' + suffix), clips.pictures(_COUNT, 64, 96),
        options={'bf': '0'})
    with _broken_on_the_way({_COUNT - 2: _zeros}):
      frames, _ = self._read(path)
    self.assertLen(frames, _COUNT)
    self.assertLen([f for f in frames if f.concealed == 'repeated'], 1)

  def test_without_the_first_key_frame(self):
    path = clips.write(self.path('a.mp4'), clips.pictures(_COUNT, 64, 96),
                       options={'g': '12', 'bf': '0', 'sc_threshold': '0'})
    whole, _ = self._read(path)
    broken = _remux(path, self.path('b.mp4'), {0: _zeros})
    frames, _ = self._read(broken)
    self.assertLen(frames, _COUNT)
    self.assertEqual([f.concealed for f in frames],
                     12 * ['repeated'] + 12 * [''])
    for frame in frames[:12]:
      np.testing.assert_array_equal(frame.rgb, whole[12].rgb)

  def test_without_any_key_frame(self):
    path = clips.write(self.path('a.mp4'), clips.pictures(_COUNT, 64, 96))
    broken = _remux(path, self.path('b.mp4'), {0: _zeros})
    frames, _ = self._read(broken)
    self.assertLen(frames, _COUNT)
    self.assertIn('damaged', {f.concealed for f in frames})

  def test_nothing_decodes(self):
    path = self._film(('mov', 'prores_ks', 'yuv422p10le', {}), 4)
    broken = _remux(path, self.path('b.mov'), dict.fromkeys(range(4), _zeros))
    with self.assertRaisesRegex(types.BadInput, 'not one frame'):
      probe.probe(broken)

  def test_same_twice(self):
    path = self._film(('ts', 'libx264', 'yuv420p', {'bf': '2'}))
    broken = _remux(path, self.path('b.ts'),
                   {5: _noise, 9: _zeros, 20: _noise})
    first, second = (self._read(broken)[0] for _ in range(2))
    for a, b in zip(first, second, strict=True):
      self.assertEqual((a.pts, a.concealed), (b.pts, b.concealed))
      np.testing.assert_array_equal(a.rgb, b.rgb)

  @parameterized.parameters(
      (('mkv', 'ffv1', 'yuv420p', {}), 80_000_000),
      (('mp4', 'libx264', 'yuv420p', {'bf': '0'}), -500_000_000))
  def test_one_wild_timestamp(self, case, leap):
    path = self._film(case)
    whole, _ = self._read(path)
    real = conceal.packets

    def packets(*arguments):
      for number, packet in enumerate(real(*arguments)):
        if number == 9:
          packet.pts = packet.dts = packet.pts + leap
        yield packet

    with mock.patch.object(conceal, 'packets', packets):
      frames, warnings = self._read(path)
    self.assertEqual([f.pts for f in frames], [f.pts for f in whole])
    self.assertEqual({f.concealed for f in frames}, {''})
    self.assertIn('1 frames had no timestamp', warnings[0])

  def test_a_slide_show_is_plausible(self):
    path = clips.write(self.path('a.mkv'), clips.pictures(5), codec='ffv1',
                       time_base=fractions.Fraction(1, 1000),
                       pts=[0, 15_000, 40_000, 40_040, 90_000])
    frames, warnings = self._read(path)
    self.assertEqual([f.pts for f in frames], [0, 15_000, 40_000, 40_040,
                                               90_000])
    self.assertEmpty(warnings)

  def test_clock(self):
    self.assertEqual(conceal.clock(0), '00:00:00.000')
    self.assertEqual(conceal.clock(3723.0406), '01:02:03.041')
    self.assertEqual(conceal.clock(-1.5), '-00:00:01.500')


@dataclasses.dataclass
class _Packet:
  pts: int | None
  dts: int | None = None
  duration: int = 0
  size: int = 100
  is_discard: bool = False


class PromisesTest(absltest.TestCase):

  def _run(self, packets, frames, **settings):
    promises = conceal.Promises(10, **settings)
    for packet in packets:
      promises.add(packet)
    return [promises.take(pts) for pts in frames] + [promises.rest()]

  def test_two_fields_make_a_frame(self):
    packets = [_Packet(pts) for pts in range(0, 100, 5)]
    self.assertEqual(self._run(packets, range(0, 100, 10)), [[]] * 11)
    self.assertEqual(
        self._run(packets, [0, 10, 20, 50, 60, 70, 80, 90]),
        [[], [], [], [30, 40], [], [], [], [], []])

  def test_hidden_frames(self):
    packets = [_Packet(pts) for pts in (0, 10, 19, 20, 30, 39, 40)]
    self.assertEqual(self._run(packets, [0, 10, 20, 30, 40]), [[]] * 6)

  def test_discarded_and_empty_packets(self):
    packets = [_Packet(0), _Packet(10, is_discard=True), _Packet(20, size=7),
               _Packet(30), _Packet(40)]
    self.assertEqual(
        self._run(packets, [0, 30, 40], skips=True), [[], [], [], []])
    self.assertEqual(self._run(packets, [0, 30]), [[], [20], [40]])

  def test_errors_without_timestamps(self):
    promises = conceal.Promises(10)
    promises.add(_Packet(None))
    self.assertEqual(promises.take(None), [])
    promises.fail()
    self.assertEqual(promises.take(None), [None])
    promises.fail()
    self.assertEqual(promises.rest(), [None])


if __name__ == '__main__':
  absltest.main()
