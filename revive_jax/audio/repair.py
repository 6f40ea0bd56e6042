"""What is done about it: a strength for each repair, and all in turn."""

from collections.abc import Callable, Mapping
import dataclasses

import numpy as np

from revive_jax import types
from revive_jax.audio import blocks, clicks, clipping, hiss, hum, level
from revive_jax.audio import measure as measuring

REPAIRS = ('clipping', 'clicks', 'hum', 'hiss', 'level')  # In this order.
AUTO = 'auto'
DEFAULT = dict(
    clicks=AUTO, hum=AUTO, hiss=AUTO, clipping=AUTO, level=0.)

_CLICKS = 20.  # Per minute; fewer may be sounds.
_CLIPPED = 10  # Peaks.
_HUM = -70.  # dB of full scale; weaker hum is not heard.
_HISS = -60.  # dB of full scale,
_HISS_UNDER = 50.  # and decibels under the louder moments.
_HISS_LEFT = -72.  # dB of full scale, what strength 'auto' aims at.
_QUIET = -36.  # LUFS; a track under it is hardly heard.
_CEILING = 0.98  # Full scale = 1; peaks drawn anew stay under it.


@dataclasses.dataclass(frozen=True)
class Plan:
  """What to do with one track."""

  strengths: dict[str, float]  # By repair, in [0, 1]; 0 = off.
  reasons: dict[str, str]  # By repair, for the report.
  gain: float = 1.  # Of the whole track.

  @property
  def idle(self) -> bool:
    """Whether nothing is to be done."""
    return not any(self.strengths.values()) and self.gain == 1


def check(settings: Mapping[str, float | str]) -> dict[str, float | str]:
  """Returns the strength asked for of each repair, or raises BadInput."""
  result = dict(DEFAULT)
  for name, value in settings.items():
    types.check_choice('audio', name, REPAIRS)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value != AUTO and not (number and 0 <= value <= 1):
      raise types.BadInput(
          f'--config.audio.{name}={value!r} is no strength: a number from 0 '
          "(off) to 1, or 'auto'.")
    result[name] = value if value == AUTO else float(value)
  return result


def _findings(measured) -> dict[str, tuple[bool, float, str]]:
  """By repair: is there anything, the strength of 'auto', and why."""
  loudest = max(measured.hums, key=lambda h: h.level, default=hum.NONE)
  hum_level = 20 * np.log10(loudest.level + 1e-20)
  noise, under = measured.noise_level, (
      measured.sound_level - measured.noise_level)
  hissing = noise > _HISS and under < _HISS_UNDER
  return {
      'clipping': (
          measured.clipped > 0, float(measured.clipped >= _CLIPPED),
          f'{measured.clipped} peaks are cut off'),
      'clicks': (
          measured.clicks > 0, float(measured.clicks_per_minute >= _CLICKS),
          f'{measured.clicks_per_minute:.1f} clicks per minute'),
      'hum': (
          bool(loudest.partials), float(hum_level > _HUM),
          f'{loudest.frequency:.2f} Hz and {len(loudest.partials) - 1} '
          f'multiples at {hum_level:.0f} dB' if loudest.partials else
          'no hum of 50 or 60 Hz'),
      'hiss': (
          bool(measured.noise.any()),
          float(np.clip((noise - _HISS_LEFT) / hiss.MOST, 0, 1)) * hissing,
          f'noise at {noise:.0f} dB, {under:.0f} dB under the sound'
          if measured.noise.any() else 'no steady noise under the sound'),
      'level': (
          np.isfinite(measured.loudness), float(measured.loudness < _QUIET),
          f'{measured.loudness:.1f} LUFS' if np.isfinite(measured.loudness)
          else 'silence'),
  }


def plan(
    measured: measuring.Measured, settings: Mapping[str, float | str]
) -> Plan:
  """Returns what to do about what was measured.

  settings: a strength for each of REPAIRS, or 'auto': off, unless what was
  measured calls for it. What was not found is not repaired at any strength.
  Raises BadInput for other settings.
  """
  strengths, reasons = {}, {}
  asked, findings = check(settings), _findings(measured)
  for name in REPAIRS:
    there, automatic, reason = findings[name]
    strength = automatic if asked[name] == AUTO else asked[name]
    strengths[name] = strength if there else 0.
    reasons[name] = reason
  gain = level.gain(
      strengths['level'], measured.loudness, measured.peak)
  if gain == 1:
    strengths['level'] = 0.
  return Plan(strengths, reasons, gain)


def within(plan_: Plan, peak: float) -> Plan:
  """Returns the plan with a gain that keeps a peak so high in full scale."""
  if peak * plan_.gain <= _CEILING:
    return plan_
  return dataclasses.replace(plan_, gain=_CEILING / peak)


def reach(measured: measuring.Measured, plan_: Plan) -> int:
  """Returns how far the repairs look to either side: samples, on the grid."""
  rate, on = measured.rate, plan_.strengths
  total = (bool(on['clipping']) * clipping.reach()
           + bool(on['clicks']) * clicks.reach(rate)
           + bool(on['hum']) * hum.reach(rate)
           + bool(on['hiss']) * hiss.reach(rate))
  return -(-total // blocks.GRID) * blocks.GRID


def repairer(
    measured: measuring.Measured, plan_: Plan
) -> Callable[[np.ndarray, int], np.ndarray]:
  """Returns the function for blocks.overlapped that carries the plan out.

  It takes samples [N, channels] float32 and the place of the first of them in
  the track, a multiple of blocks.GRID; and returns as many. With nothing to
  do it returns what it got.
  """
  rate, on = measured.rate, plan_.strengths

  def repair(samples: np.ndarray, start: int) -> np.ndarray:
    samples = clipping.repair(samples, on['clipping'], measured.limits)
    samples = clicks.repair(samples, rate, on['clicks'])
    samples = hum.repair(samples, rate, on['hum'], measured.hums)
    samples = hiss.repair(samples, rate, on['hiss'], measured.noise, start,
                          measured.stretch)
    return samples if plan_.gain == 1 else samples * np.float32(plan_.gain)

  return repair


def repair(
    samples: np.ndarray, rate: int,
    settings: Mapping[str, float | str] = DEFAULT
) -> np.ndarray:
  """Returns a whole track [N, channels] float32, measured and repaired."""
  measured = measuring.measure([samples], rate)
  plan_ = plan(measured, settings)
  return samples if plan_.idle else repairer(measured, plan_)(samples, 0)
