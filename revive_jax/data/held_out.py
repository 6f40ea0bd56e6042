"""Clean clips to measure on: a piece of one shot of each video, reduced."""

from collections.abc import Iterator, Sequence
import os
from typing import NamedTuple

import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import motion, sources, splits, videos

LEAST_FRAMES, LEAST_SIDE = 4, 32  # SSIM, flow and motion need so many, px.


class Clean(NamedTuple):
  """A clip without damage."""

  name: str  # Of the file, and its first frame: walk.mkv@120.
  frames: np.ndarray  # [T, H, W, 3] uint8; H and W are even.


def read_clips(
    root: str | os.PathLike, *, clips: Sequence[str] = (),
    starts: Sequence[int] = (), exclude: Sequence[str] = (), num_frames: int,
    height: int,
) -> list[Clean]:
  """Reads a piece of each video or sequence of pictures below root.

  Area averages reduce it to height, so that what lossy compression left does
  not count; lower ones stay as they are.

  Args:
    root: the folder.
    clips: names to take, in this order, perhaps repeatedly; empty: all.
    starts: the first frame of each of clips; empty: such that the piece is the
      middle of the longest shot.
    exclude: names to leave out, where they are there.
    num_frames: of a piece; fewer where the shot is shorter.
    height: px.

  Raises:
    types.BadInput: no such clip, or one that is too short or too small.
  """
  if starts and len(starts) != len(clips):
    raise types.BadInput(
        f'{len(starts)} starts are given for {len(clips)} clips; give one for '
        'each clip, or none.')
  paths = {splits.name_of(p): p for p in videos.find(root)
           if splits.name_of(p) not in exclude}
  missing = [name for name in clips if name not in paths]
  if missing or not paths:
    what = f'{", ".join(missing)} is not' if missing else 'nothing is left'
    raise types.BadInput(
        f'{root}: {what} among its clips; it has '
        f'{", ".join(paths) or "only excluded ones"}.')
  names = list(clips or paths)
  return [_read(paths[n], start, num_frames, height)
          for n, start in zip(names, starts or [None] * len(names),
                              strict=True)]


def _read(path, start, num_frames, height) -> Clean:
  video = videos.scan(path)
  if start is None:
    first, stop = max(video.shots, key=lambda s: s[1] - s[0])
    start = first + max(0, (stop - first - num_frames) // 2)
  stop = next((b for a, b in video.shots if a <= start < b), start)
  stop = min(stop, start + num_frames)
  if stop - start < LEAST_FRAMES:
    raise types.BadInput(
        f'{path}: from frame {start} on its shot has {max(stop - start, 0)} '
        f'frames, and {LEAST_FRAMES} are needed; start it elsewhere, or leave '
        'it out.')
  frames = reduced(videos.read(video, range(start, stop)), height)
  if min(frames.shape[1:3]) < LEAST_SIDE:
    raise types.BadInput(
        f'{path}: {frames.shape[2]}x{frames.shape[1]} px is too small to '
        f'measure on; {LEAST_SIDE} px are needed, so leave it out.')
  return Clean(f'{video.name}@{start}', frames)


def reduced(frames: np.ndarray, height: int) -> np.ndarray:
  """[T, H, W, 3] uint8 at height px or less, of even size, by area averages."""
  rows, columns = frames.shape[1:3]
  if rows > height:
    size = (max(2, 2 * round(columns * height / rows / 2)), height // 2 * 2)
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA)
                     for f in frames])
  return frames[:, :rows // 2 * 2, :columns // 2 * 2]


def move_photos(
    folder: str | os.PathLike, *, count: int, num_frames: int, size: int,
    seed: int,
) -> Iterator[Clean]:
  """Yields clips of a camera over the first photographs of a folder.

  Args:
    folder: of pictures.
    count: how many clips.
    num_frames: of a clip.
    size: height and width, px; even.
    seed: of the motion.

  Raises:
    types.BadInput: there are no pictures.
  """
  stills = sources.Pictures(folder)
  moving = motion.Photographs(
      stills, num_frames=num_frames, size=size // 2 * 2, seed=seed)
  for i in range(count):
    name = splits.name_of(stills.names[i % len(stills.names)])
    yield Clean(f'{name}@{i}', moving[i]['clip'])
