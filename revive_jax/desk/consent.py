"""Consent: the form that is filled in, as the consent.json of a restore."""

from collections.abc import Sequence
import datetime
import json
from typing import Any

from revive_jax import types
from revive_jax import workdir as workdir_lib
from revive_jax.desk import places, settings
from revive_jax.provenance import consent as consent_lib

SCOPES = consent_lib.SCOPES


def needed(place: places.Place) -> tuple[str, ...]:
  """What somebody has to agree to for what is chosen now; of SCOPES."""
  c = settings.config(place)
  return consent_lib.needed(c.composite, upscale=c.output.upscale)


def is_required(place: places.Place) -> bool:
  """Whether nothing is restored here without one."""
  return bool(place.desk.c.consent.required)


def write(
    place: places.Place, *, people: Sequence[tuple[str, str, str]],
    purpose: str, scope: Sequence[str], until: str | None = None,
    start: str | None = None, places: Sequence[str] = (), note: str = '',
) -> dict[str, Any]:
  """Keeps a form, if it is filled in; returns it.

  Args:
    place: the film.
    people: who is shown, who agreed, and what they are to each other.
    purpose: what the film is for.
    scope: what was agreed to, of SCOPES; at least needed().
    until: the last day, 2030-12-31; None: until it is withdrawn.
    start: the first day; None: any.
    places: where the film may be shown.
    note: anything else.

  Raises:
    types.BadInput: something is missing, or it does not cover what is chosen
      today; what was there before stays.
  """
  record = {
      'schema': 1, 'people': [
          dict(zip(('shown', 'agreed_by', 'relation'), map(str.strip, p),
                   strict=True)) for p in people],
      'purpose': purpose, 'scope': list(scope), 'until': until or None,
      'places': list(places)}
  record |= {'from': start} if start else {}
  record |= {'note': note} if note.strip() else {}
  path = place.path(settings.CONSENT)
  try:
    consent_lib.checked(
        json.dumps(record).encode(), path, scope=needed(place),
        today=datetime.datetime.now(datetime.UTC).date())
  except types.BadInput as error:
    raise types.BadInput(
        str(error).replace(str(path), 'The consent')) from error
  workdir_lib.write_json(path, record)
  return record


def read(place: places.Place) -> dict[str, Any] | None:
  """The form as it was filled in; None: it was not."""
  path = place.path(settings.CONSENT)
  return json.loads(path.read_text()) if path.exists() else None


def remove(place: places.Place) -> None:
  """Takes the consent back."""
  place.path(settings.CONSENT).unlink(missing_ok=True)
