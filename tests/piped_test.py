"""Tests of piped.py: films as a whole through real pipes."""

import contextlib
import fcntl
import io
import json
import os
import pathlib
import subprocess
import sys
import threading
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np
import pytest

from configs import restore as config
from revive_jax import live, piped, restore, restoring, types
from revive_jax.video import probe, reader, y4m
from tests.pipeline import run_test
from tests.video import clips, woven


def _frames(path):
  return list(reader.read_frames(probe.probe(str(path))))


@contextlib.contextmanager
def _opened(sink):
  """A file over sink; what it still holds for a reader that left is lost."""
  stdout = open(sink, 'wb')
  try:
    yield stdout
  finally:
    with contextlib.suppress(BrokenPipeError):
      stdout.close()


class PipedTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def film(self, pix_fmt='yuv420p', count=7):
    """A film as y4m: its bytes."""
    path = clips.write(
        self.dir / 'film.mkv', list(run_test._film(count, 48, 64)),
        codec='ffv1', pix_fmt=pix_fmt)
    out = io.BytesIO()
    y4m.write(out, _frames(path), probe.probe(path))
    return out.getvalue()

  def through(self, data, call, takes=None):
    """What call writes to a pipe, of what it reads from another.

    takes: bytes that are read of it before the reader leaves; None: all.
    """
    (source, feed), (drain, sink) = os.pipe(), os.pipe()
    if takes is not None:  # No pipe that takes all that the reader leaves.
      fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, 4096)
    got = []

    def send():
      with contextlib.suppress(BrokenPipeError), open(feed, 'wb') as file:
        file.write(data)

    def receive():
      with open(drain, 'rb', buffering=0) as file:
        while takes is None or sum(map(len, got)) < takes:
          if not (part := file.read(4096)):
            return
          got.append(part)

    threads = [threading.Thread(target=t) for t in (send, receive)]
    for thread in threads:
      thread.start()
    try:
      with open(source, 'rb') as stdin, _opened(sink) as stdout, (
          mock.patch('sys.stdin', mock.Mock(buffer=stdin))), (
              mock.patch('sys.stdout', mock.Mock(buffer=stdout))):
        self.found = call()
    finally:
      for thread in threads:
        thread.join()
    return b''.join(got)

  def whole(self, source='-', destination='-', **settings):
    c = config.get_config('tiny')
    c.update(settings)
    return piped.restore(c, str(self.dir / 'work'), source, destination,
                         is_live=live.is_live(source))

  def report(self):
    return json.loads((self.dir / 'work/report.json').read_text())

  def test_which_films_go_as_a_whole(self):
    c = config.get_config()
    asked = lambda *where: piped.is_whole(
        c, *where, is_live=live.is_live(where[0]))
    self.assertFalse(asked('-', '-'))
    self.assertFalse(asked('film.mkv', 'out.mkv'))
    self.assertTrue(asked('film.mkv', '-'))
    c.live.whole = True
    self.assertTrue(asked('-', 'out.mkv'))
    self.assertFalse(asked('film.mkv', None))

  def test_it_is_what_the_program_makes_of_the_file(self):
    self.check_whole('yuv420p10le')

  @pytest.mark.slow
  def test_it_is_that_in_8_bits(self):
    self.check_whole('yuv420p')

  def check_whole(self, pix_fmt):
    data = self.film(pix_fmt)
    (self.dir / 'film.y4m').write_bytes(data)
    out = self.through(data, self.whole)
    c = config.get_config('tiny')
    c.provenance.sign = False
    restore.restore(c, str(self.dir / 'other'), str(self.dir / 'film.y4m'),
                    str(self.dir / 'out.mkv'))
    (self.dir / 'piped.y4m').write_bytes(out)
    wanted, found = _frames(self.dir / 'out.mkv'), _frames(
        self.dir / 'piped.y4m')
    self.assertLen(found, 7)
    for a, b in zip(wanted, found, strict=True):
      for x, y in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(x, y)
    self.assertNotEqual(out, data)
    self.assertEqual(self.found['outputs'][0]['path'], '-')
    self.assertEqual(self.report()['input']['path'], '-')
    self.assertEqual(probe.probe(str(self.dir / 'piped.y4m')).pix_fmt, pix_fmt)
    self.assertEqual({p.name for p in (self.dir / 'work').iterdir()},
                     {'config.json', 'report.json', 'lock'})

  def test_a_film_to_standard_output_as_matroska(self):
    path = clips.write(self.dir / 'film.mp4', clips.pictures(6, 48, 64),
                       sounds=('aac',))
    out = self.through(b'', lambda: self.whole(path))
    with av.open(io.BytesIO(out)) as container:
      self.assertIn('matroska', container.format.name)
      self.assertEqual([s.type for s in container.streams],
                       ['video', 'audio'])
      self.assertLen(list(container.decode(video=0)), 6)

  def test_a_named_pipe_to_a_file(self):
    pipe = self.dir / 'pipe'
    os.mkfifo(pipe)
    data = self.film()
    feeder = threading.Thread(target=lambda: pipe.write_bytes(data))
    feeder.start()
    report = self.whole(str(pipe), str(self.dir / 'out.mkv'),
                        provenance=dict(sign=False))
    feeder.join()
    self.assertEqual(report['outputs'][0]['frames'], 7)
    self.assertLen(_frames(self.dir / 'out.mkv'), 7)

  def test_a_sender_that_leaves_within_a_frame(self):
    data = self.film()
    with self.assertLogs(level='WARNING') as logs:
      out = self.through(data[:-1000], self.whole)
    self.assertIn('-: the pipe was closed within a frame; 3614 bytes',
                  '\n'.join(logs.output))
    self.assertEqual(out.count(b'FRAME\n'), 6)

  def test_a_reader_that_leaves_finds_the_film_whole(self):
    with self.assertRaisesRegex(
        types.BadInput, '-: nobody reads .*Broken pipe.*; it is whole in .*'):
      self.through(self.film(count=18), self.whole, takes=4096)
    place = self.dir / 'work/outputs/piped.mkv'
    self.assertLen(_frames(place), 18)
    self.assertEqual(self.report()['outputs'][0]['path'], str(place))

  def test_fields_that_are_kept_are_said(self):
    path = clips.write(
        self.dir / 'film.mkv', woven.frames(woven.interlaced(12)),
        codec='ffv1', rate=woven.RATE)
    out = self.through(b'', lambda: self.whole(
        path, interlace='keep', live=dict(sends=y4m.FORM)))
    self.assertEqual(self.found['interlace']['segments'][0]['kind'],
                     'top-first')
    self.assertIn(b' It ', out.split(b'\n')[0])
    self.assertEqual(out.count(b'FRAME\n'), 12)

  def test_live_answers_in_kind(self):
    """y4m to y4m while it runs; a reader that leaves is one sentence."""
    data = self.film(count=30)

    def call(sends='auto'):
      c = config.get_config('tiny')
      c.live.sends = sends
      return live.restore(c, str(self.dir / 'work'), '-', '-')

    out = self.through(data, call)
    self.assertTrue(out.startswith(b'YUV4MPEG2 W64 H48 F25:1'))
    self.assertEqual(out.count(b'FRAME\n'), 30)
    with av.open(io.BytesIO(out)) as container:
      self.assertLen(list(container.decode(video=0)), 30)
    self.assertEqual(self.through(data, lambda: call('matroska'))[:4],
                     b'\x1aE\xdf\xa3')
    with self.assertRaisesRegex(
        types.BadInput, r'^-: can no longer be written to \(Broken pipe\)'):
      self.through(data, call, takes=4096)
    with self.assertRaisesRegex(types.BadInput, 'live.sends'):
      call('avi')

  @parameterized.parameters(
      (b'', '-: nothing came through the pipe'),
      (b'no film' * 99, '^-: '),
      (b'YUV4MPEG2 W64 H48 F25:1 C420jpeg\n', '^-: '))
  def test_refuses_what_is_no_film(self, data, words):
    with self.assertRaisesRegex(types.BadInput, words) as caught:
      self.through(data, self.whole)
    self.assertNotIn('pipe_', str(caught.exception))
    self.assertEmpty(list((self.dir / 'work').glob('pipe_*')))

  @parameterized.parameters(
      (dict(live=dict(sends='avi')), 'live.sends'),
      (dict(live=dict(format='rawvideo')), 'live.format=rawvideo'),
      (dict(output=dict(checksums=True)), 'no place for .*output.checksums'),
      (dict(output=dict(layers='tracks')), 'output.layers'),
      (dict(output=dict(keep_original=True)), 'keep_original'),
      (dict(num_samples=3), 'num_samples=3: .* one answer'),
      (dict(encrypt=dict(key='keyring')), 'cannot be sealed'))
  def test_refuses_settings(self, settings, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self.through(self.film(count=2), lambda: self.whole(**settings))

  @parameterized.parameters('input', 'output')
  def test_refuses_ends_that_are_closed(self, name):
    with mock.patch(f'sys.std{name.removesuffix("put")}', None):
      with self.assertRaisesRegex(
          types.BadInput, f'-: standard {name} is closed'):
        self.whole()

  def test_refuses_many_films(self):
    (self.dir / 'list.txt').write_text('a.mkv\n')
    with self.assertRaisesRegex(types.BadInput, 'many films.*place for one'):
      restoring.restore(config.get_config('tiny'), str(self.dir / 'work'),
                        str(self.dir / 'list.txt'), '-')

  def test_a_full_disk(self):
    full = OSError(28, 'No space left on device')
    with mock.patch.object(piped.shutil, 'copyfileobj', side_effect=full):
      with self.assertRaisesRegex(
          types.BadInput, r'^-: .* cannot be kept in .*work \(No space'):
        self.through(self.film(count=2), self.whole)
    self.assertEmpty(list((self.dir / 'work').glob('pipe_*')))

  def test_what_a_killed_run_left_goes(self):
    """But not what another one, which runs, keeps in the same workdir."""
    ended = subprocess.Popen(['true'])
    ended.wait()
    work = self.dir / 'work'
    for name in (f'pipe_{ended.pid}_a', f'pipe_{os.getpid()}_b', 'pipe_c'):
      (work / name).mkdir(parents=True)
    with self.assertRaisesRegex(types.BadInput, 'nothing came'):
      self.through(b'', self.whole)
    self.assertCountEqual(
        [p.name for p in work.glob('pipe_*')],
        [f'pipe_{os.getpid()}_b', 'pipe_c'])

  def test_refuses_what_does_not_end(self):
    with self.assertRaisesRegex(types.BadInput, 'is for pipes, which end'):
      self.whole('rtsp://camera/1')

  @pytest.mark.slow
  def test_programs_in_a_row(self):
    """sender | revive_jax | reader, as a shell would have it."""
    for pix_fmt in ('yuv420p', 'yuv420p10le'):
      data = self.film(pix_fmt)
      for whole in ('True', 'False'):
        done = subprocess.run(
            [sys.executable, '-m', 'revive_jax.main', '--config=restore:tiny',
             f'--config.live.whole={whole}', '--input=-', '--output=-',
             f'--workdir={self.dir / "run"}'],
            input=data, capture_output=True, check=True)
        with av.open(io.BytesIO(done.stdout)) as container:
          self.assertEqual(container.format.name, 'yuv4mpegpipe')
          frames = list(container.decode(video=0))
        self.assertLen(frames, 7)
        self.assertEqual(frames[0].format.name,
                         pix_fmt if whole == 'True' else 'yuv420p')
        self.assertIn(b'7 frames', done.stderr)


if __name__ == '__main__':
  absltest.main()
