"""Tests of explain/gather.py."""

import pathlib
from types import SimpleNamespace

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.explain import gather


def _shot(start, stop, key):
  return SimpleNamespace(start=start, stop=stop, key_frame=key)


def _clip(count=4):
  source = np.full((count, 24, 32, 3), 0.5, np.float32)
  output = source.copy()
  output[:, :12] += 10 / 255  # Half of the pixels, by 10 of 255.
  origin = np.zeros((count, 24, 32, 1), np.uint8)
  origin[:, :12] = types.Origin.INVENTED
  doubt = np.full((count, 24, 32, 1), 2 * np.log(20 / 255), np.float32)
  doubt[:, 12:] = 2 * np.log(5 / 255)
  return types.Clip(source=source, frames=source, output=output, origin=origin,
                    damage=(origin > 0).astype(np.float32), log_variance=doubt)


class GatherTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def test_sums_by_hand(self):
    segment = gather.Segment(
        self.dir, 0, gather.wanted([_shot(0, 8, 5)]))
    segment.see(_clip(), 0, 0)
    later = gather.Segment(self.dir, 1, segment.wanted)
    later.see(_clip(), 0, 4)
    notes = [{'seen': s.notes} for s in (segment, later)]
    found, = gather.summed(notes, 1)
    self.assertAlmostEqual(found['mean_change_of_255'], 5, places=3)
    self.assertEqual(found['share_by_origin'], {
        'kept': 0.5, 'denoised': 0, 'moved': 0, 'invented': 0.5})
    self.assertAlmostEqual(
        found['doubt']['mean_deviation_of_255'], 12.5, places=3)
    self.assertEqual(found['doubt']['unsure_percent'], 50)
    kinds = [p['kind'] for p in gather.pictures_of(notes)]
    self.assertEqual(kinds.count('sheet'), 6)
    self.assertContainsSubset(('before', 'after', 'damage', 'doubt'), kinds)
    for picture in gather.pictures_of(notes):
      data = cv2.imread(str(self.dir / picture['file']))
      self.assertEqual(data.shape[:2], (picture['height'], picture['width']))

  def test_the_key_frame_and_no_other(self):
    segment = gather.Segment(
        self.dir, 0, gather.wanted([_shot(0, 4, 2), _shot(4, 8, 4)]))
    segment.see(_clip(), 0, 0)
    key = [p for p in segment.found if p['kind'] == 'before']
    self.assertEqual([(p['shot'], p['frame']) for p in key], [(0, 2)])

  def test_nothing_is_gathered_where_nothing_is_wanted(self):
    segment = gather.Segment(self.dir, 0, gather.NOTHING)
    segment.see(_clip(), 0, 0)
    self.assertEqual(segment.files, [])
    self.assertEqual(gather.summed([{'seen': segment.notes}, {}], 1), [None])
    self.assertEmpty(list(self.dir.iterdir()))

  def test_where_faces_are_hidden_the_source_is_nowhere(self):
    """The source is white, the output black; no picture may be light."""
    flow = np.zeros((4, 24, 32, 2), np.float32)
    clip = _clip().replace(flow_forward=flow, flow_backward=flow)
    clip = clip.replace(source=clip.source * 0 + 1, frames=clip.source * 0 + 1,
                        output=clip.output * 0, damage=clip.damage * 0)
    segment = gather.Segment(
        self.dir, 0, gather.wanted([_shot(0, 4, 2)], hides=True))
    segment.see(clip, 0, 0)
    kinds = {p['kind'] for p in segment.found}
    self.assertEqual(kinds, {'after', 'damage', 'matches', 'sheet'})
    for picture in segment.found:
      data = cv2.imread(str(self.dir / picture['file'])).astype(float)
      if picture['kind'] == 'matches':  # Dots, and a white gap.
        data = np.median(data, (0, 1))
      self.assertLess(data.max(), 20, picture)

  def test_noise_takes_no_more_bytes_than_there_are(self):
    """What cannot be compressed, in one of 24 shots."""
    noise = np.random.default_rng(0).random((2, 480, 640, 3), np.float32)
    flow = np.zeros((2, 480, 640, 2), np.float32)
    clip = types.Clip(source=noise, frames=noise, output=noise[::-1],
                      damage=noise[..., :1], flow_forward=flow,
                      flow_backward=flow, log_variance=-9 * noise[..., :1])
    frames = gather.wanted([_shot(0, 2, 0)]).frames
    segment = gather.Segment(self.dir, 0, gather.Wanted(frames, 24))
    segment.see(clip, 0, 0)
    size = sum((self.dir / name).stat().st_size for name in segment.files)
    self.assertLess(size, gather.BYTES / 24)

  @parameterized.parameters(0, 1, 24, 25, 500)
  def test_at_most_so_many_shots(self, count):
    found = gather.shown(count)
    self.assertLen(found, min(count, gather.MOST_SHOTS))
    self.assertLen(set(found), len(found))
    if count:
      self.assertEqual((found[0], found[-1]), (0, count - 1))

  def test_an_output_of_twice_the_size(self):
    clip = _clip(1)
    clip = clip.replace(output=clip.output.repeat(2, 1).repeat(2, 2))
    segment = gather.Segment(self.dir, 0, gather.wanted([_shot(0, 1, 0)]))
    segment.see(clip, 0, 0)
    found, = gather.summed([{'seen': segment.notes}], 1)
    self.assertAlmostEqual(found['mean_change_of_255'], 5, places=1)


if __name__ == '__main__':
  absltest.main()
