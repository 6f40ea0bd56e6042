"""What the workers of sandbox_test.py are made to do instead of decoding.

They import this file in each test, so it imports little.
"""

import ctypes
import os
import socket
import subprocess
import time

import numpy as np

from revive_jax.video import reader

_READ = reader._read


def segfault(info, stop, decision, *, warn):
  for frame in _READ(info, stop, decision, warn=warn):
    yield frame
    if 'bad' in info.path:
      crash(info.path)


def crash(path):
  del path
  ctypes.string_at(0)


def hang(path):
  del path
  while True:
    pass


def sleep(path):
  del path
  time.sleep(1000)


def eat(path):
  del path
  kept = []
  while True:
    kept.append(np.ones(1 << 22))


def leave(path):
  del path
  os._exit(3)


def bug(path):
  return {}[path]


def babble(path):
  """Writes what is no message where messages go."""
  del path
  for number in range(3, 64):
    try:
      os.write(number, b'\x10\x00\x00\x00{"code": "evil"}')
    except OSError:
      continue


def tried(path, *others):
  """The errors of what a worker must not do, and what it may."""
  other, folder = others
  found = {}

  def attempt(name, action):
    try:
      action()
      found[name] = ''
    except OSError as error:
      found[name] = type(error).__name__

  attempt('read the film', lambda: open(path, 'rb').close())
  attempt('read another file', lambda: open(other, 'rb').close())
  attempt('list a folder', lambda: os.listdir(folder))
  attempt('write', lambda: open(f'{folder}/new', 'w').write('x'))
  attempt('write the film', lambda: open(path, 'ab').write(b'x'))
  attempt('remove', lambda: os.remove(other))
  attempt('rename', lambda: os.rename(other, f'{folder}/new'))
  attempt('socket', socket.socket)
  attempt('start', lambda: subprocess.run(['/bin/true'], check=False))
  attempt('fork', os.fork)
  attempt('signal', lambda: os.kill(os.getppid(), 0))
  attempt('memory of others', lambda: open(f'/proc/{os.getppid()}/mem').close())
  found['environment'] = sorted(os.environ)
  found['files'] = [n for n in range(3, 64) if _is_open(n)]
  return found


def _is_open(number):
  try:
    os.fstat(number)
  except OSError:
    return False
  return True
