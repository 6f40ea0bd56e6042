"""Tests of video/parts.py: parts joined are what one piece would be."""

import fractions
import pathlib

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.video import extras, parts, probe, reader, target, writer
from tests.video import clips

_COUNT = 11
# Uneven, and not from zero: 90 kHz.
_STAMPS = np.cumsum([9000, 3600, 3003, 7200, 1, 3600, 3600, 12000, 3600, 50,
                     3600]).tolist()


class PartsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _source(self, **settings):
    path = clips.write(
        self.dir / 'source.mp4', clips.pictures(_COUNT, 64, 96),
        sounds=('aac',), seconds=0.5,
        time_base=fractions.Fraction(1, 90000), pts=_STAMPS,
        **settings)
    return probe.probe(path)

  def _joined(self, info, path, lengths, codec='auto', **settings):
    goal = target.choose(path, info, codec)
    found = extras.read(info.path)
    frames = (writer.OutputFrame(f, 255 - f.rgb)
              for f in reader.read_frames(info))
    folder = self.dir / 'parts'
    folder.mkdir()
    made, files = [], []
    for number, length in enumerate(lengths):
      name = parts.name(number, goal)
      own = [next(frames) for _ in range(length)]
      made.append(parts.write(
          folder / name, iter(own), info, goal, found, crf=16, seed=0))
      files += [folder / n for n in parts.files(folder, name)]
    written = parts.join(
        path, files, made, info, goal, found, expected_frames=_COUNT,
        **settings)
    return written, list(reader.read_frames(probe.probe(str(path))))

  @parameterized.parameters(
      ('a.mkv', 'auto', 1e-3), ('a.mp4', 'auto', 0), ('b.mp4', 'h265', 0),
      ('b.mkv', 'h264', 1e-3), ('a.mov', 'auto', 0), ('c.mp4', 'av1', 0))
  def test_uneven_timestamps_and_sound(self, name, codec, error):
    info = self._source()
    written, frames = self._joined(
        info, self.dir / name, (4, 1, 6), codec)
    self.assertEqual(written.num_frames, _COUNT)
    self.assertEqual(written.audio_tracks, 1)
    self.assertLessEqual(written.max_timestamp_error, error)
    own = probe.probe(str(self.dir / name))
    self._assert_ends(self.dir / name, info)
    for frame, stamp in zip(frames, _STAMPS, strict=True):
      self.assertAlmostEqual(
          float(frame.pts * own.time_base), stamp / 90000, delta=error + 1e-9)
    for a, b in zip(frames, reader.read_frames(info), strict=True):
      scale = 257 if a.rgb.dtype == np.uint16 else 1
      self.assertLess(np.abs(a.rgb / scale - (255 - b.rgb)).mean(), 6)
    self.assertEqual(
        [p for p, _ in clips.packets(self.dir / name, 'audio')[0]],
        [p for p, _ in clips.packets(info.path, 'audio')[0]])

  def _assert_ends(self, path, info):
    """A film ends when its source does, by what the headers say."""
    ends = []
    for one in (path, info.path):
      with probe.open_video(str(one)) as container:
        ends.append(probe.declared_end(container, container.streams.video[0]))
    self.assertAlmostEqual(*ends, delta=2e-3)

  @parameterized.parameters('out.mp4', 'out.mkv')
  def test_a_first_frame_that_is_long(self, name):
    """By hand: 4 s, and ten of 40 ms, are 4.4 s."""
    path = clips.write(
        self.dir / 'source.mp4', clips.pictures(_COUNT, 64, 96),
        time_base=fractions.Fraction(1, 1000), pts=[0, *range(4000, 4400, 40)])
    info = probe.probe(path)
    self._joined(info, self.dir / name, (4, 7))
    self.assertAlmostEqual(
        probe.probe(str(self.dir / name)).duration, 4.4, delta=2e-3)

  def test_lossless_is_the_same_however_it_is_cut(self):
    info = self._source()
    _, whole = self._joined(info, self.dir / 'a.mkv', (_COUNT,))
    (self.dir / 'parts').rename(self.dir / 'old')
    _, cut = self._joined(info, self.dir / 'b.mkv', (2, 5, 4), checksums=True)
    for a, b in zip(whole, cut, strict=True):
      self.assertEqual(a.pts, b.pts)
      for x, y in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(x, y)
    self.assertTrue((self.dir / 'b.mkv.framemd5').exists())

  def test_folder_of_pictures(self):
    info = self._source()
    written, frames = self._joined(info, self.dir / 'out', (3, 8))
    self.assertEqual(written.num_frames, _COUNT)
    for a, b in zip(frames, reader.read_frames(info), strict=True):
      np.testing.assert_array_equal(a.rgb, 255 - b.rgb)
    # The parts stay, for a run that is killed while it joins.
    self.assertLen(list((self.dir / 'parts').rglob('*.png')), _COUNT)

  def test_a_lost_frame_is_noticed(self):
    info = self._source()
    with self.assertRaisesRegex(RuntimeError, '10 frames .* 11 expected'):
      self._joined(info, self.dir / 'a.mkv', (4, 6))
    self.assertFalse((self.dir / 'a.mkv').exists())


if __name__ == '__main__':
  absltest.main()
