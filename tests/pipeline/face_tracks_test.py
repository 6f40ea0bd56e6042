"""Tests of faces on their way through a whole restore."""

import json
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np

from configs import restore as config
from revive_jax import networks, restore, types
from revive_jax.faces import similarity, track
from revive_jax.models import inference, restorer, weights
from revive_jax.pipeline import choose, face_tracks, faces
from revive_jax.privacy import redact
from revive_jax.video import probe, reader, writer
from tests.faces import people
from tests.pipeline import faces_test

_FACES = dict(policy='protect', detector='', embedder='', threshold=0.75)


def _restored(output):
  """What a network says that finds no damage: (Restored, State)."""
  none = np.zeros((*output.shape[:-1], 1), np.float32)
  flow = np.zeros((*output.shape[:2], 2, *(
      -(-n // 2) for n in output.shape[2:4]), 2), np.float32)
  zero = np.zeros((1, 1), np.float32)
  return restorer.Restored(
      np.asarray(output, np.float32), none, none - 6, flow), restorer.State(
          zero, zero, zero, zero)


class FacesTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.film = people.film(7, side=160)
    writer.write_rgb(self.dir / 'film.mkv', self.film, frame_rate=25)

  def _restore(self, **settings):
    c = config.get_config('tiny')
    c.update_from_flattened_dict(settings)
    report = restore.restore(c, str(self.dir / 'work'),
                             str(self.dir / 'film.mkv'),
                             str(self.dir / 'out.mkv'), anew=True)
    out = np.stack([f.rgb for f in reader.read_frames(
        probe.probe(str(self.dir / 'out.mkv')))])
    return report, out

  def test_a_film_with_a_face(self):
    report, _ = self._restore()
    one, = report['faces']['tracks']
    self.assertEqual((one['start'], one['end'], one['redacted']),
                     (0, 7, 'none'))
    self.assertEqual(one['done'], [{'start': 0, 'end': 7, 'what': 'restored'}])
    self.assertGreater(one['similarity_after']['lowest'], 0.75)
    names = [s['name'] for s in report['shots'][0]['stages']]
    self.assertEqual(names.index('faces'), names.index('composite') + 1)

  def test_a_face_is_hidden_in_all_that_is_written(self):
    report, out = self._restore(**{'redact.faces': 'pixelate'})
    self.assertEqual(report['faces']['tracks'][0]['redacted'], 'pixelate')
    x, y = np.round((people.FACE[:2] + people.FACE[2:] / 2) * 160).astype(int)
    for before, after in zip(self.film[:, y - 12:y + 12, x - 12:x + 12],
                             out[:, y - 12:y + 12, x - 12:x + 12], strict=True):
      # One cell, or two, of a fifth of the face.
      steps = lambda p: np.abs(np.diff(p[..., 1].astype(int), axis=0)) > 12
      self.assertLess(steps(after).mean(), 0.4 * steps(before).mean())
      self.assertGreater(np.abs(after.astype(int) - before).mean(), 8)
    # The layers that tell of changes show no face either.
    with av.open(str(self.dir / 'out.mkv')) as film:
      titles = [s.metadata.get('title', '') for s in film.streams.video]
      which = [i for i, t in enumerate(titles) if 'change' in t.lower()]
      for frame in film.decode(video=which[0]):
        change = frame.to_ndarray(format='gray').astype(int)
        shown = out[0][..., :].astype(int).max(-1)
        inner = np.s_[y - 12:y + 12, x - 12:x + 12]
        self.assertLess(np.abs(change - shown)[inner].mean(), 12)
        break

  def _planned(self, stages, shots, tracks, hides='blur', network=None):
    """The stages of shots, (start, stop), with those for faces."""
    known = face_tracks.Faces(
        _FACES | dict(policy='protect' if hides == 'none' else 'off'),
        dict(faces=hides, keep=()))
    known.know(track.packed(tracks))
    plan = choose.Plan(tuple(
        choose.Choice(name, '', 1.0, dict(strength=dict(noise=1.0)))
        for name in stages), 0.0, 0.0)
    plans = known.planned(
        [plan] * len(shots), [mock.Mock(start=a, stop=b) for a, b in shots],
        mode='full', network=network)
    return [p.stages for p in plans]

  def test_a_face_is_hidden_beyond_what_is_taken_for_a_cut(self):
    """Three frames in which nobody found it: perhaps a flash, or a dissolve."""
    keys = np.array([[t, *people.FACE] for t in (20, 40)])
    shots = [(0, 8), (8, 20), (20, 41), (41, 44), (44, 53), (53, 60)]
    planned = self._planned(
        ('composite', 'output'), shots, [track.Track(1, keys, 5, 0.9)])
    hides = [[s for s in stages if s.name == 'redact'] for stages in planned]
    self.assertEqual([len(found) for found in hides], [0, 1, 1, 1, 1, 0])
    frames = self.film.astype(np.float32)[:3] / 255
    done = redact.redact(types.Clip(source=frames, frames=frames,
                                    output=frames), start=41,
                         **hides[3][0].options)
    x, y = np.round((people.FACE[:2] + people.FACE[2:] / 2) * 160).astype(int)
    self.assertTrue(done.hidden[:, y, x].all())
    self.assertGreater(np.abs(done.output - frames)[:, y - 9:y + 9].mean(), 0)

  @parameterized.parameters(
      (('composite', 'output', 'stabilise'), 1),
      (('composite', 'interpolate', 'stabilise'), 2), (('composite',), 1),
      (('composite', 'optimise', 'output'), 2))
  def test_faces_are_hidden_before_frames_are_moved(self, stages, place):
    keys = np.array([[t, *people.FACE] for t in (0, 6)])
    found, = self._planned(stages, [(0, 7)], [track.Track(1, keys, 2, 0.9)])
    self.assertEqual([s.name for s in found],
                     [*stages[:place], 'redact', *stages[place:]])

  def test_a_film_that_is_held_still_without_the_stage_output(self):
    report, _ = self._restore(**{
        'stages': ('classical', 'composite'), 'redact.faces': 'pixelate',
        'stabilise.strength': 1.0, 'stabilise.kind': 'shake'})
    names = [s['name'] for s in report['shots'][0]['stages']]
    self.assertEqual(names[-2:], ['redact', 'stabilise'])

  def test_a_network_that_changes_the_person_is_rolled_back_where_it_does(self):
    """Half a film is restored honestly; then everybody is somebody else."""
    half, corner = 16, np.s_[:, :4, :4]
    clean = people.film(1, speed=0, side=160).astype(np.float32) / 255
    changed = faces_test.stranger(clean)
    noisy = np.repeat(clean, 2 * half, 0) + np.random.default_rng(0).normal(
        0, 0.05, (2 * half, *clean.shape[1:]))
    noisy[half:][corner] = 1  # By it the network knows the frames.
    writer.write_rgb(self.dir / 'film.mkv',
                     np.uint8(np.clip(255 * noisy, 0, 255)), frame_rate=25)

    def network(frames, **unused):
      output = np.repeat(clean, frames.shape[1], 0)
      output[frames[0][corner].min((1, 2, 3)) > 0.9] = changed
      return _restored(output[None])

    with mock.patch.object(networks, 'make_network', lambda *_: network):
      report, out = self._restore(weights='restorer')
    self.assertIn('restore', [s['name'] for s in report['shots'][0]['stages']])
    one, = report['faces']['tracks']
    self.assertLess(one['similarity_before']['lowest'], 0.75)
    self.assertGreaterEqual(one['similarity_after']['lowest'], 0.75)
    good, *taken = one['done']
    # Faces are judged by four frames around each, and it lasts for four more.
    self.assertEqual((good['start'], good['what']), (0, 'restored'))
    self.assertBetween(good['end'], half - 9, half)
    self.assertEqual((taken[0]['start'], taken[-1]['end']),
                     (good['end'], 2 * half))
    self.assertNoCommonElements([t['what'] for t in taken], ['restored'])
    # In the film, too: the noise is gone at first, the face is not another's.
    inner = similarity.ellipse((160, 160), people.FACE, larger=0.7) > 0
    apart = lambda t, other: np.abs(out[t] / 255 - other)[0][inner].mean()
    self.assertLess(apart([2], clean), 0.02)
    self.assertLess(apart([-2], noisy[-2:-1]), 0.6 * apart([-2], changed))

  @parameterized.parameters('gan', 'restorer')
  def test_in_faces_a_regression_does_the_work_of_a_generator(self, name):
    used, film = [], self.film[:1].repeat(4, 0).astype(np.float32) / 255

    def restore_frames(params, frames, *, model, **unused):
      del params, unused
      used.append(model.noise)
      return _restored(frames - 0.1)

    keys = np.array([[t, *people.FACE] for t in (0, 3)])
    with mock.patch.object(inference, 'restore_frames', restore_frames):
      stages, = self._planned(
          ('composite', 'output'), [(0, 4)], [track.Track(1, keys, 2, 0.9)],
          hides='none', network=networks.make_network(
              weights.read_weights(name)))
      options, = (s.options for s in stages if s.name == 'faces')
      done = faces.faces(
          faces_test.composed(film, faces_test.stranger(film)), start=0,
          **options)
    rows = dict(zip(faces.COLUMNS, done.faces[:, 0].T, strict=True))
    x, y = np.round((people.FACE[:2] + people.FACE[2:] / 2) * 160).astype(int)
    if name == 'gan':
      self.assertEqual(used, [0])  # Not the generator itself, which has noise.
      np.testing.assert_allclose(
          done.output[:, y, x], film[:, y, x] - 0.1, atol=1e-5)
      np.testing.assert_array_equal(rows['done'], 0)
    else:
      self.assertEmpty(used)
      self.assertTrue((rows['before'] < 0.75).all(), rows)
      self.assertTrue((rows['done'] >= 1).all(), rows)
    self.assertTrue((rows['after'] >= 0.75).all(), rows)


  def test_nobody_looks_where_nobody_asked(self):
    known = face_tracks.Faces(
        _FACES | dict(policy='off'), dict(faces='none', keep=()))
    known.look(self.film[0])
    self.assertEqual(known.found([(0, 1)]), [])
    self.assertEqual(known.report([])['tracks'], [])

  def test_a_track_that_is_not_there_cannot_be_spared(self):
    known = face_tracks.Faces(_FACES, dict(faces='blur', keep=(7,)))
    with self.assertRaisesRegex(types.BadInput, 'no face track 7'):
      known.know([])

  def test_the_report_is_json(self):
    known = face_tracks.Faces(_FACES, dict(faces='none', keep=()))
    for frame in self.film:
      known.look(frame)
    found = json.loads(json.dumps(known.found([(0, len(self.film))])))
    again = face_tracks.Faces(_FACES, dict(faces='none', keep=()))
    again.know(found)
    self.assertEqual(json.dumps(again.report([])), json.dumps(known.report([])))


if __name__ == '__main__':
  absltest.main()
