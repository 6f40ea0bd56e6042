"""Tests of pipeline/reach.py."""

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.pipeline import choose, reach, run
from tests.pipeline import clips


def _clip(num_frames=26):
  """Grain, flicker, and dust, of which some flies."""
  rng = np.random.default_rng(1)
  film = clips.panning(num_frames, 48, 64)
  film += 0.02 * rng.standard_normal(film.shape[:3])[..., None].astype('f')
  for t in range(num_frames):
    y, x = rng.integers(4, 40), rng.integers(4, 56)
    film[t, y:y + 4, x:x + 3] = 0.95
    film[t, 10:13, 2 * t + 4:2 * t + 7] = 0.0
  source = np.clip(film, 0, 1)
  return types.Clip(source=source, frames=source, pts=np.arange(num_frames))


class ReachTest(absltest.TestCase):

  def test_later_stages_add_up(self):
    stages = [('restore', {}), ('composite', {}), ('optimise', {}),
              ('output', {})]
    self.assertEqual(reach.after(stages), [None, 2, 2, 0])
    self.assertEqual(reach.after([('output', {}), ('stabilise', {})]),
                     [None, None])
    self.assertEqual(reach.after([('faces', {'regress': len})]), [None])

  def test_what_is_cut_off_was_not_looked_at(self):
    clip, core = _clip(), slice(11, 14)
    choice = lambda name, **options: choose.Choice(name, '', 1.0, options)
    stages = [
        choice('match'), choice('detect', sigma=0.02),
        choice('classical', sigma=0.02), choice('moving', sigma=0.02),
        choice('composite', mode='full', strength=dict(
            scratch=1.0, dust=1.0, noise=0.5)),
        choice('optimise', mode='full', local_deflicker=1.0),
        choice('output', mode='full', sigma=0.02, grain=1.0)]
    whole = run.apply_stages(clip, stages, tile=128, overlap=32)
    part = run.apply_stages(clip, stages, tile=128, overlap=32, core=core)
    self.assertTrue((whole.damage_kind == types.DamageKind.DUST).any())
    for name, value in vars(whole).items():
      if value is not None:
        np.testing.assert_array_equal(getattr(part, name), value[core], name)

  def test_all_of_a_short_clip_is_kept(self):
    clip = _clip(5)
    same, core = reach.cut(clip, slice(1, 4), 2)
    self.assertIs(same, clip)
    self.assertEqual(core, slice(1, 4))
    less, core = reach.cut(clip, slice(2, 3), 1)
    np.testing.assert_array_equal(less.source, clip.source[1:4])
    self.assertEqual(core, slice(1, 2))


if __name__ == '__main__':
  absltest.main()
