"""Consent: who is shown, who agreed, to what, until when.

docs/trust.md has the schema of the record, consent.json, and an example.
"""

from collections.abc import Mapping, Sequence
import datetime
import hashlib
import json
import os
from typing import Any, NamedTuple

from revive_jax import files, types

SCOPES = ('repair', 'full', 'upscaling', 'colour')
_KEYS = {'schema', 'people', 'purpose', 'scope', 'from', 'until', 'places',
         'note'}
_PERSON = ('shown', 'agreed_by', 'relation')
_LARGEST = 1 << 20  # Bytes; it is a form, not an archive.


class Consent(NamedTuple):
  """What of a record goes into manifests and reports: no names."""

  sha256: str  # Of the file.
  scope: tuple[str, ...]
  until: str | None  # ISO date, the last day; None: until it is withdrawn.


def needed(
    composite: str, *, upscale: float = 1, colour: bool = False
) -> tuple[str, ...]:
  """The scopes that a run with these settings asks for.

  Args:
    composite: 'repair' or 'full'.
    upscale: factor by which the picture gets larger.
    colour: whether colours are given to a film that has none.
  """
  return (composite, *(['upscaling'] if upscale > 1 else []),
          *(['colour'] if colour else []))


def stated(
    path: str, *, required: bool, scope: Sequence[str],
    today: datetime.date | None = None,
) -> Consent | None:
  """The consent at path, if it covers scope today; None: not stated.

  Args:
    path: of consent.json; '': there is none.
    required: refuse, if there is none.
    scope: what needed() gave.
    today: by default the day in UTC.

  Raises:
    types.BadInput: it is missing, malformed, expired, not yet valid, or does
      not cover the scope.
  """
  if not path:
    if required:
      raise types.BadInput(
          'Consent is required and none is stated; name a consent.json with '
          '--config.consent.file (docs/trust.md has its form).')
    return None
  return read(path, scope=scope,
              today=today or datetime.datetime.now(datetime.UTC).date())


def read(
    path: str | os.PathLike, *, scope: Sequence[str], today: datetime.date
) -> Consent:
  """Reads a record that must cover scope today; see stated()."""
  return checked(_bytes(path), path, scope=scope, today=today)


def checked(
    data: bytes, path: str | os.PathLike, *, scope: Sequence[str],
    today: datetime.date
) -> Consent:
  """What a record says that must cover scope today; path: only named."""
  try:
    record = json.loads(data)
  except (ValueError, RecursionError) as error:
    raise _malformed(path, f'it is not JSON ({error})') from error
  start, end = _check(record, path)
  if start and today < start:
    raise types.BadInput(
        f'{path}: this consent is not valid yet, only from {start} on.')
  if end and today > end:
    raise types.BadInput(
        f'{path}: this consent has expired on {end}; ask for a new one.')
  given = set(record['scope'])
  if 'full' in given:
    given.add('repair')  # Who agrees to all agrees to less.
  if missing := [s for s in scope if s not in given]:
    raise types.BadInput(
        f'{path}: this consent does not cover {" and ".join(missing)}, only '
        f'{", ".join(record["scope"])}; ask for it, or choose less.')
  return Consent(hashlib.sha256(data).hexdigest(), tuple(record['scope']),
                 str(end) if end else None)


def told(consent: Consent | None) -> dict[str, Any] | str:
  """What is said of it in manifests and reports."""
  if consent is None:
    return 'not stated'
  return {'sha256': consent.sha256, 'scope': list(consent.scope),
          'until': consent.until or 'withdrawn'}


def _bytes(path) -> bytes:
  try:
    with files.path(path).open('rb') as file:
      data = file.read(_LARGEST + 1)
  except OSError as error:
    raise types.BadInput(
        f'{path}: the consent cannot be read ({error.strerror}).') from error
  if len(data) > _LARGEST:
    raise _malformed(path, 'it is larger than 1 MiB')
  return data


def _malformed(path, what) -> types.BadInput:
  return types.BadInput(
      f'{path}: this is no valid consent: {what}; docs/trust.md has its form.')


def _check(record, path) -> tuple[datetime.date | None, datetime.date | None]:
  """Raises BadInput unless record has the form; returns from and until."""
  if not isinstance(record, Mapping):
    raise _malformed(path, 'it is not an object')
  if unknown := sorted(set(record) - _KEYS):
    raise _malformed(path, f'{unknown[0]!r} is not known')
  for key in sorted(_KEYS - {'from', 'note'}):
    if key not in record:
      raise _malformed(path, f'{key!r} is missing')
  if record['schema'] != 1 or isinstance(record['schema'], bool):
    raise _malformed(path, f'schema is {record["schema"]!r}, not 1')
  _check_people(record['people'], path)
  for key in ('purpose', 'note'):
    if not _is_text(record.get(key, 'none')):
      raise _malformed(path, f'{key!r} is not a text')
  for key in ('scope', 'places'):
    value = record[key]
    if not isinstance(value, list) or not value or not all(
        map(_is_text, value)):
      raise _malformed(path, f'{key!r} is not a list of texts')
  if wrong := [s for s in record['scope'] if s not in SCOPES]:
    raise _malformed(path, f'the scope {wrong[0]!r} is none of '
                           f'{", ".join(SCOPES)}')
  return _date(record, 'from', path), _date(record, 'until', path)


def _check_people(people, path) -> None:
  if not isinstance(people, list) or not people:
    raise _malformed(path, "'people' is not a list of persons")
  for person in people:
    if not isinstance(person, Mapping) or set(person) != set(_PERSON) or (
        not all(_is_text(person[key]) for key in _PERSON)):
      raise _malformed(
          path, f'a person needs {", ".join(_PERSON)}, each a text, and '
          'nothing else')


def _is_text(value) -> bool:
  return isinstance(value, str) and bool(value.strip())


def _date(record, key, path) -> datetime.date | None:
  value = record.get(key)
  if value is None:
    return None
  try:
    if not isinstance(value, str) or len(value) != 10:
      raise ValueError
    return datetime.date.fromisoformat(value)
  except ValueError as error:
    raise _malformed(
        path, f'{key!r} is {value!r}, not a day as 2030-12-31') from error
