"""Preprocess: what the later stages see. Fills frames."""

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import flicker

# Rec. 601, as luma is meant by 8-bit video of standard size; detection and
# matching need one plane, not a colorimetric one.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def luma(clip: np.ndarray) -> np.ndarray:
  """[..., 3] to [...]: the luma of gamma-encoded RGB."""
  return clip @ LUMA


def preprocess(
    clip: types.Clip, *, denoise: float = 0.0, sigma: float = 0.0
) -> types.Clip:
  """Fills frames with the toned, optionally denoised source.

  Levels, contrast, brightness and global deflicker are one curve per frame,
  clip.tone (see flicker.apply_tone); where it is None the source is kept.

  Args:
    clip: with source and tone.
    denoise: share of classical spatial denoising (non-local means), [0, 1].
    sigma: noise of the source, in [0, 1] units.
  """
  frames = clip.source
  if clip.tone is not None:
    frames = flicker.apply_tone(frames, clip.tone)
  if denoise > 0 and sigma > 0:
    cleaned = np.stack([non_local_means(f, sigma) for f in frames])
    frames = frames + np.float32(denoise) * (cleaned - frames)
  return clip.replace(frames=frames)


def non_local_means(frame: np.ndarray, sigma: float) -> np.ndarray:
  """Non-local means (Buades et al. 2005, by OpenCV) of [H, W, 3] in [0, 1].

  Chroma, in which film grain is stronger and detail weaker, is filtered
  harder. 8-bit inside.
  """
  if min(frame.shape[:2]) < 8:
    return frame
  picture = np.round(frame * 255).astype(np.uint8)
  strength = 0.9 * sigma * 255
  if np.ptp(frame, axis=-1).max() < 1e-6:
    grey = cv2.fastNlMeansDenoising(picture[..., 0], None, strength, 5, 15)
    cleaned = np.repeat(grey[..., None], 3, -1)
  else:
    cleaned = cv2.fastNlMeansDenoisingColored(
        picture, None, strength, 1.5 * strength, 5, 15)
  return cleaned.astype(np.float32) / 255


def levels(low: float, high: float, *, strength: float) -> tuple[float, float]:
  """Gamma-preserving stretch of [low, high]: log gain and exponent.

  The darkest and brightest levels of a shot (percentiles) are moved towards
  black and white by one power curve exp(a) x^b, b <= 2.5, that meets 0.98 at
  high and 0.02 at low as nearly as that allows.
  """
  low, high = max(low, 0.005), min(max(high, 0.1), 1.0)
  if high <= low * 1.05:
    return 0.0, 1.0
  exponent = np.log(0.98 / 0.02) / np.log(high / low)
  exponent = float(np.clip(exponent, 1.0, 2.5))
  gain = float(np.log(0.98) - exponent * np.log(high))
  return strength * gain, 1 + strength * (exponent - 1)
