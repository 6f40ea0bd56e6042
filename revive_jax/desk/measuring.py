"""Measuring: the job that reads a film through, as a process of its own.

  python -m revive_jax.desk.measuring ROOT VISITOR FILM

Says its progress as a restore does; ends with 2 and one sentence for what
cannot be read, and with 130 when it was stopped.
"""

from collections.abc import Sequence
import json
import pathlib
import sys

from absl import logging
import ml_collections

from revive_jax import types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import known, places


def main(arguments: Sequence[str]) -> int:
  """Measures a film of a visitor; returns the exit code."""
  root, visitor, film = arguments
  logging.set_verbosity(logging.WARNING)
  try:
    c = json.loads((pathlib.Path(root) / desk_lib.NAME).read_text())
    desk = desk_lib.opened(ml_collections.ConfigDict(c), root)
    known.measure(places.find(desk, visitor, film), form='json')
  except types.BadInput as error:
    sys.stderr.write(f'revive_jax: {error}\n')
    return 2
  except KeyboardInterrupt:
    sys.stderr.write('revive_jax: stopped.\n')
    return 130
  return 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
