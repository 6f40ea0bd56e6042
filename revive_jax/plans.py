"""Plans: the stages of each shot, of the settings and of what was measured."""

from collections.abc import Callable, Sequence
import functools

import ml_collections

from revive_jax.pipeline import (
    choose,
    decisions,
    face_tracks,
    measure,
    timeline,
)


def make(
    c: ml_collections.ConfigDict, shots: Sequence[measure.Shot],
    planned: timeline.Plan, *, faces: face_tracks.Faces,
    decided: decisions.Decisions, network: Callable | None, is_deep: bool,
    marked: bool,
) -> list[choose.Plan]:
  """The stages of each shot.

  Args:
    c: configs/restore.py.
    shots: what was measured.
    planned: what is done about repeats and losses.
    faces: of the film, when they were looked for.
    decided: what a person decided.
    network: what the learned stage runs; None: there is none.
    is_deep: whether 16 bits come out, not 8.
    marked: whether the user marked damage.

  Raises:
    types.BadInput: what was decided cannot be.
  """
  plain, grain = c.to_dict(), c.output.grain
  if grain < 0:
    grain = float(c.composite == 'repair')
  return faces.planned([decisions.plan(
      decided, number, functools.partial(
          choose.choose, s, mode=c.composite, output=dict(
              bits=16 if is_deep else 8, grain=grain),
          fill=c.fill, inpaint=c.inpaint, denoiser=c.denoiser, seed=c.seed,
          marked=marked, learned=network is not None,
          replaces=planned.replaced[s.start:s.stop],
          stabilise=plain['stabilise'], moving=c.moving),
      plain['strength'], tuple(c.stages)) for number, s in enumerate(shots)],
                       shots, mode=c.composite, network=network)
