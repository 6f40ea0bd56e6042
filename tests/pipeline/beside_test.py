"""Tests of run.py with `beside`: the same film, whatever runs at once."""

import types

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.pipeline import choose, measure, run
from revive_jax.video import reader
from tests.pipeline import run_test


def _network(frames, *, mask, cuts, state, carry_after, count=None):
  """Remembers the mean of all frames of a shot, and shows it."""
  count = frames.shape[1] if count is None else count
  mean = np.float32(0 if cuts[0, 0] else state.mean)
  output, kept = np.zeros_like(frames), None
  for t in range(count):
    mean = np.float32(0.7) * mean + np.float32(0.3) * frames[0, t].mean()
    output[0, t] = 0.8 * frames[0, t] + 0.2 * mean
    if t + 1 == carry_after:
      kept = types.SimpleNamespace(mean=mean)
  bright = (frames.max(-1, keepdims=True) > 0.9).astype(np.float32)
  height, width = frames.shape[2:4]
  return types.SimpleNamespace(
      output=output, damage=np.maximum(mask, bright),
      log_variance=np.full_like(mask, -6),
      flow=np.full((*frames.shape[:2], 2, height // 2, width // 2, 2), 0.5,
                   np.float32)), kept


class BesideTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.film = np.concatenate(
        [run_test._film(19), 255 - run_test._film(15, seed=3)])
    cls.shots, _ = measure.measure(iter(cls.film), frame_rate=24.0)
    assert len(cls.shots) == 2

  def _plans(self, *learned):
    return [choose.choose(
        s, mode='full', strength=dict.fromkeys(choose.KINDS, 1.0),
        stages=('auto',), output=dict(bits=8, grain=1.0),
        fill='temporal_median', inpaint='telea', denoiser='auto', seed=0,
        marked=True, learned=x) for s, x in zip(
            self.shots, learned, strict=True)]

  def _run(self, plans, fields=(), context=4, marks=None, **options):
    frames = (reader.SourceFrame(i, i, f, (), by_field=i in fields)
              for i, f in enumerate(self.film))
    return list(run.run(
        frames, self.shots, plans, window=6, context=context, tile=1024,
        overlap=32, network=_network, masks=marks, **options))

  def _same(self, a, b):
    self.assertLen(a, len(b))
    for one, other in zip(a, b, strict=True):
      self.assertEqual((one.shot, [f.index for f in one.frames]),
                       (other.shot, [f.index for f in other.frames]))
      for name in ('output', 'origin', 'origin_frame', 'damage_kind'):
        np.testing.assert_array_equal(
            getattr(one.clip, name), getattr(other.clip, name), name)

  @parameterized.named_parameters(
      ('network', dict(learned=(True, True))),
      ('classical after it', dict(learned=(True, False))),
      ('classical before it', dict(learned=(False, True))),
      ('no look ahead', dict(learned=(True, True), context=0)),
      ('fields', dict(learned=(True, True), fields=range(34))),
      ('fields of one shot', dict(learned=(True, True), fields=range(19))),
      ('a mask', dict(learned=(True, True), marked=True)))
  def test_the_same_film(self, case):
    def marks():
      mask = np.zeros(self.film.shape[1:3], bool)
      mask[20:30, 40:50] = True
      return iter([mask] * len(self.film)) if case.get('marked') else None

    options = dict(context=case.get('context', 4),
                   fields=case.get('fields', ()))
    plans = self._plans(*case['learned'])
    whole = self._run(plans, marks=marks(), **options)
    self.assertEqual(sum(len(w.frames) for w in whole), len(self.film))
    self._same(self._run(plans, marks=marks(), beside=True, **options), whole)

  def test_gone_on_with_in_the_middle_of_a_shot(self):
    plans = self._plans(True, True)
    whole = self._run(plans)
    self.assertEqual([w.memory is None for w in whole], [False] * len(whole))
    for beside in (False, True):
      self._same(self._run(plans, only=range(2, len(whole)), beside=beside,
                           memory=whole[1].memory), whole[2:])
    # Without the memory it is another film: the network does remember.
    other = self._run(plans, only=range(2, len(whole)))
    self.assertFalse(np.array_equal(other[0].clip.output,
                                    whole[2].clip.output))

  def test_what_goes_wrong_is_said(self):
    def network(*_, **__):
      raise MemoryError('no room')

    frames = (reader.SourceFrame(i, i, f, ()) for i, f in enumerate(self.film))
    with self.assertRaisesRegex(MemoryError, 'no room'):
      list(run.run(frames, self.shots, self._plans(True, True), window=6,
                   context=4, tile=1024, overlap=32, network=network,
                   beside=True))


if __name__ == '__main__':
  absltest.main()
