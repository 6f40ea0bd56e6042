"""One output file: coded frames, and the source's other tracks unchanged."""

import array
from collections.abc import Callable, Iterable, Mapping, Sequence
import contextlib
import dataclasses
from typing import Any

import av
import numpy as np

from revive_jax import files
from revive_jax.video import encoders, fields, formats, matroska, probe
from revive_jax.video import extras as extras_lib
from revive_jax.video import tracks as tracks_lib

encoder_options = encoders.options

_INTRA = ('ffv1', 'prores')
INTERLACED = ('ffv1', 'prores', 'h264')  # Codecs that can say so.
# What MP4 and QuickTime have a place of their own for; other keys go into a
# list that fewer players read.
_MP4_KEYS = {
    'title', 'artist', 'album_artist', 'composer', 'album', 'date', 'comment',
    'genre', 'copyright', 'grouping', 'lyrics', 'description', 'synopsis',
    'show', 'episode_id', 'network', 'keywords', 'location', 'creation_time',
    'track', 'disc', 'compilation', 'media_type', 'hd_video', 'rating'}


def _container_options(suffix, target, info, extras) -> dict[str, str]:
  options = {'avoid_negative_ts': 'disabled'}
  if target.codec in _INTRA:
    # Large packets wait here for sparse tracks: a second of them, not ten.
    options['max_interleave_delta'] = '1000000'
  if suffix in ('.mp4', '.mov'):
    # Exact to a tick of the pictures, where the first is not at zero.
    options['movie_timescale'] = str(
        min(max(1000, info.time_base.denominator), 2**31 - 1))
    if {k.lower() for k in extras.metadata if '-' not in k} - _MP4_KEYS:
      options['movflags'] = 'use_metadata_tags'
  elif suffix == '.mkv':
    options['default_mode'] = 'passthrough'
  return options


def colours(
    info: probe.VideoInfo, target: Any, extras: extras_lib.Extras
) -> tuple[int, int, int]:
  """Matrix, range and chroma siting that a film is tagged with.

  FFmpeg's numbers. info: of the source; target: a target.Target; extras: what
  the source holds besides.
  """
  layout, tags = target.layout, (0, 2)
  if layout.kind == 'yuv':
    # The source's word, also where no formula of ours stands behind it.
    matrix = info.colorspace if info.layout.kind == 'yuv' else layout.matrix
    tags = matrix, 2 if layout.full else 1
  elif layout.kind == 'grey':
    tags = info.colorspace, info.color_range
  return *tags, layout.siting or (extras.siting if layout.sub_x > 1 else 0)


class VideoFile:
  """Encodes frames and copies the other tracks beside them. Use as a context.

  Args:
    path: of the new file.
    target: what to write.
    info: of the source.
    crf: quality, for the codecs that have it.
    preset: speed, as x264 calls it.
    warn: called with a sentence for each thing that cannot be kept.
    extras: what the source holds beside its pictures; None: it is read.
    sound: files whose sound takes the place of a track, by number.
    template: a file whose coded frames are joined, instead of an encoder.
    beside: each makes tracks of its own in the output, and gives what hands out
      their packets (until and close, as tracks.Tracks has).
  """

  def __init__(self, path, target, info: probe.VideoInfo, *, crf=16,
               preset='veryfast', warn, extras=None,
               sound: Mapping[int, str] | None = None, template=None,
               beside: Sequence[Callable[[Any], Any]] = ()):
    self._target, self._path, self._info = target, path, info
    self._time_base = info.time_base
    self._step = max(1, round(1 / (info.frame_rate * info.time_base)))
    copying = info.kind == 'video' and bool(info.path)
    if extras is None:
      extras = extras_lib.read(info.path) if copying else extras_lib.Extras()
    self._extras = extras
    suffix = files.suffix(path)
    self._title = extras.picture.get('title', '')
    *self._tags, self._siting = colours(info, target, extras)
    self._completes = suffix == '.mkv' and (
        info.sample_aspect_ratio != 1 or bool(extras.static)
        or bool(template and self._siting))
    options = _container_options(suffix, target, info, extras)
    if self._completes:
      options['write_crc32'] = '0'  # It would not fit the edited header.
    self._file = files.media(path, 'w')
    self._output = av.open(self._file, 'w', container_options=options)
    self._tracks = None
    self._started = False  # Whether the encoder has given packets yet.
    self._stream = (self._joined_stream(template) if template else
                    self._coded_stream(crf, preset))
    self._set_tags()
    self._label(suffix, warn)
    if copying:
      self._tracks = tracks_lib.Tracks(
          info.path, self._output, suffix, sound, warn,
          covers=suffix == '.mp4' and 'movflags' not in options,
          rules=extras)
      self._output.set_chapters(list(extras.chapters))
    self._beside = [make(self._output) for make in beside]

  def _coded_stream(self, crf, preset):
    target, info = self._target, self._info
    stream = self._output.add_stream(
        target.encoder, rate=info.frame_rate, options=encoders.options(
            target.codec, info, crf=crf, preset=preset, layout=target.layout,
            siting=self._siting, static=self._extras.static))
    context = stream.codec_context
    stream.width, stream.height = info.width, info.height
    stream.pix_fmt = target.pix_fmt
    stream.time_base = context.time_base = info.time_base
    self._set_fields(context)
    context.thread_type = 'SLICE' if target.codec == 'ffv1' else 'AUTO'
    return stream

  def _set_fields(self, context):
    """Says that the frames are interlaced, where the codec can."""
    self._marked = None
    if self._info.field_order and self._target.codec in INTERLACED:
      context.field_order = self._info.field_order
      if self._target.codec != 'ffv1':
        context.flags |= av.codec.context.Flags.interlaced_dct
      self._marked = fields.marker(top_first=self._info.field_order == 2)

  def _joined_stream(self, template):
    with probe.open_video(template) as container:
      stream = self._output.add_stream_from_template(
          container.streams.video[0], opaque=True)
    stream.time_base = self._info.time_base
    stream.codec_context.framerate = self._info.frame_rate
    return stream

  def _set_tags(self):
    """Gives the stream the colours, shape and rotation of the source."""
    info = self._info
    context = self._stream.codec_context
    context.sample_aspect_ratio = info.sample_aspect_ratio
    context.color_primaries = info.color_primaries
    context.color_trc = info.color_trc
    context.colorspace, context.color_range = self._tags
    if self._target.codec == 'h265' and files.suffix(self._path) in (
        '.mp4', '.mov'):
      context.codec_tag = 'hvc1'  # The one that Apple's players know.
    if info.rotation:
      self._stream.set_display_rotation(info.rotation)

  def _label(self, suffix, warn):
    """Names the film and the video track as the source did."""
    extras = self._extras
    self._output.metadata.update(extras.metadata)
    tracks_lib.set_labels(
        self._stream, extras.picture, extras.disposition, suffix)
    if self._completes:
      self._stream.metadata['title'] = matroska.placeholder(self._title)
    if extras.timecode:
      if suffix == '.mkv' or extras_lib.fits_rate(
          extras.timecode, self._info.frame_rate):
        self._stream.metadata['timecode'] = extras.timecode
      else:
        warn(f'The time code {extras.timecode} does not fit '
             f'{float(self._info.frame_rate):g} frames a second, and is left '
             'out.')

  @property
  def sound_tracks(self) -> int:
    """How many sound tracks are copied."""
    return self._tracks.num_sound if self._tracks else 0

  def write(self, planes, pts: int) -> None:
    """Encodes a frame; planes in the target's layout, pts in time_base."""
    frame = formats.make_frame(planes, self._target.layout,
                               self._target.pix_fmt)
    frame.pts, frame.time_base = pts, self._time_base
    frame.duration = self._step
    frame.colorspace, frame.color_range = self._tags
    frame.color_trc = self._info.color_trc
    frame.color_primaries = self._info.color_primaries
    if self._marked is not None:
      frame = self._marked(frame)
    packets = self._stream.encode(frame)
    self._started |= bool(packets)
    self._mux(packets)
    self._copy_tracks(float(pts * self._time_base))

  def join(self, packets: Iterable[av.Packet]) -> None:
    """Copies the coded frames of the template's kind; in info.time_base."""
    for packet in packets:
      packet.stream = self._stream
      self._output.mux(packet)
      self._copy_tracks(float(packet.dts * packet.time_base))

  def _mux(self, packets):
    for packet in packets:
      self._output.mux(packet)

  def _copy_tracks(self, seconds):
    for others in (self._tracks, *self._beside):
      if others:
        self._mux(others.until(seconds))

  def finish(self) -> None:
    """Writes what is still in the encoder, the rest of the sound, the end."""
    if self._stream.codec_context.is_open:
      packets = self._stream.encode(None)
      if self._target.codec == 'h265' and not self._started:
        _set_times_of_decoding(packets, self._step)
      self._mux(packets)
    self._copy_tracks(float('inf'))
    self._output.close()
    files.close(self._file)
    if self._completes:
      info = self._info
      matroska.complete(
          self._path, info.width, info.height, info.sample_aspect_ratio,
          static=self._extras.static, siting=self._siting, title=self._title)

  def __enter__(self):
    return self

  def __exit__(self, kind, *unused):
    if kind:
      with contextlib.suppress(Exception):  # The first error is the one to see.
        self._output.close()
        files.close(self._file)
    for others in (self._tracks, *self._beside):
      if others:
        others.close()


def _set_times_of_decoding(packets, step: int) -> None:
  """Gives all packets of a film anew the times when they are to be decoded.

  x265 leaves them at random for films of fewer frames than it looks ahead.
  """
  shown = sorted(p.pts for p in packets)
  place = {stamp: i for i, stamp in enumerate(shown)}
  depth = max(
      (i - place[p.pts] for i, p in enumerate(packets)), default=0)
  early = [shown[0] - step * n for n in range(depth, 0, -1)]
  for packet, stamp in zip(packets, early + shown, strict=False):
    packet.dts = stamp


def written_timestamps(path) -> tuple[Sequence[int], object]:
  """Returns the sorted timestamps of the pictures in a file, and their unit."""
  with probe.open_video(path) as container:
    stream = container.streams.video[0]
    stamps = np.sort(np.fromiter(
        (p.pts for p in container.demux(stream) if p.size), np.int64))
    # A list would take five times as much, which counts over two hours.
    return array.array('q', stamps.tobytes()), stream.time_base


def lost(path, info: probe.VideoInfo, target,
         extras: extras_lib.Extras) -> list[str]:
  """Returns sentences on what of the source is not in the file at path."""
  if target.codec == 'prores' or target.layout.sub_x == 1:
    # ProRes has one place for chroma, and 4:4:4 none to choose.
    extras = dataclasses.replace(extras, siting=0)
  words = extras_lib.missing(extras, extras_lib.read(path))
  words += tracks_lib.changed_labels(info.path, path)
  sentences = []
  if words:
    sentences.append(f'Not kept in the output: {"; ".join(words)}.')
  if extras.frame_data:
    sentences.append('Left out, since an encoder cannot be given it: '
                     f'{"; ".join(extras.frame_data)}.')
  return sentences
