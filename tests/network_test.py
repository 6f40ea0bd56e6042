"""Tests that nothing is sent anywhere: no run as much as opens a socket."""

import ctypes
import functools
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys

from absl.testing import absltest
import pytest

from revive_jax.video import confine
from tests.video import clips

_SOCKET = {'x86_64': 41, 'aarch64': 198}
_AUDITED = ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname',
            'socket.gethostbyaddr', 'socket.bind', 'socket.sendto',
            'urllib.Request')


def block(log):
  """From here on a try to reach the network is written down, and refused.

  Of code in Python by its audit events; of all other code, in this process and
  those that it starts, by the kernel: it ends who asks for an internet socket.
  """
  def audit(event, arguments):
    if event in _AUDITED or (event == 'socket.__new__'
                             and arguments[1] != socket.AF_UNIX):
      with open(log, 'a', encoding='utf-8') as file:
        file.write(f'{event} {arguments!r}\n')
      raise OSError(f'{event} is refused.')

  sys.addaudithook(audit)
  if platform.machine() in _SOCKET:
    _kill_at_sockets()


def _kill_at_sockets():
  step, kill = confine._Step, 0x80000000
  steps = [step(0x20, 0, 0, 0),
           step(0x15, 0, 3, _SOCKET[platform.machine()]),
           step(0x20, 0, 0, 16),  # The family.
           step(0x15, 2, 0, socket.AF_INET),
           step(0x15, 1, 0, socket.AF_INET6), step(0x06, 0, 0, 0x7fff0000),
           step(0x06, 0, 0, kill)]
  program = confine._Program(len(steps), (step * len(steps))(*steps))
  libc = ctypes.CDLL(None, use_errno=True)
  libc.prctl(38, ctypes.c_ulong(1), *[ctypes.c_ulong(0)] * 3)
  done = libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(program),
                    ctypes.c_ulong(0), ctypes.c_ulong(0))
  assert done == 0, os.strerror(ctypes.get_errno())


@functools.cache
def _cut():
  """The words that start a command where there is no network at all."""
  words = ('unshare', '--map-root-user', '--net')
  try:
    subprocess.run([*words, 'true'], check=True, capture_output=True)
  except (OSError, subprocess.CalledProcessError):
    return ()
  return words


class NetworkTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.log = self.dir / 'log.txt'

  def _python(self, code, *, cut=False):
    home = {'HOME': str(self.dir), 'XDG_CONFIG_HOME': str(self.dir / 'config'),
            'XDG_CACHE_HOME': os.environ.get('XDG_CACHE_HOME') or str(
                pathlib.Path.home() / '.cache')}
    code = (f'from tests import network_test\n'
            f'network_test.block({str(self.log)!r})\n{code}')
    return subprocess.run(
        [*(_cut() if cut else ()), sys.executable, '-c', code], check=False,
        capture_output=True, text=True, cwd=pathlib.Path(__file__).parents[1],
        env=os.environ | home)

  def _runs(self, *arguments, cut=False):
    """Runs the program; no socket is asked for."""
    done = self._python(
        'import sys\nfrom absl import flags\nflags.FLAGS.unparse_flags()\n'
        'from revive_jax import main\n'
        f'sys.argv = ["main", *{arguments!r}]\nmain.run()', cut=cut)
    self.assertEqual(done.returncode, 0, done.stderr[-2000:])
    self.assertFalse(self.log.exists())

  def _film(self):
    path = self.dir / 'film.mp4'
    clips.write(path, clips.pictures(6), sounds=('aac',), seconds=0.3)
    return path

  def test_a_try_is_seen(self):
    done = self._python('import socket\nsocket.create_connection(("::1", 9))')
    self.assertIn('is refused', done.stderr)
    self.assertIn('socket.', self.log.read_text())
    if platform.machine() in _SOCKET:
      for family in ('AF_INET', 'AF_INET6'):
        done = self._python(
            'import ctypes, socket\n'
            f'ctypes.CDLL(None).socket(int(socket.{family}), 1, 0)')
        self.assertEqual(done.returncode, -signal.SIGSYS)

  def test_restore(self):
    self._runs(
        f'--input={self._film()}', f'--output={self.dir / "restored.mp4"}',
        f'--workdir={self.dir / "work"}', '--config=restore:tiny',
        '--config.report=True', '--config.sandbox=on',
        '--config.provenance.sign=True', cut=True)
    for name in ('restored.mp4', 'work/report.html', 'work/report.json'):
      self.assertTrue((self.dir / name).is_file(), name)

  @pytest.mark.slow
  def test_restore_with_a_network(self):
    self._runs(
        f'--input={self._film()}', f'--output={self.dir / "restored.mkv"}',
        f'--workdir={self.dir / "work"}', '--config=restore',
        '--config.weights=restorer', '--config.sandbox=on',
        '--config.mark.invisible=False')
    self.assertTrue((self.dir / 'restored.mkv.c2pa').is_file())
    self.assertTrue((self.dir / 'work' / 'report.html').is_file())
    self._runs('--mode=verify', f'--input={self.dir / "restored.mkv"}')

  @pytest.mark.slow
  def test_demo(self):
    self._runs('--config=demo:tiny', f'--workdir={self.dir / "demo"}')


if __name__ == '__main__':
  absltest.main()
