"""Tests of audio/film.py, and of sound through the whole program."""

import pathlib
from unittest import mock

from absl.testing import absltest
import av
import numpy as np

from configs import restore as config
from revive_jax import restore, types
from revive_jax.audio import film
from revive_jax.video import probe
from tests.video import clips

_RATE = 16_000


def _wave(hiss):
  """A second and a half of tones that come and go, with hum and hiss."""
  t = np.arange(int(1.5 * _RATE)) / _RATE
  tone = np.sin(2 * np.pi * 440 * t) * (np.sin(2 * np.pi * 2 * t) > 0)
  rng = np.random.default_rng(0)
  hum = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3))
  return 0.2 * tone + hiss * (rng.standard_normal(len(t)) + 2 * hum)


def _film(path, waves):
  """A film with a sound track for each wave."""
  frames = clips.pictures(36, 32, 48)
  with av.open(str(path), 'w') as output:
    video = output.add_stream('ffv1', rate=24)
    video.height, video.width, video.pix_fmt = 32, 48, 'bgr0'
    tracks = [output.add_stream('pcm_s16le', rate=_RATE) for _ in waves]
    for track in tracks:
      track.codec_context.layout = 'mono'
    for frame in frames:
      output.mux(video.encode(av.VideoFrame.from_ndarray(frame, 'rgb24')))
    output.mux(video.encode(None))
    for track, wave in zip(tracks, waves, strict=True):
      samples = np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)
      frame = av.AudioFrame.from_ndarray(samples[None], 's16', 'mono')
      frame.sample_rate, frame.pts = _RATE, 0
      output.mux(track.encode(frame))
      output.mux(track.encode(None))
  return str(path)


def _decoded(path, number):
  with av.open(str(path)) as container:
    stream = container.streams.audio[number]
    return np.concatenate([
        f.to_ndarray().astype(np.float64).mean(0) for f in container.decode(
            stream)])


class FilmTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.path = _film(self.dir / 'film.mkv', [_wave(0.0), _wave(0.02)])

  def _restore(self, **audio):
    c = config.get_config('tiny')
    c.audio.update(audio)
    return restore.restore(c, str(self.dir / 'work'), self.path,
                           str(self.dir / 'out.mkv'))

  def test_what_calls_for_it_is_repaired_and_the_rest_copied(self):
    report = self._restore(hiss=0.9, hum=1.0, clicks=0.0)
    self.assertEqual([x['state'] for x in report['sound']],
                     ['left as it is', 'repaired'])
    old, new = (clips.packets(p, 'audio') for p in (
        self.path, self.dir / 'out.mkv'))
    self.assertEqual([p for p, _ in old[0]], [p for p, _ in new[0]])
    before, after = _decoded(self.path, 1), _decoded(self.dir / 'out.mkv', 1)
    self.assertLen(after, len(before))
    # In the pauses: hiss and hum are weaker, by more than half.
    scale = np.abs(before).max() / max(np.abs(after).max(), 1e-9)
    quiet = np.sin(2 * np.pi * 2 * np.arange(len(before)) / _RATE) < -0.5
    self.assertLess(scale * after[quiet].std(), 0.5 * before[quiet].std())
    self.assertTrue((self.dir / 'work' / 'sound_1.png').exists())

  def test_off_copies_all(self):
    report = self._restore(**dict.fromkeys(
        ('clicks', 'hum', 'hiss', 'clipping'), 0.0))
    self.assertEqual({x['state'] for x in report['sound']}, {'left as it is'})
    self.assertEqual(
        *([p for t in clips.packets(x, 'audio') for p, _ in t]
          for x in (self.path, self.dir / 'out.mkv')))

  def test_what_cannot_be_decoded_is_left(self):
    def refuse(path, index):
      raise types.BadInput('No.')

    with mock.patch.object(film.track, 'measure_track', refuse):
      found = film.restore(
          probe.probe(self.path), '.mkv', self.dir / 'sound', strength={})
    self.assertEqual(found.files, {})
    self.assertIn('Sound track 1 is left as it is: No.', found.warnings)

  def test_a_strength_that_cannot_be(self):
    with self.assertRaisesRegex(types.BadInput, '--config.audio.hum'):
      self._restore(hum=2.0)
    self.assertFalse((self.dir / 'out.mkv').exists())


if __name__ == '__main__':
  absltest.main()
