"""Tests of the texts of the desk, in all of its languages."""

import pathlib
import re

from absl.testing import absltest, parameterized

from revive_jax.desk.page import strings

_PAGE = pathlib.Path(strings.__file__).parent
_PLACES = re.compile(r'\{(\w+)\}')


def _used():
  """Keys that the page asks for by their names."""
  keys = set()
  for path in _PAGE.glob('*.py'):
    keys |= set(re.findall(r"\b(?:say|text)\(\s*'(\w+)'", path.read_text()))
    keys |= set(re.findall(
        r"strings\.say\(\s*\w+,\s*'(\w+)'", path.read_text()))
  for path in _PAGE.glob('*.js'):
    keys |= set(re.findall(r"\bt\('(\w+)'", path.read_text()))
  return keys


class StringsTest(parameterized.TestCase):

  @parameterized.parameters(
      ('zh-CN,zh;q=0.9,en;q=0.8', 'zh'), ('en-GB,en;q=0.9', 'en'),
      ('de,zh;q=0.3,en;q=0.7', 'en'), ('ZH', 'zh'), ('zh-Hant-TW', 'zh'),
      ('fr', 'en'), ('', 'en'), (None, 'en'), ('zh;q=0', 'en'),
      ('zh;q=nonsense,;;,en', 'en'), ('*', 'en'))
  def test_the_browser_decides(self, accepted, wanted):
    self.assertEqual(strings.choose(accepted), wanted)

  def test_each_language_has_every_text_with_the_same_values(self):
    english = strings.texts('en')
    self.assertGreater(len(english), 100)
    for language in strings.LANGUAGES[1:]:
      own = {k: v for k, v in strings.read(language).items()
             if k != 'sentences'}
      self.assertEqual(own.keys(), english.keys())
      for key, text in own.items():
        self.assertEqual(set(_PLACES.findall(text)),
                         set(_PLACES.findall(english[key])), key)
        self.assertEqual(re.findall('<[^>]+>', text),
                         re.findall('<[^>]+>', english[key]), key)

  def test_what_the_page_asks_for_is_there(self):
    used = _used()
    self.assertGreater(len(used), 60)
    self.assertEqual(used - strings.texts('en').keys(), set())

  def test_chinese_is_chinese(self):
    """All but what is a name has a Chinese character or no letters."""
    for key, text in strings.texts('zh').items():
      bare = re.sub(r'<[^>]+>|\{\w+\}', '', text)
      if key != 'other_language' and re.search('[A-Za-z]', bare):
        self.assertRegex(bare, '[\u4e00-\u9fff]', key)

  def test_sentences_of_the_program(self):
    for english, wanted in (
        ('noise of 8.0 of 255: treated', '噪点 8.0（共 255 级）：处理'),
        ('brightness flickers by 6.3 %: left', '亮度闪烁 6.3 %：不处理'),
        ('3 shots', '3 个镜头'),
        ('nobody has translated this', 'nobody has translated this')):
      self.assertEqual(strings.translate('zh', english), wanted)
    self.assertEqual(strings.translate('en', '3 shots'), '3 shots')

  def test_translations_have_the_values_of_their_sentences(self):
    for language in strings.LANGUAGES:
      for english, text in strings.read(language).get('sentences', {}).items():
        self.assertLessEqual(set(_PLACES.findall(text)),
                             set(_PLACES.findall(english)), english)

  def test_sentences_of_the_desk_itself(self):
    for sentence in (
        'Something newer was asked of this film, and is made instead.',
        'a.mkv: its frames of 9000 by 6000 pixels are too large to be shown '
        'here before they are restored; the film can be restored all the same.',
        'The network of this desk gives one answer only; for several of them '
        'it has to be started with weights that have noise (gan), or with '
        '--config.fills that were trained for its own.'):
      self.assertRegex(strings.translate('zh', sentence), '[\u4e00-\u9fff]')

  def test_a_value_is_no_template(self):
    """What a person calls a file is put in as it is."""
    name = '{0.__class__} ${x}.mkv'
    text = strings.say('en', 'open_sent', name=name, percent=1)
    self.assertIn(name, text)


if __name__ == '__main__':
  absltest.main()
