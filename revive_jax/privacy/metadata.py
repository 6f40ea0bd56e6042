"""Metadata: what names places, people and devices is left out of outputs.

Cameras and telephones write where they were, whose they are and their serial
numbers into every file. What a film says of itself (title, comment, artist,
chapters, time code, languages) stays; so does when it was made.
"""

from collections.abc import Mapping
import dataclasses
import re

from revive_jax.video import extras as extras_lib

# Keys, in lower case, of MP4, QuickTime, Matroska, XMP and EXIF as FFmpeg names
# them; a part of a key between dots, colons, dashes and spaces is enough.
PLACES = (
    'location', 'location.iso6709', 'gps', 'geo', 'latitude', 'longitude',
    'altitude', 'coordinates', 'xyz', '©xyz', 'loci', 'gpscoordinates',
    'gpslatitude', 'gpslongitude', 'gpsaltitude', 'recording_location',
    'composition_location', 'place', 'city', 'country', 'province', 'state',
    'sublocation', 'region')
DEVICES = (
    'make', 'model', 'device', 'camera', 'lens', 'lens_model', 'serial',
    'serialnumber', 'serial_number', 'bodyserialnumber', 'lensserialnumber',
    'imei', 'udid', 'firmware', 'software', 'androidversion', 'manufacturer',
    'hostcomputer', 'content.identifier', 'samsung', 'gopro', 'dji',
    'handler_name', 'umid', 'uuid', 'lens_serial_number', 'macaddress',
    'originating_device', 'capturedevice', 'android')
PEOPLE = (
    'author', 'owner', 'ownername', 'cameraownername', 'operator', 'username',
    'user', 'person', 'people', 'personinimage', 'face', 'faces', 'contact',
    'email', 'phone', 'address', 'patient')
_KEYS = frozenset((*PLACES, *DEVICES, *PEOPLE))
_PARTS = re.compile(r'[.:/\s-]+')
# A place may stand in any value as ISO 6709, with more digits than a number has
# by chance: +48.8577+002.295/.
_ISO6709 = re.compile(r'^[+-]\d{2,6}\.\d+[+-]\d{3,7}\.\d+([+-]\d+(\.\d+)?)?/?')


def is_private(key: str, value: str = '') -> bool:
  """Whether a key, or its value, names a place, a person or a device."""
  key = key.strip().lower()
  if key in _KEYS or _ISO6709.match(value.strip()):
    return True
  parts = [p for p in _PARTS.split(key) if p]
  pairs = (f'{a}.{b}' for a, b in zip(parts, parts[1:], strict=False))
  return any(p in _KEYS or p.split('_')[0] in ('gps', 'camera', 'lens')
             for p in (*parts, *pairs))


def public(metadata: Mapping[str, str]) -> dict[str, str]:
  """Metadata without what is private."""
  return {k: v for k, v in metadata.items() if not is_private(k, v)}


def stripped(
    extras: extras_lib.Extras
) -> tuple[extras_lib.Extras, list[str]]:
  """What a film holds beside pictures, without what is private; its keys."""
  lost = sorted({k for found in (extras.metadata, extras.picture)
                 for k, v in found.items() if is_private(k, v)})
  chapters = tuple(
      c | {'metadata': public(c.get('metadata', {}))} for c in extras.chapters)
  return dataclasses.replace(
      extras, metadata=public(extras.metadata),
      picture=public(extras.picture), chapters=chapters,
      left_out=is_private, strips=True), lost


def kept(
    extras: extras_lib.Extras, *, keep: bool, hides: bool = False
) -> tuple[extras_lib.Extras, list[str]]:
  """What an output gets of what a film holds beside pictures; and sentences.

  keep: what is private, too.
  hides: whether faces are hidden: no other picture may show them.
  """
  extras = dataclasses.replace(extras, hides_pictures=hides)
  if keep:
    return extras, []
  found, lost = stripped(extras)
  if not lost:
    return found, []
  return found, [
      'Left out, since they may name a place, a person or a device: metadata '
      f'({", ".join(lost)}); set --config.keep_private_metadata=True to keep '
      'them.']
