"""Tables of scores: per clip and mean, as data and as Markdown."""

from collections.abc import Mapping
from typing import Any

from revive_jax.metrics import scores

MEAN = 'mean'
# Key in scores.values, title, format.
_COLUMNS = (
    ('psnr', 'PSNR, dB', '{:.2f}'),
    ('ssim', 'SSIM', '{:.4f}'),
    ('ms_ssim', 'MS-SSIM', '{:.4f}'),
    ('perceptual', 'perceptual distance', '{:.4f}'),
    ('frechet', 'Fréchet, frames', '{:.4f}'),
    ('frechet_clips', 'Fréchet, clips', '{:.4f}'),
    ('niqe', 'NIQE', '{:.2f}'),
    ('psnr_damage', 'PSNR in damage, dB', '{:.2f}'),
    ('perceptual_damage', 'perceptual in damage', '{:.4f}'),
    ('warping_error', 'warping error, %', '{:.3%}'),
    ('flicker', 'flicker, %', '{:.3%}'),
    ('precision', 'precision', '{:.3f}'),
    ('recall', 'recall', '{:.3f}'),
    ('f1', 'F1', '{:.3f}'),
    ('parameters', 'parameters', '{:,.0f}'),
    ('frames_per_second', 'frames/s', '{:.2f}'))
UNDAMAGED = (
    ('psnr', 'PSNR to the input, dB', '{:.2f}'),
    ('lowest_psnr', 'its lowest', '{:.2f}'),
    ('false_share', 'pixels called damage, %', '{:.3%}'))
UNCERTAINTY = (
    ('gained', 'risk: from random to oracle, %', '{:.1%}'),
    ('risk_area', 'its area, MSE', '{:.2e}'),
    ('random_area', 'random', '{:.2e}'),
    ('oracle_area', 'oracle', '{:.2e}'),
    ('calibration_error', 'calibration error', '{:.4f}'),
    ('relative_error', 'relative, %', '{:.1%}'),
    ('temperature', 'temperature', '{:.2f}'),
    ('calibration_error_after', 'error after it', '{:.4f}'),
    ('relative_error_after', 'relative, %', '{:.1%}'))


def summary(
    by_row: Mapping[str, Mapping[str, scores.Sums]]
) -> dict[str, dict[str, dict[str, float]]]:
  """scores.values by row and clip, and the mean, from sums by row and clip."""
  return {
      row: {**{clip: scores.values(s) for clip, s in clips.items()},
            MEAN: scores.values(scores.merge(clips.values()))}
      for row, clips in by_row.items()}


def markdown(found: Mapping[str, Any]) -> str:
  """The tables, and how they were made, of what evaluate.evaluate returns."""
  methods, damage = found['methods'], found['settings']['damage']
  rows = {row: values[MEAN] | methods.get(row, {})
          for row, values in found['damaged'].items()}
  parts = [
      f'{len(found["clips"])} clips, damaged by `{damage["mix"]}` of '
      f'{damage["severity"]} severity, seed {found["settings"]["seed"]}; '
      f'{found["date"]}, {found["device"]}. Restored by the '
      f'{found["through"]}; frames/s are warm, all of them measured in this '
      'run, without reading, measuring and writing.',
      table('mean', rows, _COLUMNS)]
  gains = _gains(rows, methods)
  if gains:
    parts.append('\n'.join(gains))
  if found['undamaged']:
    same = {row: values[MEAN] | {'lowest_psnr': min(
        v['psnr'] for clip, v in values.items() if clip != MEAN)}
            for row, values in found['undamaged'].items()}
    parts.append(table('undamaged', same, UNDAMAGED))
  for place, rows in found['uncertainty'].items():
    parts.append(table(f'uncertainty {place}', rows, UNCERTAINTY))
  for clip, about in found['clips'].items():
    rows = {row: values[clip] for row, values in found['damaged'].items()}
    title = f'{clip}, {about["width"]}x{about["height"]}x{about["frames"]}'
    parts.append(table(title, rows, [
        column for column in _COLUMNS if column[0] not in (
            'parameters', 'frechet', 'frechet_clips')]))
  lines = [f'- {row}: {m["steps"]} steps, sha256 {m["sha256"]}'
           for row, m in methods.items() if 'sha256' in m]
  if lines:
    parts.append('\n'.join(lines))
  return '\n\n'.join(parts) + '\n'


def _gains(rows, methods) -> list[str]:
  """How much better each network is than the input and the classical chain."""
  lines = []
  for row in methods:
    if 'sha256' not in methods[row]:
      continue
    others = [('the input', rows['damaged']['psnr'])]
    classical = [values['psnr'] for name, values in rows.items()
                 if name.startswith('classical')]
    if classical:
      others.append(('the best classical chain', max(classical)))
    parts = [f'{rows[row]["psnr"] - psnr:+.2f} dB over {title}'
             for title, psnr in others]
    ratio = rows[row]['flicker'] / max(rows['damaged']['flicker'], 1e-9)
    lines.append(f'- {row}: {", ".join(parts)}, flicker times {ratio:.2f}')
  return lines


def table(title, rows, columns) -> str:
  """Markdown; a dash where a row has no value, no column where none has."""
  columns = [c for c in columns if any(c[0] in v for v in rows.values())]
  lines = ['| ' + ' | '.join([title, *(c[1] for c in columns)]) + ' |',
           '|---' * (len(columns) + 1) + '|']
  for row, values in rows.items():
    # The unit is in the title.
    cells = [form.format(values[key]).rstrip('%') if key in values else '–'
             for key, _, form in columns]
    lines.append('| ' + ' | '.join([row, *cells]) + ' |')
  return '\n'.join(lines)
