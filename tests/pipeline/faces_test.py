"""Tests of the stage that keeps faces the persons they were."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import types
from revive_jax.faces import similarity, track
from revive_jax.models import face
from revive_jax.pipeline import composite, face_tracks, faces, run
from tests.faces import people

_T, _SIDE = 6, 160


def _film():
  return people.film(_T, speed=0, side=_SIDE).astype(np.float32) / 255


def _tracks():
  keys = np.array([[t, *people.FACE] for t in (10, 10 + _T - 1)])
  return [track.Track(3, keys, 2, 0.9)]


def _embedding():
  return similarity.Embedding(face.SIDE, face.load())


def stranger(film):
  """What a restorer makes that takes everybody for somebody else."""
  left, top, width, height = np.round(people.FACE * _SIDE).astype(int)
  pasted = film.copy()
  other = people.stranger(width).astype(np.float32) / 255
  share = similarity.ellipse((height, width), np.array([0, 0, 1, 1]),
                             larger=0.85, feather=0.15)[..., None]
  box = np.s_[:, top:top + height, left:left + width]
  pasted[box] = film[box] * (1 - share) + other[:height] * share
  return pasted


def composed(film, restored, damage=None, **strength):
  damage = np.zeros((*film.shape[:3], 1), np.float32) if damage is None else (
      damage)
  clip = types.Clip(
      source=film, frames=film, restored=restored, damage=damage,
      damage_kind=damage.astype(np.uint8),
      origin=np.where(damage > 0, types.Origin.INVENTED,
                      types.Origin.DENOISED).astype(np.uint8))
  return composite.composite(clip, mode='full', strength=dict(
      dict(scratch=1.0, dust=1.0, noise=1.0), **strength))


def _kept(clip, **options):
  return faces.faces(clip, **dict(dict(
      tracks=_tracks(), start=10, embedding=_embedding(), threshold=0.75,
      mode='full', noise=1.0), **options))


class FacesTest(parameterized.TestCase):

  def test_a_restorer_that_changes_the_person_is_rolled_back(self):
    film = _film()
    done = _kept(composed(film, stranger(film)))
    rows = done.faces[:, 0]
    self.assertEqual(rows.shape, (_T, len(faces.COLUMNS)))
    self.assertTrue((rows[:, 0] == 3).all())
    self.assertTrue((rows[:, 1] < 0.75).all(), rows)  # Caught,
    self.assertTrue((rows[:, 2] >= 0.75).all(), rows)  # rolled back,
    self.assertTrue((rows[:, 3] >= 1).all())  # and said so.

  def test_an_honest_restorer_is_left_alone(self):
    film = _film()
    rng = np.random.default_rng(0)
    noisy = np.clip(film + rng.normal(0, 0.06, film.shape), 0, 1)
    noisy = noisy.astype(np.float32)
    clip = composed(noisy, film)
    done = _kept(clip)
    self.assertTrue((done.faces[:, 0, 3] == 0).all(), done.faces)
    np.testing.assert_array_equal(done.output, clip.output)

  def test_damage_is_no_part_of_a_person(self):
    film, damage = _film(), np.zeros((_T, _SIDE, _SIDE, 1), np.float32)
    centre = np.round((people.FACE[0] + people.FACE[2] / 2) * _SIDE).astype(int)
    damage[:, :, centre - 2:centre + 3] = 1  # Over eye and mouth.
    scratched = np.where(damage > 0, np.float32(1), film)
    done = _kept(composed(scratched, film, damage, noise=0.0))
    self.assertTrue((done.faces[:, 0, 3] == 0).all(), done.faces)
    self.assertGreater(done.faces[0, 0, 6], 0.03)  # Share invented.

  def test_outside_the_damage_nothing_is_made_up_in_repair(self):
    film, damage = _film(), np.zeros((_T, _SIDE, _SIDE, 1), np.float32)
    left, top, width, height = np.round(people.FACE * _SIDE).astype(int)
    damage[:, top:top + height, left:left + width] = 1
    clip = composite.composite(
        composed(film, stranger(film), damage), mode='repair',
        strength=dict(scratch=1.0, dust=1.0, noise=1.0))
    done = _kept(clip, mode='repair')
    outside = ~composite.damage_mask(clip)
    np.testing.assert_array_equal(done.output[outside], film[outside])
    self.assertTrue((done.faces[:, 0, 2] >= 0.75).all(), done.faces)

  def test_a_generator_gives_way_to_a_regression(self):
    film = _film()
    clip = composed(film, np.clip(film + 0.2, 0, 1))
    done = _kept(clip, regress=lambda frames, damage: frames - 0.1)
    centre = np.round((people.FACE[:2] + people.FACE[2:] / 2) * _SIDE)
    x, y = centre.astype(int)
    np.testing.assert_allclose(done.output[:, y, x], film[:, y, x] - 0.1,
                               atol=1e-5)
    np.testing.assert_array_equal(done.output[:, -1], clip.output[:, -1])

  def test_no_face_here(self):
    clip = composed(_film(), _film())
    self.assertIs(_kept(clip, start=100), clip)

  def test_what_the_report_says(self):
    film = _film()
    done = _kept(composed(film, stranger(film)))
    frames = [type('F', (), {'index': 10 + t}) for t in range(_T)]
    settings = dict(policy='protect', detector='', embedder='', threshold=0.75)
    known = face_tracks.Faces(settings, dict(faces='none', keep=()))
    known.know(track.packed(_tracks()))
    notes = [{}, {}]
    for note, part in zip(notes, (slice(0, 4), slice(4, 6)), strict=True):
      face_tracks.note(note, run.Window(0, types.Clip(
          source=film, frames=film, faces=done.faces[part]), frames[part],
                                        None))
    one, = known.report(notes)['tracks']
    self.assertEqual((one['track'], one['start'], one['end']), (3, 10, 16))
    self.assertLess(one['similarity_before']['mean'], 0.75)
    self.assertGreaterEqual(one['similarity_after']['lowest'], 0.75)
    self.assertLen(one['done'], 1)
    self.assertEqual((one['done'][0]['start'], one['done'][0]['end']), (10, 16))
    self.assertIn(one['done'][0]['what'], faces.DONE[1:])

  @parameterized.parameters(
      (dict(policy='maybe'), {}, 'faces.policy'),
      (dict(threshold=2.0), {}, 'no cosine'),
      ({}, dict(faces='hide'), 'redact.faces'))
  def test_settings_that_cannot_be(self, changed, redact, said):
    settings = dict(policy='protect', detector='', embedder='', threshold=0.75)
    with self.assertRaisesRegex(types.BadInput, said):
      face_tracks.check(
          settings | changed, dict(faces='none', keep=()) | redact,
          mode='full', keeps_original=False)


if __name__ == '__main__':
  absltest.main()
