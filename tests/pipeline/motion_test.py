"""Tests of pipeline/motion.py, and of stages that move frames, by run.run."""

from types import SimpleNamespace
from unittest import mock

from absl.testing import absltest
import numpy as np

from revive_jax.pipeline import (
    choose,
    measure,
    motion,
    repeats,
    run,
    stabilise,
)
from revive_jax.video import reader
from tests.pipeline import clips


def _run(film, *, window=24, mode='full', kind='weave', strength=0.0):
  """The clip, and the shots."""
  shots, _ = measure.measure(iter(film), frame_rate=24.0, motion=True)
  plans = [choose.choose(
      s, mode=mode, strength=dict.fromkeys(choose.KINDS, 0.0),
      stages=('auto',), output=dict(bits=8, grain=0.0), fill='temporal_median',
      inpaint='telea', denoiser='auto', seed=0, marked=False,
      replaces=repeats.to_replace(
          repeats.find(s.changes), s.stop - s.start),
      stabilise=dict(kind=kind, strength=strength)) for s in shots]
  frames = (reader.SourceFrame(i, i, f, ()) for i, f in enumerate(film))
  parts = list(run.run(frames, shots, plans, window=window, context=8,
                       tile=1024, overlap=32))
  return [p.clip for p in parts], shots, plans


def _woven(count, seed=0):
  """A still picture that a gate moves by 1 px or so, and its moves."""
  rng = np.random.default_rng(seed)
  moves = np.round(rng.normal(0, 1.2, (count, 2))).astype(int)
  picture = clips.texture(160, 208)
  film = np.stack([picture[16 + y:144 + y, 16 + x:192 + x] for y, x in moves])
  return np.round(film * 255).astype(np.uint8), moves


class MotionTest(absltest.TestCase):

  def test_weave_goes_and_windows_do_not_matter(self):
    film, _ = _woven(30)
    jumps = lambda x: np.abs(np.diff(x[:, 16:-16, 16:-16], axis=0)).mean()
    whole, _, plans = _run(film, strength=1.0)
    self.assertIn('stabilise', [s.name for s in plans[0].stages])
    output = np.concatenate([c.output for c in whole])
    self.assertLess(jumps(output), 0.35 * jumps(film / 255))
    with mock.patch.object(stabilise, 'path', wraps=stabilise.path) as path:
      cut, _, _ = _run(film, strength=1.0, window=7)
    path.assert_called_once()  # Of the whole shot: not for each window.
    middle = (slice(None), slice(16, -16), slice(16, -16))
    np.testing.assert_allclose(
        np.concatenate([c.output for c in cut])[middle], output[middle],
        atol=1e-6)

  def test_nobody_asks_nobody_moves(self):
    film, _ = _woven(8)
    for settings in (dict(strength=0.0), dict(strength=1.0, mode='repair')):
      found, _, plans = _run(film, **settings)
      self.assertNotIn('stabilise', [s.name for s in plans[0].stages])
      np.testing.assert_array_equal(
          np.round(255 * np.concatenate([c.output for c in found])), film)

  def test_shots_are_kept_with_their_motion(self):
    _, shots, _ = _run(_woven(8)[0])
    again = measure.unpacked(measure.packed(shots))
    self.assertEqual(shots[0].steps.shape, (8, 4))
    for name in ('steps', 'changes', 'comparisons'):
      np.testing.assert_array_equal(
          getattr(again[0], name), getattr(shots[0], name))
    self.assertTrue(stabilise.jitter(again[0].steps) > 0.2)


class DescribedTest(absltest.TestCase):

  def test_jitter_and_what_it_costs_by_hand(self):
    """To and fro by 2 px: 1 px off the middle; of 100 px that costs 1 %."""
    steps = np.zeros((40, 4))
    steps[:, 0], steps[:, 3] = np.where(np.arange(40) % 2, 2, -2), 1
    shot = SimpleNamespace(steps=steps)
    stage = SimpleNamespace(
        name='stabilise', options=dict(kind='weave', strength=1.0))
    plans = [SimpleNamespace(stages=s) for s in ((), (stage,))]
    still, steadied = motion.described([shot] * 2, plans, size=(80, 100))
    self.assertAlmostEqual(still['jitter_pixels'], 1.0, delta=0.02)
    self.assertEqual(still['lost_share'], 0)
    self.assertEqual(steadied['jitter_pixels'], still['jitter_pixels'])
    self.assertAlmostEqual(steadied['lost_share'], 0.01, delta=3e-4)

  def test_stretches_are_measured_each_by_itself(self):
    """Between them nothing is known, and it does not matter."""
    steps = np.zeros((120, 4))
    for start in (1, 97):
      steps[start:start + 23, 3] = 1
      steps[start:start + 23, 0] = np.where(np.arange(23) % 2, 2, -2)
    self.assertAlmostEqual(motion.jitter(steps), 1.0, delta=0.05)

  def test_sampled_steps_are_those_of_all(self):
    film, _ = _woven(34)
    full, some = (measure.measure(
        iter(film), frame_rate=24.0, motion=True, sampled=sampled)[0][0]
                  for sampled in (False, True))
    np.testing.assert_array_equal(some.steps[:24], full.steps[:24])
    self.assertFalse(some.steps[24:].any())
    np.testing.assert_array_equal(some.changes, full.changes)

  def test_what_was_not_tracked_is_not_known(self):
    for steps in (np.zeros((0, 4)), np.zeros((40, 4)), np.ones((2, 4))):
      found, = motion.described(
          [SimpleNamespace(steps=steps)], [SimpleNamespace(stages=())],
          size=(80, 100))
      self.assertIsNone(found['jitter_pixels'])


if __name__ == '__main__':
  absltest.main()
