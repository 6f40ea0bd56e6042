"""Tests of repeats and losses through a whole restore: times by hand."""

import fractions
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from configs import restore as config
from revive_jax import restore, settings, types
from revive_jax.explain import origin
from revive_jax.pipeline import tally
from revive_jax.video import layers, probe, reader
from tests.pipeline import clips as pans
from tests.video import clips

# A pan of 36 moments, 40 ms each, that a capture lost some of:
_COPY, _LOST, _AGAIN = 8, 16, 25  # 7 in the place of 8; no 16; 24 twice.


def _moment(n):
  """The moment that is shown in slot n; from _AGAIN on all are one late."""
  return n - (n >= _AGAIN) - (n == _COPY)


class LostFramesTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.pan = np.round(255 * pans.panning(36, speed=2.0)).astype(np.uint8)

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.slots = [n for n in range(36) if n != _LOST]
    self.path = clips.write(
        self.dir / 'film.mkv', [self.pan[_moment(n)] for n in self.slots],
        codec='ffv1', pix_fmt='yuv444p', time_base=fractions.Fraction(1, 1000),
        pts=[40 * n for n in self.slots], sounds=('pcm_s16le',))
    self.source = list(reader.read_frames(probe.probe(self.path)))

  def _config(self, mode):
    c = config.get_config('tiny')
    for kind in c.strength:
      c.strength[kind] = 0.0
    # The lost frame is before the first one of a segment.
    c.window, c.lookahead, c.repeats, c.progress = 8, 0, mode, 'none'
    c.report = mode == 'insert'
    return c

  def _restore(self, mode, output='out.mkv', *, stop=None):
    """The report; stop: a first run ends in this window."""
    destination, work = str(self.dir / output), str(self.dir / output) + '.work'
    with mock.patch.object(tally, 'SEGMENT', 16):
      if stop is not None:
        seen = []

        def see(clip):
          seen.append(clip)
          if len(seen) > stop:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
          restore.restore(
              self._config(mode), work, self.path, destination, see=see)
      return restore.restore(self._config(mode), work, self.path, destination)

  def _check(self, output, slots, invented=()):
    """The film shows these slots; those not invented are bit for bit."""
    info = probe.probe(str(self.dir / output))
    frames = list(reader.read_frames(info))
    self.assertEqual([round(float(f.pts * info.time_base), 3) for f in frames],
                     [round(0.04 * n, 3) for n in slots])
    before = {n: f.rgb for n, f in zip(self.slots, self.source, strict=True)}
    for number, (n, frame) in enumerate(zip(slots, frames, strict=True)):
      if n in invented:
        told = layers.read(self.dir / output, number, 0.04 * n)
        self.assertEqual(
            {*origin.classes(told['origin']).flat}, {types.Origin.INVENTED})
        error = np.abs(frame.rgb / 255 - self.pan[n] / 255)
        self.assertLess(error[8:-8, 12:-12].mean(), 0.012, n)
      else:
        np.testing.assert_array_equal(frame.rgb, before[n], f'{n}')
    self.assertEqual(clips.packets(self.dir / output, 'audio'),
                     clips.packets(self.path, 'audio'))

  @parameterized.parameters(None, 2, 3)
  def test_all(self, stop):
    """However a run is stopped: once before the frame that is made, once at."""
    report = self._restore('all', stop=stop)
    self._check('out.mkv', [n for n in range(36) if n != _AGAIN],
                invented=(_COPY, _LOST))
    self.assertEqual(report['events'], [
        {'kind': 'replaced', 'frame': 8, 'count': 1, 'time': '00:00:00.320',
         'done': 'made anew', 'made': 1, 'why': ''},
        {'kind': 'lost', 'frame': 16, 'count': 1, 'time': '00:00:00.680',
         'done': 'made', 'made': 1, 'why': ''},
        {'kind': 'repeat', 'frame': 24, 'count': 1, 'time': '00:00:01.000',
         'done': 'left out', 'made': 0, 'why': ''}])
    self.assertEqual(report['outputs'][0]['frames'], 35)
    self.assertEqual(report['input']['frames'], 35)
    # Of 35 frames and one more, two are invented.
    self.assertAlmostEqual(report['shots'][0]['share']['invented'], 2 / 36)

  def test_nothing_unless_asked(self):
    report = self._restore('leave')
    self._check('out.mkv', self.slots)
    self.assertEqual([e['done'] for e in report['events']], ['left'] * 3)
    self.assertEqual({e['why'] for e in report['events']},
                     {'nobody asked for it'})

  @parameterized.parameters(
      ('replace', (), (), (_COPY,)), ('collapse', (_AGAIN,), (), ()),
      ('insert', (), (_LOST,), (_LOST,)))
  def test_one_kind_alone(self, mode, gone, new, invented):
    self._restore(mode)
    self._check('out.mkv', sorted({*self.slots, *new} - {*gone}), invented)

  def test_a_folder_keeps_what_is_shown_twice(self):
    report = self._restore('all', 'folder')
    self.assertLen(list((self.dir / 'folder').glob('*.png')), 36)
    self.assertIn('pictures have no times', ' '.join(report['warnings']))

  def test_what_is_refused(self):
    for mode, composite, word in (
        ('magic', 'full', 'choose one of leave, replace'),
        ('collapse', 'repair', 'leave out .*--config.repeats')):
      c = self._config(mode)
      c.composite = composite
      with self.assertRaisesRegex(types.BadInput, word):
        settings.check(c)


if __name__ == '__main__':
  absltest.main()
