"""Tests of passage.py: the frames of a part are those of the whole."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax.video import passage, probe, reader, sandbox
from tests.video import clips

_COUNT = 150
_OPEN = {'g': '12', 'bf': '2', 'x264-params': 'open-gop=1:keyint=12'}
_CASES = (
    ('mkv', 'ffv1', 'yuv420p', {}),
    ('mkv', 'ffv1', 'yuv420p', {'g': '30'}),
    ('mp4', 'libx264', 'yuv420p', {'g': '24', 'bf': '3'}),
    ('mp4', 'libx264', 'yuv420p', _OPEN),
    ('mkv', 'libx264', 'yuv420p', _OPEN),
    ('mp4', 'libx264', 'yuv420p', {'x264-params': 'intra-refresh=1:keyint=20'}),
    ('ts', 'libx264', 'yuv420p', {'g': '25', 'bf': '2'}),
    ('mpg', 'mpeg2video', 'yuv420p', {'g': '12', 'bf': '2'}),
    ('avi', 'mpeg4', 'yuv420p', {'g': '12', 'bf': '2'}),
)


class PassageTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _film(self, case=_CASES[0], count=_COUNT):
    suffix, codec, pix_fmt, options = case
    path = self.dir / f'film.{suffix}'
    clips.write(path, clips.pictures(count, 32, 48), codec=codec,
                pix_fmt=pix_fmt, options=options)
    info = probe.probe(str(path))
    return info, list(reader.read_frames(info))

  def _check(self, info, whole, start, **how):
    stamps = [f.pts for f in whole]
    found = list(passage.read_from(info, stamps, start=start, **how))
    self.assertLen(found, len(whole))
    for frame, wanted in zip(found[start:], whole[start:], strict=True):
      self.assertEqual((frame.index, frame.pts), (wanted.index, wanted.pts))
      np.testing.assert_array_equal(frame.rgb, wanted.rgb)
      for plane, other in zip(frame.planes, wanted.planes, strict=True):
        np.testing.assert_array_equal(plane, other)
    return found

  @parameterized.parameters(*_CASES)
  @pytest.mark.slow
  def test_the_frames_of_the_whole(self, *case):
    self._check_case(case)

  def test_where_groups_of_pictures_are_open(self):
    self._check_case(('mp4', 'libx264', 'yuv420p', _OPEN))

  def _check_case(self, case):
    info, whole = self._film(case)
    for start in (0, 70, 97, 120, _COUNT - 1):
      self._check(info, whole, start)

  def test_nothing_before_it_is_decoded(self):
    info, whole = self._film(('mkv', 'ffv1', 'yuv420p', {}))
    with mock.patch.object(
        reader, 'frame_layout', side_effect=reader.frame_layout) as layout:
      found = self._check(info, whole, 120)
    self.assertLen(layout.mock_calls, _COUNT - 120)
    self.assertEqual(found[:120], [None] * 120)

  def test_other_timestamps_are_read_from_the_start(self):
    info, whole = self._film()
    stamps = [f.pts for f in whole]
    stamps[130] += 1  # As where a reading of the whole had to move it.
    found = list(passage.read_from(info, stamps, start=100))
    self.assertEqual([f.pts for f in found[100:]],
                     [f.pts for f in whole[100:]])
    found = list(passage.read_from(info, [], start=100))
    self.assertEqual([f.index for f in found], list(range(_COUNT)))

  @pytest.mark.slow
  def test_in_a_process_without_rights(self):
    info, whole = self._film(_CASES[2], 100)
    guarded = probe.probe(sandbox.guarded(info.path, 'on'))
    self.assertTrue(sandbox.covers(guarded.path))
    self._check(guarded, whole, 80)
    stamps = [f.pts for f in whole]
    stamps[90] += 1
    found = list(passage.read_from(guarded, stamps, start=80))
    self.assertEqual([f.index for f in found[80:]], list(range(80, 100)))


if __name__ == '__main__':
  absltest.main()
