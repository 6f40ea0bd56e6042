"""What a training leaves in its workdir, beside checkpoints and the log."""

from collections.abc import Mapping
import json
import pathlib
from typing import Any

import jax
import numpy as np

from revive_jax.algorithms import assembled
from revive_jax.models import card as card_lib
from revive_jax.models import weights
from revive_jax.training import state as state_lib
from revive_jax.video import sheet


def write_pictures(
    folder: pathlib.Path, parts: assembled.Assembled,
    state: state_lib.TrainState, step: int,
) -> None:
  """What the networks make at a step: pictures/<name>_<step>.png."""
  if parts.pictures is None:
    return
  for name, picture in parts.pictures(state).items():
    sheet.write_png(folder / 'pictures' / f'{name}_{step:07d}.png', picture)


def written_steps(folder: pathlib.Path) -> int | None:
  """The steps behind the weights that are there; None: there are none."""
  path = folder / 'weights' / 'config.json'
  return json.loads(path.read_text())['steps'] if path.exists() else None


def write_weights(
    folder: pathlib.Path, parts: assembled.Assembled, ema: Any, *, step: int,
    steps: int, notes: Mapping[str, Any], algorithm: str, began: str = '',
    epsilon_before: float | None = None,
) -> None:
  """The averaged network as a weights folder, for restore and evaluate.

  step: of this run; steps: behind the weights in all. notes: for config.json,
  beside those of parts. algorithm, began: for the card, the weights that the
  run began with, and what those had spent, if that is known.
  """
  card = card_lib.front(parts.name) + (
      f'# {parts.name}\n\n{steps} steps, {parts.settings}, trained by '
      f'`{algorithm}` from {began or "random numbers"}.\n'
      'Settings of the run: config.json of its workdir.\n')
  if parts.account:
    card += f'\n{parts.account.statement(step)}\n'
  if parts.account and began:
    spent = ('nothing is known of that' if epsilon_before is None else
             'of their own training the card says epsilon '
             f'{epsilon_before:.3g}')
    card += (f'That is of the {step} steps of this run alone; what {began}, '
             f'which it began with, gives away is not in it: {spent}.\n')
  weights.save_weights(
      folder / 'weights', jax.tree.map(np.asarray, ema), model=parts.name,
      settings=parts.settings, steps=steps, card=card, **parts.notes, **notes)
