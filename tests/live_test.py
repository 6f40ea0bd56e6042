"""Tests of live.py."""

import collections
import functools
import io
import json
import os
import pathlib
import socket
import threading
import time
from unittest import mock

from absl.testing import absltest, parameterized
import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import restore as config
from configs.presets import surveillance
from revive_jax import live, restoring, types
from revive_jax.models import inference, restorer, weights
from revive_jax.pipeline import causal
from revive_jax.video import probe, reader
from tests import compiling
from tests.models import params as params_lib
from tests.video import clips

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_SETTINGS = dict(features=8, deep_features=8, num_blocks=1)
_SIZE = 32, 48


@functools.cache
def _weights():
  """A network of random weights; its folder."""
  folder = absltest.TEST_TMPDIR.value + '/live_weights'
  drawn = params_lib.draw(
      restorer.Restorer(**_SETTINGS), jnp.zeros((1, 2, 32, 32, 3)))
  weights.save_weights(
      pathlib.Path(folder), jax.tree.map(np.asarray, drawn), model='restorer',
      settings=_SETTINGS, steps=0, card='Random.')
  return folder


@functools.cache
def _built():
  """The same, once: each time it is traced anew, which takes seconds."""
  return _BUILD(weights.read_weights(_weights()))


_BUILD = inference.build


class LevelsTest(absltest.TestCase):

  def test_goes_down_when_frames_wait_and_up_when_none_do(self):
    levels = live.Levels(0.1, 3)
    levels.took(0.3, 1)
    self.assertEqual(levels.level, 0)
    levels.took(0.3, 3)
    self.assertEqual(levels.level, 1)
    levels.took(0.15, 4)
    self.assertEqual(levels.level, 2)
    levels.took(0.15, 4)
    self.assertEqual(levels.level, 2)  # There is nothing cheaper.
    # Half a second of calm is not enough; some seconds are, while the levels
    # above are still in memory as too dear.
    seen = []
    for _ in range(500):
      levels.took(0.01, 0)
      seen.append(levels.level)
    self.assertEqual(seen[5], 2)
    self.assertEqual(seen[-1], 0)
    self.assertIn(1, seen)

  def test_does_not_try_in_vain_all_the_time(self):
    levels, tries = live.Levels(0.1, 3), 0
    for _ in range(1000):  # Full size always takes three times too long.
      before = levels.level
      levels.took(0.3 if levels.level == 0 else 0.05,
                  3 if levels.level == 0 else 0)
      tries += levels.level < before
    self.assertBetween(tries, 1, 8)


class LiveTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    # Every setting is compiled.
    self.enter_context(mock.patch.object(causal, 'SCALES', (1.0, 0.0)))
    self.enter_context(mock.patch.object(
        inference, 'build', lambda found: _built()))
    self.source = clips.write(
        self.dir / 'source.mkv', clips.pictures(12, *_SIZE), codec='ffv1',
        pix_fmt='bgr0')

  def _restore(self, source=None, output='out.mkv', lookahead=0, **settings):
    c = config.get_config()
    c.live.lookahead = lookahead
    c.update(settings)
    if 'weights' not in settings:
      c.weights = _weights()
    if output != '-' and '://' not in output:
      output = str(self.dir / output)
    return live.restore(
        c, str(self.dir / 'work'), str(source or self.source), output)['live']

  def _frames(self, name):
    return list(reader.read_frames(probe.probe(str(self.dir / name))))

  def test_every_frame_with_its_time_and_a_report(self):
    found = self._restore()
    self.assertEqual(found['frames'], 12)
    self.assertEqual(sum(found['frames_by_setting'].values()), 12)
    latency = found['latency_ms']
    self.assertLessEqual(latency['p50'], latency['p95'])
    self.assertLessEqual(latency['p95'], latency['p99'])
    kept = json.loads((self.dir / 'work' / 'report.json').read_text())
    self.assertEqual(kept['live'], found)
    out = self._frames('out.mkv')
    self.assertLen(out, 12)
    self.assertEqual([f.pts for f in out],
                     [f.pts for f in self._frames('source.mkv')])

  @pytest.mark.slow
  def test_frames_that_are_waited_for(self):
    self._restore(output='out.mp4', lookahead=2)
    self.assertLen(self._frames('out.mp4'), 12)

  def test_what_a_network_adds(self):
    found = weights.read_weights(_weights())
    c = config.get_config()
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (*_SIZE, 3)).astype(np.uint8)
    with mock.patch.object(causal, 'SCALES', (1.0, 0.5, 0.0)):
      run = causal.Network(found, c.strength.to_dict())
      full, none = run([frame], 0), run([frame], 2)
      large = cv2.resize(frame, None, fx=2, fy=2)  # Nothing else to compile.
      half = run([large], 1)
    self.assertIs(none, frame)
    self.assertGreater(np.abs(full.astype(int) - frame).mean(), 0.1)
    self.assertEqual(half.shape, large.shape)
    self.assertGreater(np.abs(half.astype(int) - large).mean(), 0.01)
    # Nothing may be changed: nothing is.
    for kind in c.strength:
      c.strength[kind] = 0.0
    np.testing.assert_array_equal(
        causal.Network(found, c.strength.to_dict())([frame], 0), frame)

  def test_timestamps_in_every_container(self):
    """Each has a unit of its own."""
    slow = clips.write(self.dir / 'source.mp4', clips.pictures(6, *_SIZE),
                       pts=[0, 1, 2, 5, 6, 7])
    stamps = lambda path: [
        float(f.pts * probe.probe(str(path)).time_base)
        for f in self._frames(path.name)]
    wanted = np.array(stamps(pathlib.Path(slow)))
    for name in ('out.mkv', 'out.mp4', 'out.ts'):
      self._restore(slow, name)
      found = np.array(stamps(self.dir / name))
      np.testing.assert_allclose(
          found - found[0], wanted - wanted[0], atol=2e-3, err_msg=name)

  def test_a_named_pipe(self):
    pipe = self.dir / 'pipe'
    os.mkfifo(pipe)
    self.assertTrue(live.is_live(str(pipe)))
    data = pathlib.Path(self.source).read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    self.assertEqual(self._restore(pipe)['frames'], 12)
    writer.join()

  def _fed(self, data):
    """A named pipe into which bytes are written."""
    pipe = self.dir / 'pipe'
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(data))
    feeder.start()
    self.addCleanup(feeder.join)
    return pipe

  def test_wrong_bytes_in_a_pipe_cost_their_frame_alone(self):
    data = bytearray(pathlib.Path(clips.write(
        self.dir / 'camera.mjpeg', clips.pictures(12, *_SIZE), codec='mjpeg',
        pix_fmt='yuvj420p')).read_bytes())
    head = data.index(b'\xff\xc0', len(data) // 2)  # The size of a frame.
    data[head:head + 9] = bytes(9)
    c = config.get_config().live.to_dict() | dict(format='mjpeg')
    found = self._restore(self._fed(data), weights='', live=c)
    self.assertEqual((found['frames'], found['damaged']), (11, 1))
    self.assertLen(self._frames('out.mkv'), 11)

  def test_the_preset_for_cameras_without_a_network(self):
    c = surveillance.get_config('tiny')
    pipe = self._fed(pathlib.Path(self.source).read_bytes())
    report = live.restore(
        c, str(self.dir / 'work'), str(pipe), str(self.dir / 'out.mkv'))
    self.assertEqual(report['live']['frames'], 12)
    self.assertIsNone(report['weights'])
    self.assertLen(report['warnings'], 2)
    self.assertLen(self._frames('out.mkv'), 12)

  def test_a_local_stream(self):
    """What a player gets that listens at the address: all frames."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    self.addCleanup(receiver.close)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    receiver.bind(('127.0.0.1', 0))
    receiver.setblocking(False)
    port = receiver.getsockname()[1]
    self._restore(output=f'udp://127.0.0.1:{port}?pkt_size=1316', weights='')
    parts = []
    with self.assertRaises(BlockingIOError):
      while True:
        parts.append(receiver.recv(1 << 16))
    packets = b''.join(parts)
    self.assertEqual(len(packets) % 188, 0)  # Of MPEG-TS.
    self.assertEqual(set(packets[::188]), {0x47})
    (self.dir / 'received.ts').write_bytes(packets)
    self.assertLen(self._frames('received.ts'), 12)

  def test_the_report_is_kept_while_it_runs(self):
    kept, write = [], live.workdir_lib.write_json

    def noted(path, value):
      kept.append((path.name, value))
      write(path, value)

    with mock.patch.object(live, '_SAVED', 0.0), (
        mock.patch.object(live.workdir_lib, 'write_json', noted)):
      self._restore(weights='')
    self.assertEqual(
        [v['live']['frames'] for name, v in kept if name == 'report.json'],
        [*range(1, 13), 12])

  def test_percentiles_of_a_histogram(self):
    counts = collections.Counter({10: 90, 20: 5, 700: 4, 60_000: 1})
    values = sorted(counts.elements())
    for share in (1, 50, 90, 91, 95, 96, 99, 100):
      self.assertEqual(
          live.percentile(counts, share),
          np.percentile(values, share, method='inverted_cdf'))

  def test_ctrl_c_before_the_first_frame_leaves_nothing(self):
    c = config.get_config()
    c.weights = ''
    with mock.patch.object(
        causal.Mean, '__call__', side_effect=KeyboardInterrupt), (
            mock.patch.object(live, 'is_live', lambda source: True)), (
                mock.patch('sys.stderr', io.StringIO())) as said:
      with self.assertRaises(SystemExit) as stopped:
        restoring.restore(
            c, str(self.dir / 'work'), str(self.source),
            str(self.dir / 'out.mkv'))
    self.assertEqual(stopped.exception.code, 130)
    self.assertIn('before the first frame', said.getvalue())
    self.assertNotIn('goes on', said.getvalue())
    self.assertFalse((self.dir / 'out.mkv').exists())

  def test_from_standard_input_to_standard_output(self):
    out = io.BytesIO()
    with open(self.source, 'rb') as file, (
        mock.patch('sys.stdin', mock.Mock(buffer=file))), (
            mock.patch('sys.stdout', mock.Mock(buffer=out))):
      self.assertEqual(self._restore('-', '-')['frames'], 12)
    (self.dir / 'piped.mkv').write_bytes(out.getvalue())
    self.assertLen(self._frames('piped.mkv'), 12)

  def test_ctrl_c_ends_the_file_where_it_is(self):
    whole, count = causal.Network.__call__, 0

    def restored(self, frames, level):
      nonlocal count
      count += 1
      if count == 6:  # Two of these only compile.
        raise KeyboardInterrupt
      return whole(self, frames, level)

    with mock.patch.object(causal.Network, '__call__', restored):
      self.assertEqual(self._restore()['frames'], 3)
    self.assertLen(self._frames('out.mkv'), 3)

  def test_frames_that_come_at_their_time(self):
    """A machine that is too slow shows frames as they are, and none is lost."""
    whole = causal.Network.__call__

    def slow(self, frames, level):
      time.sleep(0.06 if level == 0 else 0)
      return whole(self, frames, level)

    source = clips.write(
        self.dir / 'long.ts', clips.pictures(50, *_SIZE), rate=50)
    data = pathlib.Path(source).read_bytes()
    pipe = self.dir / 'pipe'
    os.mkfifo(pipe)

    def feed():
      with open(pipe, 'wb', buffering=0) as file:
        for part in np.array_split(np.frombuffer(data, np.uint8), 50):
          file.write(part.tobytes())
          time.sleep(0.02)

    feeder = threading.Thread(target=feed)
    feeder.start()
    c = config.get_config().live.to_dict() | dict(keep_up=1, format='mpegts')
    with mock.patch.object(causal.Network, '__call__', slow):
      found = self._restore(pipe, **{'live': c})
    feeder.join()
    self.assertEqual(found['frames'], 50)
    self.assertGreater(found['frames_by_setting']['as it is'], 10)

  def test_what_runs_by_itself(self):
    for source in ('-', 'rtsp://camera/1', 'udp://127.0.0.1:9000', '/dev/null'):
      self.assertTrue(live.is_live(source), source)
    for source in (None, '', 'film.mkv', self.source, str(self.dir)):
      self.assertFalse(live.is_live(source), source)

  @parameterized.parameters(
      (dict(source='/nowhere'), '/nowhere: nothing to see comes from there'),
      (dict(weights='', composite='repair'), 'needs a network'),
      (dict(lookahead=-1), 'lookahead=-1'),
      (dict(output='none/out.mkv'), 'cannot be written to'))
  def test_refuses(self, settings, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self._restore(**settings)


if __name__ == '__main__':
  absltest.main()
