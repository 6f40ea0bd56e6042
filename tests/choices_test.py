"""Tests of choices.py: several answers, and one chosen for each shot."""

import fractions
import json
import pathlib
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np
import pytest

from configs import restore as config
from revive_jax import choices, networks, restore, types
from revive_jax.models import inference, restorer
from revive_jax.privacy import encryption, keys
from revive_jax.video import (
    deinterlace,
    interlace,
    layers,
    probe,
    reader,
    sandbox,
    writer,
)
from tests.pipeline import run_test
from tests.video import clips, woven

_BOX = np.s_[8:13, 20:25]


def _network(frames, *, mask, cuts, state, carry_after, sample=0, count=None):
  """Finds damage in a box, and fills it with a grey that sample says."""
  del mask, cuts, state, carry_after, count
  output = np.array(frames)
  damage = np.zeros((*frames.shape[:-1], 1), np.float32)
  output[(0, slice(None), *_BOX)] = 0.2 * (1 + sample)
  damage[(0, slice(None), *_BOX)] = 1
  height, width = frames.shape[2:4]
  flow = np.zeros(
      (*frames.shape[:2], 2, height // 2, width // 2, 2), np.float32)
  zero = np.zeros((1, 1), np.float32)
  return restorer.Restored(output, damage, np.full_like(damage, -6), flow), (
      restorer.State(zero, zero, zero, zero))


def _frames(path):
  return [f.rgb for f in reader.read_frames(probe.probe(str(path)))]


class ChoicesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    film = np.concatenate([run_test._film(6, 32, 48, seed=s) for s in (0, 3)])
    writer.write_rgb(self.dir / 'film.mkv', film, frame_rate=24)
    self.c = config.get_config()
    self.c.weights, self.c.num_samples = 'gan', 3
    self.c.strength.noise = self.c.strength.flicker = 0.0
    self.c.report = False

  def _run(self):
    self.seen = []
    whole = restore.restore

    def watched(*arguments):
      return whole(*arguments, see=lambda clip: self.seen.append(
          (str(arguments[1]), len(clip.output))))

    with mock.patch.object(networks, 'make_network', lambda *_: _network):
      with mock.patch.object(restore, 'restore', watched):
        return choices.restore_all(
            self.c, str(self.dir / 'w'), str(self.dir / 'film.mkv'),
            str(self.dir / 'out.mkv'))

  def _greys(self, path):
    return [int(np.median(f[_BOX])) for f in _frames(path)]

  def test_each_answer_and_then_one_for_each_shot(self):
    report = self._run()
    self.assertEqual(report['decisions'], [])
    self.assertEqual(self._greys(self.dir / 'out.mkv'), [51] * 12)
    fills = self.dir / 'w' / 'fills'
    for number, path in enumerate(report['fills']['films']):
      self.assertEqual(path, str(fills / f'sample_{number}.mkv'))
      self.assertEqual(self._greys(path), [51 * (number + 1)] * 12)
    for path in report['fills']['sheets']:
      picture = cv2.imread(path)
      self.assertEqual(picture.shape[1], 4 * 48)  # The source and three.
    decisions = json.loads((fills / 'decisions.json').read_text())
    self.assertEqual([s['start'] for s in decisions['shots']], [0, 6])
    decisions['shots'][1] |= {'sample': 2, 'note': 'her hand, not the table'}
    (self.dir / 'mine.json').write_text(json.dumps(decisions))
    self.c.decisions = str(self.dir / 'mine.json')
    report = self._run()
    # The second shot alone was made again.
    self.assertEqual(self.seen, [(str(self.dir / 'w'), 6)])
    self.assertEqual(self._greys(self.dir / 'out.mkv'), [51] * 6 + [153] * 6)
    self.assertEqual(report['decisions'], [{
        'shot': 1, 'start': 6, 'end': 12, 'sample': 2,
        'note': 'her hand, not the table'}])
    kept = json.loads((self.dir / 'w' / 'report.json').read_text())
    self.assertEqual(kept['decisions'], report['decisions'])
    self.assertLen(kept['fills']['films'], 3)

  def test_where_faces_are_hidden_no_sheet_shows_the_source(self):
    self.c.num_samples, self.c.redact.faces = 2, 'blur'
    read = []
    whole = choices._frames
    with mock.patch.object(choices, '_frames', lambda path, *rest: (
        read.append(str(path)), whole(path, *rest))[1]):
      report = self._run()
    self.assertNotIn(str(self.dir / 'film.mkv'), read)
    for path in report['fills']['sheets']:
      self.assertEqual(cv2.imread(path).shape[1], 2 * 48)  # The two alone.

  def test_sheets_read_the_source_in_the_sandbox(self):
    self.c.num_samples = 1
    report = {'outputs': [{'path': str(self.dir / 'out.mkv')}],
              'shots': [{'start': 0, 'key_frame': 0}]}
    film = str(self.dir / 'film.mkv')
    for use in ('on', 'off'):
      self.c.sandbox = use
      with mock.patch.object(restore, 'restore', return_value=report), (
          mock.patch.object(choices, '_write_sheets')) as write, (
              mock.patch.object(choices, '_moments')):
        choices.restore_all(
            self.c, str(self.dir / 'w'), film, str(self.dir / 'out.mkv'))
      source = write.call_args.args[1]
      self.assertEqual(source, film)
      self.assertEqual(sandbox.covers(source), use == 'on')

  def test_sheets_compare_the_same_moment(self):
    """Of fields made to frames the key frame has another number in the file."""
    pictures = [np.full((32, 48), 8 * t, np.uint8) for t in range(24)]
    path = clips.write(self.dir / 'fields.mkv', woven.frames([
        woven.weave(a, b) for a, b in zip(
            pictures[::2], pictures[1::2], strict=True)]),
                       codec='ffv1', pix_fmt='gray', rate=woven.RATE)
    decision = deinterlace.decide(
        [interlace.Segment(0, 12, interlace.TOP_FIRST)], 'double')
    answer = self.dir / 'sample_0.mkv'  # It is 0.4 s long, and lacks one frame.
    times = [t / 60 for t in range(24) if t != 5]
    clips.write(answer, [np.full((32, 48, 3), 10 * round(60 * t), np.uint8)
                         for t in times], codec='ffv1', pix_fmt='bgr0',
                time_base=fractions.Fraction(1, 60),
                pts=[round(60 * t) for t in times])
    wanted = [0.0, 7 / 60, 20 / 60]
    source = choices._frames(path, wanted, 24, decision)
    found = choices._frames(str(answer), wanted, 24)
    for number, frame in enumerate((0, 7, 20)):
      self.assertAlmostEqual(source[number].mean(), 8 * frame, delta=5)
      self.assertEqual(np.median(found[number]), 10 * frame)

  def test_how_much_fills_differ_goes_along(self):
    def network(frames, **options):
      restored, state = _network(frames, **options)
      return inference.Filled(
          restored.output, restored.damage, restored.log_variance,
          restored.flow, 0.1 * restored.damage), state

    self.c.num_samples, self.c.window = 1, 3  # Over several windows, too.
    with mock.patch.object(networks, 'make_network', lambda *_: network):
      restore.restore(self.c, str(self.dir / 'w'), str(self.dir / 'film.mkv'),
                      str(self.dir / 'out.mkv'))
    for number in (0, 5, 11):
      spread = layers.read(
          self.dir / 'out.mkv', number, number / 24)['spread']
      self.assertEqual(set(spread[_BOX].ravel()), {102})
      self.assertEqual(int((spread > 0).sum()), 25)

  @pytest.mark.slow
  def test_of_a_sealed_run_everything_is_sealed(self):
    key = f'file:{self.dir / "my.key"}'
    keys.make(key)
    self.c.encrypt.key, self.c.num_samples = key, 2
    report = self._run()
    self.assertLen(report['fills']['films'], 2)
    made = [p for p in (self.dir / 'w').rglob('*') if p.is_file()]
    self.assertGreater(len(made), 8)
    for path in made:
      self.assertTrue(path.name == 'lock' or encryption.is_sealed(path), path)
    (self.dir / 'mine.json').write_text(
        json.dumps({'schema': 1, 'shots': [{'shot': 0, 'sample': 1}]}))
    self.c.decisions = str(self.dir / 'mine.json')
    self.assertEqual(self._run()['decisions'][0]['sample'], 1)

  def test_what_has_one_answer_refuses(self):
    for weights, words in (('', 'classical stages give one'),
                           ('restorer', 'restorer gives one answer only')):
      self.c.weights = weights
      with self.assertRaisesRegex(types.BadInput, words):
        choices.restore_all(self.c, str(self.dir / 'w'),
                            str(self.dir / 'film.mkv'))


if __name__ == '__main__':
  absltest.main()
