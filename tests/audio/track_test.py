"""Tests of audio/track.py, with decode.py and encode.py."""

import fractions
import json
import pathlib

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.audio import decode, encode, track
from tests.audio import signals

_RATE = 22050


def write(path, samples, start=0, layout='mono', hole=None):
  """Writes 16-bit PCM; start: samples; hole: (sample, how many are missing)."""
  with av.open(str(path), 'w') as output:
    stream = output.add_stream('pcm_s16le', rate=_RATE)
    stream.codec_context.layout = layout
    stream.time_base = fractions.Fraction(1, _RATE)
    whole = np.int16(np.round(np.clip(samples, -1, 0.9999) * 32768))
    for at in range(0, len(whole), 1000):
      part = np.ascontiguousarray(whole[at:at + 1000].reshape(1, -1))
      frame = av.AudioFrame.from_ndarray(part, 's16', layout)
      frame.sample_rate = _RATE
      frame.time_base = fractions.Fraction(1, _RATE)
      frame.pts = at + start + (hole[1] if hole and at >= hole[0] else 0)
      output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
  return path


def read(path):
  """Returns the samples of a file, and the times in it."""
  with decode.Track(path, 0) as found:
    return np.concatenate(list(found.blocks())), found.stamps


class TrackTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  @parameterized.parameters('flac', 'aac')
  def test_better_and_in_sync_to_a_sample(self, codec):
    clean = signals.speech(4, _RATE)
    source = write(self.folder / 'in.mov', signals.damage(clean, _RATE), 2205)
    done = track.repair_track(source, 0, self.folder, codec=codec)
    self.assertEqual(done.codec, codec)
    repaired, stamps = read(done.path)
    early = 2205 - round(stamps[0][1] * _RATE)  # AAC: silence that primes it.
    self.assertEqual(early, 1024 if codec == 'aac' else 0)
    if codec == 'flac':
      self.assertLen(repaired, len(clean))
    repaired = repaired[early:][:len(clean)]
    damaged, _ = read(source)
    self.assertGreater(signals.snr(clean, repaired),
                       signals.snr(clean, damaged) + 5)
    spectrum = np.fft.rfft(clean[:, 0]).conj() * np.fft.rfft(repaired[:, 0])
    self.assertEqual(np.argmax(np.fft.irfft(spectrum, len(clean))), 0)
    json.dumps(done.report, allow_nan=False)
    self.assertEqual(done.report['measured']['samples'], len(clean))
    self.assertEqual(done.report['done']['hum']['strength'], 1)

  def test_clean_or_off_is_left_to_be_copied(self):
    source = write(self.folder / 'in.mkv', signals.music(4, _RATE),
                   layout='stereo')
    self.assertIsNone(track.repair_track(source, 0, self.folder))
    source = write(self.folder / 'bad.mkv',
                   signals.damage(signals.speech(3, _RATE), _RATE))
    off = dict(clicks=0., hum=0., hiss=0., clipping=0., level=0.)
    self.assertIsNone(
        track.repair_track(source, 0, self.folder, strength=off))

  def test_a_hole_in_the_source_stays_where_it_is(self):
    source = write(self.folder / 'in.mkv', signals.damage(
        signals.speech(4, _RATE), _RATE), hole=(44000, 11025))
    done = track.repair_track(source, 0, self.folder)
    repaired, stamps = read(done.path)
    self.assertLen(repaired, 4 * _RATE)
    ((_, first), (sample, second)) = stamps
    self.assertBetween(sample, 44000, 44000 + 4608)  # From the next packet on.
    self.assertAlmostEqual(  # Matroska counts in milliseconds.
        float(second - first), (sample + 11025) / _RATE, delta=0.001)

  def test_24_bits_are_kept(self):
    samples = np.float32(np.random.default_rng(0).integers(
        -2**23, 2**23, (5000, 2)) / 2**23)
    for codec, layout in (('flac', 'stereo'), ('flac', '10 channels')):
      channels = av.AudioLayout(layout).nb_channels
      wide = np.tile(samples, (1, channels // 2))
      with encode.Writer(self.folder, 'wide', codec, 48000, layout,
                         fractions.Fraction(1, 3)) as writer:
        writer.write(wide)
      found, stamps = read(writer.path)
      np.testing.assert_array_equal(found, wide)
      self.assertEqual(stamps, [(0, fractions.Fraction(1, 3))])

  def test_what_cannot_be_read_is_named(self):
    path = self.folder / 'noise.wav'
    path.write_bytes(b'RIFF' + bytes(range(256)))
    with self.assertRaisesRegex(types.BadInput, 'noise.wav'):
      track.measure_track(path, 0)
    source = write(self.folder / 'in.mkv', signals.speech(1, _RATE))
    with self.assertRaisesRegex(types.BadInput, 'track 2 does not exist'):
      track.measure_track(source, 1)
    with self.assertRaisesRegex(types.BadInput, '.mkv'):
      encode.Writer(self.folder, 'x', 'aac', 192000, 'mono',
                    fractions.Fraction(0))


if __name__ == '__main__':
  absltest.main()
