"""Tests of provenance/consent.py."""

import datetime
import hashlib
import json
import pathlib
import re

from absl.testing import absltest, parameterized
import jsonschema

from revive_jax import types
from revive_jax.provenance import consent

_DAY = datetime.date(2026, 11, 26)
_DOCS = pathlib.Path(__file__).parents[2] / 'docs/trust.md'


def record(**changes):
  """A record that covers all, with changes; None takes a key out."""
  whole = {
      'schema': 1,
      'people': [{'shown': 'Anna Example', 'agreed_by': 'Berta Example',
                  'relation': 'her daughter'}],
      'purpose': 'a film for the family', 'scope': ['full', 'upscaling'],
      'until': '2030-12-31', 'places': ['at home']}
  return {k: v for k, v in (whole | changes).items() if v != 'gone'}


class ConsentTest(parameterized.TestCase):

  def _write(self, value):
    path = pathlib.Path(self.create_tempdir().full_path) / 'consent.json'
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)

  def _stated(self, value, scope=('full',), day=_DAY):
    return consent.stated(
        self._write(value), required=True, scope=scope, today=day)

  def test_what_is_told_of_it_holds_no_names(self):
    path = self._write(record())
    found = consent.stated(path, required=True, scope=('full',), today=_DAY)
    told = consent.told(found)
    self.assertEqual(told['sha256'], hashlib.sha256(
        pathlib.Path(path).read_bytes()).hexdigest())
    self.assertEqual(told['until'], '2030-12-31')
    self.assertNotIn('Example', json.dumps(told))

  @parameterized.parameters(
      ('full', 1, False, ('full',)), ('repair', 1, False, ('repair',)),
      ('full', 2, False, ('full', 'upscaling')),
      ('full', 1, True, ('full', 'colour')))
  def test_what_settings_ask_for(self, composite, upscale, colour, scope):
    self.assertEqual(
        consent.needed(composite, upscale=upscale, colour=colour), scope)

  def test_none_is_needed_unless_required(self):
    self.assertIsNone(consent.stated('', required=False, scope=('full',)))
    self.assertEqual(consent.told(None), 'not stated')
    with self.assertRaisesRegex(types.BadInput, 'none is stated'):
      consent.stated('', required=True, scope=('full',))

  def test_full_covers_repair_and_not_the_reverse(self):
    self._stated(record(), ('repair',))
    with self.assertRaisesRegex(types.BadInput, 'does not cover full'):
      self._stated(record(scope=['repair']))

  @parameterized.parameters(
      (record(scope=['full']), ('full', 'upscaling'), 'not cover upscaling'),
      (record(), ('full', 'colour'), 'not cover colour'),
      (record(until='2026-11-25'), ('full',), 'expired on 2026-11-25'),
      ({**record(), 'from': '2026-11-27'}, ('full',), 'not valid yet'))
  def test_what_is_not_covered(self, value, scope, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self._stated(value, scope)

  def test_both_ends_count(self):
    value = {**record(until='2026-11-26'), 'from': '2026-11-26'}
    self._stated(value)
    self._stated(record(until=None), day=datetime.date(2999, 1, 1))

  @parameterized.parameters(
      ('{', 'not JSON'), ('[]', 'not an object'), ('[' * 100_000, 'not JSON'),
      (record(until='gone'), "'until' is missing"),
      (record(until='soon'), 'not a day'),
      (record(until='20301231'), 'not a day'),
      (record(schema=2), 'schema is 2'),
      (record(schema=True), 'schema is True'),
      (record(people=[]), 'not a list of persons'),
      (record(people=[{'shown': 'Anna'}]), 'a person needs'),
      (record(people=[{'shown': '', 'agreed_by': 'b', 'relation': 'c'}]),
       'a person needs'),
      (record(purpose=3), "'purpose' is not a text"),
      (record(places='home'), "'places' is not a list"),
      (record(scope=[]), "'scope' is not a list"),
      (record(scope=['everything']), "'everything' is none of"),
      (record(untill='2030-01-01'), "'untill' is not known"))
  def test_malformed(self, value, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self._stated(value)

  def test_no_file(self):
    with self.assertRaisesRegex(types.BadInput, 'cannot be read'):
      consent.stated('none.json', required=False, scope=('full',))

  def test_the_documented_schema_says_the_same(self):
    text = _DOCS.read_text()
    schema = json.loads(re.search(
        r'```json consent schema\n(.*?)```', text, re.S).group(1))
    example = json.loads(re.search(
        r'```json consent\n(.*?)```', text, re.S).group(1))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(example, schema)
    self._stated(example)
    self.assertEqual(
        schema['properties']['scope']['items']['enum'], list(consent.SCOPES))
    for wrong in (record(until='gone'), record(people=[]), record(scope=[]),
                  record(schema=2), record(until='soon'), record(places='home'),
                  record(untill='x'), record(scope=['everything'])):
      with self.assertRaises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)
      with self.assertRaises(types.BadInput):
        self._stated(wrong)


if __name__ == '__main__':
  absltest.main()
