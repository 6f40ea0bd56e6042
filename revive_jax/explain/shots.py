"""One shot in a report's page: pictures, measures, stages, and doubts."""

from collections.abc import Mapping, Sequence
from typing import Any

from revive_jax.explain import sections, sentences
from revive_jax.explain.page import (
    Html,
    figure,
    join,
    number,
    picture,
    table,
    tag,
)
from revive_jax.explain.pictures import COLORS
from revive_jax.types import Origin


def shot(
    report: Mapping[str, Any], index: int,
    pictures: Sequence[Mapping[str, Any]]
) -> Html:
  """Shot number index.

  pictures: of gather.pictures_of, each with its 'data'.
  """
  record = report['shots'][index]
  by_kind = {}
  for x in pictures:
    by_kind.setdefault(x['kind'], []).append(x)
  one = {kind: found[0] for kind, found in by_kind.items()}
  title = ('The picture' if report['input']['frames'] == 1
           else f'Shot {index + 1}')
  after = report.get('measured_after') or []
  return tag(
      'section', tag('h2', title),
      tag('p', sentences.span(report, record), class_='soft'),
      _compare(report, index, one),
      _sheet(report, by_kind.get('sheet', [])),
      # Of a single shot the table of the whole film says it already.
      join([tag('h3', 'Measured'), table(
          ('', 'before', 'after', ''), sections.measures(
              report['measured'][index:index + 1], after[index:index + 1]))])
      if len(report['shots']) > 1 else None,
      tag('h3', 'What was done, and why'), _stages(record),
      tag('h3', 'What was changed'), _changed(record),
      tag('div', _damage(report, one), _doubt(report, one), class_='pair'),
      _matches(report, record, one),
      id=f'shot{index + 1}')


def _compare(report, index, one):
  if 'after' not in one:
    return None
  frame = one['after']['frame']
  at = f'frame {frame:,}, {sentences.clock(report, frame)}'
  if report['input']['frames'] == 1:
    at = 'the picture'
  image = lambda kind: picture(
      one[kind]['data'], f'{kind.capitalize()} restoring: {at}',
      width=one[kind]['width'], height=one[kind]['height'])
  if 'before' not in one:  # Faces are hidden: nobody may see the source.
    return figure(image('after'), f'After: {at}. The film before is not shown, '
                  'because faces were hidden.')
  return join([
      tag('div',
          tag('figure', image('after'), tag('figcaption', 'After'),
              class_='after'),
          tag('figure', image('before'), tag('figcaption', 'Before'),
              class_='before'),
          tag('input', type='range', min=0, max=100, value=50, step=1,
              aria_label=f'Shot {index + 1}: how much of the film before is '
              'shown, in percent'),
          tag('span', class_='bar', aria_hidden='true'),
          class_='compare'),
      tag('p', f'{at[0].upper()}{at[1:]}. ', tag(
          'span', 'Drag the line, or select it and press the arrow keys.',
          class_='screen'), class_='soft')])


def _sheet(report, found):
  if len(found) < 2:
    return None
  both = found[0]['both']
  what = 'before above after' if both else 'after'
  return join([
      tag('h3', 'Contact sheet'),
      tag('div', *(figure(
          picture(x['data'], f'Frame {x["frame"]:,}, {what}',
                  width=x['width'], height=x['height']),
          sentences.clock(report, x['frame'])) for x in found),
          class_='sheet'),
      tag('p', 'Each frame before (above) and after (below).', class_='soft')
      if both else None])


def _stages(record):
  return table(('stage', 'strength, at most 1', 'why'), (
      (sentences.STAGES.get(x['name'], x['name']),
       number(x['strength'], ''),
       tag('ul', *(tag('li', r) for r in sentences.reasons(x['why']))))
      for x in record['stages']))


def _changed(record):
  share, seen = record['share'], record.get('seen')
  rows = [('found damaged', number(100 * share['damaged'], '% of the pixels')),
          ('changed', number(100 * share['changed'], '% of the pixels'))]
  if seen:
    rows.append(('change of a pixel, mean', number(
        seen['mean_change_of_255'], 'of 255 steps of brightness')))
    rows += [(f'{name}: {sentences.ORIGINS[name]}',
              number(100 * x, '% of the pixels'))
             for name, x in seen['share_by_origin'].items()]
  return table(('', ''), rows)


def _damage(report, one):
  if 'damage' not in one:
    return None
  x = one['damage']
  key = lambda origin, text: [tag(
      'span', class_='key', style='background:rgb({},{},{})'.format(
          *COLORS[origin])), text]
  return figure(
      picture(x['data'], 'Where damage was found', width=x['width'],
              height=x['height']),
      join(['Where damage was found, and what fills it:',
            *key(Origin.MOVED, 'a neighbouring frame'),
            *key(Origin.INVENTED, 'made up'),
            *key(Origin.KEPT, 'left, or only denoised')]))


def _doubt(report, one):
  if 'doubt' not in one:
    return None
  x = one['doubt']
  return figure(
      picture(x['data'], 'Where the program is unsure', width=x['width'],
              height=x['height']),
      join(['Where the program is unsure; expected error: 0',
            tag('span', class_='scale'), '25 or more of 255 steps']))


def _matches(report, record, one):
  if 'matches' not in one:
    return None
  x, found = one['matches'], (record.get('seen') or {}).get('matches')
  longer = ('' if x['longer'] == 1 else
            f', drawn {x["longer"]} times as long as they are')
  told = (f' {found["confirmed"]} of {found["points"]} points come back to '
          'where they began (to 1 pixel) when looked for the other way round.'
          if found else '')
  return join([
      tag('h3', 'What was matched with what'), figure(
          picture(x['data'], 'Points of two frames, and how they moved',
                  width=x['width'], height=x['height']),
          f'Left: points of frame {x["frame"]:,}. Right: frame '
          f'{x["other"]:,}, with arrows from where they were to where the '
          f'program found them{longer}. Usual motion: '
          f'{number(x["median_pixels"], "pixels")}.{told} Blue: confirmed so; '
          'orange circles: not.')])
