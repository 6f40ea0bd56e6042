"""Tests of hiding faces."""

from absl.testing import absltest, parameterized
import numpy as np

from configs import restore as config
from revive_jax import live, settings, types
from revive_jax.faces import similarity, track
from revive_jax.privacy import redact
from tests.faces import people

_T, _SIDE = 3, 160


def _clip():
  film = people.film(_T, speed=0, side=_SIDE).astype(np.float32) / 255
  one = np.full((_T, _SIDE, _SIDE, 1), 0.5, np.float32)
  return types.Clip(
      source=film, frames=film, restored=film, output=film, damage=one,
      log_variance=film[..., :1], origin=np.zeros(one.shape, np.uint8))


def _track(start=0, number=1):
  keys = np.array([[start, *people.FACE], [start + 30, *people.FACE]])
  return track.Track(number, keys, 9, 0.9)


def _face(shape, larger=1.0):
  return similarity.ellipse(shape, people.FACE, larger=larger) > 0


class RedactTest(parameterized.TestCase):

  @parameterized.parameters('blur', 'pixelate', 'replace')
  def test_nothing_of_a_face_is_left_in_any_field(self, how):
    clip = _clip()
    done = redact.redact(clip, tracks=[_track()], start=0, how=how)
    inner, far = _face((_SIDE, _SIDE)), ~_face((_SIDE, _SIDE), 1.8)
    for name in ('source', 'frames', 'restored', 'output'):
      before, after = getattr(clip, name)[0], getattr(done, name)[0]
      np.testing.assert_array_equal(before[far], after[far], name)
      # What varies within a fifth of the face is gone: no eye, no mouth.
      detail = lambda x: np.abs(np.diff(x[..., 0], axis=1))[inner[:, 1:]]
      share = np.mean(detail(after) * (detail(before) > 0.08))
      self.assertLess(share, 0.2 * np.mean(
          detail(before) * (detail(before) > 0.08)), name)
    self.assertEqual(np.ptp(done.log_variance[0][inner]), 0)
    self.assertEqual(done.damage[0][inner].max(), 0)
    self.assertTrue((done.origin[0][inner] == types.Origin.INVENTED).all())
    self.assertTrue(done.hidden[0][inner].all())
    self.assertFalse(done.hidden[0][far].any())

  def test_cells_do_not_tell_faces_of_like_cells_apart(self):
    """Pixels within a cell may be shuffled: the result is the same but noise.
    """
    clip = _clip()
    film, rng = clip.source.copy(), np.random.default_rng(0)
    left, top = np.round(people.FACE[:2] * _SIDE).astype(int)
    part = film[:, top + 10:top + 14, left + 10:left + 14]
    film[:, top + 10:top + 14, left + 10:left + 14] = rng.permutation(
        part.reshape(_T, 16, 3), axis=1).reshape(part.shape)
    a, b = (redact.redact(clip.replace(output=x, source=x), tracks=[_track()],
                          start=0, how='pixelate').output
            for x in (clip.source, film))
    self.assertGreater(np.abs(a - b).max(), 0)  # Other noise: another source.
    self.assertLess(np.abs(a - b)[0].mean(), 0.03)

  def test_the_same_again(self):
    a, b = (redact.redact(_clip(), tracks=[_track()], start=0, how='blur')
            for _ in range(2))
    np.testing.assert_array_equal(a.output, b.output)

  def test_before_and_after_its_track_it_is_hidden_too(self):
    clip = _clip()
    inner = _face((_SIDE, _SIDE))
    for start, hides in ((100 - redact.BEYOND - _T, False),
                         (100 - redact.BEYOND, True), (131 + 9, True),
                         (131 + redact.BEYOND, False)):
      done = redact.redact(
          clip, tracks=[_track(100)], start=start, how='blur')
      self.assertEqual(
          bool((done.output != clip.output)[0][inner].any()), hides, start)

  def test_chosen_tracks_are_spared(self):
    clip = _clip()
    self.assertIs(redact.redact(
        clip, tracks=[_track(number=2)], start=0, how='blur', keep=(2,)), clip)

  @parameterized.parameters(
      (dict(faces='hide'), 'redact.faces'),
      (dict(keep=(1,), faces='none'), 'none are redacted'),
      (dict(keep=('a',)), 'not numbers of face tracks'),
      (dict(mode='repair'), 'changes nothing outside the damage'),
      (dict(keeps_original=True), 'would send the faces along'))
  def test_what_cannot_be_is_refused(self, changed, said):
    with self.assertRaisesRegex(types.BadInput, said):
      redact.check(**dict(dict(
          faces='blur', keep=(), mode='full', keeps_original=False), **changed))

  def test_live_it_is_refused(self):
    c = config.get_config('tiny')
    c.redact.faces = 'blur'
    with self.assertRaisesRegex(types.BadInput, 'is for films'):
      live.restore(c, self.create_tempdir().full_path, '-', 'out.mkv')

  def test_what_a_run_refuses(self):
    c = config.get_config('tiny')
    c.redact.faces, c.output.keep_original = 'blur', True
    with self.assertRaisesRegex(types.BadInput, 'would send the faces along'):
      settings.check(c)


if __name__ == '__main__':
  absltest.main()
