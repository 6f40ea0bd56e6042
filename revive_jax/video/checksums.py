"""A checksum of every frame beside a film, so that an archive can prove it.

FFmpeg's framemd5 format, version 2: one line a frame with its timestamp and
the MD5 of its decoded samples, one line a packet of sound with that of its
bytes.
FFmpeg gives the same lines for the file:

  ffmpeg -i film.mkv -map 0:v:0 -map 0:a? -c:a copy -f framemd5 -
"""

import fractions
import os
import pathlib

import av

from revive_jax import files
from revive_jax.video import atomic, images, probe

SUFFIX = '.framemd5'


def _write_film(source: pathlib.Path, output) -> None:
  with probe.open_video(source) as film:
    stream = probe.video_stream(film, source)
    sounds = [s for s in film.streams.audio if s.codec_context is not None]
    stream.thread_type = 'AUTO'
    made = _add_pictures(output, stream.codec_context, stream.average_rate,
                         stream.time_base, stream.sample_aspect_ratio)
    copies = {s.index: output.add_stream_from_template(s, opaque=True)
              for s in sounds}
    for packet in film.demux(stream, *sounds):
      if packet.stream_index in copies:
        if packet.size:
          packet.stream = copies[packet.stream_index]
          output.mux(packet)
        continue
      for frame in packet.decode():
        output.mux(made.encode(frame))
    output.mux(made.encode(None))


def _add_pictures(output, context, rate, time_base, shape):
  stream = output.add_stream('rawvideo', rate=rate)
  stream.width, stream.height = context.width, context.height
  stream.pix_fmt = context.pix_fmt
  stream.time_base = stream.codec_context.time_base = time_base
  if shape:
    stream.codec_context.sample_aspect_ratio = shape
  return stream


def _write_pictures(paths, rate, output) -> None:
  made = None
  for index, path in enumerate(paths):
    with av.open(files.media(path)) as container:
      frame = next(container.decode(video=0))
      if made is None:
        made = _add_pictures(
            output, container.streams.video[0].codec_context, rate, 1 / rate,
            None)
    frame.pts, frame.time_base, frame.duration = index, 1 / rate, 1
    output.mux(made.encode(frame))
  output.mux(made.encode(None))


def write(path: str | os.PathLike, frame_rate: fractions.Fraction) -> str:
  """Writes path.framemd5 for a film, a picture or a folder; returns its name.

  frame_rate: of pictures. The file is read again from the disk and decoded.
  Raises BadInput if it cannot be written.
  """
  source = files.path(path)
  place = files.beside(source, SUFFIX)
  with atomic.replacing(place) as part:
    file = files.media(part, 'w')
    with av.open(
        file, 'w', format='framemd5',
        container_options={'max_interleave_delta': '200000'}) as output:
      if source.is_dir() or images.is_picture(source):
        _write_pictures(images.list_pictures(source) if source.is_dir() else
                        [source], frame_rate, output)
      else:
        _write_film(source, output)
    files.close(file)
  return str(place)
