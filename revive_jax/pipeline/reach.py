"""Reach: how far around its frames a window still has to be looked at.

A window is read with frames around it. What no later stage looks at any more is
left out, so that nobody works on it: it is more than the window itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from revive_jax import types
from revive_jax.pipeline import faces, moving, optimise

# Frames before and after, on which what a stage makes of a frame depends.
# Stages that are not named here may look at all there are.
_FRAMES = {'moving': moving.REACH, 'composite': 0, 'faces': faces.REACH,
           'optimise': optimise.LOCAL_RADIUS, 'redact': 0, 'output': 0}


def after(
    stages: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[int | None]:
  """Frames around a window that stages from each one on look at; None: all.

  stages: names and options, in order.
  """
  found, total = [], 0
  for name, options in reversed(stages):
    more = _FRAMES.get(name)
    if options.get('regress') is not None:  # A network, which looks far.
      more = None
    total = None if None in (total, more) else total + more
    found.append(total)
  return found[::-1]


def cut(
    clip: types.Clip, core: slice, around: int | None
) -> tuple[types.Clip, slice]:
  """The clip without what lies further from core; and where core then is.

  around: frames; None: all of them stay.
  """
  first = 0 if around is None else max(0, core.start - around)
  last = len(clip.source) if around is None else core.stop + around
  if first == 0 and last >= len(clip.source):
    return clip, core
  return (clip.replace(**{name: value[first:last]
                          for name, value in vars(clip).items()
                          if value is not None}),
          slice(core.start - first, core.stop - first))
