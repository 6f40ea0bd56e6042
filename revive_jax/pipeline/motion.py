"""Motion: how far the frames of shots jump, and what steadying them costs."""

from collections.abc import Sequence

import numpy as np

from revive_jax.pipeline import choose, measure, stabilise

_LEAST = 4  # Steps of a stretch.


def described(
    shots: Sequence[measure.Shot], plans: Sequence[choose.Plan], *,
    size: tuple[int, int],
) -> list[dict[str, float | None]]:
  """Of each shot, for the report: jitter_pixels and lost_share.

  jitter_pixels: how far frames lie off the smooth path of the shot, rms; None:
  it was not measured, or nothing could be tracked. lost_share: share of the
  source's pixels that stabilising moves out of the frame.

  Args:
    shots: as measured.
    plans: of each.
    size: height and width of the frame, px.
  """
  return [{'jitter_pixels': jitter(s.steps), 'lost_share': _lost(s, p, size)}
          for s, p in zip(shots, plans, strict=True)]


def jitter(steps: np.ndarray) -> float | None:
  """How far frames lie off the smooth path, rms, px; None: nobody can say.

  Args:
    steps: [T, 4], stabilise.Step of each frame; stretches of those that are
      known count, each by itself.
  """
  known = np.asarray(steps)[1:, 3] > 0
  edges = np.flatnonzero(np.diff(np.r_[0, known.astype(np.int8), 0]))
  total, count = 0.0, 0
  for start, stop in edges.reshape(-1, 2):
    if stop - start >= _LEAST:
      # The first row of a path is not used.
      total += (stop - start) * stabilise.jitter(steps[start:stop + 1]) ** 2
      count += stop - start
  return round(float(np.sqrt(total / count)), 3) if count else None


def _lost(shot, plan, size) -> float:
  for stage in plan.stages:
    if stage.name == 'stabilise':
      height, width = size
      path = stabilise.path(shot.steps, size=size, **stage.options)
      return round(stabilise.lost_share(path, height=height, width=width), 6)
  return 0.0
