"""A video cut into pieces: a few frames of a part of the picture each."""

from collections.abc import Iterator
import dataclasses
import fnmatch
import math

import cv2
import numpy as np

from revive_jax import progress, types
from revive_jax.data import videos
from revive_jax.video import probe, reader

_OVERLAP = 16  # Least overlap of neighbouring pieces, px.
_BLOCK = 16  # px; motion is that of the blocks that move most.


@dataclasses.dataclass(frozen=True)
class Options:
  """What is to be done with one video. Lengths in its own pixels."""

  scale: float = 1.0  # Size to reduce to, before max_height is looked at.
  border: int = 0  # px to cut off each side.
  frames: tuple[tuple[int, int], ...] | None = None  # [start, stop) to use.
  hop: int | None = None  # Frames from piece to piece; None: its length.
  exclude: bool = False  # Leave the video out.


@dataclasses.dataclass(frozen=True)
class Piece:
  """What is stored of one piece."""

  clip: np.ndarray  # [T, h, w, 3] uint8.
  start: int  # Frame number of clip[0].
  top: int  # Of the reduced frame, px.
  left: int
  motion: float  # See measure.
  detail: float


def options_for(name: str, table: dict[str, dict]) -> Options:
  """Returns the options of a video.

  Args:
    name: of the video.
    table: options by name, or pattern of names (`grid_*`). If several match,
      later ones win.

  Raises:
    types.BadInput: an option is unknown or cannot be.
  """
  known = {field.name for field in dataclasses.fields(Options)}
  chosen = {}
  for pattern, values in table.items():
    if not isinstance(values, dict) or set(values) - known:
      raise types.BadInput(
          f'Options of {pattern}: {values} has other keys than '
          f'{", ".join(sorted(known))}.')
    if fnmatch.fnmatchcase(name, pattern):
      chosen |= values
  try:
    if chosen.get('frames') is not None:
      chosen['frames'] = tuple((int(a), int(b)) for a, b in chosen['frames'])
    options = Options(**chosen)
    possible = (
        0 < options.scale <= 1 and options.border >= 0
        and (options.hop is None or options.hop >= 1)
        and all(0 <= a < b for a, b in options.frames or ()))
  except (TypeError, ValueError):
    possible = False
  if not possible:
    raise types.BadInput(
        f'Options of {name}: {chosen}; scale must be in (0, 1], border 0 or '
        'more, hop 1 or more, frames a list of [start, stop].')
  return options


def segments(
    shots: tuple[tuple[int, int], ...],
    ranges: tuple[tuple[int, int], ...] | None,
    num_frames: int,
    hop: int,
) -> list[tuple[int, int]]:
  """Returns [start, stop) of num_frames each, inside a shot and a range.

  If half a hop or more is left over at the end, a last segment covers it.

  Args:
    shots: [start, stop) of each shot.
    ranges: [start, stop) of the frames to use; None: all.
    num_frames: of a segment.
    hop: from one start to the next.
  """
  found = []
  for a, b in shots:
    for low, high in ranges or ((a, b),):
      start, stop = max(a, low), min(b, high)
      if stop - start < num_frames:
        continue
      firsts = [*range(start, stop - num_frames + 1, hop)]
      if 2 * (stop - num_frames - firsts[-1]) >= hop:
        firsts.append(stop - num_frames)
      found.extend((f, f + num_frames) for f in firsts)
  return sorted(set(found))


def starts(length: int, size: int) -> list[int]:
  """Returns where pieces of size start, so that they cover length evenly."""
  if length <= size:
    return [0]
  count = math.ceil((length - _OVERLAP) / (size - _OVERLAP))
  return [round(s) for s in np.linspace(0, length - size, count)]


def reduce(rgb: np.ndarray, options: Options, max_height: int) -> np.ndarray:
  """Cuts the border off [H, W, 3] and reduces by area averages.

  The shorter side is max_height px at most; averages remove the blotches of
  lossy compression, and grain.
  """
  b = options.border
  rgb = rgb[b:rgb.shape[0] - b, b:rgb.shape[1] - b]
  if min(rgb.shape[:2]) < 2:
    raise types.BadInput(
        f'A border of {b} px leaves nothing of the picture; make it smaller.')
  factor = min(options.scale, max_height / min(rgb.shape[:2]))
  if factor >= 1:
    return rgb
  height, width = (max(1, round(n * factor)) for n in rgb.shape[:2])
  return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def measure(clip: np.ndarray) -> tuple[float, float]:
  """Returns (motion, detail) of [T, h, w, 3] uint8: of green, in its steps.

  motion: mean change from frame to frame of the tenth of the blocks of 16 px
  that change most, after averaging over 4 px, which grain does not survive: a
  hand that moves in a still picture counts. detail: mean gradient, of the
  middle frame averaged over 2 px.
  """
  height, width = (max(1, n // 4) for n in clip.shape[1:3])
  # Green is most of luma, and nothing needs to be computed.
  small = np.stack([
      cv2.resize(f[..., 1].astype(np.float32), (width, height),
                 interpolation=cv2.INTER_AREA) for f in clip])
  motion = 0.0
  if len(small) > 1:
    change = np.abs(np.diff(small, axis=0)).mean(0)
    blocks = (max(1, 4 * width // _BLOCK), max(1, 4 * height // _BLOCK))
    change = cv2.resize(change, blocks, interpolation=cv2.INTER_AREA)
    most = np.sort(change.ravel())[-max(1, change.size // 10):]
    motion = float(most.mean())
  middle = clip[len(clip) // 2, ..., 1].astype(np.float32)
  size = max(2, clip.shape[2] // 2), max(2, clip.shape[1] // 2)
  middle = cv2.resize(middle, size, interpolation=cv2.INTER_AREA)
  detail = float(np.hypot(*np.gradient(middle)).mean())
  return motion, detail


def _frames(video: videos.Video, label: str) -> Iterator[np.ndarray]:
  """Yields upright [H, W, 3] uint8, and says how far it is."""
  info = probe.probe(video.path)
  for frame in progress.show(reader.read_frames(info), total=video.num_frames,
                             label=label):
    yield videos.upright(videos.to_uint8(frame.rgb), info.rotation)


def cut(
    video: videos.Video, options: Options, *, num_frames: int, size: int,
    max_height: int, label: str,
) -> Iterator[Piece]:
  """Yields all pieces of a video, decoded once, a window in memory at a time.

  Args:
    video: as scanned.
    options: of this video.
    num_frames: of a piece.
    size: height and width of a piece, px; less where the frame is smaller.
    max_height: see reduce.
    label: of the progress on stderr.
  """
  parts = [(a, b, a, b) for a, b in segments(
      video.shots, options.frames, num_frames, options.hop or num_frames)]
  frames = (reduce(f, options, max_height) for f in _frames(video, label))
  for (start, stop, _, _), window in reader.windows(frames, parts):
    if len(window) < stop - start:
      return
    window = np.stack(window)
    for top in starts(window.shape[1], size):
      for left in starts(window.shape[2], size):
        clip = window[:, top:top + size, left:left + size]
        yield Piece(clip, start, top, left, *measure(clip))
