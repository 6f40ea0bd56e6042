"""Sentences: what a record says, for people who are no engineers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from revive_jax.explain.page import number
from revive_jax.video import conceal

_TELLING = 0.05  # Less of the way from chance to perfect is called chance.

STAGES = {
    'preprocess': 'Evened out the light',
    'match': 'Followed what moves from frame to frame',
    'detect': 'Looked for damage',
    'restore': 'Repaired, with a trained network',
    'classical': 'Repaired, without a network',
    'composite': 'Kept what was intact',
    'optimise': 'Calmed what still flickered, and sharpened',
    'interpolate': 'Made lost frames anew',
    'output': 'Rounded to the numbers of the file',
    'faces': 'Saw to it that faces stay the people they are',
    'redact': 'Made faces unrecognisable',
    'upscale': 'Doubled the size; what lies between is invented',
    'moving': 'Left alone what flies by, such as rain and birds',
    'stabilise': 'Held the picture still',
}
ORIGINS = {
    'kept': 'the film\'s own value, at most lighter or darker',
    'denoised': 'the film\'s own place, with noise taken out',
    'moved': 'taken from a neighbouring frame',
    'invented': 'made up: no frame near it shows what was there',
}


class Measure(NamedTuple):
  """Something that is measured before and after."""

  name: str
  unit: str
  meaning: str
  is_better: int  # -1: less is better; 1: more; 0: neither.


MEASURES = {
    'noise_sigma_of_255': Measure(
        'Noise', 'of 255 steps of brightness',
        'how far a pixel strays by chance, as film grain makes it', -1),
    'flicker_percent': Measure(
        'Flicker', '% of the brightness',
        'how much the whole picture gets lighter and darker', -1),
    'dust_per_10000_pixels': Measure(
        'Dust and spots', 'of 10,000 pixels',
        'there in one frame, and not in its neighbours', -1),
    'scratches_per_10000_pixels': Measure(
        'Scratches', 'of 10,000 pixels', 'upright lines that stay', -1),
    'cracks_percent': Measure(
        'Cracks', '% of the picture', 'looked for in single pictures', -1),
    'edge_width_pixels': Measure(
        'Width of edges', 'pixels',
        'how soft the sharpest edges are: narrow is sharp. Those of scratches '
        'and of grain count, too, so it may grow when they go', 0),
    'jitter_pixels': Measure(
        'Shake', 'pixels',
        'how far frames jump off the smooth path of the camera', -1),
}


def summary(report: Mapping[str, Any]) -> list[str]:
  """What was done, in a few sentences."""
  return [s for part in (_film, _damage, _change, _network, _lost, _repair)
          for s in part(report)]


def _film(report):
  info, shots = report['input'], len(report['shots'])
  written = report['outputs'][0].get('frames', info['frames'])
  if info['kind'] in ('image', 'dicom') and info['frames'] == 1:
    yield f'A picture of {info["width"]} by {info["height"]} pixels.'
    return
  seconds = info['frames'] / info['frame_rate']
  yield (f'The film has {info["frames"]:,} frames of {info["width"]} by '
         f'{info["height"]} pixels: {number(seconds, _seconds(seconds))} at '
         f'{number(info["frame_rate"], "frames a second")}, in '
         f'{plural(shots, "shot")} (from one cut to the next).')
  yield ('Every frame is in the restored film: none was left out.'
         if written == info['frames'] else
         f'The restored film has {written:,} frames.')


def _seconds(value: float) -> str:
  return 'second' if value == 1 else 'seconds'


def share(report: Mapping[str, Any], name: str) -> float:
  """Of all pixels of the film, in percent: 'changed', 'damaged', ..."""
  lengths = [s['end'] - s['start'] for s in report['shots']]
  return 100 * sum(n * s['share'][name] for n, s in zip(
      lengths, report['shots'], strict=True)) / max(sum(lengths), 1)


def _damage(report):
  damaged = share(report, 'damaged')
  if damaged:
    yield f'{number(damaged, "% of all pixels")} were found damaged.'
  else:
    yield 'No damage was found, or none was looked for.'
  moved, invented = share(report, 'moved'), share(report, 'invented')
  if moved or invented:
    yield (f'{number(moved, "% of all pixels")} were filled with what a '
           f'neighbouring frame shows, and {number(invented, "%")} were made '
           'up, because no frame near them shows what was there.')


def _change(report):
  changed = share(report, 'changed')
  if not changed:
    yield 'No pixel was changed.'
    return
  means = [(s['end'] - s['start'], s['seen']['mean_change_of_255'])
           for s in report['shots'] if s.get('seen')]
  by = ''
  if means:
    mean = sum(n * x for n, x in means) / sum(n for n, _ in means)
    by = f', on average by {number(mean, "of 255 steps of brightness")}'
  yield f'{number(changed, "% of all pixels")} were changed{by}.'
  if is_marked(report):
    yield ('Among them are those that an invisible mark makes a few steps '
           'lighter or darker; the average is without it.')


def is_marked(report: Mapping[str, Any]) -> bool:
  """Whether a film has an invisible mark in the light of its frames."""
  return bool(((report.get('provenance') or {}).get('marks') or {})
              .get('invisible'))


def _network(report):
  if not report['weights']:
    yield 'No trained network was used.'
    return
  # The hashes are further down.
  name, *fills = (x.split(', sha256')[0]
                  for x in report['weights'].split('; fills: '))
  yield f'A trained network made the repairs: {name}.'
  if fills:
    yield f'What fills the damage was drawn by another: {fills[0]}.'


def _lost(report):
  lost = report.get('concealed') or []
  if lost:
    yield (f'{plural(len(lost), "frame")} could not be read as recorded; '
           'the times are under "Events".')


def _repair(report):
  if report['settings'].get('composite') == 'repair':
    yield ('Outside of the damage every pixel is as it was, exactly: that was '
           'asked for (mode "repair").')


def overall(
    measured: Sequence[Mapping[str, Any]], name: str
) -> float | None:
  """The mean of a measure over shots, by their lengths."""
  known = [(m['end'] - m['start'], m[name]) for m in measured
           if m.get(name) is not None]
  total = sum(n for n, _ in known)
  return sum(n * x for n, x in known) / total if total else None


def verdict(name: str, before: float | None, after: float | None) -> str:
  """What became of a measure: 'less', 'more', 'as before' or ''."""
  if before is None or after is None:
    return ''
  if abs(after - before) <= max(0.03 * abs(before), 0.005):
    return 'as before'
  return 'less' if after < before else 'more'


def reasons(why: str) -> list[str]:
  """The reasons of a stage, one by one."""
  return [part.strip() for part in why.split(';') if part.strip()]


def span(report: Mapping[str, Any], shot: Mapping[str, Any]) -> str:
  """When a shot runs, as frames and as times."""
  if report['input']['frames'] == 1:
    return 'a single picture'
  rate = report['input']['frame_rate']
  return (f'frames {shot["start"]:,} to {shot["end"] - 1:,}, '
          f'{clock(report, shot["start"])} to '
          f'{conceal.clock(shot["end"] / rate)}')


def clock(report: Mapping[str, Any], frame: int) -> str:
  """The time of a frame, by the rate of the film, HH:MM:SS.mmm."""
  return conceal.clock(frame / report['input']['frame_rate'])


def plural(count: int, noun: str) -> str:
  """'1 frame', '2 frames'."""
  return f'{count:,} {noun}{"" if count == 1 else "s"}'


def calibration(found: Mapping[str, Any] | None) -> list[str]:
  """How far the program's own doubt can be trusted."""
  if not found:
    return ['How well this doubt agrees with true errors is not known for '
            'these weights: nobody measured it. Take it as a hint of where to '
            'look, not as a number.']
  sentences = []
  for place, x in found['places'].items():
    if 'temperature' in x:
      right = x['temperature']
      how = ('about right' if 0.9 <= right <= 1.1 else
             f'too large: errors were {right:.2f} times as large as expected'
             if right < 1 else
             f'too small: errors were {right:.2f} times as large as expected')
      sentences.append(f'{place.capitalize()}, the expected error was {how}.')
    sentences.append(
        f'{place.capitalize()}, leaving out the least sure pixels avoids '
        f'{100 * x["gained"]:.0f} % of what knowing the true errors would '
        'avoid; chance avoids 0 %.' if x['gained'] >= _TELLING else
        f'{place.capitalize()}, the doubt tells no more about where the errors '
        'are than chance.')
  return [*sentences, f'Measured on {found["measured_on"]}.']
