"""The page itself, as gradio lays it out, in one language."""

from collections.abc import Callable
import functools
from typing import Any

import gradio as gr

from revive_jax.desk import consent, decided, settings
from revive_jax.desk import desk as desk_lib
from revive_jax.desk.page import handlers, pieces, strings

_HIDDEN_FACES = ('none', 'blur', 'pixelate', 'replace')
_CHANGED = '() => window.desk.changed()'
# What our own elements tell gradio.
_OPENED = ("element.addEventListener('desk-opened', (event) => "
           "trigger('opened', event.detail));")
_CHOSEN = ("element.addEventListener('change', (event) => { if "
           "(event.target.name === 'desk-shot') trigger('chosen', "
           '{shot: Number(event.target.value)}); });')


def build(desk: desk_lib.Desk, language: str,
          visitor: Callable[[gr.Request], str]) -> gr.Blocks:
  """The page.

  Args:
    desk: what it shows.
    language: of strings.LANGUAGES.
    visitor: whose request it is.
  """
  say = functools.partial(strings.say, language)
  with gr.Blocks(title=say('title'), analytics_enabled=False) as page:
    parts: dict[str, Any] = {'film': gr.State(''), 'shot': gr.State(0)}
    _html(pieces.title(language))
    limits = desk.limits
    opening = _html(pieces.opening(
        language, gigabytes=round(limits.bytes / 1e9, 1),
        minutes=limits.seconds / 60, hours=limits.lifetime / 3600,
        is_sealed=desk.vault is not None), js_on_load=_OPENED)
    parts['earlier'] = _html(js_on_load=_OPENED)
    parts['status'] = _html()
    parts['stop'] = gr.Button(say('cancel'), visible=False, size='sm',
                              elem_id='desk-stop')
    with gr.Column(visible=False) as parts['all']:
      parts['found'] = _html()
      parts['shots'] = _html(js_on_load=_CHOSEN)
      _html(pieces.heading(say('look')))
      parts['reasons'] = _html()
      with gr.Row():
        with gr.Column(scale=3, min_width=260):
          parts['view'] = _html()
        with gr.Column(scale=2, min_width=260):
          _decisions(say, parts)
      with gr.Accordion(say('whole'), open=False):
        _choices(say, parts)
      with gr.Accordion(say('consent'), open=False):
        _consent(say, parts)
      _html(pieces.heading(say('restore_title')))
      parts['job'] = _html()
      with gr.Accordion(say('command'), open=False):
        gr.Markdown(say('command_help'))
        parts['command'] = gr.Code(
            language='shell', interactive=False, show_line_numbers=False,
            wrap_lines=True, show_label=False, buttons=['copy'],
            elem_id='desk-command')
      parts['delete'] = gr.Button(say('delete'), elem_id='desk-delete',
                                  size='sm')
    _wire(page, parts, opening, handlers.Handlers(desk, language, visitor))
  return page


def _html(value: str = '', **options) -> gr.HTML:
  """Our own elements, in our own style."""
  options.setdefault('js_on_load', None)
  return gr.HTML(value, apply_default_css=False, **options)


def _decisions(say, parts) -> None:
  """What is decided shot by shot."""
  parts['for_all'] = gr.Radio(
      [(say('for_shot'), False), (say('for_all'), True)], value=False,
      label=say('for_which'), elem_id='desk-for')
  _html(pieces.heading(say('strengths'), say('strengths_help'), level=3))
  for kind in decided.KINDS:
    parts[kind] = gr.Slider(
        0, 1, 1, step=0.05, label=say(f'kind_{kind}'), buttons=[],
        elem_id=f'desk-{kind}')
  parts['stages'] = gr.CheckboxGroup(label=say('stages'), elem_id='desk-stages')
  parts['sample'] = gr.Radio(
      label=say('fill'), visible=False, elem_id='desk-sample')
  parts['propose'] = gr.Button(say('propose'), size='sm',
                               elem_id='desk-propose')


def _choices(say, parts) -> None:
  """What is chosen for the whole film."""
  several = lambda name, values: gr.Radio(
      [(say(f'{name}_{value}'), value) for value in values],
      label=say(name), elem_id=f'desk-{name}')
  parts['composite'] = several('composite', ('full', 'repair'))
  parts['answers'] = gr.Slider(
      1, 4, 1, step=1, label=say('answers'), info=say('answers_help'),
      buttons=[], elem_id='desk-answers')
  parts['hide_faces'] = several('hide_faces', _HIDDEN_FACES)
  parts['stabilise'] = gr.Slider(
      0, 1, 0, step=0.1, label=say('stabilise'), buttons=[],
      elem_id='desk-stabilise')
  with gr.Row():
    parts['sound'] = gr.Checkbox(label=say('sound'), elem_id='desk-sound')
    parts['large'] = gr.Checkbox(label=say('large'), elem_id='desk-large')
    parts['keep_original'] = gr.Checkbox(
        label=say('keep_original'), elem_id='desk-original')
  parts['format'] = several('format', settings.FORMATS)


def _consent(say, parts) -> None:
  """The form of who agreed to what."""
  gr.Markdown(say('consent_help'))
  with gr.Row():
    for name in ('shown', 'agreed', 'relation'):
      parts[f'consent_{name}'] = gr.Textbox(
          label=say(f'consent_{name}'), lines=2, info=say('consent_lines'),
          elem_id=f'desk-consent-{name}')
  parts['consent_purpose'] = gr.Textbox(
      label=say('consent_purpose'), elem_id='desk-consent-purpose')
  parts['consent_scope'] = gr.CheckboxGroup(
      [(say(f'consent_scope_{s}'), s) for s in consent.SCOPES],
      label=say('consent_scope'), elem_id='desk-consent-scope')
  with gr.Row():
    parts['consent_places'] = gr.Textbox(
        label=say('consent_places'), lines=2, elem_id='desk-consent-places')
    parts['consent_until'] = gr.Textbox(
        label=say('consent_until'), elem_id='desk-consent-until')
  parts['consent_note'] = gr.Textbox(
      label=say('consent_note'), elem_id='desk-consent-note')
  parts['consent_said'] = _html()
  with gr.Row():
    parts['consent_keep'] = gr.Button(
        say('consent_keep'), size='sm', elem_id='desk-consent-keep')
    parts['consent_drop'] = gr.Button(
        say('consent_drop'), size='sm', elem_id='desk-consent-drop')


def _wire(page, parts, opening, handle) -> None:
  """Says what happens when something is done."""
  options = dict(show_progress='hidden', api_visibility='private')
  own = [parts['film'], parts['shot']]
  every = [*parts.values()]
  put = functools.partial(_named, parts)
  page.load(put(handle.load), None, every, **options)
  for part in (opening, parts['earlier']):
    part.opened(_told(parts, handle.opened), None, every, **options)
  parts['shots'].chosen(
      _told(parts, handle.chosen), own[:1], every, **options)
  for_which = [*own, parts['for_all']]
  for kind in decided.KINDS:
    parts[kind].input(
        put(functools.partial(handle.strength, kind)),
        [*for_which, parts[kind]], every, trigger_mode='always_last',
        **options).then(None, js=_CHANGED)
  for name, done in (('stages', handle.stages), ('sample', handle.sample)):
    parts[name].input(
        put(done), [*for_which, parts[name]], every,
        trigger_mode='always_last', **options).then(None, js=_CHANGED)
  parts['propose'].click(put(handle.propose), for_which, every, **options
                         ).then(None, js=_CHANGED)
  for name in handlers.CHOICES:
    parts[name].input(
        put(functools.partial(handle.choice, name)), [*own, parts[name]],
        every, trigger_mode='always_last', **options
    ).then(None, js=_CHANGED)
  fields = [parts[f'consent_{name}'] for name in handlers.FIELDS]
  parts['consent_keep'].click(
      put(handle.keep_consent), [parts['film'], *fields], every, **options)
  parts['consent_drop'].click(
      put(handle.drop_consent), [parts['film']], every, **options)
  parts['stop'].click(put(handle.stop), own[:1], every, **options)
  parts['delete'].click(
      put(handle.delete), [parts['film']], every, **options
  ).success(None, js='() => window.desk.forget()')


def _named(parts, done):
  """A handler whose answers are by the names of the parts."""
  def answered(request: gr.Request, *values):
    for changed in done(request, *values):
      yield {parts[name]: value for name, value in changed.items()}

  return answered


def _told(parts, done):
  """The same, of what one of our own elements tells."""
  def answered(event: gr.EventData, request: gr.Request, *values):
    for changed in done(request, event._data, *values):
      yield {parts[name]: value for name, value in changed.items()}

  return answered
