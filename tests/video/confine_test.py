"""Tests of rights that a process gives up; each in a process of its own."""

import functools
import json
import os
import pathlib
import signal
import subprocess
import sys

from absl.testing import absltest

_ROOT = pathlib.Path(__file__).parents[2]
_TRY = '''
import json, os, socket, subprocess, sys, threading
from revive_jax.video import confine
found = {}
def attempt(name, action):
  try:
    action()
    found[name] = ''
  except (OSError, RuntimeError, MemoryError) as error:
    found[name] = type(error).__name__
def thread():
  t = threading.Thread(target=lambda: None)
  t.start()
  t.join()
'''


def _python(code, *arguments):
  return subprocess.run(
      [sys.executable, '-c', _TRY + code, *map(str, arguments)], check=False,
      capture_output=True, text=True, cwd=_ROOT)


@functools.cache
def holds():
  """What this kernel can take away."""
  done = _python('print(json.dumps(confine.confine([])))')
  return tuple(json.loads(done.stdout))


class ConfineTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.film = self.dir / 'film'
    self.film.write_bytes(b'film')

  def _found(self, code):
    done = _python(code + '\nprint(json.dumps(found))', self.film)
    self.assertEqual(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)

  def test_calls(self):
    if 'calls' not in holds():
      self.skipTest('This kernel has no seccomp, or the machine is another.')
    found = self._found('''
assert confine._prctl(38, 1) == 0 and confine._only_these_calls()
attempt('thread', thread)
attempt('pair', socket.socketpair)
attempt('file', lambda: open(sys.argv[1], 'ab').close())
attempt('socket', socket.socket)
attempt('fork', os.fork)
attempt('start', lambda: subprocess.run(['true'], check=False))
attempt('signal', lambda: os.kill(os.getppid(), 0))
attempt('remove', lambda: os.remove(sys.argv[1]))
attempt('rename', lambda: os.rename(sys.argv[1], sys.argv[1] + '2'))
attempt('truncate', lambda: os.truncate(sys.argv[1], 0))
''')
    self.assertEqual([k for k, v in found.items() if not v],
                     ['thread', 'pair', 'file'])
    self.assertEqual(self.film.read_bytes(), b'film')

  def test_files(self):
    if 'files' not in holds():
      self.skipTest('This kernel has no Landlock.')
    (self.dir / 'other').write_bytes(b'other')
    found = self._found('''
folder = os.path.dirname(sys.argv[1])
assert confine._prctl(38, 1) == 0
assert confine._only_these_files([sys.argv[1], '/nowhere'])
attempt('read', lambda: open(sys.argv[1], 'rb').close())
attempt('thread', thread)
attempt('other', lambda: open(folder + '/other', 'rb').close())
attempt('list', lambda: os.listdir(folder))
attempt('append', lambda: open(sys.argv[1], 'ab').close())
attempt('truncate', lambda: os.truncate(sys.argv[1], 0))
attempt('new', lambda: open(folder + '/new', 'wb').close())
attempt('folder', lambda: os.mkdir(folder + '/new'))
attempt('link', lambda: os.symlink('x', folder + '/new'))
attempt('remove', lambda: os.remove(sys.argv[1]))
''')
    self.assertEqual([k for k, v in found.items() if not v],
                     ['read', 'thread'])
    self.assertEqual(self.film.read_bytes(), b'film')
    self.assertEqual(sorted(os.listdir(self.dir)), ['film', 'other'])

  def test_limits(self):
    found = self._found('''
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
confine.limit(1 << 26)
attempt('some', lambda: bytearray(1 << 25))
attempt('much', lambda: bytearray(1 << 27))
attempt('write', lambda: open(sys.argv[1], 'ab', buffering=0).write(b'x'))
''')
    self.assertEqual(
        found, {'some': '', 'much': 'MemoryError', 'write': 'OSError'})

  def test_it_can_still_end_itself(self):
    done = _python('confine.limit(1 << 28)\nconfine.confine([])\nos.abort()')
    self.assertEqual(done.returncode, -signal.SIGABRT)


if __name__ == '__main__':
  absltest.main()
