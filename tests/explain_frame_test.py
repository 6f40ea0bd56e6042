"""Tests of explain_frame.py: one frame, and what was done to it."""

import fractions
import json
import pathlib
import shutil

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from configs import restore as config
from revive_jax import explain_frame, restore, sealing, types
from revive_jax.explain import layers as colours
from revive_jax.privacy import keys
from revive_jax.video import layers, probe, reader, writer
from tests.video import clips, layers_test

_COUNT = 9


class ExplainFrameTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    # Frame t is of one grey, 20 t, and so is its damage; 25 a second.
    self.film = str(self.dir / 'film.mkv')
    self.film_of(_COUNT)

  def film_of(self, count):
    writer.write_grey(
        self.film, (np.full((32, 48), 20 * t, np.uint8) for t in range(count)),
        frame_rate=25)
    info = probe.probe(self.film)
    stamps = [round(40 * t) for t in range(count)]
    shown = (writer.OutputFrame(
        reader.SourceFrame(t, stamps[t], None, ()), None, {
            name: np.full((32, 48), 20 * t, np.uint8)
            for name in ('damage', 'origin')}) for t in range(count))
    part = self.dir / layers.part_name('000000.nut')
    for _ in layers.beside(shown, part, info):
      pass
    layers_test.write_sidecar(pathlib.Path(self.film), [part], stamps,
                              fractions.Fraction(1, 1000))

  def _damage(self, time, **settings):
    """The code of the damage that is drawn for a time."""
    explain_frame.explain(str(self.dir), self.film, str(self.dir / 'a.png'),
                          time=time, **settings)
    page = cv2.imread(str(self.dir / 'a.png'))[..., ::-1]
    pixel = page[3 * 22 + 5, 48 * 7 + 4 + 5]  # Of the second panel.
    table = colours.coloured('damage', np.arange(256, dtype=np.uint8)[None])[0]
    return int(np.abs(table.astype(int) - pixel).sum(-1).argmin())

  @parameterized.parameters(
      ('0', 0), ('0.039', 0), ('0.04', 1), ('0.1', 2), ('0:00.1', 2),
      ('0:00:00.32', 8), ('0.359', 8), ('#0', 0), ('#5', 5), ('#8', 8))
  def test_the_frame_that_is_asked_for(self, time, number):
    self.assertAlmostEqual(self._damage(time), 20 * number, delta=2)

  @parameterized.parameters(
      ('0.36', 'beyond its end; it lasts 0.360 s'), ('1:00:00', 'beyond'),
      ('#9', 'no frame 9; the last one is number 8'), ('later', 'no time'),
      ('-1', 'no time'), ('1:2:3:4', 'no time'), ('', 'no time'))
  def test_times_that_are_none(self, time, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self._damage(time)
    self.assertFalse((self.dir / 'a.png').exists())

  def test_what_is_said_and_where_it_goes(self):
    said = explain_frame.explain(str(self.dir / 'w'), self.film, time='#5')
    self.assertIn('Frame 5 at 00:00:00.200 of film.mkv.', said)
    self.assertIn('keep_original', said)  # The source is not at hand.
    place = self.dir / 'w' / 'outputs' / 'film_explained_000005.png'
    self.assertIn(str(place), said)
    self.assertTrue(place.is_file())

  def _report(self, **settings):
    source = clips.write(self.dir / 'source.mp4', clips.pictures(_COUNT))
    (self.dir / 'report.json').write_text(json.dumps({
        'input': {'path': source, 'frame_rate': 25.0},
        'outputs': [{'path': self.film}], 'settings': settings}))
    return source

  def test_where_faces_are_hidden_the_source_is_not_shown(self):
    source = self._report(redact={'faces': 'blur', 'keep': []})
    # Nor is one that lies beside the film.
    shutil.copy(source, f'{self.film}.original.mp4')
    said = explain_frame.explain(
        str(self.dir), self.film, str(self.dir / 'a.png'), time='0.2')
    self.assertIn('source is not shown: faces are hidden', said)
    self.assertNotIn('keep_original', said)
    page = cv2.imread(str(self.dir / 'a.png'))[..., ::-1].astype(int)
    self._report(redact={'faces': 'none', 'keep': []})
    explain_frame.explain(
        str(self.dir), self.film, str(self.dir / 'b.png'), time='0.2')
    other = cv2.imread(str(self.dir / 'b.png'))[..., ::-1].astype(int)
    self.assertNotEqual(page.shape, other.shape)  # One panel less.
    first = page[66:66 + 7 * 32:7, :7 * 48:7]  # The output, of one grey.
    self.assertLess(np.abs(first - 100).max(), 3)

  def test_the_source_by_the_report(self):
    self._report()
    said = explain_frame.explain(
        str(self.dir), self.film, str(self.dir / 'a.png'), time='0.2')
    self.assertNotIn('keep_original', said)
    page = cv2.imread(str(self.dir / 'a.png'))[..., ::-1]
    shown = page[66:66 + 7 * 32:7, :7 * 48:7].astype(float)
    error = [np.abs(shown - picture).mean() for picture in
             clips.pictures(_COUNT)]
    self.assertEqual(int(np.argmin(error)), 5)

  @parameterized.parameters('picture.png', 'frames')
  def test_of_sealed_pictures(self, name):
    c = config.get_config('tiny')
    c.encrypt.key = f'file:{self.dir / "key"}'
    c.output.layers, c.denoiser, c.progress = 'files', 'none', 'none'
    keys.make(c.encrypt.key)
    pictures = clips.pictures(2)
    source = self.dir / 'in'
    writer.write_rgb(source, pictures, frame_rate=24)
    if name == 'picture.png':
      source /= '000000.png'
    report = restore.restore(
        c, str(self.dir / 'w'), str(source), str(self.dir / name))
    place, film, drawn = sealing.places(
        c, str(self.dir / 'w'), report['outputs'][0]['path'],
        str(self.dir / 'a.png'))
    said = explain_frame.explain(place, film, drawn, time='0')
    self.assertIn('Frame 0', said)
    self.assertEqual(drawn.read_bytes()[:4], b'\x89PNG')

  def test_refusals(self):
    other = clips.write(self.dir / 'other.mp4', clips.pictures(2))
    for film, output, words in (
        ('', None, '--input'), (other, None, 'no layers'),
        (str(self.dir / 'none.mkv'), None, 'no such file'),
        (self.film, str(self.dir / 'a.jpg'), r'\.png')):
      with self.assertRaisesRegex(types.BadInput, words):
        explain_frame.explain(str(self.dir), film, output)


if __name__ == '__main__':
  absltest.main()
