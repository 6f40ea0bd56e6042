"""Global flicker: the gain and gamma of each frame against its surroundings.

Model: the logarithm of a frame is an affine map of that of the scene,
log I_t = m + b_t + g_t (log R - m), with gain exp(b_t) at the pivot m and
gamma g_t. Neighbouring frames are compared pixel by pixel (robustly, so that
moving things and damage do not count), the comparisons are chained, and the
scene's own light (light.py: fades, dissolves, clouds) is taken out again.
Compare Roosmalen, "Restoration of archived film and video", 1999, chapter 3,
which fits gain and offset per block; gain and gamma are what a projector and a
print change.
"""

import functools

import cv2
import numpy as np
from scipy import ndimage

from revive_jax.pipeline import light

_DARKEST = 4 / 255  # Below, quantisation dominates the logarithm.
_MAX_SCATTER = 0.25  # Of the log ratios; more, and other things are seen.
# Brightness from which a pixel counts fully: in the dark, noise and codes are
# as large as what they are of.
_FULL = 0.1
_TOLD = 0.3  # Mean of what pixels count; below, the dark tells no contrast.
_SAMPLE = 2048  # Pixels, at most, that a median is of.
_LEAST_SIDE = 16  # px; less tells no motion.
_CONTRAST = 45  # Codes of the deviation that frames are brought to for it.
_FEW = 5  # Frames; fewer do not tell a fade from flicker,
_RADIUS = 8.0  # and are seen through a Gaussian of this deviation.
_FLOOR = 0.1  # Of the usual brightness; darker, and flicker does not matter.
_MAX_STEP = 0.7  # Log gain between frames; more is a cut or an explosion.
_CODES = np.arange(256, dtype=np.float32) / 255


def log_thumbnail(luma: np.ndarray, *, width: int = 120) -> np.ndarray:
  """Logarithm of a small version of luma [H, W] in [0, 1]; float32."""
  height = max(1, round(luma.shape[0] * width / luma.shape[1]))
  size = (min(width, luma.shape[1]), min(height, luma.shape[0]))
  small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
  return np.log(np.maximum(small, _DARKEST), dtype=np.float32)


def compare(
    before: np.ndarray, after: np.ndarray
) -> tuple[float, float, float]:
  """Fits after = pivot + step + gamma (before - pivot), robustly.

  What moves is first laid on each other: else a sky that is brighter on one
  side brightens from frame to frame where a camera pans, and errors chain up.

  Args:
    before: log_thumbnail of a frame, [h, w].
    after: the same of the next frame.

  Returns:
    (step, gamma, pivot): log gain at the pivot, exponent, and pivot.
  """
  x, y = (v.astype(np.float64) for v in _aligned(before, after))
  bright = (x > np.log(_DARKEST) + 1e-3) & (y > np.log(_DARKEST) + 1e-3)
  bright &= (x < np.log(0.97)) & (y < np.log(0.97))  # Clipped pixels lie.
  if bright.sum() < 16:
    return 0.0, 1.0, -1.0
  x, y = x[bright], y[bright]
  sure = np.minimum(np.exp((x + y) / 2) / _FULL, 1) ** 2
  told = min(sure.mean() / _TOLD, 1)
  step, gamma, pivot = _median(y - x, sure), 1.0, _median(x, sure)
  for _ in range(6):
    residual = y - pivot - step - gamma * (x - pivot)
    scale = 1.4826 * _median(np.abs(residual), sure) + 1e-3
    weight = sure / (1 + (residual / (2 * scale)) ** 2) ** 2
    weight /= weight.sum()
    mean_x, mean_y = _sum(weight, x), _sum(weight, y)
    var_x = _sum(weight, (x - mean_x) ** 2)
    var_y = _sum(weight, (y - mean_y) ** 2)
    cov = _sum(weight, (x - mean_x) * (y - mean_y))
    # Both frames are noisy: the major axis, not the regression of y on x,
    # whose slope noise in x would bias towards zero.
    if var_x > 1e-3 and cov > 0:
      half = (var_y - var_x) / 2
      gamma = (half + np.hypot(half, cov)) / cov
      gamma = float(np.clip(gamma, 0.5, 2.0)) ** told
    step = float(mean_y - pivot - gamma * (mean_x - pivot))
  if abs(step) > _MAX_STEP or scale > _MAX_SCATTER:
    return 0.0, 1.0, pivot
  return step, gamma, pivot


def _aligned(before, after):
  """Pixels of two frames that show the same; [N] each.

  By optical flow (DIS; Kroeger et al. 2016, arXiv:1603.03590) between frames
  of one mean and contrast, so that flicker does not count. Each is moved by
  half of it, so that both are softened alike: gamma is a ratio of contrasts.
  """
  if min(before.shape) < _LEAST_SIDE:
    return before.ravel(), after.ravel()
  search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  half = 0.5 * search.calc(_levelled(before), _levelled(after), None)
  x, y = _grid(*before.shape)
  place = lambda by: (x + by[..., 0], y + by[..., 1])
  moved = [cv2.remap(frame, *place(by), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_CONSTANT, borderValue=np.inf)
           for frame, by in ((before, -half), (after, half))]
  seen = np.isfinite(moved[0]) & np.isfinite(moved[1])
  return moved[0][seen], moved[1][seen]


def _levelled(frame):
  """A frame for the search of motion: uint8, without grain, level and gain."""
  soft = cv2.GaussianBlur(frame, (0, 0), 1.0)
  scale = _CONTRAST / (soft.std() + 1e-3)
  return np.clip((soft - soft.mean()) * scale + 128, 0, 255).astype(np.uint8)


@functools.cache
def _grid(height, width):
  y, x = np.mgrid[:height, :width].astype(np.float32)
  return x, y


def _median(values, weights) -> float:
  """The value that half of the weights lie below, of a part of them."""
  if len(values) > _SAMPLE:
    some = np.linspace(0, len(values) - 1, _SAMPLE).astype(int)
    values, weights = values[some], weights[some]
  order = np.argsort(values)
  below = np.cumsum(weights[order])
  return float(values[order[np.searchsorted(below, 0.5 * below[-1])]])


def _sum(weight, values) -> float:
  """As weight @ values, for which BLAS would wake threads of its own."""
  return (weight * values).sum()


def flicker_curve(
    comparisons: np.ndarray, *, lit: bool = True
) -> tuple[np.ndarray, np.ndarray, float]:
  """Splits the chained comparisons of a shot into light and flicker.

  Args:
    comparisons: [T, 3], compare() of each frame with the one before it; the
      first row is not used.
    lit: whether the scene has a light of its own that may change (light.py);
      else all change is flicker.

  Returns:
    (gain, gamma, pivot): log gain [T] and log gamma [T] of the flicker, and
    the pivot, a log value.
  """
  pivot = float(np.median(comparisons[1:, 2])) if len(comparisons) > 1 else -1.0
  level, exponent = [0.0], [0.0]
  for step, gamma, own_pivot in comparisons[1:]:
    # The affine map of this step, taken at the common pivot.
    at_pivot = step + (gamma - 1) * (pivot - own_pivot)
    level.append(at_pivot + gamma * level[-1])
    exponent.append(exponent[-1] + np.log(gamma))
  level, exponent = np.array(level), np.array(exponent)
  # Against a frame of usual brightness: were it against the first, and that is
  # black, each error of gamma would count by all that the fade brightens.
  if len(comparisons) > 1:
    usual = int(np.argmin(np.abs(comparisons[1:, 2] - pivot)))
    exponent = exponent - exponent[usual]
    level = level - np.exp(exponent) * level[usual]
  if not lit:
    return level - level.mean(), exponent - exponent.mean(), pivot
  if len(level) < _FEW:
    return level - _leaning(level), exponent - _leaning(exponent), pivot
  return level - light.light(level, _FLOOR), exponent - light.light(
      exponent), pivot


def _leaning(x: np.ndarray) -> np.ndarray:
  """A straight line, but of very few frames near to their mean, [T]."""
  t = np.arange(len(x), dtype=np.float64)
  sums = lambda y: ndimage.gaussian_filter1d(y, _RADIUS, mode='constant')
  s0, st, sx = sums(np.ones_like(t)), sums(t), sums(x.astype(np.float64))
  s1 = st - t * s0
  s2 = sums(t * t) - 2 * t * st + t * t * s0
  sxt = sums(x * t) - t * sx
  det = s0 * s2 - s1**2
  # Of very few frames a line would explain all: lean towards the mean.
  ridge = 2.0 * s0**2
  return (s2 * sx - s1 * sxt + ridge / s0 * sx) / (det + ridge)


def tone_correction(
    gain: np.ndarray, gamma: np.ndarray, pivot: float, *, strength: float
) -> np.ndarray:
  """Tone [T, 2] that undoes a flicker: frames = exp(a) source^b.

  Args:
    gain: log gain of the flicker, [T].
    gamma: log gamma of the flicker, [T].
    pivot: the log value at which gain is meant.
    strength: 0 leaves the frames, 1 takes the flicker out.
  """
  gain = np.clip(gain, -0.5, 0.5)
  exponent = np.exp(-np.clip(gamma, -0.3, 0.3))
  offset = pivot - exponent * (pivot + gain)
  tone = np.stack([strength * offset, 1 + strength * (exponent - 1)], -1)
  return tone.astype(np.float32)


def apply_tone(clip: np.ndarray, tone: np.ndarray) -> np.ndarray:
  """exp(a) clip^b per frame, in [0, 1]; identity tones copy exactly.

  Args:
    clip: [T, H, W, C] in [0, 1].
    tone: [T, 2], a and b of each frame.
  """
  result = np.empty(clip.shape, np.float32)
  for frame, toned, (a, b) in zip(clip, result, tone, strict=True):
    if a == 0 and b == 1:
      toned[:] = frame
      continue
    curve = np.minimum(np.exp(a) * np.linspace(0, 1, 4096) ** b, 1)
    toned[:] = _lookup_in(
        np.asarray(frame, np.float32), curve.astype(np.float32))
  return result


def invert_tone(clip: np.ndarray, tone: np.ndarray) -> np.ndarray:
  """The inverse of apply_tone (where it did not clip)."""
  a, b = tone[:, 0], tone[:, 1]
  return apply_tone(clip, np.stack([-a / b, 1 / b], -1))


def _lookup_in(frame: np.ndarray, curve: np.ndarray) -> np.ndarray:
  """_lookup of a frame [H, W, C]; quick where it has 8 bits, as most have."""
  for part in (frame[::64], frame):
    codes = np.clip(np.rint(part * np.float32(255)), 0, 255).astype(np.uint8)
    if not np.array_equal(cv2.LUT(codes, _CODES), part):
      return _lookup(frame, curve)
  return cv2.LUT(codes, _lookup(_CODES, curve))


def _lookup(x: np.ndarray, curve: np.ndarray) -> np.ndarray:
  """Linear interpolation of curve, given at equal steps over [0, 1]."""
  position = np.clip(x, 0, 1) * (len(curve) - 1)
  lower = np.minimum(position.astype(np.int32), len(curve) - 2)
  fraction = position - lower
  return curve[lower] + fraction * (curve[lower + 1] - curve[lower])
