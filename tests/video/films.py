"""Tiny films that hold more than pictures and sound."""

import fractions

import av
import cv2
import numpy as np

from tests.video import clips

TIMECODE = '01:02:03:04'
FONT = b'not a font, but bytes'
CHAPTERS = ((0, 100, 'one'), (100, 200, 'two'))  # Milliseconds.
LABELS = dict(title='A film', artist='Somebody', comment='of long ago',
              creation_time='1999-01-02T03:04:05.000000Z')
HDR = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
HDR_PARAMETERS = ('master-display=G(13250,34500)B(7500,3000)R(34000,16000)'
                  'WP(15635,16450)L(10000000,50):max-cll=1000,400')


def cover() -> bytes:
  """Returns a small JPEG."""
  return cv2.imencode('.jpg', np.full((8, 8, 3), 90, np.uint8))[1].tobytes()


def _subtitle(output, stream, suffix, text):
  length = b'' if suffix == 'mkv' else len(text).to_bytes(2, 'big')
  packet = av.Packet(length + text)
  packet.pts = packet.dts = 40
  packet.duration, packet.time_base = 80, fractions.Fraction(1, 1000)
  packet.stream = stream
  output.mux(packet)


def everything(path, *, labels=LABELS, attachments=True, timecode=TIMECODE,
               picture=None, text=b'Hello'):
  """Writes five frames with all that a container of its suffix can carry.

  Two sound tracks, subtitles, chapters, names, a time code; in .mkv a font
  and a cover picture (picture: its bytes).
  """
  suffix = path.rsplit('.', 1)[1]
  with av.open(path, 'w', container_options=(
      {'default_mode': 'passthrough'} if suffix == 'mkv' else {})) as output:
    video = output.add_stream('libx264', rate=25)
    video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
    video.metadata.update(title='Pictures', timecode=timecode)
    sounds = [clips._add_sound(output, 'aac') for _ in range(2)]
    for sound, language, title, mark in zip(
        sounds, ('deu', 'fra'), ('Ton', 'Commentaire'), (1, 8), strict=True):
      sound.metadata.update(language=language, title=title)
      sound.disposition = mark  # 1: the default; 8: a comment.
    titles = output.add_mux_stream('subrip' if suffix == 'mkv' else 'mov_text')
    titles.metadata.update(language='eng', title='Titles')
    if suffix == 'mkv' and attachments:
      output.add_attachment('type.ttf', 'application/x-truetype-font', FONT)
      output.add_attachment('cover.jpg', 'image/jpeg', picture or cover())
    output.metadata.update(labels)
    output.set_chapters([
        dict(id=i + 1, start=a, end=b, metadata={'title': title},
             time_base=fractions.Fraction(1, 1000))
        for i, (a, b, title) in enumerate(CHAPTERS)])
    for i, rgb in enumerate(clips.pictures(5, 48, 64)):
      frame = av.VideoFrame.from_ndarray(rgb, 'rgb24').reformat(
          format='yuv420p')
      frame.pts, frame.time_base = i, fractions.Fraction(1, 25)
      output.mux(video.encode(frame))
    output.mux(video.encode(None))
    _subtitle(output, titles, suffix, text)
    for i, sound in enumerate(sounds):
      clips._encode_sound(output, sound, 0.2 + 0.05 * i)
  return path


def hdr(path, *, transfer=16, mastered=True, count=2):
  """Writes a 10-bit PQ (16) or HLG (18) film; mastered: with its data."""
  extra = 'log-level=none:bframes=0' + (
      f':{HDR_PARAMETERS}' if mastered else '')
  return clips.write(
      path, clips.pictures(count, 64, 64), codec='libx265',
      pix_fmt='yuv420p10le', options={'x265-params': extra,
                                      'preset': 'ultrafast'},
      tags=dict(colorspace=9, color_primaries=9, color_trc=transfer,
                color_range=1))
