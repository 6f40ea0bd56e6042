"""The other tracks of a film, passed on packet for packet beside the pictures.

Sound, subtitles, attachments and cover pictures. What a container cannot carry
is named in a warning.
"""

from collections.abc import Iterator, Mapping
import heapq
import io
import os

import av
from av.stream import Disposition

from revive_jax import types
from revive_jax.video import covers as covers_lib
from revive_jax.video import extras, probe, sandbox, telemetry

_FORMATS = {'.mkv': 'matroska', '.mp4': 'mp4', '.mov': 'mov'}
# QuickTime's list of languages has these under the older of two codes.
_MOV_LANGUAGES = {'deu': 'ger', 'nld': 'dut', 'ell': 'gre', 'isl': 'ice',
                  'zho': 'chi', 'sqi': 'alb', 'hye': 'arm', 'kat': 'geo',
                  'swe': 'sve', 'cze': 'ces', 'slo': 'slk', 'rum': 'ron',
                  'fre': 'fra', 'mac': 'mkd'}
_FONTS = ('.ttf', '.otf', '.ttc', '.woff', '.woff2', '.pfb')
_CANNOT = 'Left out, since {suffix} cannot hold them: {lost}.'
_HIDDEN = 'Left out, since faces are hidden and these may show them: {lost}.'
_PRIVATE = (
    'Left out, since they may name a place, a person or a device: {lost}; set '
    '--config.keep_private_metadata=True to keep them.')


def carries(suffix: str, stream: av.stream.Stream) -> bool:
  """Returns whether a container can hold a track as it is, by trying."""
  try:
    with av.open(io.BytesIO(), 'w', format=_FORMATS[suffix]) as output:
      output.add_stream_from_template(stream, opaque=True)
      output.start_encoding()
  except (av.FFmpegError, ValueError):
    return False
  return True


def sound_codec(path: str | None) -> str | None:
  """Returns the codec of the first sound track of a file; None for no file."""
  if path is None:
    return None
  with probe.open_video(path) as container:
    return _first_sound(container, path).codec_context.codec.canonical_name


def _first_sound(container, path) -> av.AudioStream:
  for stream in container.streams.audio:
    if stream.codec_context is not None:
      return stream
  raise types.BadInput(f'{path}: the file holds no sound to put in.')


def unwritable_sound(path: str, suffix: str) -> str | None:
  """Returns the codec of a sound track the container cannot hold, or None."""
  if not path or not os.path.isfile(path):
    return None
  if sandbox.covers(path):
    return sandbox.call(unwritable_sound, path, path, suffix)
  with probe.open_video(path) as container:
    for stream in container.streams.audio:
      if stream.codec_context is not None and not carries(suffix, stream):
        return stream.codec_context.codec.canonical_name
  return None


def describe(stream: av.stream.Stream) -> str:
  """Returns what a track is, for a warning: kind, number, codec, label."""
  kind = 'cover picture' if _is_cover(stream) else {
      'subtitle': 'subtitles', 'audio': 'sound'}.get(stream.type, stream.type)
  context = stream.codec_context
  codec = context.name if context else getattr(stream, 'name', None)
  label = extras.labels(stream.metadata)
  about = [str(x) for x in (codec, label.get('language'), label.get('title'))
           if x]
  return f'{kind} {stream.index}' + (f' ({", ".join(about)})' if about else '')


def _is_cover(stream) -> bool:
  return bool(stream.disposition & Disposition.attached_pic)


def _is_font(stream) -> bool:
  name = stream.metadata.get('filename', '')
  return stream.type == 'attachment' and (
      'font' in stream.metadata.get('mimetype', '')
      or os.path.splitext(name)[1].lower() in _FONTS)


def _is_rebuilt(stream, container) -> bool:
  """Returns whether a data track is written anew: time code, chapters."""
  if stream.type != 'data':
    return False
  if any(k.lower() == 'timecode' for k in stream.metadata):
    return True
  return stream.name == 'bin_data' and 'mov' in container.format.name and (
      stream.frames == len(container.chapters()) > 0)


def set_labels(stream, metadata: Mapping[str, str], disposition, suffix,
               left_out=lambda key, value: False):
  """Gives a track of the output the names and marks of one of the source."""
  metadata = {k: v for k, v in extras.labels(metadata).items()
              if not left_out(k, v)}
  language = metadata.get('language')
  if suffix == '.mov' and language in _MOV_LANGUAGES:
    metadata['language'] = _MOV_LANGUAGES[language]
  stream.metadata.update(metadata)
  stream.disposition = int(disposition)


def _shifted(packets, start, template) -> Iterator[av.Packet]:
  """Moves packets so that the first sample is heard at start, in seconds."""
  offset = None
  for packet in packets:
    if offset is None:
      own = (template.start_time or 0) * template.time_base
      offset = round((start - own) / packet.time_base)
    if packet.pts is not None:
      packet.pts += offset
    if packet.dts is not None:
      packet.dts += offset
    yield packet


class Tracks:
  """The packets of the other tracks, in order, handed out up to a time."""

  def __init__(self, path, output, suffix, sound: Mapping[int, str] | None,
               warn, *, covers=False, rules: extras.Extras | None = None):
    # covers: whether cover pictures can be tracks; in MKV they are attached.
    # rules: what of the source must stay behind.
    self._covers, self._rules = covers, rules or extras.Extras()
    self._left_out = self._rules.left_out
    self._telemetry = telemetry.tracks(path) if self._rules.strips else ()
    self._pictures = {}  # Covers without what is private, by index.
    self._path, self._files = path, [probe.open_video(path, copies=True)]
    self._output, self._suffix, self._warn = output, suffix, warn
    self._streams = {}  # Of the output, by (file, index).
    self.num_sound = 0
    self._starts = {}  # Of the sound that is put in, seconds, by file.
    self._add_all(path, dict(sound or {}))
    self._packets = heapq.merge(
        *(self._read(i) for i in range(len(self._files))), key=lambda p: p[0])
    self._next = None

  def _add_all(self, path, sound):
    """Makes a track of the output for each that can be copied."""
    source, lost = self._files[0], {}
    pictures = probe.video_stream(source, path)
    number = -1
    for stream in source.streams:
      number += stream.type == 'audio'
      if stream.index == pictures.index or _is_rebuilt(stream, source):
        continue
      if stream.type == 'audio' and number in sound:
        self._replace(stream, sound[number])
      elif why := self._why_not(stream) or (
          '' if self._add(stream) else _CANNOT):
        lost.setdefault(why, []).append(describe(stream))
    for why, names in lost.items():
      self._warn(why.format(suffix=self._suffix, lost='; '.join(names)))
    for file, container in enumerate(self._files):
      for stream in container.streams:
        if (file, stream.index) not in self._streams:
          stream.discard = av.stream.Discard.all

  def _why_not(self, stream) -> str:
    """The sentence of a track that must not go along; '': it may."""
    is_cover = _is_cover(stream)
    if self._rules.hides_pictures and (
        is_cover or stream.type == 'attachment' and not _is_font(stream)):
      return _HIDDEN
    if not self._rules.strips:
      return ''
    if stream.index in self._telemetry:
      return _PRIVATE
    if not is_cover and (stream.type != 'attachment' or _is_font(stream)):
      return ''
    data = stream.data if not is_cover else _cover(self._path, stream.index)
    if is_cover or covers_lib.is_picture(data or b''):
      self._pictures[stream.index] = covers_lib.stripped(data)
      return '' if self._pictures[stream.index] else _PRIVATE
    return _PRIVATE if telemetry.names_place(data or b'') else ''

  def _add(self, stream) -> bool:
    """Returns whether the track could be added."""
    if stream.type == 'attachment' or _is_cover(stream):
      return self._attach(stream)
    if stream.type not in ('audio', 'subtitle') or (
        stream.codec_context is None or not carries(self._suffix, stream)):
      return False
    made = self._output.add_stream_from_template(stream, opaque=True)
    set_labels(made, stream.metadata, stream.disposition, self._suffix,
               self._left_out)
    self._streams[0, stream.index] = made
    self.num_sound += stream.type == 'audio'
    return True

  def _attach(self, stream) -> bool:
    if self._suffix == '.mkv':
      name = stream.metadata.get('filename') or 'cover.' + (
          'png' if stream.codec_context.name == 'png' else 'jpg')
      kind = stream.metadata.get('mimetype') or (
          'image/png' if name.endswith('png') else 'image/jpeg')
      data = self._pictures.get(stream.index) or (
          stream.data if stream.type == 'attachment' else _cover(
              self._path, stream.index))
      if data:
        made = self._output.add_attachment(name, kind, data)
        made.metadata.update(filename=name, mimetype=kind)
      return bool(data)
    if stream.type == 'attachment' or not self._covers or (
        stream.codec_context.name not in ('mjpeg', 'png', 'bmp')):
      return False
    made = self._output.add_stream_from_template(stream, opaque=True)
    made.disposition = int(Disposition.attached_pic)
    self._streams[0, stream.index] = made
    return True

  def _replace(self, stream, path):
    """Puts the first sound track of a file in the place of one."""
    container = probe.open_video(path)
    self._files.append(container)
    template = _first_sound(container, path)
    if not carries(self._suffix, template):
      raise types.BadInput(
          f'{path}: this sound cannot be copied into {self._suffix[1:].upper()}'
          ' unchanged; write .mkv instead.')
    made = self._output.add_stream_from_template(template, opaque=True)
    set_labels(made, stream.metadata, stream.disposition, self._suffix,
               self._left_out)
    file = len(self._files) - 1
    self._streams[file, template.index] = made
    self._starts[file] = (stream.start_time or 0) * stream.time_base
    self.num_sound += 1

  def _read(self, file):
    """Yields (seconds, packet, track) of a file's copied tracks."""
    container = self._files[file]
    wanted = [container.streams[i] for f, i in self._streams if f == file]
    if not wanted:
      return
    packets = (p for p in container.demux(wanted) if p.size)
    if file:
      packets = _shifted(packets, self._starts[file], wanted[0])
    seconds = float('-inf')
    try:
      for packet in packets:
        index = packet.stream_index
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is not None:
          seconds = float(stamp * packet.time_base)
        if not file and index in self._pictures:
          packet = _with_data(packet, self._pictures[index])
        yield seconds, packet, self._streams[file, index]
    except av.FFmpegError as e:
      self._warn(f'The sound ends early in the source ({e.strerror}).')

  def until(self, seconds: float) -> Iterator[av.Packet]:
    """Yields the packets not handed out yet that start before seconds."""
    while True:
      if self._next is None:
        self._next = next(self._packets, None)
      if self._next is None or self._next[0] > seconds:
        return
      _, packet, stream = self._next
      self._next = None
      packet.stream = stream
      yield packet

  def close(self):
    """Closes the files."""
    for container in self._files:
      container.close()


def _with_data(packet: av.Packet, data: bytes) -> av.Packet:
  """A packet with the times of another."""
  made = av.Packet(data)
  made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
  made.time_base, made.is_keyframe = packet.time_base, True
  return made


def _cover(path: str, index: int) -> bytes:
  """Returns the file that a cover picture is."""
  with probe.open_video(path, copies=True) as container:
    for packet in container.demux(container.streams[index]):
      return bytes(packet)
  return b''


def _label(stream) -> dict[str, str]:
  found = extras.labels(stream.metadata)
  language = found.get('language', '')
  return {'language': _MOV_LANGUAGES.get(language, language),
          'title': found.get('title', '')}


def _labels(path: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
  """What each track of sound and subtitles is, and its label, by kind."""
  if sandbox.covers(path):
    return sandbox.call(_labels, path, path)
  with probe.open_video(path) as container:
    return {kind: [(describe(s), _label(s))
                   for s in getattr(container.streams, kind)]
            for kind in ('audio', 'subtitles')}


def changed_labels(before: str, after: str) -> list[str]:
  """Returns, in words, which names of tracks are not what they were."""
  old, new, words = _labels(before), _labels(after), []
  for kind in old:
    if len(old[kind]) == len(new[kind]):
      for (what, was), (_, now) in zip(old[kind], new[kind], strict=True):
        words += [f'the {key} "{value}" of {what}'
                  for key, value in was.items() if value and now[key] != value]
  return words
