"""Tests of training/log.py."""

import io
import json
import math
import pathlib
import resource
import struct
import types as python_types
from unittest import mock

from absl.testing import absltest
import cv2
import jax.numpy as jnp
import numpy as np
from tensorboardX.proto import event_pb2

from revive_jax import types
from revive_jax.training import log


class _Terminal(io.StringIO):

  def isatty(self):
    return True


def scalars(workdir):
  """(step, name, value) of each event of each file, oldest file first.

  The format is TFRecord: length, CRC, data, CRC.
  """
  found = []
  files = (workdir / 'tensorboard').glob('*tfevents*')
  for path in sorted(files, key=lambda p: p.stat().st_mtime_ns):
    data = path.read_bytes()
    while data:
      size, = struct.unpack('<Q', data[:8])
      event = event_pb2.Event.FromString(data[12:12 + size])
      data = data[16 + size:]
      if event.HasField('session_log'):
        found = [x for x in found if x[0] < event.step]  # As TensorBoard does.
      found += [(event.step, v.tag, v.simple_value)
                for v in event.summary.value]
  return found


class LogTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.stderr = self.enterContext(
        mock.patch('sys.stderr', new_callable=io.StringIO))

  def write(self, steps, start=0, **options):
    with log.opened(
        self.dir, total_steps=100, start_step=start, **options) as writer:
      for step in steps:
        writer.write(step, {'loss': 1 / step})

  def lines(self):
    text = (self.dir / 'metrics.jsonl').read_text()
    return [json.loads(line) for line in text.splitlines()]

  def test_file(self):
    with log.opened(self.dir, total_steps=4) as writer:
      writer.write(2, {'loss': jnp.float32(0.5), 'psnr/validation': 20})
      # It is on the disk at once.
      record, = self.lines()
      writer.write(np.int64(4), {'loss': np.float64('nan'), 'x': -jnp.inf})
    self.assertGreater(record.pop('time'), 1.7e9)
    self.assertEqual(record, {'step': 2, 'loss': 0.5, 'psnr/validation': 20})
    self.assertEqual(self.lines()[1] | {'time': 0}, {
        'step': 4, 'time': 0, 'loss': None, 'x': None})
    self.assertEqual(log.read_metrics(self.dir), self.lines())
    self.assertEqual(
        scalars(self.dir), [(2, 'loss', 0.5), (2, 'psnr/validation', 20.0)])

  def test_resumed(self):
    self.write([10, 20, 30, 40])
    with open(self.dir / 'metrics.jsonl', 'a') as file:
      file.write('{"step": 50, "lo')  # Killed here.
    self.write([30, 40, 50], start=20)
    self.assertEqual(
        [(r['step'], r['loss']) for r in self.lines()],
        [(s, 1 / s) for s in (10, 20, 30, 40, 50)])
    self.assertEqual([s for s, _, _ in scalars(self.dir)],
                     [10, 20, 30, 40, 50])
    self.write([10])
    self.assertEqual([r['step'] for r in self.lines()], [10])
    self.assertEqual([s for s, _, _ in scalars(self.dir)], [10])

  def test_half_line_and_no_file(self):
    self.assertEqual(log.read_metrics(self.dir), [])
    (self.dir / 'metrics.jsonl').write_bytes(
        b'{"step": 1, "loss": 2}\n[3]\n\xff\n{"step": 2, "loss": 1')
    self.assertEqual(log.read_metrics(self.dir), [{'step': 1, 'loss': 2}])

  def test_line_on_a_terminal_is_written_over(self):
    now = python_types.SimpleNamespace(time=lambda: 0.0, monotonic=lambda: 0.0)
    with mock.patch('sys.stderr', _Terminal()) as stderr, mock.patch.object(
        log, 'time', now):
      with log.opened(self.dir, total_steps=9000) as writer:
        now.monotonic = lambda: 100.0
        writer.write(100, {'loss': 0.123456})
        now.monotonic = lambda: 110.0
        writer.write(200, {'loss': 0.1})
    # 100 steps in 100 s; then, without the first ones, 100 steps in 10 s.
    self.assertEqual(
        stderr.getvalue(),
        '\rstep 100/9000, loss 0.1235, 1 steps/s, 2:28:20 left'
        '\rstep 200/9000, loss 0.1, 10 steps/s, 0:14:40 left  \n')

  def test_plain_lines_elsewhere(self):
    self.write(range(10, 60, 10), seconds=(1e9, 1e9))
    self.assertRegex(
        self.stderr.getvalue(), r'^step 50/100, loss 0.02, .* left\n$')
    self.stderr.truncate(0)
    self.write(range(60, 100, 10), start=50, seconds=(0, 1e9))
    self.assertEqual(self.stderr.getvalue().count('\n'), 4)
    self.assertNotIn('\r', self.stderr.getvalue())

  def test_nothing_written_says_nothing(self):
    self.write([])
    self.assertEqual(self.stderr.getvalue(), '')
    self.assertEqual(self.lines(), [])

  def test_plot(self):
    path = self.dir / 'plots' / 'metrics.png'
    with log.opened(self.dir, total_steps=9, seconds=(1e9, 0)) as writer:
      writer.write(1, {'loss': 1})
      first = cv2.imread(str(path))
      self.assertIsNotNone(first)
      for step in range(2, 9):
        writer.write(step, {'loss': 1 / step, 'psnr/a': step})
    # Two panels now: wider.
    self.assertGreater(cv2.imread(str(path)).shape[1], 1.5 * first.shape[1])
    self.assertEqual([p.name for p in path.parent.iterdir()], ['metrics.png'])

  def test_panels_and_gaps(self):
    records = [
        {'step': 1, 'time': 0, 'loss': 8.0, 'loss/l1': 1.0},
        {'step': 2, 'time': 0, 'loss': None, 'loss/l1': 1.0, 'psnr/v': -3.0},
        {'step': 3, 'time': 0, 'loss': 0.1, 'loss/l1': 1.0}]
    figure = log._draw(records, 'run')
    loss, psnr = figure.axes
    self.assertEqual((loss.get_title(), psnr.get_title()), ('loss', 'psnr'))
    self.assertEqual((loss.get_yscale(), psnr.get_yscale()),
                     ('log', 'linear'))
    lines = {x.get_label(): x.get_xydata().tolist() for x in loss.lines}
    self.assertEqual(lines['loss/l1'], [[1, 1], [2, 1], [3, 1]])
    self.assertEqual([x for x, y in lines['loss'] if math.isnan(y)], [2])
    self.assertEqual(psnr.lines[0].get_xydata().tolist(), [[2, -3]])

  def test_plot_is_drawn_when_the_run_fails(self):
    with self.assertRaises(KeyboardInterrupt):
      with log.opened(self.dir, total_steps=9) as writer:
        writer.write(1, {'loss': 1})
        raise KeyboardInterrupt
    self.assertTrue((self.dir / 'plots' / 'metrics.png').is_file())

  def test_cannot_be_written(self):
    (self.dir / 'tensorboard').write_text('a file')
    with self.assertRaisesRegex(types.BadInput, 'metrics cannot be written'):
      self.write([1])

  def test_full_disk(self):
    self.write([1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with self.assertRaisesRegex(types.BadInput, 'written .File too large'):
      with log.opened(self.dir, total_steps=9000, start_step=1) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
          for step in range(2, 9000):
            writer.write(step, {'loss': 1})
        finally:
          resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    self.assertGreater(len(log.read_metrics(self.dir)), 10)


if __name__ == '__main__':
  absltest.main()
