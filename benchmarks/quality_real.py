"""Real damaged film: pictures to look at, and measures without a reference."""

from collections.abc import Callable, Mapping
import pathlib
from typing import Any

import numpy as np

from revive_jax import types
from revive_jax.comparison import cases, methods
from revive_jax.data import held_out
from revive_jax.metrics import scores, temporal
from revive_jax.pipeline import match
from revive_jax.video import sheet, writer

COLUMNS = (
    ('niqe', 'NIQE', '{:.2f}'),
    ('warping_error', 'warping error, %', '{:.3%}'),
    ('flicker', 'flicker of the mean, %', '{:.3%}'),
    ('change', 'change of the input, of 255', '{:.2f}'),
    ('called', 'called damage, %', '{:.3%}'))
_FRAME_RATE = 16  # Of films of that time.
_REACH = 2  # Frames before and after whose median a frame's mean is held to.


def measure(
    clip: held_out.Clean, rows: Mapping[str, methods.Method],
    natural: Callable[[np.ndarray], float | None] | None,
    out: pathlib.Path | None, say: Callable[[str], None],
) -> dict[str, scores.Sums]:
  """Sums by row, the input's first; pictures of them in out.

  Args:
    clip: the film.
    rows: what restores it.
    natural: NIQE of frames, or None.
    out: folder of a contact sheet and a film of all rows beside each other.
    say: where progress goes.
  """
  made, called = {'input': clip.frames}, {}
  for name, method in rows.items():
    result = method.restore(clip.frames)
    made[name], called[name] = cases.to_codes(
        np.float32(result.restored) / 255), result.found
    say(f'{clip.name}: {name} done')
  if out:
    show(out, clip.name, made, called)
  flow = _flow(clip.frames)
  found = {}
  for name, frames in made.items():
    found[name] = _sums(frames, clip.frames, *flow, natural)
    if name in called:
      found[name]['called'] = (float(called[name].mean()), 1.0)
  return found


def _flow(codes):
  """Motion of a film to the frames before, and where it can be trusted."""
  frames = codes.astype(np.float32) / 255
  matched = match.match(types.Clip(source=frames, frames=frames),
                        quality='medium')
  flow = matched.flow_backward[1:]
  return flow, temporal.consistent(flow, matched.flow_forward[:-1])


def _sums(codes, source, flow, visible, natural) -> scores.Sums:
  frames = codes.astype(np.float32) / 255
  error = temporal.warping_error(frames[None], flow[None], visible[None])
  values: dict[str, Any] = {
      'warping_error': error[0], 'flicker': flicker(frames),
      'change': np.abs(codes.astype(np.float32) - source).mean(),
      'niqe': natural(frames) if natural else None}
  return {k: (float(v), 1.0) for k, v in values.items() if v is not None}


def flicker(frames: np.ndarray) -> float:
  """Standard deviation of how far each frame's mean is off those around it.

  Off the median of the means of five frames; [T, H, W, 3] in [0, 1].
  """
  mean = frames.mean((1, 2, 3), dtype=np.float64)
  near = np.lib.stride_tricks.sliding_window_view(
      np.pad(mean, _REACH, mode='edge'), 2 * _REACH + 1)
  return float(np.std(mean - np.median(near, -1)))


def show(
    out: pathlib.Path, name: str, made: Mapping[str, np.ndarray],
    called: Mapping[str, np.ndarray],
) -> None:
  """A sheet of the middle frame, and enlarged; and a film of all rows.

  Args:
    out: their folder.
    name: of the clip: its first frame is after the @.
    made: codes [T, H, W, 3] by row.
    called: [T, H, W] bool by row, what it took for damage.
  """
  middle = len(next(iter(made.values()))) // 2
  first = {title: frames[middle] for title, frames in made.items()}
  centre = sheet.densest(np.logical_or.reduce(
      [mask[middle] for mask in called.values()]))
  second = sheet.crop(first, centre, factor=3)
  sheet.write_sheet(out / f'{name}.png', [first, second])
  beside = (np.hstack(frames) for frames in zip(*made.values(), strict=True))
  writer.write_rgb(out / f'{name}.mp4', beside, frame_rate=_FRAME_RATE)
