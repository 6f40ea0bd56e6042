"""Pictures: a folder of frames, or one file. Read and written with OpenCV."""

import os
import re

import cv2
import numpy as np

from revive_jax import files, types
from revive_jax.video import formats

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')
_JPEG_QUALITY = 98


def is_picture(path: str | os.PathLike) -> bool:
  """Returns whether the name of path is that of a picture."""
  return files.suffix(path) in SUFFIXES


def natural_key(name: str) -> tuple:
  """Returns a key that sorts frame2 before frame10."""
  return tuple((1, int(part), '') if part.isdecimal() else (0, 0, part.lower())
               for part in re.split(r'(\d+)', name)), name


def list_pictures(folder: str | os.PathLike) -> list[str]:
  """Returns the paths of the pictures of a folder, sorted naturally."""
  try:
    names = [n for n in os.listdir(folder)
             if is_picture(n) and not n.startswith('.')]
  except OSError as e:
    raise types.BadInput(
        f'{folder}: the folder cannot be read ({e.strerror}).') from e
  names = sorted(names, key=natural_key)
  if files.is_sealed(folder):
    return [folder / n for n in names]
  return [os.path.join(folder, n) for n in names]


def _bytes(path) -> np.ndarray:
  if files.is_sealed(path):
    return np.asarray(memoryview(path.read_bytes()))
  return np.fromfile(path, np.uint8)


def read_picture(path: str | os.PathLike) -> tuple[np.ndarray, bool]:
  """Returns [H, W] or [H, W, 3] RGB, uint8 or uint16, and if alpha was left.

  Pictures are turned upright as their EXIF tag says. Raises BadInput.
  """
  flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
  if files.suffix(path) in ('.png', '.tif', '.tiff'):
    flags = cv2.IMREAD_UNCHANGED  # Else alpha would go without a word.
  try:
    image = cv2.imdecode(_bytes(path), flags)
  except (cv2.error, OSError):
    image = None
  if image is None:
    raise types.BadInput(
        f'{path}: this picture cannot be read; replace or remove it.')
  if image.dtype not in (np.uint8, np.uint16):
    raise types.BadInput(
        f'{path}: pictures of type {image.dtype} are not supported; '
        'convert it to 8 or 16 bits.')
  if image.ndim == 2:
    return image, False
  alpha = image.shape[2] in (2, 4)
  if image.shape[2] <= 2:
    return np.ascontiguousarray(image[..., 0]), alpha
  return cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2RGB), alpha


def picture_layout(image: np.ndarray) -> formats.Layout:
  """Returns the layout of a picture as read_picture returns it."""
  deep = image.dtype == np.uint16
  if image.ndim == 2:
    return formats.Layout('gray16le' if deep else 'gray', 'grey',
                          16 if deep else 8)
  return formats.Layout('rgb48le' if deep else 'rgb24', 'rgb',
                        16 if deep else 8)


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
  """Writes [H, W, 3] RGB or [H, W] grey, uint8 or uint16.

  Raises OSError when it cannot be written in full.
  """
  image = picture[..., ::-1] if picture.ndim == 3 else picture
  suffix = files.suffix(path)
  options = {
      '.png': [cv2.IMWRITE_PNG_COMPRESSION, 3],
      '.jpg': [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
      '.jpeg': [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]}.get(suffix, [])
  done, data = cv2.imencode(suffix, np.ascontiguousarray(image), options)
  if not done:
    raise RuntimeError(f'{path}: OpenCV could not encode the picture.')
  with files.path(path).open('wb') as f:
    f.write(data)
