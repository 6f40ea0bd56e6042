"""Tests of stretch.py: a stretch is what a reading of the whole film has there.
"""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.video import deinterlace, interlace, probe, reader, stretch
from tests.video import clips, woven

_COUNT = 60


class StretchTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _film(self, suffix, codec, options, pictures=None):
    pictures = pictures or woven.interlaced(_COUNT)
    path = self.dir / f'film.{suffix}'
    clips.write(path, [np.repeat(p[..., None], 3, -1) for p in pictures],
                codec=codec, options=options)
    return probe.probe(str(path))

  def _whole(self, info, decision):
    frames = list(reader.read_frames(info, decision=decision))
    return frames, [f.pts for f in frames]

  def _check(self, found, whole, start, stop):
    self.assertLen(found, stop - start)
    for frame, wanted in zip(found, whole[start:stop], strict=True):
      self.assertEqual(
          (frame.index, frame.pts, frame.by_field, frame.layout),
          (wanted.index, wanted.pts, wanted.by_field, wanted.layout))
      np.testing.assert_array_equal(frame.rgb, wanted.rgb)
      for plane, other in zip(frame.planes, wanted.planes, strict=True):
        np.testing.assert_array_equal(plane, other)

  @parameterized.parameters(
      ('mkv', 'ffv1', {}, 'double'), ('mkv', 'ffv1', {'g': '30'}, 'same'),
      ('mp4', 'libx264', {'g': '24', 'bf': '3', 'flags': '+ildct'}, 'double'),
      ('mpg', 'mpeg2video', {'g': '12', 'bf': '2'}, 'double'),
      ('mkv', 'ffv1', {}, 'keep'))
  def test_as_in_the_whole(self, suffix, codec, options, mode):
    info = self._film(suffix, codec, options)
    segment = interlace.Segment(0, _COUNT, interlace.TOP_FIRST)
    decision = deinterlace.decide([segment], mode)
    whole, stamps = self._whole(info, decision)
    self.assertLen(whole, _COUNT * (2 if mode == 'double' else 1))
    for start, stop in ((0, 3), (41, 46), (50, 51), (len(whole) - 4,
                                                     len(whole))):
      self._check(stretch.read(info, stamps, start, stop, decision=decision),
                  whole, start, stop)

  def test_beside_a_segment_of_another_kind(self):
    info = self._film('mkv', 'ffv1', {})
    decision = deinterlace.decide([
        interlace.Segment(0, 25, interlace.PROGRESSIVE),
        interlace.Segment(25, _COUNT, interlace.BOTTOM_FIRST, top_first=False)],
                                  'double')
    whole, stamps = self._whole(info, decision)
    self.assertLen(whole, 25 + 2 * 35)
    for start, stop in ((20, 25), (25, 29), (27, 30)):
      self._check(stretch.read(info, stamps, start, stop, decision=decision),
                  whole, start, stop)
    self.assertIsNone(  # Across the border.
        stretch.read(info, stamps, 23, 27, decision=decision))

  def test_only_what_is_near_is_decoded(self):
    info = self._film('mkv', 'ffv1', {})
    decision = deinterlace.decide(
        [interlace.Segment(0, _COUNT, interlace.TOP_FIRST)], 'double')
    _, stamps = self._whole(info, decision)
    seen = []
    apply = deinterlace.apply
    with mock.patch.object(deinterlace, 'apply', lambda frames, d: apply(
        (seen.append(f.pts) or f for f in frames), d)):
      stretch.read(info, stamps, 100, 104, decision=decision)
    self.assertLessEqual(len(seen), 2 + 4)

  def test_a_cadence_is_not_read_so(self):
    info = self._film('mkv', 'ffv1', {}, woven.telecined(woven.scenes(24)))
    decision = deinterlace.decide(
        [interlace.Segment(0, 30, interlace.TELECINED)], 'auto')
    _, stamps = self._whole(info, decision)
    self.assertIsNone(stretch.read(info, stamps, 9, 12, decision=decision))

  def test_other_timestamps_are_noticed(self):
    info = self._film('mkv', 'ffv1', {})
    decision = deinterlace.decide(
        [interlace.Segment(0, _COUNT, interlace.TOP_FIRST)], 'double')
    _, stamps = self._whole(info, decision)
    stamps[46] += 2
    self.assertIsNone(stretch.read(info, stamps, 44, 46, decision=decision))


if __name__ == '__main__':
  absltest.main()
