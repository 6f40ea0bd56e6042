"""Curves of trainings, as numbers that a text can keep.

python benchmarks/curves.py NAME=WORKDIR [NAME=WORKDIR ...]
    [--terms=loss,psnr-psnr_damaged --parts=10]

Prints a table in Markdown for each of --terms: the mean over each part of the
steps that metrics.jsonl of the workdir tells of, a row for each training. a-b
is the difference of two terms: batches are damaged more or less, and what is
gained of PSNR varies less than PSNR. A training with fewer lines than parts
has dashes at its end.
"""

import argparse
from collections.abc import Mapping, Sequence
import math
from typing import Any

import numpy as np
import refusing

from revive_jax import types
from revive_jax.metrics import table
from revive_jax.training import log


def main():
  """Prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('runs', nargs='+', metavar='NAME=WORKDIR')
  parser.add_argument('--terms', default='loss,psnr-psnr_damaged')
  parser.add_argument('--parts', type=int, default=10)
  args = parser.parse_args()
  if args.parts < 1:
    parser.error(f'--parts={args.parts}: give at least 1')
  with refusing.bad_input():
    named = list(map(_named, args.runs))
    runs = {name: read(place) for name, place in named}
    if len(runs) < len(named):
      raise types.BadInput('Two runs have one NAME; give each its own.')
    tables = [curve(runs, term.strip(), args.parts)
              for term in args.terms.split(',')]
  print('\n\n'.join(tables))


def read(workdir: str) -> list[dict[str, Any]]:
  """The lines of a workdir's metrics.jsonl.

  Raises:
    types.BadInput: there are none.
  """
  rows = log.read_metrics(workdir)
  if not rows:
    raise types.BadInput(
        f'{workdir}: no metrics.jsonl with steps in it; name the workdir of a '
        'training.')
  return rows


def curve(
    runs: Mapping[str, Sequence[Mapping[str, float]]], term: str, parts: int
) -> str:
  """A table: the means of a term over the parts of each run's steps.

  Raises:
    types.BadInput: no run has the term.
  """
  rows = {}
  for name, lines in runs.items():
    told, *less = (np.array([line.get(t, math.nan) for line in lines], float)
                   for t in term.split('-', 1))
    values = told - less[0] if less else told
    if np.isnan(values).all():
      continue
    split = [x[np.isfinite(x)] for x in np.array_split(values, parts)]
    rows[name] = {'steps': lines[-1]['step']} | {
        str(i): float(x.mean()) for i, x in enumerate(split) if x.size}
  if not rows:
    raise types.BadInput(
        f'--terms: no line of these runs has {term!r}; see metrics.jsonl.')
  places = [(str(i), f'{100 * (i + 1) // parts} %', '{:.4g}')
            for i in range(parts)]
  return table.table(f'{term}, mean up to', rows, [
      ('steps', 'last step', '{:.0f}'), *places])


def _named(text) -> tuple[str, str]:
  name, _, place = text.partition('=')
  if not name or not place:
    raise types.BadInput(f'{text!r} is no NAME=WORKDIR.')
  return name, place


if __name__ == '__main__':
  main()
