"""The parts of a report's page but its shots."""

from collections.abc import Mapping
from typing import Any

from revive_jax.explain import sentences
from revive_jax.explain.page import (
    UNKNOWN,
    Html,
    anything,
    join,
    number,
    section,
    table,
    tag,
)

Report = Mapping[str, Any]


def summary(report: Report) -> Html:
  """What was done, in plain words."""
  return section('What was done', tag(
      'ul', *(tag('li', s) for s in sentences.summary(report)), class_='lead'))


def quality(report: Report) -> Html:
  """How near the films came to the undamaged one; '' where that is unknown."""
  rows = [(name, number(x['psnr_db'], 'dB'), number(x['ssim'], 'of 1'),
           number(x['flicker_percent'], '%'))
          for name, x in report['quality'].items()
          if isinstance(x, dict) and 'psnr_db' in x]
  return section(
      'How near it came to the undamaged film', tag(
          'p', 'Here the undamaged film is known, so that the result can be '
          'compared with it. For real films nobody can.'),
      table(('', 'likeness (PSNR, more is better)',
             'likeness of structure (SSIM)', 'flicker against it'), rows)
  ) if rows else Html('')


def measured(report: Report) -> Html:
  """Measures of the whole film, before and after."""
  after = report.get('measured_after') or []
  rows = measures(report['measured'], after)
  why = report.get('not_measured_after')
  return section(
      'What was measured, before and after', tag(
          'p', 'Means over all shots, by their lengths. The restored film was '
          'read again from its file and measured in the same way (of long '
          'shots the first 240 frames).')
      if after else tag('p', why) if why else None,
      table(('', 'before', 'after', ''), rows))


def measures(before: list, after: list) -> list[tuple]:
  """Rows of a table: name and meaning, before, after, verdict."""
  rows = []
  for name, measure in sentences.MEASURES.items():
    values = [sentences.overall(x, name) for x in (before, after)]
    if values[0] is None and values[1] is None:
      continue
    if name == 'cracks_percent' and not any(values):
      continue  # It is 0 in films: nobody looked.
    verdict = sentences.verdict(name, *values)
    better = {'less': -1, 'more': 1}.get(verdict, 0) * measure.is_better
    rows.append((
        join([measure.name, tag('span', measure.meaning, class_='meaning')]),
        number(values[0], measure.unit),
        number(values[1], measure.unit) if after else UNKNOWN,
        tag('span', verdict, class_=(
            'good' if better > 0 else 'worse' if better < 0 else None))))
  return rows


def all_shots(report: Report, shown: set[int]) -> Html:
  """A table of all shots, where some are not shown or there are several."""
  shots, after = report['shots'], report.get('measured_after') or []
  if len(shots) < 2:
    return Html('')
  rows = []
  for i, shot in enumerate(shots):
    before = report['measured'][i]
    later = after[i] if i < len(after) else {}
    pair = lambda name, before=before, later=later: (
        f'{number(before.get(name), "")} → {number(later.get(name), "")}'
        if later else number(before.get(name), ''))
    rows.append((
        tag('a', f'{i + 1}', href=f'#shot{i + 1}') if i in shown else i + 1,
        sentences.clock(report, shot['start']),
        sentences.plural(shot['end'] - shot['start'], 'frame'),
        pair('noise_sigma_of_255'), pair('flicker_percent'),
        pair('dust_per_10000_pixels'), pair('scratches_per_10000_pixels'),
        number(100 * shot['share']['damaged'], '%'),
        number(100 * shot['share']['invented'], '%')))
  left = len(shots) - len(shown)
  return section(
      'All shots', tag('p', f'{left} of {len(shots)} shots are not shown with '
                       'pictures, to keep this page small.')
      if shown and left else None, table((
          'shot', 'begins at', 'length', 'noise, of 255', 'flicker, %',
          'dust, of 10,000 pixels', 'scratches, of 10,000 pixels',
          'found damaged', 'made up'), rows))


def doubt(report: Report) -> Html:
  """Where the program is unsure, and how far that can be trusted."""
  known = [(i, s['seen']['doubt']) for i, s in enumerate(report['shots'])
           if s.get('seen') and s['seen']['doubt']]
  if not known:
    return section('How sure the program is', tag(
        'p', 'Nothing here says how far the result may be off: only the '
        'trained network predicts it, and it was not used.'))
  return section(
      'How sure the program is', tag(
          'p', 'For every pixel the network predicts how far its result is '
          'likely to be off (a standard deviation). A pixel is called unsure '
          'where that is more than 10 of 255 steps of brightness.'),
      table(('shot', 'expected error, mean', 'unsure'), (
          (i + 1, number(x['mean_deviation_of_255'], 'of 255 steps'),
           number(x['unsure_percent'], '% of the pixels'))
          for i, x in known)),
      tag('div', *(tag('p', s) for s in sentences.calibration(
          report.get('calibration'))), class_='note'))


def choice(report: Report) -> Html:
  """The rules that explain which repairs were chosen, and how true they are."""
  found = report.get('choice')
  if not found:
    return Html('')
  rows = [(f'{i + 1}', x['repair'],
           ' and '.join(x['rules']) + f' → {x["verdict"]}',
           'the same' if x['done'] == x['verdict'] else
           f'{x["done"]} ({x["because"]})')
          for i, shot in enumerate(found['shots']) for x in shot]
  return section(
      'Why these repairs: the rules', tag(
          'p', 'The program chooses repairs from what it measures. These are '
          'the rules of a small decision tree that was fitted to its choices, '
          f'so that they can be read. It {found["told"]}'),
      table(('shot', 'repair', 'rule', 'what the program did'), rows),
      tag('details', tag('summary', 'All rules'), tag('ul', *(
          tag('li', rule) for rule in found.get('rules', ())))))


def events(report: Report) -> Html:
  """What happened at which time."""
  rows = []
  for i, shot in enumerate(report['shots'][1:], 1):
    rows.append((shot['start'], sentences.clock(report, shot['start']),
                 f'shot {i + 1} begins'))
  for x in report.get('concealed') or ():
    rows.append((x['frame'], x['time'],
                 f'this frame could not be read as recorded: {x["how"]}'))
  fields = (report.get('interlace') or {}).get('segments') or ()
  for x in fields:
    if x['kind'] != 'progressive' and x['kind'] != 'undecided':
      rows.append((x['start'], sentences.clock(report, x['start']),
                   f'frames {x["start"]:,} to {x["stop"] - 1:,} of the file '
                   f'are {x["kind"]}; done: {x["action"]}'))
  for x in report.get('events') or ():
    what = {'repeat': 'shown again', 'replaced': 'shown again in the place of '
            'a lost frame', 'lost': 'missing'}.get(x['kind'], x['kind'])
    rows.append((x['frame'], x['time'],
                 f'{sentences.plural(x["count"], "frame")} {what}; '
                 + '; '.join(t for t in (x['done'], x['why']) if t)))
  return section('Events', table(
      ('frame', 'time', 'what'), sorted(
          ((f'{n:,}', time, what) for n, time, what in rows),
          key=lambda row: int(row[0].replace(',', ''))))) if rows else Html('')


def warnings(report: Report) -> Html:
  """What the program warned of."""
  return section('Warnings', tag('ul', *(
      tag('li', w) for w in report['warnings']))) if report['warnings'] else (
          Html(''))


def settings(report: Report) -> Html:
  """Files, weights, hashes, speed and settings."""
  rows = [('read', report['input'])]
  rows += [('written', x) for x in report['outputs']]
  hashes = report.get('hashes') or {}
  speed = report['speed']
  return section(
      'Files, weights and settings', table(
          ('', 'file', 'about it'), (
              (what, tag('code', x.get('path', '')), anything(
                  {k: v for k, v in x.items() if k != 'path'}))
              for what, x in rows)),
      tag('h3', 'Weights and hashes'), anything({
          'weights': report['weights'] or 'no network was used',
          **{f'SHA-256 of the {name}': x for name, x in hashes.items() if x}}),
      tag('h3', 'Time'), anything({
          'frames': f'{speed["frames"]:,}',
          'all of it took': number(speed['seconds'], 'seconds'),
          'of which measuring': number(speed['measuring_seconds'], 'seconds'),
          'speed': number(speed['frames_per_second'], 'frames a second'),
          'memory at most': number(speed['peak_memory_mb'], 'MB')}),
      tag('details', tag('summary', 'All settings'),
          anything(report['settings'])))
