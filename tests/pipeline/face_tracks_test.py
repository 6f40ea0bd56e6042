"""Tests of faces on their way through a whole restore."""

import json
import pathlib

from absl.testing import absltest
import av
import numpy as np

from configs import restore as config
from revive_jax import restore, types
from revive_jax.pipeline import face_tracks
from revive_jax.video import probe, reader, writer
from tests.faces import people

_FACES = dict(policy='protect', detector='', embedder='', threshold=0.75)


class FacesTest(absltest.TestCase):

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
