"""Texts of the desk, in the language of who looks."""

import functools
import importlib.resources
import json
import re
from typing import Any

LANGUAGES = ('en', 'zh')  # strings/<language>.json; the first is the default.


def choose(accepted: str | None) -> str:
  """The language for a browser, by its header Accept-Language.

  Args:
    accepted: such as 'zh-CN,zh;q=0.9,en;q=0.8'; what cannot be read counts for
      nothing.
  """
  wanted = []
  for i, part in enumerate((accepted or '').split(',')):
    name, _, rest = part.strip().partition(';')
    try:
      weight = float(rest.strip().removeprefix('q=')) if rest else 1.0
    except ValueError:
      weight = 0.0
    wanted.append((-weight, i, name.lower().partition('-')[0]))
  for weight, _, name in sorted(wanted):
    if name in LANGUAGES and weight:
      return name
  return LANGUAGES[0]


@functools.lru_cache
def read(language: str) -> dict[str, Any]:
  """All texts of a language by their keys, and its 'sentences'."""
  place = importlib.resources.files('revive_jax.desk') / 'strings'
  return json.loads((place / f'{language}.json').read_text(encoding='utf-8'))


def texts(language: str) -> dict[str, str]:
  """All texts by their keys; what is not translated is English."""
  found = read(LANGUAGES[0]) | read(language)
  return {k: v for k, v in found.items() if k != 'sentences'}


def say(language: str, key: str, **values: Any) -> str:
  """A text with its values; a missing translation falls back to English."""
  text = texts(language)[key]
  return text.format(**values) if values else text


def translate(language: str, sentence: str) -> str:
  """What the program says in English, in a language.

  By the file's 'sentences': an English sentence with {names} in the place of
  what changes, and the same in the language. What is in no such place stays
  English: better that than nothing.
  """
  for pattern, text in _patterns(language):
    if found := pattern.fullmatch(sentence):
      return text.format(**{
          name: translate(language, value) if name.startswith('s_') else value
          for name, value in found.groupdict().items()})
  return sentence


@functools.lru_cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
  """Longest first: the more a sentence says, the better it fits."""
  found = []
  rows = read(language).get('sentences', {})
  for english in sorted(rows, key=len, reverse=True):
    parts = re.split(r'\{(\w+)\}', english)
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f'(?P<{name}>.+?)' for name in parts[1::2]]
    found.append((re.compile(''.join(parts)), rows[english]))
  return found
