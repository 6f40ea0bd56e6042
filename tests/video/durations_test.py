"""Tests of video/durations.py."""

from absl.testing import absltest, parameterized

from revive_jax.video import durations, probe
from tests.video import clips


class DurationsTest(parameterized.TestCase):

  def _info(self, **settings):
    path = clips.write(self.create_tempfile('film.mp4').full_path,
                       clips.pictures(3, 16, 24), **settings)
    return probe.probe(path)

  @parameterized.parameters(
      # Of a source that ends at 1/25 * 3 s, whatever its unit.
      ([0, 1, 2], {0: 1, 1: 1, 2: 1}),
      ([0, 2], {0: 2, 2: 1}),  # The last one ends with the source.
      ([1, 0], {0: 1, 1: 1}),  # 2 is longer than any other.
      ([0], {0: 1}), ([], {}),
      ([0, 5, 6, 8], {0: 5, 5: 1, 6: 2, 8: 2}))  # Beyond it: the median.
  def test_by_hand(self, frames, wanted):
    info = self._info()
    tick = round(1 / (info.frame_rate * info.time_base))
    self.assertEqual(
        durations.of([tick * t for t in frames], info),
        {tick * t: tick * n for t, n in wanted.items()})


if __name__ == '__main__':
  absltest.main()
