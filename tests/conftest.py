"""What all tests share: compiled programs are dropped before they are too many.
"""

import pathlib

import jax
import pytest

_MAPS = pathlib.Path('/proc/self/maps')
_MOST = 20_000  # Regions of memory; Linux ends a process at 65,530.


@pytest.fixture(scope='module', autouse=True)
def forget_programs():
  """After a file of tests, where its process has mapped many regions.

  Each compiled program takes dozens; with all of the suite in one process the
  compiler died.
  """
  yield
  if _MAPS.exists() and _MAPS.read_text().count('\n') > _MOST:
    jax.clear_caches()
