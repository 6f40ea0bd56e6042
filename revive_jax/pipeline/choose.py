"""Choose: which stages a shot needs, how strongly, and why."""

from collections.abc import Mapping
import dataclasses
import types
from typing import Any, NamedTuple

import numpy as np

from revive_jax.pipeline import measure, sharpness

KINDS = ('scratch', 'dust', 'noise', 'flicker', 'blur', 'tone')
ORDER = ('preprocess', 'match', 'detect', 'restore', 'classical',
          'moving', 'composite', 'optimise', 'interpolate', 'output',
          'stabilise')

_GRAINY = 2.0, 6.0  # Codes of noise from which on sharpening would lift it.
_UNSHARP = 0.1  # Strength of sharpening by somebody who asks for it anyway.


@dataclasses.dataclass(frozen=True)
class Choice:
  """One stage of one shot: its keyword arguments, and what the report says."""

  name: str
  why: str
  strength: float
  options: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Plan:
  """The stages of one shot, and the strengths that shape its tone."""

  stages: tuple[Choice, ...]
  flicker: float  # Strength of global deflicker.
  levels: float  # Strength of the tone stretch.


def choose(
    shot: measure.Shot, *, mode: str, strength: dict[str, float],
    stages: tuple[str, ...], output: dict[str, Any], fill: str,
    inpaint: str, denoiser: str, seed: int, marked: bool,
    learned: bool = False, replaces: np.ndarray | None = None,
    stabilise: Mapping[str, Any] = types.MappingProxyType({}),
    moving: str = 'keep',
) -> Plan:
  """Plans the stages of a shot from what was measured on it.

  Args:
    shot: what was measured.
    mode: 'full' or 'repair'.
    strength: upper limits in [0, 1], by KINDS.
    stages: ('auto',), or the names to run (then measured values set their
      parameters, but switch none of them off).
    output: keyword arguments 'bits' and 'grain' of the stage output.
    fill: see classical.
    inpaint: see classical.
    denoiser: see classical; 'auto' takes what suits the shot.
    seed: of grain and dither.
    marked: the user marked damage.
    learned: there is a network: with ('auto',) it restores instead of the
      classical stages.
    replaces: [T] bool, frames that stand in for lost ones, to be made anew.
    stabilise: kind and strength, for stabilise.path; {}: not.
    moving: 'keep' what moves and looks like dust, or 'ignore' that it moves.
  """
  auto = stages == ('auto',)
  names = ORDER if auto else tuple(
      n for n in ORDER if n in (*stages, 'interpolate', 'stabilise'))
  network = auto and learned
  amounts, reasons = _amounts(shot, mode, strength, auto, network)
  finds = marked or any(amounts[k] > 0 for k in ('dust', 'scratch', 'crack'))
  found = _Found(amounts, finds, auto, learned, network,
                 moves=shot.stop - shot.start > 1,
                 detail=_detail(shot, mode, strength, amounts) if network
                 else 0.0)
  options = {
      **_repairs(shot, found, fill, inpaint, denoiser),
      'preprocess': {}, 'match': {}, 'restore': {},
      'moving': dict(sigma=shot.noise),
      'composite': dict(mode=mode, strength={
          # A crack may be as high and thin as a scratch.
          'scratch': max(amounts['scratch'], amounts['crack']),
          'noise': amounts['noise'],
          'dust': max(amounts['dust'], amounts['crack'])},
                        black=shot.borders, detail=found.detail),
      'optimise': dict(mode=mode, local_deflicker=amounts['local'],
                       sharpen=amounts['blur'], sigma=shot.noise),
      'output': dict(mode=mode, sigma=shot.noise, seed=seed, **output),
      'interpolate': dict(replace=replaces), 'stabilise': dict(stabilise),
  }
  whole = mode == 'full' and found.moves
  steadies = stabilise.get('strength', 0.0)
  needed = _needed(found) | {
      'moving': moving == 'keep' and found.moves and (
          amounts['dust'] > 0 or amounts['scratch'] > 0),
      'interpolate': whole and replaces is not None and bool(np.any(replaces)),
      'stabilise': whole and steadies > 0}
  why = _why(found, reasons, mode, marked)
  shown = _strengths(amounts) | {
      'detect': options['detect']['sensitivity'], 'stabilise': steadies}
  chosen = tuple(
      Choice(n, why[n], round(float(shown.get(n, 1.0)), 3), options[n])
      for n in names if needed[n])
  return Plan(chosen, amounts['flicker'], amounts['tone'])


class _Found(NamedTuple):
  """What decides about the stages of a shot."""

  amounts: dict[str, float]  # Strength of each repair.
  finds: bool  # There is, or may be, damage.
  auto: bool  # The program chooses.
  learned: bool  # There is a network.
  network: bool  # It restores instead of the classical stages.
  moves: bool  # More than a picture.
  detail: float  # How strongly detail is brought out.


def _repairs(shot, found, fill, inpaint, denoiser):
  """Options of the stages that find damage and fill it without a network."""
  amounts, classical = found.amounts, not found.network
  return {
      # Beside a network it looks for what runs far across a single picture.
      'detect': dict(
          sigma=shot.noise,
          dust=found.moves and amounts['dust'] > 0 and classical,
          scratches=found.moves and amounts['scratch'] > 0 and classical,
          cracks=amounts['crack'] > 0,
          sensitivity=0.6 if found.auto and shot.spots < 1e-4 else 1.0),
      'classical': dict(
          sigma=shot.noise, fill=fill, inpaint=inpaint,
          denoiser=_denoiser(denoiser, found.moves)
          if amounts['noise'] else 'none')}


def _detail(shot, mode, strength, amounts) -> float:
  """How strongly detail is brought out from under grain; else sharpened."""
  if mode == 'repair' or not amounts['noise']:
    return 0.0
  return strength['blur'] * _rise(255 * shot.noise, *_GRAINY)


def _needed(found) -> dict[str, bool]:
  """Which of the stages that restore are needed."""
  amounts = found.amounts
  repairs = found.finds or amounts['noise'] > 0
  learns = repairs and (found.learned if found.auto else True)
  return {
      'preprocess': amounts['flicker'] > 0 or amounts['tone'] > 0,
      'match': found.moves and not (found.network and learns) and (
          repairs or amounts['local'] > 0),
      'detect': amounts['crack'] > 0 if found.network else found.finds,
      'restore': learns,
      'classical': repairs and not found.network,
      'composite': True,
      'optimise': amounts['local'] > 0 or amounts['blur'] > 0,
      'output': True}


def _why(found, reasons, mode, marked) -> dict[str, str]:
  """A sentence for each stage."""
  several = lambda *names: '; '.join(reasons[n] for n in names)
  damage = lambda words: words if found.finds else ''
  return {
      'preprocess': several('flicker', 'tone'),
      'match': 'the stages after it compare neighbouring frames',
      'detect': several('dust', 'scratch', 'crack') + (
          '; the user marked damage' if marked else ''),
      'restore': reasons['noise'] + damage('; damage is found and filled'),
      'classical': reasons['noise'] + damage('; damage is filled'),
      'moving': 'rain, sparks and other things that fly are no dust',
      'composite': f'mode {mode}' + (
          '; detail below the grain is brought out' if found.detail else ''),
      'optimise': several('local', 'blur'),
      'output': 'always',
      'interpolate': 'frames were lost, and copies put in their place',
      'stabilise': 'asked for'}


def _strengths(amounts) -> dict[str, float]:
  """What the report says of how strongly stages work."""
  repair = max(amounts[k] for k in ('dust', 'scratch', 'crack', 'noise'))
  return {'preprocess': max(amounts['flicker'], amounts['tone']),
          'restore': repair, 'classical': repair,
          'optimise': max(amounts['local'], amounts['blur'])}


def _denoiser(name: str, moves: bool) -> str:
  return name if name != 'auto' else ('temporal' if moves else 'nlm')


def _amounts(shot, mode, strength, auto, network):
  """Strength of each repair, and the sentence that says why."""
  codes, single = 255 * shot.noise, shot.stop - shot.start == 1
  tests = {  # Name: (kind, share in [0, 1], sentence).
      'flicker': ('flicker', _rise(shot.flicker, 0.004, 0.010),
                  f'brightness flickers by {100 * shot.flicker:.1f} %'),
      'local': ('flicker', _rise(shot.flicker, 0.015, 0.03),
                'the flicker is strong enough to differ across the frame'),
      'tone': ('tone', _rise(0.75 - (shot.high - shot.low), 0.0, 0.25),
               f'levels reach from {shot.low:.2f} to {shot.high:.2f}'),
      'noise': ('noise', 0.0 if mode == 'repair' else _rise(codes, 0.8, 2.0),
                f'noise of {codes:.1f} of 255'),
      'dust': ('dust', float(not single),
               f'{1e4 * shot.spots:.1f} in 10,000 pixels look like dust'),
      # A network finds more than was measured here.
      'scratch': ('scratch', float(
          not single if network else shot.scratches > 2e-4),
                  f'{1e4 * shot.scratches:.1f} in 10,000 pixels lie on lines '
                  'that stay'),
      'crack': ('dust', float(single and shot.cracks > 1.5e-3),
                f'{100 * shot.cracks:.2f} % of the picture look cracked'),
      # Of grainy pictures it would lift the grain.
      'blur': ('blur', 0.0 if not shot.edge_width > 0 else
               _rise(shot.edge_width, *sharpness.SOFT) * (
                   1 - _rise(codes, *_GRAINY)),
               f'edges are {shot.edge_width:.1f} px wide'),
  }
  amounts, reasons = {}, {}
  for name, (kind, share, sentence) in tests.items():
    if name == 'blur' and mode == 'repair':
      share = 0.0  # A fill that is sharper than what is around it shows.
    elif not auto and name == 'blur':
      share = max(share, _UNSHARP) if shot.edge_width > 0 else 0.0
    elif not auto:
      share = 0.0 if single and name in ('dust', 'scratch', 'flicker',
                                         'local') else 1.0
      if name == 'crack' and not single or name == 'noise' and mode == 'repair':
        share = 0.0
    amounts[name] = strength[kind] * share
    verdict = 'treated' if amounts[name] > 0 else 'left'
    reasons[name] = f'{sentence}: {verdict}'
  if mode == 'repair':  # Tone feeds only detection; what it shows is undone.
    amounts['tone'] = amounts['local'] = 0.0
  return amounts, reasons


def _rise(x: float, low: float, high: float) -> float:
  """0 below low, 1 above high, linear between."""
  return min(max((x - low) / (high - low), 0.0), 1.0)
