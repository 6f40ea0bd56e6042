"""Pieces of the page: HTML of which every text is escaped."""

from collections.abc import Iterable, Mapping
import functools
import json
from typing import Any

from revive_jax.desk import film as film_lib
from revive_jax.desk.page import strings
from revive_jax.explain.page import Html, join, number, tag


def head(language: str, texts: Mapping[str, Any]) -> str:
  """What stands in the page's head: texts, style and scripts of our own.

  Args:
    language: of the page.
    texts: window.DESK of the scripts; '<' is escaped in it.
  """
  data = json.dumps({'language': language, **texts}, ensure_ascii=False)
  data = data.replace('<', '\\u003c')
  return (f'<script>window.DESK = {data};</script>'
          '<link rel="stylesheet" href="/desk/static/desk.css">'
          '<script type="module" src="/desk/static/desk.js"></script>')


def title(language: str) -> Html:
  """The head of the page, with the way to the other language."""
  say = functools.partial(strings.say, language)
  other = next(name for name in strings.LANGUAGES if name != language)
  return tag(
      'div', tag('div', tag('h1', say('title')), tag('p', say('lead')),
                 class_='desk'),
      tag('a', say('other_language'), href=f'/{other}/', lang=other,
          hreflang=other), class_='desk desk-head')


def opening(language: str, *, gigabytes: float, minutes: float,
            hours: float, is_sealed: bool) -> Html:
  """Where a film is given.

  Args:
    language: of the page.
    gigabytes: the limit of a film.
    minutes: the same.
    hours: from the last visit to the end of it all.
    is_sealed: whether all is encrypted.
  """
  say = functools.partial(strings.say, language)
  limits = say('open_limits', gigabytes=f'{gigabytes:g}',
               minutes=f'{minutes:g}', hours=f'{hours:g}')
  if is_sealed:
    limits += ' ' + say('open_sealed')
  return tag('div', tag('h2', say('open')), tag('desk-open'),
             tag('p', limits, class_='soft'), class_='desk')


def earlier(language: str, films: Iterable[Mapping[str, Any]]) -> Html:
  """The films of earlier; 'id' and 'name' of each, the newest last."""
  buttons = [tag('button', f['name'], type='button', class_='desk-button',
                 data_open=f['id']) for f in reversed([*films])]
  if not buttons:
    return Html('')
  return tag('div', tag('strong', strings.say(language, 'earlier') + ': '),
             *buttons, class_='desk row')


def found(language: str, name: str, film: film_lib.Film) -> Html:
  """What is in a film, what was measured, what is proposed and why."""
  translate = functools.partial(strings.translate, language)
  say = functools.partial(strings.say, language)
  lines = lambda items: tag('ul', *(tag('li', x) for x in items))
  faces = [tag('p', say('faces'), class_='note')] if film.faces else []
  return tag(
      'div', tag('h2', f'{say("film")}: {name}'),
      lines(map(translate, film.sentences + [
          s for s in (film.interlace,) if s])),
      *faces,
      *(tag('p', translate(w), class_='note') for w in film.warnings),
      class_='desk')


def shots(language: str, film_id: str, film: film_lib.Film, chosen: int
          ) -> Html:
  """The shots as thumbnails, of which one is chosen."""
  say = functools.partial(strings.say, language)
  shape = f'aspect-ratio: {film.info["width"]} / {film.info["height"]}'
  labels = []
  for shot in film.shots:
    text = join([tag('strong', say('shot', number=shot.number + 1)), ' ',
                 say('shot_frames', first=shot.start, last=shot.stop - 1)])
    labels.append(tag(
        'label', tag('input', type='radio', name='desk-shot',
                     value=shot.number, checked=shot.number == chosen),
        tag('img', src=f'/desk/{film_id}/thumbnail/{shot.number}',
            alt='', loading='lazy', style=shape), tag('span', text)))
  return tag(
      'div', tag('h2', say('shots')), tag('p', say('shots_help')),
      tag('fieldset', tag('legend', say('shots'), class_='away'), *labels,
          class_='shots'), class_='desk')


def view(film_id: str, film: film_lib.Film, chosen: int, answers: int) -> Html:
  """One frame of a shot, to look at and to paint on; with several answers."""
  shot = film.shots[chosen]
  data = {'film': film_id, 'shot': chosen, 'hides': film.hides,
          'width': film.info['width'], 'height': film.info['height'],
          'start': shot.start, 'stop': shot.stop, 'frame': shot.key_frame,
          'answers': answers}
  return tag('div', tag('desk-view', data_of=json.dumps(data)),
             class_='desk')


def reasoned(language: str, shot: film_lib.Shot) -> Html:
  """What was measured in a shot; what is proposed for it, and why."""
  say = functools.partial(strings.say, language)
  translate = functools.partial(strings.translate, language)
  measured = [tag('li', tag('strong', translate(f['title'])), ': ',
                  number(f['value'], ''), ' ', translate(f['unit']),
                  tag('span', f' ({translate(f["meaning"])})', class_='soft'))
              for f in shot.findings]
  proposed = [_proposal(language, row) for row in shot.proposal
              if row['stage'] not in ('match', 'output', 'composite')]
  return tag(
      'div', tag('div', tag('h3', say('film_measured')), tag('ul', *measured)),
      tag('div', tag('h3', say('film_proposed')),
          tag('ul', *proposed) if proposed else tag('p', say('nothing'))),
      class_='desk two')


def _proposal(language, row) -> Html:
  translate = functools.partial(strings.translate, language)
  # What is left alone, or could not be measured, is no reason to do anything.
  reasons = [r for r in row['reasons'] if not r.endswith(': left')]
  why = '; '.join(map(translate, reasons or row['reasons']))
  share = strings.say(language, 'strength_is',
                      percent=round(100 * row['strength']))
  name = strings.texts(language).get(f'stage_{row["stage"]}', row['title'])
  return tag('li', tag('strong', name), f' ({share}): {why}')


def job(film: str) -> Html:
  """The restore, its progress, and what came of it."""
  return tag('div', tag(
      'desk-job', data_of=json.dumps({'film': film})), class_='desk')


def heading(text: str, help_: str = '', level: int = 2) -> Html:
  """A heading, and a word about what is below it."""
  return tag('div', tag(f'h{level}', text),
             tag('p', help_, class_='soft') if help_ else None, class_='desk')


def status(text: str, is_bad: bool = False) -> Html:
  """A line that is read out."""
  return tag('div', tag('p', text, class_='problem' if is_bad else None,
                        role='alert' if is_bad else 'status'), class_='desk')
