"""What all tests share: their compiled programs are dropped file by file."""

import jax
import pytest


@pytest.fixture(scope='module', autouse=True)
def forget_programs():
  """A process may map 65,530 regions of memory; each program takes dozens.

  With all programs of the suite in one process the compiler dies.
  """
  yield
  jax.clear_caches()
