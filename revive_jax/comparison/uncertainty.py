"""Uncertainty of the methods of a table: figures, and pictures of curves."""

from collections.abc import Mapping
import pathlib
from typing import Any, NamedTuple

from matplotlib.backends import backend_agg
from matplotlib.figure import Figure
import numpy as np

from revive_jax.metrics import calibration
from revive_jax.video import atomic

PLACES = ('everywhere', 'in damage')  # In what was found damaged.
_COLOR = {'predicted': 'C0', 'oracle': 'C2', 'random': 'C7'}


class Judged(NamedTuple):
  """Whether one method's uncertainty is right, at one of PLACES."""

  risk: calibration.Risk  # Of all clips.
  temperature: float | None  # Of every other clip; None: there is only one.
  before: calibration.Reliability  # Of the clips in between; or of the one.
  after: calibration.Reliability | None  # The same, with the temperature.


def of_clip(
    error: np.ndarray, deviation: np.ndarray, found: np.ndarray
) -> dict[str, calibration.Calibration]:
  """Sums of one clip at PLACES.

  Args:
    error: [T, H, W, 3], restored less target.
    deviation: [T, H, W, 1], predicted.
    found: [T, H, W] bool, what was taken for damage.
  """
  deviation = np.broadcast_to(deviation, error.shape)
  hole = np.broadcast_to(found[..., None], error.shape)
  return {'everywhere': calibration.Calibration.of(error, deviation),
          'in damage': calibration.Calibration.of(error, deviation, hole)}


def judge(clips: Mapping[str, calibration.Calibration]) -> Judged | None:
  """Judges sums by clip; None where no pixel was looked at.

  The temperature is fitted on the first film and every other one, and judged on
  those in between: clips of one film, whose names differ after an @, stay
  together.
  """
  used = {name: x for name, x in sorted(clips.items()) if x.count.sum()}
  if not used:
    return None
  film = lambda name: name.split('@')[0]
  films = sorted({film(name) for name in used})
  half = lambda names: _merged(
      x for name, x in used.items() if film(name) in names)
  fitted, judged = half(films[::2]), half(films[1::2])
  risk = calibration.risk(_merged(used.values()))
  if judged is None:
    return Judged(risk, None, calibration.reliability(fitted), None)
  return Judged(
      risk, fitted.temperature, calibration.reliability(judged),
      calibration.reliability(judged, temperature=fitted.temperature))


def _merged(many):
  total = None
  for one in many:
    total = one if total is None else total.merge(one)
  return total


def figures(found: Judged) -> dict[str, float]:
  """What the table says of it."""
  values = {
      'risk_area': found.risk.area, 'oracle_area': found.risk.oracle_area,
      'random_area': found.risk.random_area, 'gained': found.risk.gained,
      'calibration_error': found.before.error,
      'relative_error': found.before.relative_error}
  if found.after is not None:
    values |= {'temperature': found.temperature,
               'calibration_error_after': found.after.error,
               'relative_error_after': found.after.relative_error}
  return values


def draw(path: pathlib.Path, found: Mapping[str, Judged], title: str) -> None:
  """Risk-coverage curves above reliability diagrams, a column each row."""
  figure = Figure((4.2 * len(found), 7.2), layout='constrained')
  backend_agg.FigureCanvasAgg(figure)
  figure.suptitle(title)
  axes = figure.subplots(2, len(found), squeeze=False)
  for (row, judged), (above, below) in zip(found.items(), axes.T, strict=True):
    _draw_risk(above, judged.risk)
    above.set_title(row, fontsize='small')
    _draw_reliability(below, judged)
  with atomic.replacing(path) as part:
    figure.savefig(part, format='png', dpi=100)


def _draw_risk(axes: Any, risk: calibration.Risk) -> None:
  root = lambda x: np.sqrt(np.maximum(x, 0))
  for name in ('predicted', 'oracle'):
    axes.plot(100 * risk.coverage, root(getattr(risk, name)), label=name,
              color=_COLOR[name])
  axes.axhline(root(risk.random_area), color=_COLOR['random'], ls='--',
               label='random')
  axes.set(xlabel='pixels kept, %', ylabel='root mean squared error',
           ylim=(0, None))
  axes.legend(fontsize='small')


def _draw_reliability(axes: Any, judged: Judged) -> None:
  curves = [('as predicted', judged.before, 'C0')]
  if judged.after is not None:
    curves.append(
        (f'times {judged.temperature:.2f}', judged.after, 'C1'))
  top = max(x.max() for _, r, _ in curves for x in (r.predicted, r.observed))
  axes.plot([0, top], [0, top], color='C7', ls='--', label='right')
  for name, r, color in curves:
    axes.plot(r.predicted, r.observed, 'o-', color=color, ms=4,
              label=f'{name}: error {r.error:.4f}')
  axes.set(xlabel='predicted deviation', ylabel='observed deviation',
           xlim=(0, None), ylim=(0, None))
  axes.legend(fontsize='small')
