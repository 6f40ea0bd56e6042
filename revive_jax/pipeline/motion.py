"""Motion: how far the frames of shots jump, and what steadying them costs."""

from collections.abc import Sequence

from revive_jax.pipeline import choose, measure, stabilise


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
  return [{'jitter_pixels': _jitter(shot), 'lost_share': _lost(shot, p, size)}
          for shot, p in zip(shots, plans, strict=True)]


def _jitter(shot) -> float | None:
  if len(shot.steps) < 5 or not (shot.steps[1:, 3] > 0).any():
    return None
  return round(stabilise.jitter(shot.steps), 3)


def _lost(shot, plan, size) -> float:
  for stage in plan.stages:
    if stage.name == 'stabilise':
      height, width = size
      path = stabilise.path(shot.steps, size=size, **stage.options)
      return round(stabilise.lost_share(path, height=height, width=width), 6)
  return 0.0
