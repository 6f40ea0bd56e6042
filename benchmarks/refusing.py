"""Refusing: what a benchmark cannot use is one sentence, and exit code 2."""

from collections.abc import Iterator
import contextlib
import sys

from revive_jax import types


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
  """Within, types.BadInput ends the command."""
  try:
    yield
  except types.BadInput as error:
    sys.stderr.write(f'{error}\n')
    sys.exit(2)
