"""Detail: what a network left too soft under grain is brought out again.

Film is soft and grainy at once. A network that takes out the grain cannot tell
well how soft the picture below it is, and leaves it so; what is left of grain
must not be sharpened, either. How much the finest detail is to be raised, from
place to place, is regressed on what can be seen of both: benchmarks/detail.py
fits detail.json, by the squared error on clips that networks are trained on.
"""

import functools
import hashlib
import json
import pathlib
from typing import NamedTuple

import cv2
import numpy as np

from revive_jax.pipeline import preprocess, sharpness

_FITTED = pathlib.Path(__file__).with_name('detail.json')
_AROUND, _REGION = 7, 21  # Sides of squares: px, and px of half the size.
_LEAST = (0.3 / 255) ** 2  # Energies that say nothing.
_SMOOTH = 9  # px; what is smoother than that is no noise.
_OUTLIER = 0.2  # What was changed by more was damage.
_CLIPPED = 0.02  # As near to black or white there is no noise, or half of it.
_SHARP = 0.7  # px; taken where no edge was found.
LIMITS = -1.0, 3.0  # Of the gain.


class Fitted(NamedTuple):
  """A small network of features to a gain."""

  low: np.ndarray  # [F], what each feature was at least and at most.
  high: np.ndarray
  layers: tuple[tuple[np.ndarray, np.ndarray], ...]  # Kernels and biases.


def brought_out(
    base: np.ndarray, restored: np.ndarray, strength: float,
    fitted: Fitted | None = None,
) -> np.ndarray:
  """Restored [H, W, 3] with its finest detail raised, or lowered where noise.

  Pixels leave the range of the 3x3 pixels around by a quarter of that range at
  most, as under sharpness.sharpen. Where the noise that was taken out is white,
  as a camera's, nothing says that the picture was soft, and little changes.

  Args:
    base: what the network was given, in [0, 1].
    restored: what it made of it.
    strength: in [0, 1].
    fitted: None: what ships.
  """
  gain = predicted(fitted or load(), features(base, restored))
  if not np.isfinite(gain).all():  # One pixel that is no number is enough.
    return restored
  gain = cv2.resize(
      gain, restored.shape[1::-1], interpolation=cv2.INTER_LINEAR)
  detail = restored - sharpness.softened(restored)
  sharp = restored + np.float32(strength) * gain[..., None] * detail
  return sharpness.within(sharp, restored)


def features(base: np.ndarray, restored: np.ndarray) -> np.ndarray:
  """What the gain depends on, [H/2, W/2, 6] float32.

  Logs of the finest detail around a pixel, of its ratio to the next finer, and
  of the finest in the region; of the whole frame the log of the noise that was
  taken out, how alike it is in neighbouring pixels (0: white, as a camera's;
  film and tape are not), and how wide edges are.
  """
  luma = preprocess.luma(restored)
  first = sharpness.softened(luma)
  energy = cv2.blur((luma - first) ** 2, (_AROUND, _AROUND))
  next_ = (first - sharpness.softened(first, 2)) ** 2
  fine = halved(energy)
  maps = (fine, halved(cv2.blur(next_, (_AROUND, _AROUND))),
          cv2.blur(fine, (_REGION, _REGION)))
  fine, next_, region = (0.5 * np.log(x + _LEAST) for x in maps)
  noise, alike = _noise(preprocess.luma(base), luma, energy)
  width = sharpness.edge_width(luma)
  whole = (noise, alike, _SHARP if np.isnan(width) else width)
  return np.stack([fine, fine - next_, region, *(
      np.full_like(fine, x) for x in whole)], -1)


def _noise(given, made, energy):
  """Log deviation of what was taken out, and its correlation at 1 px.

  Where there is little detail, and but for damage and for what is clipped.
  """
  taken = given - made
  taken -= cv2.blur(taken, (_SMOOTH, _SMOOTH))
  known = (np.abs(taken) < _OUTLIER) & (given > _CLIPPED) & (
      given < 1 - _CLIPPED)
  if not known.any():
    return 0.5 * np.log(_LEAST), 0.0
  flat = known & (energy <= np.median(energy[known]))
  power = max(float(np.square(taken[flat]).mean()), 1e-8)
  alike = 0.0
  for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
    both = flat[a] & flat[b]
    if both.any():
      alike += float((taken[a] * taken[b])[both].mean()) / power / 2
  return 0.5 * np.log(power + _LEAST), alike


def halved(x: np.ndarray) -> np.ndarray:
  """[H, W] at half the size, by area averages."""
  height, width = x.shape
  return cv2.resize(x, (max(1, width // 2), max(1, height // 2)),
                    interpolation=cv2.INTER_AREA)


def predicted(fitted: Fitted, found: np.ndarray) -> np.ndarray:
  """Gain [H, W] float32 of features [H, W, F]."""
  x = 2 * (np.clip(found, fitted.low, fitted.high) - fitted.low) / (
      fitted.high - fitted.low) - 1
  for number, (kernel, bias) in enumerate(fitted.layers):
    x = (np.tanh(x) if number else x) @ kernel + bias
  return np.clip(x[..., 0], *LIMITS)


@functools.cache
def load() -> Fitted:
  """What ships."""
  found = json.loads(_FITTED.read_text())
  array = lambda x: np.array(x, np.float32)
  return Fitted(
      array(found['low']), array(found['high']),
      tuple((array(layer['kernel']), array(layer['bias']))
            for layer in found['layers']))


def digest() -> str:
  """The SHA-256 of what ships."""
  return hashlib.sha256(_FITTED.read_bytes()).hexdigest()
