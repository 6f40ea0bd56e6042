"""Tests of audio/spectrogram.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.audio import spectrogram


class SpectrogramTest(absltest.TestCase):

  def test_a_tone_is_a_line_at_its_pitch_and_silence_is_black(self):
    rate = 16000
    tone = np.sin(2 * np.pi * 4000 * np.arange(4 * rate) / rate)[:, None]
    picture = spectrogram.before_after(
        [tone[:30000], tone[30000:]], [tone * 0], rate, width=50, height=80)
    self.assertEqual(picture.shape, (166, 50, 3))
    self.assertEqual(picture.dtype, np.uint8)
    bright = np.argmax(picture[:80].sum(2).sum(1))
    self.assertAlmostEqual(bright, 40, delta=1)  # 4 of 8 kHz: half way up.
    self.assertLess(picture[86:].max(), 10)


if __name__ == '__main__':
  absltest.main()
