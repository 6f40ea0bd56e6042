"""Tests of preparing records, and of reading them."""

import contextlib
import io
import json
import os
import pathlib
import pickle
import tempfile

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.data import clips as clips_lib
from revive_jax.data import sources
from tests.data import clips
from tests.video import clips as video_clips


def _videos(folder):
  """Writes three videos and a sequence of frames of moving noise."""
  for i, name in enumerate(('a.mp4', 'sub/b.mkv', 'c.mp4')):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    frames, _ = clips.shots([10, 9], seed=i)
    video_clips.write(path, frames, options={'crf': '4'})
  return folder


class PrepareTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = _videos(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.out = os.path.join(
        cls.enterClassContext(tempfile.TemporaryDirectory()), 'records')
    cls.folder = clips_lib.prepare(
        cls.root, cls.out, held_out=['b.mkv'], num_frames=8, size=48,
        max_height=54, options={'c.mp4': {'frames': [[0, 10]]}})

  def test_splits_never_mix(self):
    train = sources.ClipRecords(self.out, 'train', held_out=['b.mkv'])
    validation = sources.ClipRecords(self.out, 'validation')
    self.assertEqual(train.names, ['a.mp4', 'c.mp4'])
    self.assertEqual(validation.names, ['b.mkv'])
    # The names in the records themselves, not those of the metadata.
    for source in (train, validation):
      stored = {source._records[i]['name'].decode()
                for i in range(len(source))}
      self.assertEqual(sorted(stored), source.names)
    with self.assertRaisesRegex(types.BadInput, 'holds b.mkv,'):
      sources.ClipRecords(self.out, 'validation', held_out=['b.mkv'])

  def test_pieces(self):
    train = sources.ClipRecords(self.folder, 'train')
    # 54 x 72: 2 x 3 pieces of 48; a.mp4 has two shots, of c.mp4 one is used.
    self.assertLen(train, (2 + 1) * 2 * 2)
    for i in range(len(train)):
      clip = train[i]['clip']
      self.assertEqual((clip.shape, clip.dtype), ((8, 48, 48, 3), np.uint8))
      # No piece crosses the cut: there the picture changes far more.
      change = np.abs(np.diff(clip.astype(float), axis=0)).mean((1, 2, 3))
      self.assertLess(change.max(), 2.5 * change.min())

  def test_pickled_source_gives_the_same(self):
    train = sources.ClipRecords(self.out, 'train')
    again = pickle.loads(pickle.dumps(train))
    np.testing.assert_array_equal(train[5]['clip'], again[5]['clip'])

  def test_no_tensorflow(self):
    out = os.path.join(self.create_tempdir().full_path, 'x')
    code = (
        'import sys; from revive_jax.data import clips, sources; '
        f'clips.prepare({self.root!r}, {out!r}, num_frames=8); '
        f's = sources.ClipRecords({out!r}, "train"); s[0]; '
        'print(len(s) > 0, "tensorflow" in sys.modules)')
    self.assertEqual(clips.run_alone(code), 'True False')

  def test_still_pieces_are_rare(self):
    root = self.create_tempdir().full_path
    frames = clips.shots([1])[0] * 40 + clips.shots([16], seed=5)[0]
    video_clips.write(os.path.join(root, 'a.mp4'), frames,
                      options={'crf': '4'})
    out = os.path.join(root, 'out')
    clips_lib.prepare(root, out, num_frames=8, size=96)
    # Five still ones, of which one is kept, and two that move.
    self.assertLen(sources.ClipRecords(out, 'train'), 3)

  def test_refusals(self):
    with self.assertRaisesRegex(types.BadInput, 'are there already'):
      clips_lib.prepare(self.root, self.out)
    other = os.path.join(self.create_tempdir().full_path, 'x')
    with self.assertRaisesRegex(types.BadInput, 'B.mkv.*not among'):
      clips_lib.prepare(self.root, other, held_out=['B.mkv'])
    with self.assertRaisesRegex(types.BadInput, 'No shot of 30 frames'):
      clips_lib.prepare(self.root, other, num_frames=30)
    with self.assertRaisesRegex(types.BadInput, 'cannot be'):
      clips_lib.prepare(self.root, other, size=0)
    self.assertFalse(os.path.exists(os.path.join(other, 'clips', '1.0.0')))
    with self.assertRaisesRegex(types.BadInput, 'no split'):
      sources.ClipRecords(self.out, 'test')
    with self.assertRaisesRegex(types.BadInput, '0 sets of records'):
      sources.ClipRecords(self.root, 'train')


class CommandTest(absltest.TestCase):

  def _run(self, *args):
    with contextlib.redirect_stderr(io.StringIO()) as said:
      code = clips_lib.main(args)
    return code, said.getvalue()

  def test_command(self):
    root = _videos(self.create_tempdir().full_path)
    out = os.path.join(root, 'out')
    options = pathlib.Path(root, 'options.json')
    options.write_text(json.dumps({'*': {'scale': 0.5}}))
    code, _ = self._run(
        f'--root={root}', f'--out={out}', f'--options={options}',
        '--num_frames=8', '--exclude', 'a.mp4', '--held_out', 'c.mp4')
    self.assertEqual(code, 0)
    train = sources.ClipRecords(out, 'train')
    self.assertEqual(train.names, ['b.mkv'])
    self.assertEqual(train[0]['clip'].shape, (8, 36, 48, 3))

  def test_bad_input_is_one_sentence(self):
    root = self.create_tempdir().full_path
    code, said = self._run(f'--root={root}', f'--out={root}/out')
    self.assertEqual(code, 2)
    self.assertIn('holds no video', said)
    options = pathlib.Path(root, 'o.json')
    for text in ('{', '[1]'):
      options.write_text(text)
      code, said = self._run(
          f'--root={root}', f'--out={root}/out', f'--options={options}')
      self.assertEqual(code, 2)
      self.assertIn('o.json', said)


if __name__ == '__main__':
  absltest.main()
