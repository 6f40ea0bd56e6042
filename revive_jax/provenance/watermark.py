"""The invisible mark: 40 bits, the id of a run, in the light of every frame.

The frame's luma is averaged over a grid of 16 x 32 cells. Neighbours form 256
pairs; four of them, spread over the frame, carry one of 64 bits: the mean of
their differences is moved to the nearest of the values that stand for it
(quantisation index modulation: Chen and Wornell, IEEE Trans. Inf. Theory 47,
2001). The film itself does not disturb it, so weak changes suffice; averages of
cells survive coding and scaling, and all frames carry the same. It is read
without the original. It is no secret: who knows this file can remove or copy
it. Cropping and turning make it unreadable.
"""

from collections.abc import Iterable
import functools
import hashlib
import itertools

import cv2
import numpy as np

from revive_jax import types

ROWS, COLUMNS = 16, 32
BITS = 64
ID_BITS = 40
LEAST = (3 * ROWS, 3 * COLUMNS)  # Of a frame's height and width, px.
STEP = 6.0  # Between values that stand for the same bit; levels of 255.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STAY = 0.65  # Steps that a frame may be away from the last one's value.
_MOST = 1.5  # Steps that a cell may change.
_MORE = 1.2  # Of a change is made: coding takes some of it back.
_DARK, _BRIGHT = 6.0, 249.0  # Cells beyond go one way only, frames none.
_CRC = 0x864CFB  # CRC-24 of OpenPGP (RFC 4880), which begins with...
_CRC_START = 0xB704CE
_DOUBTFUL = 4  # The least certain bits, of which all choices are tried.


def crc24(data: bytes) -> int:
  """The checksum CRC-24 of OpenPGP."""
  value = _CRC_START
  for byte in data:
    value ^= byte << 16
    for _ in range(8):
      value = (value << 1) ^ (_CRC | 1 << 24 if value & 1 << 23 else 0)
  return value & 0xFFFFFF


def code(run_id: int) -> np.ndarray:
  """The 64 bits of an id: itself, then its checksum."""
  data = run_id.to_bytes(ID_BITS // 8, 'big')
  word = data + crc24(data).to_bytes(3, 'big')
  return np.unpackbits(np.frombuffer(word, np.uint8)).astype(np.int64)


def decoded(soft: np.ndarray) -> int | None:
  """The id of bits [64] (> 0: zero, < 0: one), or None if they are none.

  The four least certain bits are tried both ways.
  """
  bits = (soft < 0).astype(np.uint8)
  weak = np.argsort(np.abs(soft), kind='stable')[:_DOUBTFUL]
  for flips in sorted(itertools.product((0, 1), repeat=_DOUBTFUL), key=sum):
    tried = bits.copy()
    tried[weak] ^= np.array(flips, np.uint8)
    word = np.packbits(tried).tobytes()
    if crc24(word[:5]) == int.from_bytes(word[5:], 'big'):
      return int.from_bytes(word[:5], 'big')
  return None


def id_of(text: str) -> int:
  """The id of a run, of whatever makes it differ from others."""
  return int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], 'big')


def check_size(height: int, width: int) -> None:
  """Raises BadInput where frames are too small to carry the mark."""
  if height < LEAST[0] or width < LEAST[1]:
    raise types.BadInput(
        f'Frames of {width}x{height} are too small for the invisible mark, '
        f'which needs {LEAST[1]}x{LEAST[0]}; leave out '
        '--config.mark.invisible.')


class Writer:
  """Marks one frame after the other with the same id."""

  def __init__(self, run_id: int, *, step: float = STEP):
    self._bits, self._step = code(run_id), step
    self._last = None  # The values that the last frame was moved to, [64].

  def __call__(self, rgb: np.ndarray) -> np.ndarray:
    """Returns a copy of [H, W, 3] with the mark; black and white ones without.
    """
    height, width = rgb.shape[:2]
    check_size(height, width)
    peak = np.iinfo(rgb.dtype).max
    levels = rgb.astype(np.float32) * np.float32(255 / peak)
    grid = _grid(levels)
    if not _DARK < grid.mean() < _BRIGHT:
      return rgb.copy()
    change = self._change(grid, _weights(levels, grid), height, width)
    field = cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR)
    # Rounding would lose what is less than half a level; noise keeps means.
    codes = rgb + field[..., None] * np.float32(peak / 255)
    codes = np.floor(codes + _noise(height, width)[..., None])
    return np.clip(codes, 0, peak).astype(rgb.dtype)

  def _change(self, grid, weights, height, width) -> np.ndarray:
    """What to add to each cell, [16, 32] levels."""
    pairs, signs, offsets = _layout()
    weights = weights.reshape(BITS, -1)
    share = weights / weights.mean(1, keepdims=True)
    aim = self._aim(_values(grid), offsets + self._bits / 2)
    response = _response(height, width)
    cells = np.zeros(grid.size, np.float32)
    for _ in range(4):  # Cells reach into their neighbours.
      reached = _values(grid + _seen(cells.reshape(grid.shape), response))
      # Its four pairs share it by how little it shows there.
      each = ((aim - reached)[:, None] * share).reshape(-1) * signs
      rise, fall = grid.reshape(-1) < _BRIGHT, grid.reshape(-1) > _DARK
      for one, other, change in ((0, 1, each), (1, 0, -each)):
        # Half of it on each side, all of it where the other side is at its end.
        able = np.where(change > 0, rise[pairs[:, one]], fall[pairs[:, one]])
        opposite = np.where(
            change > 0, fall[pairs[:, other]], rise[pairs[:, other]])
        cells[pairs[:, one]] += change * able * np.where(opposite, 0.5, 1)
      cells = np.clip(cells, np.where(fall, -_MOST, 0) * self._step,
                      np.where(rise, _MOST, 0) * self._step)
    return cells.reshape(grid.shape).astype(np.float32)

  def _aim(self, values, base) -> np.ndarray:
    """What the 64 values are to be: near, and not another in each frame."""
    step = self._step
    aim = (np.round(values / step - base) + base) * step
    if self._last is not None:
      stays = np.abs(values - self._last) < _STAY * step
      aim = np.where(stays, self._last, aim)
    self._last = aim
    return values + _MORE * (aim - values)


class Reader:
  """Reads the mark from as many frames as it is shown."""

  def __init__(self, *, step: float = STEP):
    self._step, self.soft, self.frames = step, np.zeros(BITS), 0

  def add(self, rgb: np.ndarray) -> None:
    """Looks at a frame [H, W, 3], of any size."""
    levels = rgb.astype(np.float32) * np.float32(255 / np.iinfo(rgb.dtype).max)
    grid = _grid(levels)
    if not _DARK < grid.mean() < _BRIGHT:
      return  # It could not be marked.
    self.soft += certainty(grid, step=self._step)
    self.frames += 1

  def found(self) -> int | None:
    """The id, or None while there is none to be read."""
    return decoded(self.soft) if self.frames else None


def certainty(grid: np.ndarray, *, step: float = STEP) -> np.ndarray:
  """How much each of the 64 bits of a frame looks like 0 (1) or 1 (-1)."""
  _, _, offsets = _layout()
  return np.cos(2 * np.pi * (_values(grid) / step - offsets))


def read(frames: Iterable[np.ndarray], *, most: int = 480) -> int | None:
  """The id in frames [H, W, 3], tried after 48, 144 and `most` of them."""
  reader = Reader()
  for frame in itertools.islice(frames, most):
    reader.add(frame)
    if reader.frames in (48, 144) and (found := reader.found()) is not None:
      return found
  return reader.found()


def _grid(levels) -> np.ndarray:
  """Mean luma of each cell, [16, 32], of [H, W, 3] float32."""
  small = cv2.resize(levels, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
  return small @ _LUMA


def _values(grid) -> np.ndarray:
  """The 64 means of four signed differences."""
  pairs, signs, _ = _layout()
  flat = grid.reshape(-1)
  differences = (flat[pairs[:, 0]] - flat[pairs[:, 1]]) * signs
  return differences.reshape(BITS, -1).mean(1)


@functools.cache
def _layout() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Cells of the pairs [256, 2] in the order of the bits, signs, offsets [64].

  By SHA-256, as no random generator promises the same numbers for ever.
  """
  digest = lambda what, i: hashlib.sha256(f'{what} {i}'.encode()).digest()
  order = sorted(range(ROWS * COLUMNS // 2), key=lambda i: digest('pair', i))
  left = 2 * np.array(order)
  signs = np.array([1 - 2 * (digest('sign', i)[0] & 1) for i in order])
  offsets = np.array([digest('offset', i)[0] / 256 for i in range(BITS)])
  return np.stack([left, left + 1], 1), signs.astype(np.float32), offsets


def _weights(levels, grid) -> np.ndarray:
  """How much each pair may change, by what hides it."""
  grey = levels @ _LUMA
  fine = np.abs(grey - cv2.blur(grey, (5, 5)))
  busy = cv2.resize(fine, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
  weight = np.sqrt(busy + 1)
  weight[(grid < _DARK) | (grid > _BRIGHT)] *= 0.5
  pairs, _, _ = _layout()
  flat = weight.reshape(-1)
  return np.minimum(flat[pairs[:, 0]], flat[pairs[:, 1]])


@functools.cache
def _response(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
  """What a change of each cell does to the mean of each, by rows and columns.
  """
  def one(size, cells):
    spread = cv2.resize(np.eye(cells, dtype=np.float32), (cells, size),
                        interpolation=cv2.INTER_LINEAR)
    return cv2.resize(spread, (cells, cells), interpolation=cv2.INTER_AREA)
  return one(height, ROWS), one(width, COLUMNS)


def _seen(cells, response) -> np.ndarray:
  rows, columns = response
  return rows @ cells @ columns.T


@functools.lru_cache(maxsize=4)
def _noise(height: int, width: int) -> np.ndarray:
  """Even noise in [0, 1), the same for every frame: nothing flickers."""
  rng = np.random.default_rng(0)
  return rng.random((height, width), np.float32)
