"""Allowed: what a process that decodes films knows, and may read (sandbox.py).
"""

import functools
import os
import pathlib
import sys

from revive_jax.video import images

_KEPT = ('PATH', 'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TMPDIR',
         'LD_LIBRARY_PATH', 'PYTHONHOME', 'PYTHONUTF8', 'VIRTUAL_ENV')
_SYSTEM = ('/usr/lib', '/usr/lib64', '/lib', '/lib64', '/usr/share/zoneinfo',
           '/etc/ld.so.cache', '/dev/null', '/dev/urandom',
           '/sys/devices/system/cpu', '/proc/cpuinfo')


def environment() -> dict[str, str]:
  """What the processes know of ours: no passphrase is in it."""
  known = {k: v for k, v in os.environ.items() if k in _KEPT}
  paths = [os.path.abspath(p) for p in sys.path]
  return known | {
      'PYTHONPATH': os.pathsep.join(paths), 'OPENBLAS_NUM_THREADS': '1',
      'JAX_PLATFORMS': 'cpu', 'PYTHONDONTWRITEBYTECODE': '1'}


@functools.cache
def _libraries() -> list[str]:
  """Where code is that may be imported late."""
  ours = str(pathlib.Path(__file__).resolve().parents[1])
  found = [p for p in sys.path if os.path.basename(p) in (
      'site-packages', 'dist-packages', 'lib-dynload')]
  return [ours, *found, os.path.dirname(os.__file__), *_SYSTEM]


def readable(path: str | os.PathLike) -> list[str]:
  """What the worker may read: also what links in a folder of pictures name."""
  links = []
  if os.path.isdir(path):
    links = [os.path.realpath(p) for p in images.list_pictures(path)
             if os.path.islink(p)]
  return [*_libraries(), os.path.abspath(path), *links]
