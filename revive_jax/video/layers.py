"""Layers beside a film: what was done at each pixel, coded as tracks of grey.

While a film is restored, the layers of each segment lie in a file beside its
pictures, an FFV1 track each. When the parts are joined their packets go into
the film (tracks of an MKV), or into a file beside it; into pictures, where the
film is pictures.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import fractions
import os
import pathlib

import av
import numpy as np

from revive_jax import files, types
from revive_jax.video import (
  atomic,
  bond,
  durations,
  encoders,
  images,
  probe,
  writer,
)
from revive_jax.video import target as target_lib

# Names of the layers, in order, and what their tracks are called.
TITLES = {
    'damage': 'Damage: white where it was found',
    'change': 'Change: difference to the source',
    'uncertainty': 'Uncertainty: a quarter of white is white',
    'spread': 'Spread of several fills: a quarter of white is white',
    'origin': 'Origin: black kept, dark denoised, light moved, white invented',
    'origin_frame': 'Frame that moved pixels are from: 128 is this one'}
FORMS = ('auto', 'none', 'tracks', 'files')
SUFFIX = '.layers.mkv'
FOLDER = 'layers'
_PART = '.layers.nut'
_TAG = 'LAYER'  # Of a track: the name of its layer.
_FILM = 'FILM'  # Of a file beside a film: what bond.of says of the film.


def form(asked: str, target: target_lib.Target) -> str:
  """What becomes of the layers of a film: 'none', 'tracks' or 'files'.

  Args:
    asked: one of FORMS. 'auto' takes tracks in a lossless MKV, where they are
      small beside the film, and none elsewhere.
    target: of the film; files that have no room for tracks get 'files'.
  """
  mkv = target.kind == 'video' and target.suffix == '.mkv'
  if asked == 'auto':
    return 'tracks' if mkv and target.codec == 'ffv1' else 'none'
  return 'files' if asked == 'tracks' and not mkv else asked


def part_name(part: str) -> str:
  """The name of the layers of a segment, by the name of its pictures."""
  return part.split('.')[0] + _PART


def is_part(name: str) -> bool:
  """Whether a file of a segment is of its layers."""
  return name.endswith(_PART)


def sidecar(path: str | os.PathLike) -> pathlib.Path:
  """Where the layers of a film lie that has no tracks for them."""
  return files.beside(path, SUFFIX)


def folder(path: str | os.PathLike) -> pathlib.Path:
  """Where the layers of a single picture lie."""
  place = files.path(path)
  return place.with_name(f'{files.opened_name(place).name}.{FOLDER}')


def beside(
    frames: Iterable[writer.OutputFrame], path: str | os.PathLike,
    info: probe.VideoInfo, *, always: Sequence[str] = (),
) -> Iterator[writer.OutputFrame]:
  """Passes frames on, and codes their layers into a new file.

  It is whole when the last frame was asked for one more, and only then.

  Args:
    frames: each with layers, always the same ones, or fewer.
    path: of the file.
    info: of the source, as the frames' times are counted.
    always: layers that all films of a run have; black in frames without them.

  Raises:
    types.BadInput: the disk is full, or cannot be written.
  """
  frames = writer.guarded(frames)
  try:
    with atomic.replacing(files.path(path)) as part, _coded(
        part, info, always) as add:
      for frame in frames:
        add(frame)
        yield frame
  except writer.FramesError as error:  # This disk is not at fault.
    raise error.__cause__ from None
  finally:
    frames.close()


@contextlib.contextmanager
def _coded(
    path, info, always
) -> Iterator[Callable[[writer.OutputFrame], None]]:
  """Yields what codes the layers of a frame."""
  streams = {}
  with _new_file(path, format='nut') as output:

    def add(frame):
      if not streams:
        streams.update({name: _stream(output, name, info) for name in TITLES
                        if name in frame.layers or name in always})
      for name, stream in streams.items():
        layer = frame.layers.get(name)
        if layer is None:
          layer = np.zeros((info.height, info.width), np.uint8)
        picture = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(layer), 'gray')
        picture.pts, picture.time_base = frame.source.pts, info.time_base
        output.mux(stream.encode(picture))

    yield add
    for stream in streams.values():
      output.mux(stream.encode(None))


@contextlib.contextmanager
def _new_file(path, **options) -> Iterator[av.container.OutputContainer]:
  file = files.media(path, 'w')
  try:
    with av.open(file, 'w', **options) as output:
      yield output
  finally:
    files.close(file)


def _stream(output, name, info):
  """A track for a layer."""
  stream = output.add_stream(
      'ffv1', rate=info.frame_rate,
      options=encoders.options('ffv1', info, crf=0, preset=''))
  context = stream.codec_context
  stream.width, stream.height, stream.pix_fmt = info.width, info.height, 'gray'
  stream.time_base = context.time_base = info.time_base
  context.thread_type = 'SLICE'
  stream.metadata['title'] = name
  return stream


def _packets(found) -> Iterator[tuple[int, str, av.Packet]]:
  """(number of the frame, layer, packet) of all segments, in order."""
  first = 0
  for path in found:
    with probe.open_video(path) as container:
      names = [s.metadata['title'] for s in container.streams]
      counts = dict.fromkeys(names, 0)
      for packet in container.demux():
        if packet.size:
          name = names[packet.stream_index]
          yield first + counts[name], name, packet
          counts[name] += 1
    first += max(counts.values())


class Tracks:
  """The layers as tracks of a file that is being written; see mux.VideoFile.

  Args:
    output: the open file.
    found: the layers of all segments, in order.
    stamps: of the frames, in time_base.
    time_base: in seconds.
    shown: how long each frame is, by its time; None: until the next one.
  """

  def __init__(self, output, found: Sequence[str | os.PathLike],
               stamps: Sequence[int], time_base: fractions.Fraction,
               shown: Mapping[int, int] | None = None):
    self._streams = {}
    with probe.open_video(found[0]) as container:
      for template in container.streams:
        name = template.metadata['title']
        made = output.add_stream_from_template(template, opaque=True)
        made.metadata.update({'title': TITLES[name], _TAG: name})
        made.disposition = 0  # None of them is the film.
        self._streams[name] = made
    self._stamps, self._time_base = stamps, time_base
    self._shown = shown or durations.of(stamps)
    self._packets = _packets(found)
    self._next, self._count = None, 0

  def until(self, seconds: float) -> Iterator[av.Packet]:
    """Yields the packets not handed out yet that start before seconds."""
    while True:
      if self._next is None:
        self._next = next(self._packets, None)
      if self._next is None:
        self._check(seconds)
        return
      number, name, packet = self._next
      if number >= len(self._stamps):
        raise RuntimeError('There are more layers than frames.')
      stamp = self._stamps[number]
      if float(stamp * self._time_base) > seconds:
        return
      self._next, self._count = None, self._count + 1
      packet.pts, packet.dts, packet.duration = (
          stamp, stamp, self._shown[stamp])
      packet.time_base, packet.stream = self._time_base, self._streams[name]
      yield packet

  def _check(self, seconds):
    wanted = len(self._stamps) * len(self._streams)
    if seconds == float('inf') and self._count != wanted:
      raise RuntimeError(f'{self._count} layers of frames, {wanted} expected.')

  def close(self):
    """Closes the segments."""
    self._packets.close()


def write_sidecar(
    path: str | os.PathLike, found: Sequence[str | os.PathLike],
    stamps: Sequence[int], time_base: fractions.Fraction,
    shown: Mapping[int, int] | None = None, *, made: str,
    later: contextlib.ExitStack,
) -> None:
  """Joins the layers of all segments in sidecar(path).

  made: what bond.of says of the film. later: see duplicate.keep. The others are
  those of Tracks.
  """
  part = later.enter_context(atomic.replacing(sidecar(path)))
  with _new_file(part, container_options={
      'avoid_negative_ts': 'disabled', 'default_mode': 'passthrough'}
                 ) as output:
    output.metadata[_FILM] = made
    tracks = Tracks(output, found, stamps, time_base, shown)
    for packet in tracks.until(float('inf')):
      output.mux(packet)


def write_folder(
    path: str | os.PathLike, found: Sequence[str | os.PathLike], *, made: str,
    later: contextlib.ExitStack,
) -> None:
  """Writes the layers of a picture into folder(path); see write_sidecar."""
  place = folder(path)
  part = later.enter_context(atomic.renewing(place, TITLES))
  write_pictures(part, found)
  with _bond_file(part).open('wb') as file:
    file.write(f'{made}  {files.opened_name(path).name}\n'.encode())


def _bond_file(place) -> pathlib.Path:
  end = files.SEALED if files.is_sealed(place) else ''
  return place / f'film.sha256{end}'


def write_pictures(
    place: pathlib.Path, found: Sequence[str | os.PathLike]
) -> None:
  """Writes each layer as PNG, place/<name>/000000.png and so on."""
  decoders, end = {}, files.SEALED if files.is_sealed(place) else ''
  for number, name, packet in _packets(found):
    if name not in decoders:
      (place / name).mkdir(parents=True, exist_ok=True)
      decoders[name] = av.CodecContext.create('ffv1', 'r')
      decoders[name].extradata = packet.stream.codec_context.extradata
      decoders[name].width = packet.stream.width
      decoders[name].height = packet.stream.height
    for frame in decoders[name].decode(packet):
      images.write_picture(
          place / name / f'{number:06d}.png{end}', frame.to_ndarray())


def names_of(path: str | os.PathLike) -> dict[str, int]:
  """The layers in a file by their number in its streams; {}: there are none."""
  with probe.open_video(path) as container:
    found = {s.metadata.get(_TAG): s.index for s in container.streams.video}
  return {name: found[name] for name in TITLES if name in found}


def where(path: str | os.PathLike) -> pathlib.Path:
  """The file, or the folder, that holds the layers of a film.

  Raises:
    types.BadInput: there are none, or they are of another film.
  """
  path = files.path(path)
  if not path.exists():
    raise types.BadInput(f'{path}: no such file or folder.')
  if path.is_dir() and (path / FOLDER).is_dir():
    return path / FOLDER
  if path.is_file() and files.suffix(path) == '.mkv' and names_of(path):
    return path
  found = beside_film(path)
  for place in found:
    if _bond(place) == bond.of(path):
      return place
  if found:
    raise types.BadInput(
        f'{found[0]}: these layers were not made with {path} as it is now, so '
        'they may be of another film; restore it again with '
        '--config.output.layers=files.')
  raise types.BadInput(
      f'{path}: no layers are in it or beside it; restore it with '
      '--config.output.layers=tracks (or files).')


def beside_film(path: str | os.PathLike) -> list[pathlib.Path]:
  """Layers that lie beside a film of that name, whatever film it was."""
  return [*(p for p in (folder(path),) if p.is_dir()),
          *(p for p in (sidecar(path),) if p.is_file())]


def _bond(place: pathlib.Path) -> str:
  """What the layers beside a film say of it; '': nothing."""
  if not place.is_dir():
    with probe.open_video(place) as container:
      return container.metadata.get(_FILM, '')
  if not _bond_file(place).is_file():
    return ''
  with _bond_file(place).open('rb') as file:
    return file.read().decode('utf-8', 'replace').partition(' ')[0]


def read(
    place: pathlib.Path, number: int, stamp: float
) -> Mapping[str, np.ndarray]:
  """The layers of one frame, [H, W] uint8 by name.

  Args:
    place: of where().
    number: of the frame.
    stamp: its time by the file, seconds.

  Raises:
    types.BadInput: they end before it.
  """
  if place.is_dir():
    end = files.SEALED if files.is_sealed(place) else ''
    paths = {name: place / name / f'{number:06d}.png{end}' for name in TITLES}
    found = {name: images.read_picture(files.name(path))[0]
             for name, path in paths.items() if path.is_file()}
  else:
    found = {name: frame.to_ndarray() for name, index in names_of(place).items()
             if (frame := frame_at(place, index, stamp)) is not None}
  if not found:
    raise types.BadInput(
        f'{place}: the layers end before frame {number}; the file is damaged.')
  return found


def frame_at(
    path: str | os.PathLike, index: int, seconds: float, *,
    relative: bool = False,
) -> av.VideoFrame | None:
  """The frame of a stream that is shown at a time; None: it begins later.

  relative: whether seconds count from the stream's first frame.
  """
  with probe.open_video(path) as container:
    stream = container.streams[index]
    if relative:
      seconds += float((stream.start_time or 0) * stream.time_base)
    at = seconds + 6e-4  # MKV rounds to milliseconds.
    with contextlib.suppress(av.FFmpegError):  # Then from the beginning.
      container.seek(int(seconds / stream.time_base), stream=stream)
    shown = None
    for frame in container.decode(stream):
      if frame.pts is not None and float(frame.pts * stream.time_base) > at:
        break
      shown = frame
    return shown
