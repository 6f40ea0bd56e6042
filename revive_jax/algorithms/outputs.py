"""What a training leaves in its workdir, beside checkpoints and the log."""

from collections.abc import Mapping
import json
import pathlib
from typing import Any

import jax
import numpy as np

from revive_jax.algorithms import assembled
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
    steps: int, notes: Mapping[str, Any], origin: str,
) -> None:
  """The averaged network as a weights folder, for restore and evaluate.

  step: of this run; steps: behind the weights in all. notes: for config.json,
  beside those of parts. origin: for the card, where parts.account has a word,
  too.
  """
  card = (f'# {parts.name}\n\n{steps} steps, {parts.settings}, {origin}.\n'
          'Settings of the run: config.json of its workdir.\n')
  if parts.account:
    card += f'\n{parts.account.statement(step)}\n'
  weights.save_weights(
      folder / 'weights', jax.tree.map(np.asarray, ema), model=parts.name,
      settings=parts.settings, steps=steps, card=card, **parts.notes, **notes)
