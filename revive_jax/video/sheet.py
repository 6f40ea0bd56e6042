"""Contact sheets: pictures beside each other, each with its title."""

from collections.abc import Mapping
import os

import cv2
import numpy as np

from revive_jax import files
from revive_jax.video import atomic

_BAR = 20  # Height of a title, px.


def write_sheet(
    path: str | os.PathLike, rows: list[Mapping[str, np.ndarray]]
) -> None:
  """Writes rows of titled pictures as a PNG.

  Args:
    path: its place; the folder is made.
    rows: pictures [H, W, 3] or masks [H, W] bool, by title; each of a row is as
      high as the others, and all rows are as wide.
  """
  sheet = np.vstack([
      np.hstack([_titled(title, p) for title, p in row.items()])
      for row in rows])
  write_png(path, sheet)


def write_png(path: str | os.PathLike, picture: np.ndarray) -> None:
  """Writes a picture [H, W, 3] or [H, W, 1] uint8; its folder is made.

  Raises:
    types.BadInput: it cannot be written.
  """
  good, data = cv2.imencode('.png', picture[..., ::-1])
  if not good:
    raise ValueError(f'{picture.shape} cannot be written as PNG.')
  with atomic.replacing(files.path(path)) as part:
    part.write_bytes(data.tobytes())


def grid(pictures: np.ndarray, columns: int) -> np.ndarray:
  """Pictures [N, H, W, C] in [0, 1] row by row, 2 px apart, as uint8.

  N is a multiple of columns.
  """
  codes = np.round(255 * np.clip(pictures, 0, 1)).astype(np.uint8)
  codes = np.pad(codes, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)
  count, height, width, channels = codes.shape
  rows = codes.reshape(count // columns, columns, height, width, channels)
  return rows.swapaxes(1, 2).reshape(-1, columns * width, channels)


def crop(
    frames: Mapping[str, np.ndarray], centre: tuple[int, int], *, factor: int
) -> dict[str, np.ndarray]:
  """Cuts 1 / factor of the height and width out, and enlarges it as much.

  Args:
    frames: [H, W, 3] or [H, W] of one size, by title.
    centre: (y, x) px; moved inwards at the border.
    factor: of the enlargement; pixels are repeated.
  """
  result = {}
  for title, frame in frames.items():
    place = []
    for middle, length in zip(centre, frame.shape[:2], strict=True):
      part = max(1, length // factor)
      first = min(max(middle - part // 2, 0), length - part)
      place.append(slice(first, first + part))
    cut = frame[tuple(place)]
    size = (frame.shape[1], frame.shape[0])
    kind = cut.dtype
    result[title] = cv2.resize(cut.astype(np.uint8), size,
                               interpolation=cv2.INTER_NEAREST).astype(kind)
  return result


def densest(mask: np.ndarray) -> tuple[int, int]:
  """(y, x) of where most of a mask [H, W] bool lies; the middle if it is empty.
  """
  height, width = mask.shape
  if not mask.any():
    return height // 2, width // 2
  side = max(3, min(height, width) // 5)
  share = cv2.blur(mask.astype(np.float32), (side, side),
                   borderType=cv2.BORDER_CONSTANT)
  y, x = np.unravel_index(int(share.argmax()), share.shape)
  return int(y), int(x)


def thickest(mask: np.ndarray) -> tuple[int, int]:
  """(y, x) of the pixel of a mask [H, W] bool that lies deepest inside it.

  Where most of a mask lies may be between two of its parts. The middle if it
  is empty.
  """
  if not mask.any():
    return mask.shape[0] // 2, mask.shape[1] // 2
  inside = np.pad(mask.astype(np.uint8), 1)  # Nothing beyond the border.
  depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
  y, x = np.unravel_index(int(depth.argmax()), depth.shape)
  return int(y), int(x)


def _titled(title: str, picture: np.ndarray) -> np.ndarray:
  """The picture as [H + bar, W, 3] uint8 with its title above."""
  if picture.dtype == bool:
    picture = np.repeat(picture[..., None], 3, -1).astype(np.uint8) * 255
  bar = np.zeros((_BAR, *picture.shape[1:]), np.uint8)
  cv2.putText(bar, title, (4, _BAR - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45,
              (255, 255, 255), 1, cv2.LINE_AA)
  return np.vstack([bar, picture])
