"""One video, or a folder of frames, by frame number; never across a cut."""

from collections.abc import Iterator
import dataclasses
import os
import pathlib

import av
import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import cuts, splits
from revive_jax.video import color, formats, images, probe

SUFFIXES = (
    '.avi', '.flv', '.h264', '.h265', '.hevc', '.m2ts', '.m4v', '.mkv', '.mov',
    '.mp4', '.mpeg', '.mpg', '.mts', '.mxf', '.ogv', '.ts', '.vob', '.webm',
    '.wmv', '.y4m')


@dataclasses.dataclass(frozen=True)
class Video:
  """What is known of a video after it was decoded once."""

  path: str
  num_frames: int
  shots: tuple[tuple[int, int], ...]  # Frame ranges [start, stop).
  # Where decoding can begin: (frame number, timestamp), in order. Empty if
  # the file cannot be sought in.
  keys: tuple[tuple[int, int], ...]

  @property
  def name(self) -> str:
    """The name it is known by, see data/splits.py."""
    return splits.name_of(self.path)


def find(root: str | os.PathLike) -> list[str]:
  """Returns the videos and the folders of two pictures or more below root.

  Raises BadInput if there are none.
  """
  found = []
  for folder, folders, names in os.walk(root):
    folders[:] = sorted(n for n in folders if not n.startswith('.'))
    names = [n for n in names if not n.startswith('.')]
    if sum(map(images.is_picture, names)) > 1:
      found.append(folder)
    found.extend(os.path.join(folder, n) for n in names
                 if pathlib.Path(n).suffix.lower() in SUFFIXES)
  if not found:
    what = 'holds no video or sequence of pictures' if os.path.isdir(
        root) else 'no such folder'
    raise types.BadInput(f'{root}: {what}; give a folder of clips.')
  return sorted(found, key=images.natural_key)


def _decoded(container, stream) -> Iterator[av.VideoFrame]:
  """Yields the frames that decode, as video/reader.py counts them."""
  stream.thread_type = 'AUTO'
  try:
    for packet in container.demux(stream):
      try:
        yield from packet.decode()
      except av.FFmpegError:
        continue
  except av.FFmpegError:
    return


def _small(picture: np.ndarray) -> np.ndarray:
  if picture.ndim == 3:
    picture = picture.mean(-1)
  if picture.dtype == np.uint16:
    picture = picture / 257
  return cv2.resize(picture.astype(np.float32), cuts.SIZE,
                    interpolation=cv2.INTER_AREA).astype(np.uint8)


def _scan_video(path: str):
  luma, stamps, keys = [], [], []
  with probe.open_video(path) as container:
    stream = probe.video_stream(container, path)
    for frame in _decoded(container, stream):
      if frame.key_frame:
        keys.append((len(luma), frame.pts))
      stamps.append(frame.pts)
      luma.append(frame.reformat(
          *cuts.SIZE, 'gray', interpolation='AREA').to_ndarray())
  steady = None not in stamps and all(
      a < b for a, b in zip(stamps, stamps[1:], strict=False))
  return luma, tuple(keys) if steady else ()


def scan(path: str | os.PathLike) -> Video:
  """Decodes a video, or a folder of pictures, once; raises BadInput."""
  path = os.fspath(path)
  if os.path.isdir(path):
    luma = [_small(images.read_picture(p)[0])
            for p in images.list_pictures(path)]
    keys = ()
  else:
    luma, keys = _scan_video(path)
  if not luma:
    raise types.BadInput(f'{path}: not one frame could be decoded.')
  firsts = cuts.find_cuts(np.stack(luma))
  return Video(path, len(luma), tuple(cuts.shots(firsts, len(luma))), keys)


def upright(rgb: np.ndarray, rotation: int) -> np.ndarray:
  """Returns [H, W, 3] turned by rotation degrees, in steps of 90."""
  return np.rot90(rgb, round(rotation / 90) % 4)


def to_uint8(rgb: np.ndarray) -> np.ndarray:
  """Returns [H, W] or [H, W, 3] of 8 or 16 bits as [H, W, 3] of 8 bits."""
  if rgb.dtype == np.uint16:
    rgb = ((rgb.astype(np.uint32) + 128) // 257).astype(np.uint8)
  return np.repeat(rgb[..., None], 3, -1) if rgb.ndim == 2 else rgb


def _to_rgb(frame: av.VideoFrame, info: probe.VideoInfo) -> np.ndarray:
  matrix, value_range = int(frame.colorspace), int(frame.color_range)
  layout = formats.layout(
      frame.format.name, info.colorspace if matrix == 2 else matrix,
      value_range or info.color_range, info.height,
      info.chroma_siting)
  rgb = color.to_rgb(formats.read_planes(frame, layout), layout)
  return upright(to_uint8(rgb), info.rotation)


def _from(video: Video, container, stream, start: int, seek: bool):
  """Yields (frame number, frame) from start or some frames before it."""
  before = [key for key in video.keys if key[0] <= start]
  if not seek or not before or before[-1][0] == 0:
    yield from enumerate(_decoded(container, stream))
    return
  number, pts = before[-1]
  container.seek(pts, stream=stream)
  frames = _decoded(container, stream)
  for frame in frames:
    if frame.pts is not None and frame.pts >= pts:
      break
  else:
    return
  # Some containers seek to after the key frame asked for.
  if frame.pts == pts:
    yield number, frame
    yield from enumerate(frames, number + 1)


def read(video: Video, numbers: range) -> np.ndarray:
  """Returns frames by number, [len(numbers), H, W, 3] uint8, upright.

  Decodes from the key frame before numbers[0], or from the beginning if the
  file has no index or timestamps. Raises BadInput if frames are missing: the
  file is another one than was scanned.
  """
  if os.path.isdir(video.path):
    paths = images.list_pictures(video.path)
    found = [to_uint8(images.read_picture(paths[n])[0]) for n in numbers
             if n < len(paths)]
  else:
    info = probe.probe(video.path)
    for seek in (True, False):
      with probe.open_video(video.path) as container:
        stream = probe.video_stream(container, video.path)
        found = []
        for number, frame in _from(video, container, stream, numbers[0], seek):
          if number in numbers:
            found.append(_to_rgb(frame, info))
          if number >= numbers[-1]:
            break
      if len(found) == len(numbers):
        break
  if len(found) < len(numbers):
    raise types.BadInput(
        f'{video.path}: frames {numbers[0]} to {numbers[-1]} cannot be read; '
        'the file has changed since it was scanned, scan it again.')
  if len({f.shape for f in found}) > 1:
    raise types.BadInput(
        f'{video.path}: the pictures differ in size; all frames of a sequence '
        'must be of one size.')
  return np.stack(found)
