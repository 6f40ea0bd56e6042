"""Tests of video/layers.py: layers go along with every frame, exactly."""

import contextlib
import fractions
import pathlib

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.video import (
  bond,
  extras,
  images,
  layers,
  parts,
  probe,
  reader,
  target,
  writer,
)
from tests.video import clips

_COUNT = 7
_STAMPS = np.cumsum([9000, 3600, 3003, 7200, 101, 3600, 3600]).tolist()


def write_sidecar(film, *arguments):
  """layers.write_sidecar of a film that is there already, or may be one."""
  made = bond.of(film) if film.exists() else 'a film'
  with contextlib.ExitStack() as later:
    layers.write_sidecar(film, *arguments, made=made, later=later)


class LayersTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    rng = np.random.default_rng(0)
    self.made = [
        {name: rng.integers(0, 256, (32, 48), np.uint8)
         for name in ('damage', 'origin')} for _ in range(_COUNT)]

  def _joined(self, name, form, lengths=(3, 4)):
    source = clips.write(
        self.dir / 'film.mp4', clips.pictures(_COUNT), sounds=('aac',),
        time_base=fractions.Fraction(1, 90000), pts=_STAMPS)
    info = probe.probe(source)
    goal = target.choose(self.dir / name, info, 'auto')
    found, shown = extras.read(source), reader.read_frames(info)
    folder, made, files = self.dir / 'parts', [], []
    folder.mkdir()
    for number, length in enumerate(lengths):
      part = parts.name(number, goal)
      frames = (writer.OutputFrame(f, f.rgb, self.made[f.index])
                for f, _ in zip(shown, range(length), strict=False))
      own = [next(frames) for _ in range(length)]
      made.append(parts.write(
          folder / part, layers.beside(
              iter(own), folder / layers.part_name(part), info), info, goal,
          found))
      files += [folder / n for n in parts.files(folder, part)]
    parts.join(self.dir / name, files, made, info, goal, found,
               layers=sorted(folder.glob('*.layers.nut')), form=form)
    return self.dir / name

  def _decoded(self, path):
    """{layer: [(frame, time)]}, by PyAV alone."""
    with av.open(str(path)) as container:
      found = {s.metadata['LAYER']: s.index for s in container.streams.video
               if 'LAYER' in s.metadata}
    result = {}
    for name, index in found.items():
      with av.open(str(path)) as container:
        stream = container.streams[index]
        result[name] = [(f.to_ndarray(), float(f.pts * stream.time_base))
                        for f in container.decode(stream)]
    return result

  @parameterized.parameters(
      ('a.mkv', 'tracks', 'a.mkv'), ('a.mp4', 'files', 'a.mp4.layers.mkv'))
  def test_each_frame_has_its_own(self, name, form, place):
    path = self._joined(name, form)
    self.assertEqual(layers.where(path), self.dir / place)
    found = self._decoded(self.dir / place)
    self.assertEqual(list(found), ['damage', 'origin'])
    for layer, frames in found.items():
      for (got, time), made, stamp in zip(
          frames, self.made, _STAMPS, strict=True):
        np.testing.assert_array_equal(got, made[layer])
        self.assertAlmostEqual(time, stamp / 90000, delta=5.1e-4)
    for number in (0, 4, 6):
      read = layers.read(self.dir / place, number, _STAMPS[number] / 90000)
      np.testing.assert_array_equal(
          read['origin'], self.made[number]['origin'])

  def test_the_film_is_the_first_track_and_keeps_its_sound(self):
    path = self._joined('a.mkv', 'tracks')
    with av.open(str(path)) as container:
      kinds = [s.type for s in container.streams]
      marks = [s.disposition for s in container.streams.video[1:]]
    self.assertEqual(kinds, ['video', 'audio', 'video', 'video'])
    self.assertFalse(any(marks))
    self.assertEqual(clips.packets(path, 'audio')[0][3][0],
                     clips.packets(self.dir / 'film.mp4', 'audio')[0][3][0])
    self.assertLen(list(reader.read_frames(probe.probe(str(path)))), _COUNT)

  def test_a_folder_gets_a_folder(self):
    path = self._joined('out', 'files')
    self.assertEqual(probe.probe(str(path)).frame_count, _COUNT)
    self.assertEqual(layers.where(path), path / 'layers')
    for number, made in enumerate(self.made):
      read = layers.read(path / 'layers', number, 0.0)
      np.testing.assert_array_equal(read['damage'], made['damage'])

  def test_shots_that_lack_one(self):
    """Of fills, where the network had nothing to do in some shots."""
    info = probe.probe(clips.write(self.dir / 'film.mp4', clips.pictures(2)))
    part = self.dir / layers.part_name('000000.nut')
    for number, made in enumerate(({}, {'spread': self.made[0]['damage']})):
      source = reader.SourceFrame(0, 0, None, ())
      frame = writer.OutputFrame(source, None, self.made[1] | made)
      list(layers.beside([frame], part, info, always=('spread',)))
      write_sidecar(self.dir / 'a.mp4', [part], [0], info.time_base)
      found = self._decoded(self.dir / 'a.mp4.layers.mkv')
      self.assertEqual(list(found), ['damage', 'spread', 'origin'])
      np.testing.assert_array_equal(
          found['spread'][0][0], number * self.made[0]['damage'])

  def test_what_is_chosen(self):
    info = probe.probe(clips.write(self.dir / 'film.mp4', clips.pictures(2)))
    form = lambda asked, name, codec='auto': layers.form(
        asked, target.choose(self.dir / name, info, codec))
    self.assertEqual(form('auto', 'a.mkv'), 'tracks')
    self.assertEqual(form('auto', 'a.mkv', 'h264'), 'none')
    self.assertEqual(form('auto', 'a.mp4'), 'none')
    self.assertEqual(form('tracks', 'a.mkv', 'h264'), 'tracks')
    self.assertEqual(form('tracks', 'a.mp4'), 'files')
    self.assertEqual(form('files', 'a.mkv'), 'files')

  def test_a_lost_layer_is_a_bug_that_is_noticed(self):
    self._joined('a.mkv', 'none')
    found = sorted((self.dir / 'parts').glob('*.layers.nut'))
    tick = fractions.Fraction(1, 90000)
    with self.assertRaisesRegex(RuntimeError, '6 layers of frames, 14'):
      write_sidecar(self.dir / 'b.mp4', found[:1], _STAMPS, tick)
    with self.assertRaisesRegex(RuntimeError, 'more layers than frames'):
      write_sidecar(self.dir / 'b.mp4', found, _STAMPS[:3], tick)
    self.assertFalse((self.dir / 'b.mp4.layers.mkv').exists())

  def test_they_are_of_one_film(self):
    """Under its name there may be another one by now."""
    path = self._joined('a.mp4', 'files')
    place = self.dir / 'a.mp4.layers.mkv'
    with av.open(str(place)) as container:
      self.assertEqual(container.metadata['FILM'], bond.of(path))
    for name in ('b.mp4', 'b.mp4.layers.mkv'):  # Both may be renamed.
      (self.dir / name.replace('b', 'a', 1)).rename(self.dir / name)
    self.assertEqual(layers.where(self.dir / 'b.mp4'),
                     self.dir / 'b.mp4.layers.mkv')
    clips.write(self.dir / 'b.mp4', clips.pictures(_COUNT))
    with self.assertRaisesRegex(
        types.BadInput, r'b\.mp4\.layers\.mkv: .*of another film'):
      layers.where(self.dir / 'b.mp4')
    writer.write_grey(  # It says nothing.
        place, self.made[0]['damage'][None], frame_rate=25)
    clips.write(self.dir / 'a.mp4', clips.pictures(_COUNT))
    with self.assertRaisesRegex(types.BadInput, 'of another film'):
      layers.where(self.dir / 'a.mp4')

  def test_those_of_a_picture_take_the_place_of_older_ones(self):
    info = probe.probe(clips.write(self.dir / 'film.mp4', clips.pictures(1)))
    picture = self.dir / 'a.png'
    for number, names in enumerate((('damage', 'origin'), ('damage',))):
      images.write_picture(str(picture), self.made[number]['origin'])
      part = self.dir / layers.part_name('000000.nut')
      frame = writer.OutputFrame(
          reader.SourceFrame(0, 0, None, ()), None,
          {name: self.made[number][name] for name in names})
      list(layers.beside([frame], part, info))
      with contextlib.ExitStack() as later:
        layers.write_folder(
            picture, [part], made=bond.of(picture), later=later)
      found = layers.read(layers.where(picture), 0, 0.0)
      self.assertCountEqual(found, names)
      np.testing.assert_array_equal(
          found['damage'], self.made[number]['damage'])
      (self.dir / 'a.png.layers/mine.txt').write_text('a note')  # It stays.
    self.assertCountEqual(
        [p.name for p in (self.dir / 'a.png.layers').iterdir()],
        ['damage', 'film.sha256', 'mine.txt'])
    images.write_picture(str(picture), self.made[3]['origin'])
    with self.assertRaisesRegex(types.BadInput, 'of another film'):
      layers.where(picture)

  def test_none_there(self):
    path = self._joined('a.mkv', 'none')
    with self.assertRaisesRegex(types.BadInput, 'no layers.*output.layers'):
      layers.where(path)
    with self.assertRaisesRegex(types.BadInput, 'no such file'):
      layers.where(self.dir / 'nothing.mkv')


if __name__ == '__main__':
  absltest.main()
