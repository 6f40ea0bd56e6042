"""Tests of pipeline/fit.py."""

from absl.testing import absltest

from revive_jax.pipeline import fit


class FitTest(absltest.TestCase):

  def test_by_hand(self):
    sizes = [(480, 640), (720, 1280), (1080, 1920), (2160, 3840), (4320, 7680)]
    # 24 * 614400 / 921600 = 16; / 2073600 = 7.1; / 8294400 = 1.8: but six at
    # least.
    self.assertEqual(
        [fit.window(24, height=h, width=w) for h, w in sizes],
        [24, 16, 7, 6, 6])
    # A window more is in memory: 24 * 491520 / 589824 = 20.
    self.assertEqual(fit.window(24, height=576, width=1024), 20)
    for height, width in ((576, 720), (480, 854)):
      self.assertEqual(fit.window(24, height=height, width=width), 24)
    self.assertEqual(
        [fit.context(10, height=h, width=w) for h, w in sizes],
        [10, 10, 10, 3, 3])

  def test_one_length_for_all_windows(self):
    # A photograph is not made up to 34 frames, which would take the memory.
    self.assertEqual([fit.length(n, most=34) for n in (1, 2, 9, 17, 34, 9999)],
                     [1, 8, 16, 34, 34, 34])
    self.assertEqual([fit.length(n, most=4) for n in (1, 3, 100)], [1, 4, 4])

  def test_never_more_than_asked_for(self):
    self.assertEqual(fit.window(4, height=2160, width=3840), 4)
    self.assertEqual(fit.context(0, height=2160, width=3840), 0)


if __name__ == '__main__':
  absltest.main()
