"""What happens when something is done on the page.

Each handler yields what changes, by the names of the parts of the page.
"""

from collections.abc import Callable, Iterator
import functools
import html
import time
from typing import Any

import gradio as gr

from revive_jax import types
from revive_jax.desk import consent, decided, jobs, settings, upload
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import film as film_lib
from revive_jax.desk.page import decide, pieces, strings

# Of the whole film; 'large' is settings' upscale.
CHOICES = ('composite', 'answers', 'hide_faces', 'stabilise', 'sound', 'large',
           'keep_original', 'format')
# Of the form of consent, in the order in which it gives them.
FIELDS = ('shown', 'agreed', 'relation', 'purpose', 'scope', 'places', 'until',
          'note')
_EVERY = 1.0  # Seconds between two looks at a job.
_Changes = Iterator[dict[str, Any]]


def _spoken(handler):
  """What is wrong is said on the page, in its language."""
  @functools.wraps(handler)
  def said(self, *args):
    try:
      yield from handler(self, *args)
    except types.BadInput as error:
      # gradio takes it for HTML, and a name of a file may be in it.
      sentence = html.escape(
          strings.translate(self.language, str(error)), quote=False)
      raise gr.Error(
          sentence, duration=None,
          title=self.say('failed'), print_exception=False) from error

  return said


class Handlers:
  """The handlers of a page in one language; they keep nothing."""

  def __init__(self, desk: desk_lib.Desk, language: str,
               visitor: Callable[[gr.Request], str]):
    self.desk, self.language, self.visitor = desk, language, visitor
    self.say = functools.partial(strings.say, language)

  def place(self, request, film):
    """The film of whose request it is."""
    return film_lib.place(self.desk, self.visitor(request), film)

  def load(self, request) -> _Changes:
    """The page is opened: with the film of its address, if it has one."""
    yield self._earlier(request)
    if film := request.query_params.get('film'):
      yield from self._open(request, film)  # Or says that it is gone.

  def _earlier(self, request) -> dict[str, Any]:
    """What can be gone on with."""
    return {'earlier': pieces.earlier(self.language, upload.films(
        self.desk, self.visitor(request)))}

  def opened(self, request, told) -> _Changes:
    """A film has come, or one of earlier was chosen."""
    yield from self._open(request, str(told.get('film')))

  def _open(self, request, film) -> _Changes:
    try:
      place = self.place(request, film)
      yield {**self._earlier(request), 'all': gr.update(visible=False),
             'status': pieces.status(self.say('measuring'))}
      yield from self._measured(place)
      yield {'status': '', 'film': film, 'all': gr.update(visible=True),
             **self._film(place), **self._form(place), **self._shot(place, 0)}
    except types.BadInput as error:
      yield {'status': pieces.status(
          strings.translate(self.language, str(error)), is_bad=True)}

  def _measured(self, place) -> _Changes:
    """Measures a film; a long one as a job, which a reload does not end."""
    if not film_lib.is_measured(place) and film_lib.is_long(place):
      state = jobs.state(place)
      if (state.name, state.kind) != ('running', 'measure'):
        jobs.start(place, 'measure')  # Refused while it is restored.
      while (state := jobs.state(place)).name == 'running':
        yield {'stop': gr.update(visible=True), 'film': place.id,
               'status': pieces.status(self.say(
                   'measure_share', percent=round(100 * (
                       state.fraction or 0))))}
        time.sleep(_EVERY)
      yield {'stop': gr.update(visible=False)}
      if state.name != 'done':
        raise types.BadInput(state.sentence)
    film_lib.measure(place)

  @_spoken
  def stop(self, request, film) -> _Changes:
    """Measuring is stopped."""
    jobs.cancel(self.place(request, film))
    yield {'stop': gr.update(visible=False)}

  def _film(self, place) -> dict[str, Any]:
    """What does not change with the shot."""
    film = film_lib.opened(place)
    return {
        'found': pieces.found(self.language, place.name, film),
        'job': pieces.job(place.id), **self._choices(place)}

  def _choices(self, place) -> dict[str, Any]:
    """What is chosen for the whole film."""
    chosen = settings.choices(place)
    return {'large': chosen['upscale'] == 2} | {
        n: chosen[n] for n in CHOICES if n != 'large'}

  def _shot(self, place, number) -> dict[str, Any]:
    """A shot: its pictures, and what holds for it."""
    film = film_lib.opened(place)
    number = min(max(number, 0), len(film.shots) - 1)
    return {
        'shot': number, 'view': pieces.view(
            place.id, film, number, settings.choices(place)['answers']),
        'shots': pieces.shots(self.language, place.id, film, number),
        **self._decided(place, film, number)}

  def _decided(self, place, film, number) -> dict[str, Any]:
    """What holds for a shot, without its pictures."""
    row = decide.effective(place, number)
    shot, answers = film.shots[number], settings.choices(place)['answers']
    can, on = decide.stages(shot)
    return {
        'reasons': pieces.reasoned(self.language, shot), **row['strength'],
        'stages': gr.update(
            choices=[(self.say(f'stage_{s}'), s) for s in can], value=on),
        'sample': gr.update(
            choices=[(self.say('answer', number=n + 1), n)
                     for n in range(answers)],
            value=min(row['sample'], answers - 1), visible=answers > 1),
        'command': settings.command(place)}

  @_spoken
  def chosen(self, request, told, film) -> _Changes:
    """A shot was chosen."""
    yield self._shot(self.place(request, film), int(told.get('shot', 0)))

  def _change(self, request, film, shot, for_all, **changed) -> _Changes:
    place = self.place(request, film)
    found = film_lib.opened(place)
    decide.change(place, shot, bool(for_all), len(found.shots), **changed)
    yield self._decided(place, film_lib.opened(place), shot)

  @_spoken
  def strength(self, kind, request, film, shot, for_all, value) -> _Changes:
    """A slider was moved; it stays where it is."""
    for changed in self._change(
        request, film, shot, for_all, strength={kind: float(value)}):
      yield {k: v for k, v in changed.items() if k not in decided.KINDS}

  @_spoken
  def stages(self, request, film, shot, for_all, wanted) -> _Changes:
    """A stage was turned on or off."""
    found = film_lib.opened(self.place(request, film))
    yield from self._change(
        request, film, shot, for_all,
        stages=decide.switched(found.shots[shot], wanted))

  @_spoken
  def sample(self, request, film, shot, for_all, value) -> _Changes:
    """Another answer was chosen."""
    yield from self._change(request, film, shot, for_all, sample=int(value))

  @_spoken
  def propose(self, request, film, shot, for_all) -> _Changes:
    """Back to what was proposed."""
    place = self.place(request, film)
    count = len(film_lib.opened(place).shots)
    decide.forget(place, shot, bool(for_all), count)
    yield self._decided(place, film_lib.opened(place), shot)

  @_spoken
  def choice(self, name, request, film, shot, value) -> _Changes:
    """Something was chosen for the whole film."""
    place = self.place(request, film)
    try:
      if name == 'large':
        settings.change(place, upscale=2 if value else 1)
      else:
        kind = {'answers': int, 'stabilise': float}.get(name, lambda x: x)
        settings.change(place, **{name: kind(value)})
    except types.BadInput:
      yield self._choices(place)  # As it stays, and not as it was asked for.
      raise
    if not film_lib.is_measured(place):  # More is to be looked for.
      yield {'status': pieces.status(self.say('measuring'))}
      yield from self._measured(place)
      yield {'status': '', **self._film(place), **self._shot(place, shot)}
    elif name in ('answers', 'hide_faces'):  # The view is another one.
      yield self._shot(place, shot)
    else:
      yield self._decided(place, film_lib.opened(place), shot)

  def _form(self, place) -> dict[str, Any]:
    """The form of consent as it was filled in, or empty."""
    record = consent.read(place) or {}
    people = record.get('people', ())
    lines = lambda key: '\n'.join(p[key] for p in people)
    values = (lines('shown'), lines('agreed_by'), lines('relation'),
              record.get('purpose', ''),
              record.get('scope', [*consent.needed(place)]),
              '\n'.join(record.get('places', ())), record.get('until') or '',
              record.get('note', ''))
    return {'consent_said': ''} | {
        f'consent_{n}': v for n, v in zip(FIELDS, values, strict=True)}

  def keep_consent(self, request, film, *fields) -> _Changes:
    """The form of consent is kept, if it is whole."""
    try:
      place = self.place(request, film)
      consent.write(place, **_record(*fields))
      yield {'consent_said': pieces.status(self.say('consent_kept')),
             'command': settings.command(place)}
    except types.BadInput as error:
      yield {'consent_said': pieces.status(
          strings.translate(self.language, str(error)), is_bad=True)}

  @_spoken
  def drop_consent(self, request, film) -> _Changes:
    """There is no consent any more."""
    place = self.place(request, film)
    consent.remove(place)
    yield {**self._form(place), 'command': settings.command(place),
           'consent_said': pieces.status(self.say('consent_dropped'))}

  @_spoken
  def delete(self, request, film) -> _Changes:
    """A film is deleted, with all that was made of it."""
    upload.remove(self.desk, self.visitor(request), film)
    yield {'film': '', 'all': gr.update(visible=False),
           **self._earlier(request),
           'status': pieces.status(self.say('deleted'))}


def _record(shown, agreed, relation, purpose, scope, where, until, note
            ) -> dict[str, Any]:
  """The fields of the form, in the order of FIELDS, as consent.write has them.
  """
  lines = lambda text: [x.strip() for x in text.splitlines() if x.strip()]
  columns = [lines(text) for text in (shown, agreed, relation)]
  if len({len(column) for column in columns}) > 1:
    raise types.BadInput(
        'Each person who is shown needs a line in all three columns: who is '
        'shown, who agreed, and how they are related.')
  return {'people': [*zip(*columns, strict=True)], 'purpose': purpose.strip(),
          'scope': scope, 'until': until.strip() or None,
          'places': lines(where), 'note': note.strip()}
