"""The original in the restored film, so that it can be had back.

In an MKV the source's coded pictures travel as one more track, packet for
packet, and its sound where that was repaired. MKV counts in milliseconds, so
the exact timestamps lie in an attachment. What no MKV holds: duplicate.py.
"""

import collections
from collections.abc import Callable, Collection, Iterator
import fractions
import gzip
import hashlib
import json
import os
from typing import Any

import av

from revive_jax import files, types
from revive_jax.video import atomic, digests, formats, probe, sandbox
from revive_jax.video import tracks as tracks_lib

_NAME = 'original.json.gz'
_TAG = 'ORIGINAL'  # Of a track: the number of the sound, or 'pictures'.
_PICTURES = 'pictures'
_TITLE = 'Original'
_FORMAT = 1
_STAMPS = ('pts', 'dts', 'duration')
# Where packets are as MKV has them. Those of others may be packed anew on the
# way (start codes, lengths), so what they decode to is compared.
_KEEP_PACKETS = {'mov', 'matroska', 'nut'}


def travels(path: str | os.PathLike, kind: str) -> bool:
  """Whether a film's coded pictures can be a track of a kind of file (.mkv)."""
  if kind != '.mkv':
    return False
  with probe.open_video(path, copies=True) as source:
    return tracks_lib.carries('.mkv', probe.video_stream(source, path))


def tracks(
    path: str | os.PathLike, replaced: Collection[int] = ()
) -> Callable[[Any], 'Tracks']:
  """What makes the tracks of the original, for mux.VideoFile.

  Args:
    path: of the source.
    replaced: sound tracks, by number, that the film does not hold as they were.
  """
  return lambda output: Tracks(output, path, replaced)


class Tracks:
  """The source's packets, handed out up to a time; see mux.VideoFile."""

  def __init__(self, output, path, replaced: Collection[int]):
    table = _table(path)
    output.add_attachment(
        _NAME, 'application/gzip', gzip.compress(json.dumps(table).encode()))
    self._source = probe.open_video(path, copies=True)
    self._streams = {}
    for name, stream in _streams(self._source, path).items():
      if name != _PICTURES and int(name) not in replaced:
        continue
      made = output.add_stream_from_template(stream, opaque=True)
      made.metadata.update({'title': _TITLE, _TAG: name})
      made.disposition = 0  # Players must not take it for the film.
      self._streams[stream.index] = made
    self._packets = self._read()
    self._next = None

  def _read(self) -> Iterator[tuple[float, av.Packet]]:
    """(seconds, packet), with times that a muxer takes: order is all it needs.
    """
    last = {}
    wanted = [self._source.streams[i] for i in self._streams]
    for packet in self._source.demux(wanted):
      if not packet.size:
        continue
      index = packet.stream_index
      stamps = [x for x in (packet.dts, packet.pts) if x is not None]
      first = max(last.get(index, 0), stamps[0] if stamps else 0)
      packet.dts, last[index] = first, first + (
          0 if stamps else packet.duration or 1)
      packet.pts = max(first, first if packet.pts is None else packet.pts)
      packet.stream = self._streams[index]
      yield float(first * packet.time_base), packet

  def until(self, seconds: float) -> Iterator[av.Packet]:
    """Yields the packets not handed out yet that start before seconds."""
    while True:
      if self._next is None:
        self._next = next(self._packets, None)
      if self._next is None or self._next[0] > seconds:
        return
      packet, self._next = self._next[1], None
      yield packet

  def close(self):
    """Closes the source."""
    self._packets.close()
    self._source.close()


def _streams(container, path) -> dict[str, Any]:
  """The streams that can be given back: 'pictures', and sound by number."""
  found = {_PICTURES: probe.video_stream(container, path)}
  for number, stream in enumerate(container.streams.audio):
    if stream.codec_context is not None:
      found[str(number)] = stream
  return found


def _table(path) -> dict[str, Any]:
  """Timestamps, durations and checksums of all packets of a film."""
  with probe.open_video(path, copies=True) as source:
    streams = _streams(source, path)
    found = {name: _columns(s.time_base) for name, s in streams.items()}
    names = {s.index: name for name, s in streams.items()}
    sums = {name: hashlib.sha256() for name in found}
    for packet in source.demux(*streams.values()):
      if packet.size:
        name = names[packet.stream_index]
        _add(found[name], sums[name], packet)
    for name, digest in sums.items():
      found[name]['sha256'] = digest.hexdigest()
    if not set(source.format.name.split(',')) & _KEEP_PACKETS:
      found[_PICTURES]['frames_sha256'] = _frames_digest(path)
      for name in streams.keys() - {_PICTURES}:
        found[name]['samples_sha256'] = digests.samples(
            path, streams[name].index)
  return {'format': _FORMAT, 'suffix': files.suffix(path),
          'streams': found}


def _columns(time_base) -> dict[str, Any]:
  return {'time_base': str(time_base), **{name: [] for name in _STAMPS}}


def _add(columns, digest, packet) -> None:
  for name in _STAMPS:
    columns[name].append(getattr(packet, name))
  digests.add(digest, packet)


def _kept(container, path) -> tuple[dict[str, Any], dict[str, Any]]:
  """The table, and the streams of a restored film by their names in it."""
  tables = [s.data for s in container.streams
            if s.type == 'attachment' and s.metadata.get('filename') == _NAME]
  marked = {s.metadata[_TAG]: s for s in container.streams
            if _TAG in s.metadata}
  if not tables or _PICTURES not in marked:
    raise types.BadInput(
        f'{path}: the timestamps of the original are not in it any more; take '
        'another copy of the file.')
  try:
    table = json.loads(gzip.decompress(tables[-1]))
  except (OSError, EOFError, ValueError) as error:
    raise types.BadInput(
        f'{path}: the timestamps of the original are damaged; take another '
        'copy of the file.') from error
  numbers = [n for n in table['streams'] if n != _PICTURES]
  sounds = [s for s in container.streams.audio if _TAG not in s.metadata]
  if len(sounds) == len(numbers):  # Else nobody knows which is which.
    marked = dict(zip(numbers, sounds, strict=True)) | marked
  return table, {n: marked[n] for n in table['streams'] if n in marked}


def holds(path: str | os.PathLike) -> bool:
  """Whether the original travels in a film."""
  path = files.path(path)
  if not path.is_file() or files.suffix(path) != '.mkv':
    return False
  with probe.open_video(path) as container:
    return any(s.metadata.get(_TAG) == _PICTURES for s in container.streams)


def pictures(container) -> Any:
  """The track of the original's pictures in an open film; None: it has none."""
  return next((s for s in container.streams
               if s.metadata.get(_TAG) == _PICTURES), None)


def write_back(
    path: str | os.PathLike, destination: str | os.PathLike
) -> list[str]:
  """Writes the original that travels in a film.

  Args:
    path: of the film.
    destination: any file that can hold what the original held.

  Returns:
    Sentences on what in it is not as it was; none, as a rule.

  Raises:
    types.BadInput: none travels there, it is damaged, or destination cannot
      hold it.
  """
  destination = files.path(destination)
  with probe.open_video(path) as film:
    table, streams = _kept(film, path)
    if damaged := _damaged_sound(table, streams, path):
      raise types.BadInput(
          f'{path}: {_called(damaged[0])} of the original in it is not what it '
          'was; the file is damaged, so take another copy of it.')
    with atomic.replacing(destination) as part:
      _write_packets(film, table, streams, part, destination)
      said = _differences(table, streams, path, part, destination)
  left = set(table['streams']) - set(streams)
  said += [f'{destination}: the sound track {n} is left out: the film does not '
           'hold it as it was.' for n in sorted(left)]
  return said


def _write_packets(film, table, streams, part, destination) -> None:
  names = {s.index: name for name, s in streams.items()}
  rows = {name: zip(*(table['streams'][name][k] for k in _STAMPS), strict=True)
          for name in streams}
  file = files.media(part, 'w')
  try:
    with av.open(file, 'w', container_options={
        'avoid_negative_ts': 'disabled'}) as output:
      made, bases, ends = {}, {}, collections.Counter()
      for name, stream in streams.items():
        made[name] = output.add_stream_from_template(stream, opaque=True)
        bases[name] = fractions.Fraction(table['streams'][name]['time_base'])
        made[name].time_base = bases[name]
      for packet in film.demux(*streams.values()):
        if not packet.size:
          continue
        name = names[packet.stream_index]
        _stamp(packet, *next(rows[name]), ends)
        packet.time_base, packet.stream = bases[name], made[name]
        output.mux(packet)
  except (av.FFmpegError, ValueError) as error:
    if isinstance(error, OSError) and error.errno in (27, 28, 122):
      raise
    raise types.BadInput(
        f'{destination}: this kind of file cannot hold the original '
        f'({getattr(error, "strerror", None) or error}); name a .mkv or .nut.'
    ) from error
  except StopIteration as error:
    raise types.BadInput(
        f'{film.name}: the original in it holds more packets than it did; the '
        'file is damaged.') from error
  finally:
    files.close(file)
  if any(next(row, None) is not None for row in rows.values()):
    raise types.BadInput(
        f'{film.name}: the original in it holds fewer packets than it did; the '
        'file is damaged, so take another copy of it.')


def _stamp(packet, pts, dts, duration, ends) -> None:
  """Gives a packet its times; even ones, where it had none."""
  if dts is None:
    dts = ends[packet.stream_index] if pts is None else None
  packet.pts, packet.dts = dts if pts is None else pts, dts
  packet.duration = duration or 0
  ends[packet.stream_index] += duration or 1


def _differences(table, streams, film, part, destination) -> list[str]:
  """What of a file that was written back is not as it was, in sentences."""
  now = _table(part)
  said = []
  for name in streams:
    was, is_ = table['streams'][name], now['streams'].get(name)
    what = _called(name)
    if is_ is None:
      said.append(f'{destination}: {what} cannot be read again.')
      continue
    if was['sha256'] != is_['sha256']:
      if name != _PICTURES:
        said.append(f'{destination}: the packets of {what} are not those of '
                    'the source.')
      elif not _is_same(was, is_, film, part):
        raise types.BadInput(
            f'{film}: the original in it is not what it was; the file is '
            'damaged, so take another copy of it.')
    error = _latest(was, is_)
    if error:
      said.append(f'{destination}: timestamps of {what} are off by up '
                  f'to {error:.2g} s; name a .nut to have them exactly.')
  return said


def _called(name: str) -> str:
  return 'the pictures' if name == _PICTURES else f'sound track {name}'


def _latest(was, is_) -> float:
  """The largest difference of two columns of timestamps, in seconds.

  0 where a container made other packets of them: no time has a counterpart.
  """
  if len(was['pts']) != len(is_['pts']):
    return 0.0
  a, b = (fractions.Fraction(x['time_base']) for x in (was, is_))
  # What had no times is shown in order, whatever times it gets.
  return float(max((abs(x * a - y * b) for x, y in zip(
      was['pts'], is_['pts'], strict=True) if None not in (x, y)), default=0))


def _is_same(was, is_, film, part) -> bool:
  """Whether frames are what they were, though packets are not."""
  if 'frames_sha256' in was:
    return was['frames_sha256'] == (
        is_.get('frames_sha256') or _frames_digest(part))
  # The kind of file is another one: what it was made of must be right.
  return was['sha256'] == _packets_digest(film) and (
      _frames_digest(film) == _frames_digest(part))


def same(film: str | os.PathLike, source: str | os.PathLike) -> bool:
  """Whether the original in a film is the source, as far as it is in there.

  Packets are compared; where a container made others of them, all frames, and
  all samples of sound.
  """
  was = _table(source)
  pictures_ = was['streams'][_PICTURES]
  with probe.open_video(film) as container:
    _, streams = _kept(container, film)
    if _damaged_sound(was, streams, film):
      return False
  return pictures_['sha256'] == _packets_digest(film) or (
      pictures_.get('frames_sha256') or _frames_digest(source)
      ) == _frames_digest(film)


def _damaged_sound(table, streams, film) -> list[str]:
  """Which sound tracks in a film are not what the table says, by name."""
  found = []
  for name, stream in streams.items():
    was = table['streams'][name]
    if name == _PICTURES or was['sha256'] == digests.packets(
        film, stream.index):
      continue
    if 'samples_sha256' not in was or (
        was['samples_sha256'] != digests.samples(film, stream.index)):
      found.append(name)
  return found


def _packets_digest(film) -> str:
  """Of the packets of the original that travels in a film."""
  with probe.open_video(film) as container:
    index = pictures(container).index
  return digests.packets(film, index)


def _frames_digest(path) -> str:
  """Of all frames of a film: of the original in it, if one travels there."""
  if sandbox.covers(path):
    return sandbox.call(_frames_digest, path, path)
  digest = hashlib.sha256()
  with probe.open_video(path) as container:
    stream = pictures(container) or probe.video_stream(container, path)
    for samples in _samples(container, stream):
      for plane in samples:
        digest.update(plane)
  return digest.hexdigest()


def _samples(container, stream) -> Iterator[tuple[bytes, ...]]:
  stream.thread_type = 'AUTO'
  for frame in container.decode(stream):
    layout = formats.layout(frame.format.name, 2, 0, frame.height)
    yield tuple(x.tobytes() for x in formats.read_planes(frame, layout))


def suffix(path: str | os.PathLike) -> str:
  """The suffix of the source of a film that it travels in.

  Raises:
    types.BadInput: it does not.
  """
  table = None
  if holds(path):
    with probe.open_video(path) as container:
      table, _ = _kept(container, path)
  if table is None:
    raise types.BadInput(
        f'{path}: the original is neither in it nor beside it; only a film '
        'that was restored with --config.output.keep_original has it.')
  return table['suffix']
