"""Measure: noise, flicker, damage, sharpness and tone of each shot.

One pass over the film, before restoring. What is kept per frame is a few
numbers, so that memory does not grow with the pictures.
"""

import array
import base64
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent import futures
import dataclasses
import itertools
import math
from typing import Any

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import borders as borders_lib
from revive_jax.pipeline import (
    detect,
    flicker,
    lines,
    match,
    preprocess,
    repeats,
    sharpness,
    stabilise,
)
from revive_jax.pipeline import shots as shots_lib

_SAMPLE = 5  # Frames of a sampled window.
_EVERY = 12  # Frames from one sampled window to the next.
_STRETCH, _APART = 24, 96  # Frames of sampled steps, and to the next ones.
_CODES = np.arange(256, dtype=np.float32) / 255
_CROP = (720, 960)  # Larger frames are sampled in their middle, px.


_SERIES = {'comparisons': 3, 'steps': 4, 'changes': 3}  # And their columns.


@dataclasses.dataclass(frozen=True)
class Shot:
  """What was measured of frames [start, stop)."""

  start: int
  stop: int
  key_frame: int
  noise: float  # Standard deviation of luma, of full scale 1.
  flicker: float  # Standard deviation of the frames' log gain.
  spots: float  # Share of pixels taken for dust, in sampled frames.
  scratches: float  # Share of pixels taken for scratches.
  cracks: float  # The same for cracks; only measured on a single picture.
  edge_width: float  # Gaussian sigma of the strongest edges, px, or NaN.
  low: float  # 1st percentile of luma.
  high: float  # 99th percentile of luma.
  grey: bool  # No colour.
  # [T, 3]: flicker.compare of each frame with the one before.
  comparisons: np.ndarray = dataclasses.field(repr=False)
  # [T, 4] stabilise.Step and [T, 3] repeats.Change of each frame against the
  # one before; [0, ...] where nobody asked.
  steps: np.ndarray = dataclasses.field(
      repr=False, default_factory=lambda: np.zeros((0, 4)))
  changes: np.ndarray = dataclasses.field(
      repr=False, default_factory=lambda: np.zeros((0, 3)))
  # Rows above and below, columns left and right, that are black.
  borders: tuple[int, int, int, int] = borders_lib.NONE


def measure(
    frames: Iterable[np.ndarray], *, frame_rate: float, motion: bool = False,
    sampled: bool = False,
) -> tuple[list[Shot], int]:
  """Measures a film; returns its shots and the number of frames.

  Args:
    frames: [H, W, 3] RGB, uint8 or uint16.
    frame_rate: frames per second.
    motion: whether steps and changes are wanted, too.
    sampled: steps, which take time, of stretches only; enough to say how the
      film jumps. The others are stabilise.UNKNOWN.
  """
  # Of every frame of a film: lists of a float each would take twenty times as
  # much.
  cuts, rows, moves, looks = [], *(array.array('f') for _ in range(3))
  watch = _motion(sampled) if motion else None
  ring = deque(maxlen=_SAMPLE)
  before = None
  with _Samples() as samples:
    for t, rgb in enumerate(shots_lib.find_cuts(frames, frame_rate, cuts)):
      picture = to_float(rgb)
      luma = preprocess.luma(picture)
      small = flicker.log_thumbnail(luma)
      step = (0.0, 1.0, 0.0) if before is None else flicker.compare(
          before, small)
      before = small
      chroma = float(np.ptp(picture[::4, ::4], axis=-1).mean())
      rows.extend((*step, *np.percentile(np.exp(small), (1, 99)), chroma))
      if t % 3 == 0:
        looks.append(sharpness.edge_width(luma))
        looks.extend(borders_lib.of_frame(luma))
      ring.append(_middle(picture))
      if watch is not None:
        moves.extend(watch(luma))
      # The first window comes early, so that short shots have one too.
      if len(ring) == _SAMPLE and (t + 1 - _SAMPLE) % _EVERY == 0:
        samples.take(t + 1 - _SAMPLE, np.stack(ring))
    if 0 < len(ring) < _SAMPLE:
      samples.take(0, np.stack(ring))
    found = samples.all()
  table, moves, looks = (
      np.frombuffer(x, np.float32).reshape(-1, n)
      for x, n in ((rows, 6), (moves, 7), (looks, 5)))
  ranges = shots_lib.ranges(cuts, len(table)) if rows else []
  return [_shot(a, b, table[a:b], found, moves[a:b],
                looks[-(-a // 3):-(-b // 3)]) for a, b in ranges], len(table)


class _Samples:
  """Windows are sampled one at a time, while others read the next frames."""

  def __enter__(self):
    self._beside = futures.ThreadPoolExecutor(1, 'sample')
    self._found, self._pending = [], None
    return self

  def __exit__(self, *error):
    self._beside.shutdown()

  def take(self, start: int, window: np.ndarray) -> None:
    """Samples frames [T, H, W, 3], of which the first has the number start."""
    self._collect()
    self._pending = start, self._beside.submit(_sample, window)

  def all(self) -> list[tuple[int, dict[str, float]]]:
    """The numbers of first frames, and what was found there."""
    self._collect()
    return self._found

  def _collect(self) -> None:
    if self._pending is not None:
      start, result = self._pending
      self._found.append((start, result.result()))
      self._pending = None


def _motion(sampled):
  """A function of luma [H, W]: steps and changes since the frame before."""
  changes, last, count = repeats.Watcher(), [], itertools.count()

  def watch(luma):
    step = stabilise.UNKNOWN
    if sampled and next(count) % _APART >= _STRETCH:
      last.clear()
      return [*step, *changes(luma)]
    small = stabilise.thumbnail(luma)
    if last and last[0].shape == small.shape:
      step = stabilise.step(last[0], small, width=luma.shape[1])
    last[:] = [small]
    return [*step, *changes(luma)]

  return watch


def packed(shots: Sequence[Shot]) -> list[dict[str, Any]]:
  """Shots in JSON's types, but for numbers that are not finite."""
  plain = [f.name for f in dataclasses.fields(Shot) if f.name not in _SERIES]
  return [{name: getattr(s, name) for name in plain} | {
      name: text(getattr(s, name), '<f4') for name in _SERIES} for s in shots]


def unpacked(found: Sequence[Mapping[str, Any]]) -> list[Shot]:
  """The inverse of packed; of a null it makes a NaN."""
  return [Shot(**{k: math.nan if v is None else v for k, v in shot.items()} | {
      name: numbers(shot[name], '<f4').reshape(-1, width)
      for name, width in _SERIES.items()} | {
          'borders': tuple(shot['borders'])}) for shot in found]


def text(values: Any, dtype: str) -> str:
  """Numbers as text, every bit of them: as a list they take ten times as much.
  """
  return base64.b64encode(np.asarray(values, dtype).tobytes()).decode()


def numbers(coded: str, dtype: str) -> np.ndarray:
  """The inverse of text, [N]."""
  return np.frombuffer(bytearray(base64.b64decode(coded)), dtype)


def to_float(rgb: np.ndarray) -> np.ndarray:
  """uint8 or uint16 codes to float32 in [0, 1]."""
  if rgb.dtype == np.uint8:
    return cv2.LUT(rgb, _CODES)
  return rgb.astype(np.float32) / np.iinfo(rgb.dtype).max


def _middle(picture):
  top = max(0, (picture.shape[0] - _CROP[0]) // 2)
  left = max(0, (picture.shape[1] - _CROP[1]) // 2)
  return picture[top:top + _CROP[0], left:left + _CROP[1]]


def _sample(window: np.ndarray) -> dict[str, float]:
  """Noise and damage of a few consecutive frames, [T, H, W, 3]."""
  steps = [flicker.compare(*(flicker.log_thumbnail(preprocess.luma(f))
                             for f in pair))
           for pair in zip(window[:-1], window[1:], strict=True)]
  # Over so few frames any change of light counts as flicker.
  gain, gamma, pivot = flicker.flicker_curve(
      np.array([(0.0, 1.0, 0.0), *steps]), lit=False)
  tone = flicker.tone_correction(gain, gamma, pivot, strength=1.0)
  clip = match.match(preprocess.preprocess(
      types.Clip(source=window, frames=window, tone=tone)))
  luma = preprocess.luma(clip.frames)
  if len(window) < 2:
    sigma = spatial_noise(luma[0])
    cracks = detect.find_cracks(luma[0], sigma).mean()
    return dict(noise=sigma, spots=0.0, scratches=0.0, cracks=float(cracks))
  sigma = temporal_noise(clip, luma)
  spots = 0.0
  if len(luma) >= 3:
    spots = float(np.mean([
        detect.find_spots(clip, luma, t, sigma=sigma, sensitivity=1.0).mean()
        for t in range(1, len(luma) - 1)]))
  scratches = float(lines.find_scratches(
      luma, clip.flow_forward, clip.flow_backward, sigma=sigma).mean())
  return dict(noise=sigma, spots=spots, scratches=scratches, cracks=0.0)


def _blocks(x: np.ndarray, size: int = 16) -> np.ndarray:
  """[H, W] to [blocks, size * size]; what does not fill a block is left out."""
  size = max(1, min(size, *x.shape))
  height, width = (n // size * size for n in x.shape)
  cut = x[:height, :width].reshape(height // size, size, width // size, size)
  return cut.swapaxes(1, 2).reshape(-1, size * size)


def temporal_noise(clip: types.Clip, luma: np.ndarray) -> float:
  """Noise sigma from the differences of aligned neighbours.

  Block by block the median absolute deviation, and of the blocks the lower
  quarter: there the motion was understood. White or correlated noise alike;
  fixed patterns and texture do not count, other than in a single picture.
  """
  values = []
  for t in range(1, len(luma)):
    difference = luma[t] - match.warp(luma[t - 1], clip.flow_backward[t])
    blocks, light = _blocks(difference), _blocks(luma[t]).mean(-1)
    blocks = blocks[(light > 0.06) & (light < 0.94)]
    if len(blocks) < 4:
      blocks = _blocks(difference)
    blocks = blocks - np.median(blocks, -1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(blocks), -1)
    # Interpolation between pixels takes some noise out of the neighbour.
    values.append(np.percentile(spread, 25) / 1.3)
  return float(np.median(values))


def spatial_noise(luma: np.ndarray) -> float:
  """Noise sigma of one picture (Immerkaer 1996), from its quieter blocks."""
  if min(luma.shape) < 3:
    return 0.0
  kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
  response = cv2.filter2D(luma, -1, kernel) / 6
  spread = 1.4826 * np.median(np.abs(_blocks(response)), -1)
  return float(np.percentile(spread, 25))


def _shot(start, stop, table, samples, moves, looks) -> Shot:
  """Puts together what was measured between two cuts."""
  inside = [(t, s) for t, s in samples if start <= t and t + _SAMPLE <= stop]
  if not inside:  # Too short for a window of its own: the nearest one's.
    inside = [min(samples, key=lambda s: abs(s[0] - start))]
  mean = lambda key: float(np.mean([s[key] for _, s in inside]))
  gain, _, _ = flicker.flicker_curve(table[:, :3])
  width = np.full(stop - start, np.nan)
  width[-start % 3::3] = looks[:, 0]
  damage = np.full(stop - start, np.nan)
  for t, sample in inside:
    middle = min(max(t + _SAMPLE // 2 - start, 0), len(damage) - 1)
    damage[middle] = sample['spots'] + sample['scratches']
  sharp = np.where(np.isnan(width), 0, 1 / np.maximum(np.nan_to_num(width), .2))
  return Shot(
      start=start, stop=stop,
      key_frame=start + shots_lib.key_frame(sharp, damage),
      noise=float(np.median([s['noise'] for _, s in inside])),
      flicker=float(gain.std()), spots=mean('spots'),
      scratches=mean('scratches'), cracks=mean('cracks'),
      edge_width=(float(np.nanmedian(width)) if np.isfinite(width).any()
                  else float('nan')),
      low=float(np.median(table[:, 3])), high=float(np.median(table[:, 4])),
      grey=bool(np.median(table[:, 5]) < 0.02),
      # Copied: the rest of the table need not stay.
      comparisons=table[:, :3].copy(), steps=moves[:, :4], changes=moves[:, 4:],
      borders=borders_lib.of_shot(looks[:, 1:]))
