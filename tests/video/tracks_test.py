"""Tests of video/tracks.py and extras.py: what goes along with the pictures."""

import dataclasses
import fractions
import os
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.video import extras, parts, probe, reader, tracks, writer
from revive_jax.video import target as target_lib
from tests.video import clips, films


def copy(source, output, **options):
  info = probe.probe(source)
  return writer.write_video(output, (
      writer.OutputFrame(f, f.rgb) for f in reader.read_frames(info)), info,
                            **options)


def contents(path):
  """Returns metadata (lower case), chapters and (kind, labels, marks)."""
  with av.open(path) as film:
    return (
        {k.lower(): v for k, v in film.metadata.items()},
        [(float(c['start'] * c['time_base']), float(c['end'] * c['time_base']),
          c['metadata'].get('title')) for c in film.chapters()],
        [(s.type, s.metadata.get('language'),
          s.metadata.get('title') or s.metadata.get('name'),
          int(s.disposition)) for s in film.streams])


class _TestCase(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)


class EverythingTest(_TestCase):

  @parameterized.product(source=('mkv', 'mp4', 'mov'),
                         output=('mkv', 'mp4', 'mov'))
  def test_goes_along(self, source, output):
    path = films.everything(self.path(f'in.{source}'))
    written = copy(path, self.path(f'out.{output}'))
    self.assertEqual(written.audio_tracks, 2)
    metadata, chapters, streams = contents(written.path)
    for key, value in films.LABELS.items():
      self.assertEqual(metadata[key], value)
    self.assertEqual(chapters, [(a / 1000, b / 1000, title)
                                for a, b, title in films.CHAPTERS])
    self.assertEqual(streams[0][::2], ('video', 'Pictures'))
    german = 'ger' if output == 'mov' else 'deu'
    if source == 'mov':
      german = streams[1][1]  # It has no code for it, so the test film neither.
    self.assertEqual([s[:3] for s in streams[1:3]],
                     [('audio', german, 'Ton'),
                      ('audio', 'fra', 'Commentaire')])
    if source != 'mov' and output != 'mov':
      self.assertEqual([s[3] for s in streams[1:3]], [1, 8])
    self.assertEqual(extras.read(written.path).timecode, films.TIMECODE)
    # QuickTime and MP4 have one kind of subtitles, Matroska has another.
    if (source == 'mkv') == (output == 'mkv'):
      self.assertEqual(streams[3][:3], ('subtitle', 'eng', 'Titles'))
      self.assertEqual(clips.packets(path, 'subtitles')[0][:1],
                       clips.packets(written.path, 'subtitles')[0][:1])
    else:
      self.assertRegex(' '.join(written.warnings),
                       r'Left out.*subtitles 3 \(.*eng, Titles')
    for a, b in zip(*(clips.packets(p, 'audio') for p in (path, written.path)),
                    strict=True):
      self.assertEqual([p for p, _ in a], [p for p, _ in b])
      np.testing.assert_allclose(
          [t for _, t in a], [t for _, t in b], atol=1.01e-3)

  def test_nothing_to_tell_where_all_is_kept(self):
    for name in ('in.mkv', 'in.mp4'):
      path = films.everything(self.path(name))
      self.assertEqual(copy(path, self.path('out' + name[2:])).warnings, ())

  def test_attachments(self):
    path = films.everything(self.path('in.mkv'))
    with av.open(copy(path, self.path('out.mkv')).path) as film:
      font, = film.streams.attachments
      self.assertEqual((font.name, font.data), ('type.ttf', films.FONT))
      picture = film.streams.video[1]
      self.assertEqual(bytes(next(film.demux(picture))), films.cover())
      self.assertEqual(picture.metadata['mimetype'], 'image/jpeg')
    written = copy(path, self.path('out.mp4'))
    self.assertIn('attachment 4 (type.ttf)', written.warnings[0])
    with av.open(written.path) as film:
      picture = film.streams.video[1]
      self.assertEqual(bytes(next(film.demux(picture))), films.cover())
    self.assertIn('cover picture 5 (mjpeg)',
                  copy(path, self.path('out.mov')).warnings[0])

  def test_unusual_names_are_kept_in_mp4(self):
    path = films.everything(self.path('in.mkv'), labels=dict(
        films.LABELS, reel='7', SCANNER='a scanner'))
    written = copy(path, self.path('out.mp4'))
    metadata, _, _ = contents(written.path)
    self.assertEqual((metadata['reel'], metadata['scanner']),
                     ('7', 'a scanner'))
    self.assertEqual(metadata['title'], films.LABELS['title'])
    self.assertIn('cover picture', written.warnings[0])  # No place for both.

  def test_time_code_that_does_not_fit(self):
    path = films.everything(self.path('in.mkv'), timecode='00:00:00;02')
    self.assertEqual(
        extras.read(copy(path, self.path('out.mkv')).path).timecode,
        '00:00:00;02')
    written = copy(path, self.path('out.mp4'))
    self.assertIn('00:00:00;02 does not fit 25 frames', ' '.join(
        written.warnings))

  def test_time_code_of_a_film_of_no_standard_rate(self):
    path = clips.write(
        self.path('in.mkv'), clips.pictures(5), time_base=fractions.Fraction(
            1, 1000), pts=[0, 40, 90, 150, 177])
    info, found = probe.probe(path), dataclasses.replace(
        extras.read(path), timecode=films.TIMECODE)
    with mock.patch.object(extras, 'read', lambda _: found):
      copy(info.path, self.path('out.mp4'))
    self.assertEqual(
        extras.read(self.path('out.mp4')).timecode, films.TIMECODE)

  def test_fits_rate(self):
    drop = fractions.Fraction(30000, 1001)
    for code, rate, wanted in (
        ('00:00:00:24', 25, True), ('00:00:00:25', 25, False),
        ('00:00:00;29', drop, True), ('00:00:00;02', 25, False),
        ('nonsense', 25, False)):
      self.assertEqual(extras.fits_rate(code, fractions.Fraction(rate)), wanted)

  def test_title_and_shape_of_pixels_in_mkv(self):
    # The header is completed where the title stood.
    path = films.everything(self.path('in.mkv'))
    info = dataclasses.replace(
        probe.probe(path), sample_aspect_ratio=fractions.Fraction(16, 15))
    written = writer.write_video(self.path('out.mkv'), (
        writer.OutputFrame(f, f.rgb) for f in reader.read_frames(info)), info)
    self.assertEqual(contents(written.path)[2][0][2], 'Pictures')
    self.assertEqual(probe.probe(written.path).sample_aspect_ratio,
                     fractions.Fraction(16, 15))

  def test_second_video_track_is_named(self):
    path = self.path('in.mkv')
    with av.open(path, 'w') as output:
      streams = [output.add_stream('ffv1', rate=25) for _ in range(2)]
      for stream in streams:
        stream.width, stream.height, stream.pix_fmt = 48, 32, 'yuv420p'
        stream.metadata['title'] = 'Angle'
      for stream in streams:
        frame = av.VideoFrame.from_ndarray(
            clips.pictures(1)[0], 'rgb24').reformat(format='yuv420p')
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    self.assertIn('video 1 (ffv1, Angle)',
                  copy(path, self.path('out.mkv')).warnings[0])


class JoinedTest(_TestCase):

  def _joined(self, source, output):
    """A film of coded frames that are copied, as parts.py does."""
    info, found = probe.probe(source), extras.read(source)
    target = target_lib.choose(output, info, 'auto')
    frames = [writer.OutputFrame(f, f.rgb) for f in reader.read_frames(info)]
    part = parts.write(self.path(parts.name(0, target)), frames, info, target,
                       found)
    return parts.join(output, [self.path(parts.name(0, target))], [part], info,
                      target, found)

  @parameterized.parameters('mkv', 'mp4', 'mov')
  def test_as_of_one_run(self, suffix):
    path = films.everything(self.path('in.mkv'))
    whole = copy(path, self.path(f'whole.{suffix}'))
    joined = self._joined(path, self.path(f'joined.{suffix}'))
    self.assertEqual(contents(whole.path), contents(joined.path))
    self.assertEqual(extras.read(joined.path).timecode, films.TIMECODE)
    self.assertEqual(joined.warnings, whole.warnings)

  def test_hdr_and_chroma_in_ffv1(self):
    path = films.hdr(self.path('in.mkv'))
    before = extras.read(path)
    self.assertEqual(before.siting, 1)
    joined = self._joined(path, self.path('out.mkv'))
    after = extras.read(joined.path)
    np.testing.assert_allclose(after.static.primaries, films.HDR, atol=2e-5)
    self.assertEqual((after.static.light, after.siting), ((1000, 400), 1))
    self.assertEqual(probe.probe(joined.path).color_trc, 16)


class SoundTest(_TestCase):

  def _sound(self, name, codec, seconds=0.3):
    path = self.path(name)
    with av.open(path, 'w') as output:
      stream = clips._add_sound(output, codec)
      clips._encode_sound(output, stream, seconds)
    return path

  @parameterized.parameters(
      ('flac', 'new.flac', 'mkv'), ('pcm_s16le', 'new.wav', 'mov'),
      ('aac', 'new.m4a', 'mp4'))
  def test_takes_the_place_of_a_track(self, codec, name, output):
    path = films.everything(self.path('in.mkv'))
    new = self._sound(name, codec)
    written = copy(path, self.path(f'out.{output}'), sound={1: new})
    self.assertEqual(written.audio_tracks, 2)
    old = clips.packets(path, 'audio')
    got = clips.packets(written.path, 'audio')
    self.assertEqual([p for p, _ in got[0]], [p for p, _ in old[0]])
    self.assertEqual(b''.join(p for p, _ in got[1]),
                     b''.join(p for p, _ in clips.packets(new, 'audio')[0]))
    self.assertEqual(contents(written.path)[2][2][1:3], ('fra', 'Commentaire'))
    self.assertEqual(probe.probe(written.path).audio[1].codec, codec)

  def test_starts_when_the_old_one_did(self):
    path = self.path('late.mkv')
    with av.open(path, 'w') as output:
      video = output.add_stream('ffv1', rate=25)
      video.width, video.height, video.pix_fmt = 48, 32, 'yuv420p'
      sound = clips._add_sound(output, 'pcm_s16le')
      for i, rgb in enumerate(clips.pictures(5)):
        frame = av.VideoFrame.from_ndarray(rgb, 'rgb24').reformat(
            format='yuv420p')
        frame.pts, frame.time_base = i, fractions.Fraction(1, 25)
        output.mux(video.encode(frame))
      output.mux(video.encode(None))
      frame = av.AudioFrame.from_ndarray(
          np.zeros((1, 4410), np.int16), 's16', 'mono')
      frame.sample_rate, frame.pts = 44100, 5292  # 0.12 s.
      frame.time_base = fractions.Fraction(1, 44100)
      output.mux(sound.encode(frame))
      output.mux(sound.encode(None))
    new = self._sound('new.wav', 'pcm_s16le')
    for suffix in ('mkv', 'mov'):
      written = copy(path, self.path(f'out.{suffix}'), sound={0: new})
      stamps = [t for _, t in clips.packets(written.path, 'audio')[0]]
      self.assertAlmostEqual(stamps[0], 0.12, delta=1e-3)

  @parameterized.parameters('mkv', 'mp4', 'mov')
  def test_aac_of_a_transport_stream(self, suffix):
    # There each packet has a header of 7 bytes, for which files have no place.
    path = clips.write(self.path('in.ts'), clips.pictures(5), sounds=['aac'])
    copy(path, self.path(f'out.{suffix}'))
    a, b = (clips.packets(p, 'audio')[0]
            for p in (path, self.path(f'out.{suffix}')))
    self.assertEqual([p[7:] for p, _ in a], [p for p, _ in b])

  def test_pcm(self):
    info = probe.probe(clips.write(
        self.path('in.mkv'), clips.pictures(3), sounds=['aac', 'pcm_s24le']))
    writer.check_output(self.path('out.mov'), info)
    copy(info.path, self.path('out.mov'))
    for a, b in zip(*(clips.packets(self.path(n), 'audio') for n in (
        'in.mkv', 'out.mov')), strict=True):
      self.assertEqual(b''.join(p for p, _ in a), b''.join(p for p, _ in b))
    with self.assertRaisesRegex(types.BadInput, r'pcm_s24le.*MP4.*\.mkv'):
      writer.check_output(self.path('out.mp4'), info)

  def test_refusals(self):
    info = probe.probe(films.everything(self.path('in.mkv')))
    wave = self._sound('new.wav', 'pcm_s16le')
    silent = clips.write(self.path('silent.mp4'), clips.pictures(2))
    for sound, name, pattern in (
        ({0: wave}, 'out.mp4', r'pcm_s16le sound.*MP4.*\.mkv'),
        ({2: wave}, 'out.mkv', 'no sound track 2.*has 2'),
        ({0: silent}, 'out.mkv', 'silent.mp4: the file holds no sound'),
        ({0: self.path('none')}, 'out.mkv', 'none')):
      with self.assertRaisesRegex(types.BadInput, pattern):
        writer.check_output(self.path(name), info, sound=sound)
    vorbis = probe.probe(clips.write(
        self.path('in.webm.mkv'), clips.pictures(2), sounds=['flac']))
    with self.assertRaisesRegex(types.BadInput, r'flac.*MOV.*\.mkv'):
      writer.check_output(self.path('out.mov'), vorbis)

  def test_carries(self):
    path = films.everything(self.path('in.mkv'))
    with av.open(path) as film:
      text = film.streams.subtitles[0]
      self.assertTrue(tracks.carries('.mkv', text))
      self.assertFalse(tracks.carries('.mp4', text))


if __name__ == '__main__':
  absltest.main()
