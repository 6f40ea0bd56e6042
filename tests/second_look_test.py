"""Tests of second_look.py: what the file says is what its segments said."""

import pathlib
import threading
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np

from configs import restore as config
from revive_jax import reporting, restore, second_look
from revive_jax.pipeline import remeasure
from revive_jax.video import writer
from tests.pipeline import run_test

_ROOM = 56  # Frames; a segment is of 48 or a few more.


class SecondLookTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.film = self.dir / 'film.mkv'
    _write(self.film, np.concatenate(
        [run_test._film(20, 48, 64), 255 - run_test._film(
            _ROOM, 48, 64, seed=3)]))

  def _restore(self, end='mkv', **settings):
    c = config.get_config('tiny')
    c.report, c.window, c.lookahead, c.progress = True, 8, 2, 'none'
    c.update(settings)
    return restore.restore(c, str(self.dir / 'work'), str(self.film),
                           str(self.dir / f'out.{end}'))

  def _looked(self, end='mkv'):
    """What is measured of the film, and whether its file was read for that."""
    with mock.patch.object(
        reporting, 'again', side_effect=reporting.again) as again:
      report = self._restore(end)
    self.assertLen(report['measured_after'], 2)
    # NaN is what nobody could measure.
    return repr(report['measured_after']), again.call_args.args[-1] is None

  @parameterized.parameters('mkv', 'mp4')
  def test_of_the_segments_as_of_the_file(self, end):
    found, from_file = self._looked(end)
    self.assertFalse(from_file)
    with mock.patch.object(
        second_look.SecondLook, 'result', return_value=None):
      self.assertEqual(self._looked(end), (found, True))

  def test_a_stopped_run_looks_at_what_was_there_before(self):
    whole = self._looked()
    (self.dir / 'out.mkv').unlink()
    with mock.patch.object(
        restore.Film, 'segment', autospec=True, side_effect=_once(
            restore.Film.segment)), self.assertRaises(KeyboardInterrupt):
      self._restore()
    self.assertEqual(self._looked(), whole)

  def test_prores_is_decoded_otherwise_in_a_film(self):
    self.assertTrue(self._looked('mov')[1])

  def test_a_segment_that_cannot_be_read_is_no_loss(self):
    whole, _ = self._looked()
    (self.dir / 'out.mkv').unlink()
    with mock.patch.object(
        second_look.reader, 'read_frames', side_effect=_unreadable(
            'segments')), self.assertLogs(level='WARNING') as logs:
      self.assertEqual(self._looked(), (whole, True))
    self.assertIn('could not be measured', ''.join(logs.output))

  def test_what_no_shot_is_measured_by_is_not_read(self):
    parts = [second_look.Part(self.dir / f'{i}.mkv', 8 * i, 8 * i + 8)
             for i in range(4)]
    clip = run_test._film(8, 48, 64)
    for part in (parts[0], parts[3]):
      writer.write_rgb(part.path, clip, frame_rate=24)
    shots = [mock.Mock(start=0, stop=24), mock.Mock(start=24, stop=32)]
    with mock.patch.object(remeasure, 'MOST', 8), mock.patch.object(
        remeasure, 'remeasure', side_effect=lambda frames, *_, **__: [
            None if f is None else f.shape for f in frames]):
      look = second_look.SecondLook(
          parts, shots, frame_rate=24, waits={3}, colours=(0, 2, 0))
      look.finished(3)
      found = look.result()
    self.assertEqual(found, [(48, 64, 3)] * 8 + [None] * 16 + [(48, 64, 3)] * 8)

  def test_a_frame_too_many_is_noticed(self):
    path = self.dir / '0.mkv'
    writer.write_rgb(path, run_test._film(9, 48, 64), frame_rate=24)
    look = second_look.SecondLook(
        [second_look.Part(path, 0, 8)], [mock.Mock(start=0, stop=8)],
        frame_rate=24, waits=[], colours=(0, 2, 0))
    with self.assertLogs(level='WARNING') as logs:
      self.assertIsNone(look.result())
    self.assertIn('0.mkv has 9 frames', ''.join(logs.output))

  def test_where_the_film_cannot_be_joined_it_ends(self):
    with mock.patch.object(
        restore.parts, 'join', side_effect=OSError('full')
    ), self.assertRaisesRegex(OSError, 'full'):
      self._restore()
    self.assertFalse([t.name for t in threading.enumerate()
                      if t.name.startswith('second look')])

  def test_closed_while_it_waits(self):
    part = second_look.Part(self.film, 0, 20)
    look = second_look.SecondLook(
        [part], [mock.Mock(start=0, stop=20)], frame_rate=24, waits=[0],
        colours=(0, 2, 0))
    look.close()
    with self.assertLogs(level='WARNING'):
      self.assertIsNone(look.result())


def _write(path, codes):
  """A film in full range and BT.709's matrix, which FFV1 does not tell of."""
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('libx264', rate=24, options={'crf': '8'})
    stream.height, stream.width = codes.shape[1:3]
    stream.pix_fmt = 'yuv420p'
    context = stream.codec_context
    context.color_range, context.colorspace = 2, 1
    for rgb in codes:
      frame = av.VideoFrame.from_ndarray(rgb, 'rgb24').reformat(
          format='yuv420p', dst_color_range=2, dst_colorspace=1)
      frame.color_range, frame.colorspace = 2, 1
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _once(segment):
  """segment, which is stopped when it is asked for a second one."""
  seen = []

  def stopped(*args):
    if seen:
      raise KeyboardInterrupt
    seen.append(True)
    return segment(*args)

  return stopped


def _unreadable(folder):
  """read_frames, but for files of a folder."""
  read = second_look.reader.read_frames

  def failing(info, *args, **options):
    if pathlib.Path(info.path).parent.name == folder:
      raise OSError('the disk is gone')
    return read(info, *args, **options)

  return failing


if __name__ == '__main__':
  absltest.main()
