"""Tests of desk/downloads.py, playback.py and consent.py."""

import io
import json
import pathlib
import shutil

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import files, types
from revive_jax.desk import consent, downloads, film, playback, settings
from tests.desk import desks

_PEOPLE = [('Oma', 'Anna', 'granddaughter')]


class DownloadsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _place(self, sealed=False):
    return desks.measured(self.dir / 'desk', 5, 4, sealed=sealed)

  def _all(self, place, kind, *part):
    return b''.join(downloads.stream(place, kind, *part))

  @parameterized.parameters(False, True)
  def test_what_is_taken_home(self, sealed):
    place = self._place(sealed)
    names = [i.kind for i in downloads.listed(place)]
    self.assertEqual(names, ['original'])
    settings.change(place, format='mkv')
    desks.restored(place)
    found = {i.kind: i for i in downloads.listed(place)}
    data = files.path(place.source).read_bytes()
    self.assertEqual(self._all(place, 'original'), data)
    self.assertEqual(self._all(place, 'original', 7, 19), data[7:19])
    self.assertEqual(found['original'].bytes, len(data))
    self.assertEqual((found['film'].name, found['film'].mime),
                     ('tape_restored.mkv', 'video/x-matroska'))
    taken = self._all(place, 'film')
    self.assertLen(taken, found['film'].bytes)
    with av.open(io.BytesIO(taken)) as container:
      count = sum(1 for _ in container.decode(video=0))
    self.assertEqual(count, 9)
    self.assertEqual(json.loads(self._all(place, 'report.json')),
                     downloads.report(place))
    settings.change(place, format='mp4')  # What there is does not go away.
    found = {i.kind: i for i in downloads.listed(place)}
    self.assertNotIn('film', found)
    self.assertEqual(found['film_mkv'].name, 'tape_restored_before.mkv')
    self.assertEqual(self._all(place, 'film_mkv'), taken)

  def test_what_is_not_there(self):
    with self.assertRaisesRegex(types.BadInput, 'no film of it here'):
      downloads.stream(self._place(), 'film')

  def test_before_and_after_lie_beside_each_other(self):
    place = self._place()
    with self.assertRaisesRegex(types.BadInput, 'no restored film yet'):
      playback.is_ready(place, 'after')
    desks.restored(place)
    said = []
    for which in playback.WHICH:
      self.assertFalse(playback.is_ready(place, which))
      playback.make(place, which, shown=lambda *x: said.append(x))
      self.assertTrue(playback.is_ready(place, which))
      data = b''.join(playback.stream(place, which))
      self.assertLen(data, playback.size(place, which))
      with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        self.assertEqual((stream.codec_context.name, stream.average_rate),
                         ('h264', 24))
        shown = [f.to_ndarray(format='rgb24') for f in
                 container.decode(video=0)]
      self.assertLen(shown, 9)
      for t in (0, 4, 8):
        near = [np.abs(shown[t].astype(int) - film.frame(place, n, which)
                       ).mean() for n in range(9)]
        self.assertEqual(np.argmin(near), t)
    self.assertEqual(said[-1], (9, 9))
    playback.make(place, 'after', (3, 5))
    self.assertLess(playback.size(place, 'after', (3, 5)),
                    playback.size(place, 'after'))

  def test_another_film_is_another_playback(self):
    place = self._place()
    shutil.copyfile(place.source, settings.output(place))
    playback.make(place, 'after')
    settings.output(place).touch()
    self.assertFalse(playback.is_ready(place, 'after'))

  def test_where_faces_are_hidden_there_is_no_before(self):
    place = self._place()
    settings.change(place, hide_faces='blur')
    with self.assertRaisesRegex(types.BadInput, 'faces are hidden'):
      playback.is_ready(place, 'before')

  def test_the_form_is_what_a_restore_takes(self):
    place = self._place()
    self.assertEqual(consent.needed(place), ('full',))
    consent.write(place, people=_PEOPLE, purpose='family', scope=['full'],
                  until='2999-12-31', places=['home'])
    self.assertEqual(consent.read(place)['people'][0], {
        'shown': 'Oma', 'agreed_by': 'Anna', 'relation': 'granddaughter'})
    report = desks.restored(place)
    self.assertEqual(report['provenance']['consent']['scope'], ['full'])
    consent.remove(place)
    self.assertIsNone(consent.read(place))

  def test_sealed_a_restore_can_read_it_and_nobody_else(self):
    place = self._place(sealed=True)
    consent.write(place, people=_PEOPLE, purpose='family', scope=['full'],
                  places=['home'])
    raw = (place.folder / 'consent.json').read_bytes()
    self.assertNotIn(b'Anna', raw)
    report = desks.restored(place)
    self.assertEqual(report['provenance']['consent']['scope'], ['full'])

  @parameterized.parameters(
      (dict(scope=['repair']), 'does not cover full'),
      (dict(scope=[]), 'scope'), (dict(people=[]), 'people'),
      (dict(people=[('Oma', ' ', 'x')]), 'a person needs'),
      (dict(until='2020-01-01'), 'expired'),
      (dict(until='soon'), 'not a day'), (dict(purpose=''), 'purpose'))
  def test_a_form_that_is_not_filled_in(self, what, words):
    place = self._place()
    good = dict(people=_PEOPLE, purpose='family', scope=['full'],
                places=['home'])
    with self.assertRaisesRegex(types.BadInput, words) as caught:
      consent.write(place, **(good | what))
    self.assertStartsWith(str(caught.exception), 'The consent: ')
    self.assertIsNone(consent.read(place))


if __name__ == '__main__':
  absltest.main()
