"""Told: faces, sound, consent and provenance of a report's page, in words.

What a record holds beyond what is known here is shown as it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from revive_jax.explain import sentences
from revive_jax.explain.page import (
    Html,
    anything,
    figure,
    join,
    number,
    picture,
    section,
    table,
    tag,
)

Report = Mapping[str, Any]


class _Figure(NamedTuple):
  """What a number of the record is called, and its unit."""

  name: str
  unit: str
  factor: float = 1


_SOUND = {
    'rate_hz': _Figure('samples a second', 'Hz'),
    'channels': _Figure('channels', 'channels'),
    'samples': _Figure('length in samples', 'samples'),
    'seconds': _Figure('length', 'seconds'),
    'clicks': _Figure('clicks that were found', 'clicks'),
    'clicks_per_minute': _Figure('how often it clicks', 'clicks a minute'),
    'hum_hz': _Figure('pitch of the hum', 'Hz'),
    'hum_partials': _Figure('tones of the hum', 'tones'),
    'hum_dbfs': _Figure('hum', 'dB of full scale'),
    'hiss_dbfs': _Figure('hiss', 'dB of full scale'),
    'sound_dbfs': _Figure('what is to be heard', 'dB of full scale'),
    'clipped_peaks': _Figure('peaks that were cut off', 'peaks'),
    'peak_dbfs': _Figure('loudest peak', 'dB of full scale'),
    'loudness_lufs': _Figure('loudness', 'LUFS'),
    'gain_db': _Figure('made louder by', 'dB')}
_REPAIRS = {'clipping': 'peaks that were cut off, drawn anew',
            'clicks': 'clicks, taken out', 'hum': 'hum, taken out',
            'hiss': 'hiss, lessened', 'level': 'loudness, set'}
_SHARES = {
    'changed': _Figure('changed', '% of all pixels', 100),
    'damaged': _Figure('found damaged', '% of all pixels', 100),
    'moved': _Figure('taken from a neighbouring frame', '% of all pixels', 100),
    'invented': _Figure('made up', '% of all pixels', 100)}
_POLICY = {
    'protect': 'Inside a face nothing was made up beyond the damage. Every '
               'face was compared with that of the source (a likeness of 1 is '
               'the same); where it was less like than the limit, less was '
               'done.',
    'off': 'Faces were treated like the rest: nobody compared them with those '
           'of the source.'}


def faces(report: Report) -> Html:
  """Tracks of faces, where somebody looked for them."""
  if 'faces' not in report:
    return Html('')
  found = report['faces']
  if not isinstance(found, Mapping):
    return section('Faces', anything(found) if found else tag(
        'p', 'No face was found.'))
  tracks = found.get('tracks') or ()
  known = [t for t in tracks if 'box_share' in t]
  others = [t for t in tracks if 'box_share' not in t]
  parts = [tag('p', 'No face was found.') if not tracks else None,
           tag('p', _POLICY.get(found.get('policy'), ''))]
  if known and found.get('threshold') is not None:
    parts.append(tag('p', f'The limit was {number(found["threshold"], "of 1")},'
                     f' by the embedder "{found.get("embedder")}".'))
  if found.get('judged'):
    parts.append(tag('p', f'Faces were compared {found["judged"]}.'))
  parts.append(table((
      'face', 'seen in', 'likeness as restored at first',
      'likeness in the result', 'likeness of structure', 'change, mean',
      'made up', 'what was done', 'hidden'), map(_face, known)))
  if others:
    parts.append(anything(others))
  return section('Faces', *parts)


def _face(track) -> tuple:
  alike = lambda x: '' if x is None else (
      f'{number(x["mean"], "of 1")}; lowest {number(x["lowest"], "of 1")}')
  told = lambda name, unit, factor=1: (
      number(factor * track[name], unit) if name in track else '')
  return (
      f'{track["track"]}', _frames(track['start'], track['end']),
      alike(track.get('similarity_before')),
      alike(track.get('similarity_after')), told('structure', 'of 1'),
      told('change_of_255', 'of 255 steps'),
      told('invented_share', '% of its pixels', 100),
      tag('ul', *(tag('li', f'{_frames(x["start"], x["end"])}: {x["what"]}')
                  for x in track.get('done', ()))),
      'no' if track.get('redacted', 'none') == 'none' else track['redacted'])


def _frames(start, stop) -> str:
  return f'frame {start}' if stop == start + 1 else (
      f'frames {start} to {stop - 1}')


def sound(report: Report, pictures: Mapping[int, bytes]) -> Html:
  """What was done to each sound track."""
  tracks = report.get('sound') or ()
  parts = []
  for x in tracks:
    number_ = x.get('track', 0)
    parts.append(tag('h3', f'Track {number_ + 1}: {x.get("state", "")}'))
    parts += _sound(x)
    if number_ in pictures:
      parts.append(figure(
          picture(pictures[number_], f'Spectrogram of track {number_ + 1}'),
          'The sound before (above) and after (below): time runs to the right, '
          'pitch upwards; bright is loud (dark is -100 dB, bright 0 dB of '
          'full scale).'))
  if not tracks:
    parts = [tag('p', 'The film has no sound, or it was copied as it is.')]
  return section('Sound', *parts)


def _sound(track):
  done = track.get('done')
  rows = [(_REPAIRS.get(name, name), number(x['strength'], 'of 1'), x['why'])
          for name, x in done.items()] if isinstance(done, Mapping) else []
  yield table(('what could be done', 'how strongly', 'why'), rows)
  yield _figures(track.get('measured') or {}, _SOUND)
  yield _figures({k: v for k, v in track.items() if k not in (
      'track', 'state', 'measured') and not (rows and k == 'done')}, _SOUND)


def _figures(values, names) -> Html | None:
  """A list of named numbers with units; what has no name here as it is."""
  if not values:
    return None
  found = []
  for key, value in values.items():
    known = names.get(key)
    if known and (value is None or isinstance(value, (int, float))):
      found.append((known.name, number(
          None if value is None else known.factor * value, known.unit)))
    else:
      found += [('', anything({key: value}))]
  return tag('dl', *(join([tag('dt', name), tag('dd', value)])
                     for name, value in found))


def trust(report: Report) -> Html:
  """Consent and provenance, where the record has them."""
  parts = []
  stated = report.get('provenance')
  consent = report.get('consent', (stated or {}).get('consent'))
  if consent is not None:
    parts += [tag('h3', 'Consent'), _consent(consent)]
  if stated:
    parts += [tag('h3', 'Where this film comes from'), *_provenance(stated)]
  for name, title in (('privacy', 'Privacy'),
                      ('decisions', 'Decisions of a person')):
    if name in report:
      parts += [tag('h3', title), tag('div', anything(report[name]))]
  return section('Consent and provenance', *parts) if parts else Html('')


def _consent(consent) -> Html:
  if consent == 'not stated':
    return tag('p', 'It is not stated that those who are shown agree.')
  if not isinstance(consent, Mapping) or 'until' not in consent:
    return tag('div', anything(consent))
  end = 'it is withdrawn' if consent['until'] == 'withdrawn' else (
      consent['until'])
  return tag(
      'p', 'It is stated that those who are shown agree to: '
      f'{", ".join(consent["scope"])}; until {end}. Their names are in the '
      'record of it alone, whose SHA-256 is ',
      tag('code', consent['sha256']), '.')


def _provenance(stated):
  where = {'embedded': 'A signed statement of what was done is in the film.',
           'sidecar': 'A signed statement of what was done lies beside the '
                      'film.'}
  yield tag('p', where.get(
      stated.get('manifest'), 'No signed statement goes with the film.'))
  if stated.get('signer'):
    yield tag('p', f'Signed by: {stated["signer"]}.')
  marks = stated.get('marks') or {}
  if marks.get('visible'):
    yield tag('p', 'The word "restored" is in a corner of every frame.')
  if sentences.is_marked({'provenance': stated}):
    yield tag('p', 'An invisible mark is in the light of every frame; its '
              f'number is {marks["invisible"]}.')
  if stated.get('share'):
    yield _figures(stated['share'], _SHARES)
  rest = {k: v for k, v in stated.items() if k not in (
      'manifest', 'signer', 'marks', 'share', 'consent', 'source') and v}
  if rest:
    yield tag('div', anything(rest))
