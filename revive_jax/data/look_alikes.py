"""Look-alikes of damage that belong to the scene: wires, grids, dots, letters.

A restorer that has seen only damage take these shapes repairs telephone wires
and buttons away. Drawn on a photograph they move with it, which damage does
not.
"""

from collections.abc import Callable
import functools
import math
import string

import cv2
import numpy as np

_SHIFT = 4  # Bits of sub-pixel positions.
_CELL = 48  # px: about one wire, a dozen dots or one word for each such square.


def draw(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
  """Returns image [H, W, 3] uint8 with one kind of look-alike all over it.

  Dark or bright, of opacity 0.3 to 1, with antialiased edges.
  """
  cover = _kind(rng, _KINDS)(rng, *image.shape[:2])
  return _painted(image, cover, *_paint(rng))


def overlay(rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
  """Returns clip [T, H, W, 3] uint8 with a look-alike that stays or drifts.

  Half of them stay where they are, as a subtitle or a window's bars under a
  camera that is still; others move evenly, up to 4 px a frame. Of what stays,
  straight lines through all of the picture cross others: alone they are
  scratches.
  """
  length, height, width, _ = clip.shape
  moves = rng.random() < 0.5
  speed = rng.uniform(-4, 4, 2) if moves else np.zeros(2)
  kind = _kind(rng, _KINDS if moves else _STILL)
  reach = math.ceil(np.abs(speed).max() * length / 2) + 1
  cover = kind(rng, height + 2 * reach, width + 2 * reach)
  paint = _paint(rng)
  frames = []
  for t, frame in enumerate(clip):
    shift = speed * (t - (length - 1) / 2) + reach
    moved = cv2.warpAffine(
        cover, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]),
        (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    frames.append(_painted(frame, moved, *paint))
  return np.stack(frames)


def _paint(rng):
  """Opacity, and colour of 0 to 255."""
  opacity = rng.uniform(0.3, 1)
  tint = rng.uniform(0, 0.35) if rng.random() < 0.5 else rng.uniform(0.65, 1)
  return opacity, np.clip(tint + rng.uniform(-0.1, 0.1, 3), 0, 1) * 255


def _painted(image, cover, opacity, colour):
  alpha = (cover * np.float32(opacity / 255))[..., None]
  mixed = image + alpha * (colour.astype(np.float32) - image)
  return np.round(mixed).astype(np.uint8)


def _line(cover, start, end, thickness):
  points = (tuple(int(round(v * 2**_SHIFT)) for v in p) for p in (start, end))
  cv2.line(cover, *points, 255, thickness, cv2.LINE_AA, _SHIFT)


def _wires(rng, height, width):
  """Straight lines of every direction, through all of the picture."""
  cover = np.zeros((height, width), np.uint8)
  reach = math.hypot(height, width)
  for _ in range(max(1, round((height + width) / 2 / _CELL))):
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    angle = rng.uniform(0, np.pi)
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    _line(cover, (x - dx, y - dy), (x + dx, y + dy), int(rng.integers(1, 4)))
  return cover


def _grid(rng, height, width, crossed=0.7):
  """Lines at even distances, upright or turned; a share of them crossed."""
  cover = np.zeros((height, width), np.uint8)
  pitch, thickness = rng.uniform(8, 48), int(rng.integers(1, 3))
  reach = math.hypot(height, width)
  turned = rng.uniform(-np.pi / 4, np.pi / 4) * (rng.random() < 0.5)
  for angle in (turned, turned + np.pi / 2)[:1 + (rng.random() < crossed)]:
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    for step in np.arange(-reach, reach, pitch):
      middle = np.array([width, height]) / 2 + step * across
      _line(cover, middle - reach * along, middle + reach * along, thickness)
  return cover


def _dots(rng, height, width):
  cover = np.zeros((height, width), np.uint8)
  largest = rng.uniform(1, 5)
  for _ in range(max(1, round(12 * height * width / _CELL**2))):
    center = rng.uniform(0, (width, height)) * 2**_SHIFT
    radius = rng.uniform(0.6, largest) * 2**_SHIFT
    cv2.circle(cover, tuple(center.astype(int).tolist()), int(radius), 255,
               cv2.FILLED, cv2.LINE_AA, _SHIFT)
  return cover


def _letters(rng, height, width):
  cover = np.zeros((height, width), np.uint8)
  size, thickness = rng.uniform(0.3, 1.0), int(rng.integers(1, 3))
  for _ in range(max(1, round(height * width / (2 * _CELL**2)))):
    word = ''.join(rng.choice(list(string.ascii_letters + string.digits), 7))
    place = int(rng.integers(-_CELL, width)), int(rng.integers(height))
    cv2.putText(cover, word, place, cv2.FONT_HERSHEY_SIMPLEX, size, 255,
                thickness, cv2.LINE_AA)
  return cover


# Shares. Grids come often: their upright lines are taken for scratches first.
_KINDS: dict[Callable[..., np.ndarray], float] = {
    _wires: 0.2, _grid: 0.5, _dots: 0.15, _letters: 0.15}
_STILL: dict[Callable[..., np.ndarray], float] = {
    functools.partial(_grid, crossed=1.0): 0.6, _dots: 0.2, _letters: 0.2}


def _kind(rng, kinds):
  shares = list(kinds.values())
  return list(kinds)[rng.choice(len(kinds), p=shares)]
