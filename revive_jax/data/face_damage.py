"""Damage of pictures of faces, and what restoring leaves of it.

What must not be taken for another person: light, grain, blur, compression,
scratches, dust, a tint; and their opposite, a face that was denoised.
"""

import cv2
import numpy as np


def damage(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """A face [H, W, 3] uint8 as another film, or a restored one, shows it."""
  x = face.astype(np.float32) / 255
  x = _light(x, rng)
  if rng.random() < 0.5:
    x = _softened(x, rng)
  if rng.random() < 0.35:
    x = _marked(x, rng)
  if rng.random() < 0.5:
    x = _noisy(x, rng)
  x = np.clip(x * 255, 0, 255).astype(np.uint8)
  if rng.random() < 0.3:
    x = _coded(x, rng)
  if rng.random() < 0.25:  # As a denoiser leaves it.
    x = cv2.bilateralFilter(x, 5, rng.uniform(10, 50), 2)
  return x


def worse(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """damage() of the kinds that a restorer takes out; the light stays."""
  x = face.astype(np.float32) / 255
  if rng.random() < 0.5:
    x = _softened(x, rng)
  x = np.clip(_noisy(x, rng) * 255, 0, 255).astype(np.uint8)
  return _coded(x, rng) if rng.random() < 0.3 else x


def _light(x, rng):
  """Gamma, gain, tint; often no colour at all; light from one side."""
  if rng.random() < 0.4:
    x = np.repeat(x @ np.float32([[0.299], [0.587], [0.114]]), 3, -1)
  x = np.clip(x, 1e-3, 1) ** np.exp(rng.normal(0, 0.25))
  tint = np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
  x = x * tint * np.exp(rng.normal(0, 0.15)) + rng.normal(0, 0.04)
  if rng.random() < 0.3:
    ramp = np.linspace(-1, 1, x.shape[1], dtype=np.float32)[None, :, None]
    x = x * (1 + rng.normal(0, 0.2) * ramp)
  return x.astype(np.float32)


def _softened(x, rng):
  """Blurred, or small and enlarged again."""
  if rng.random() < 0.5:
    return cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.8))
  size = x.shape[1::-1]
  share = rng.uniform(0.33, 0.9)
  small = cv2.resize(x, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
  return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


def _marked(x, rng):
  """Scratches and dust, dark or bright."""
  height, width = x.shape[:2]
  cover = np.zeros((height, width), np.float32)
  for _ in range(rng.integers(0, 3)):
    across = rng.uniform(0, width)
    end = across + rng.normal(0, 3)
    cv2.line(cover, (round(across), 0), (round(end), height), 1.0,
             int(rng.integers(1, 3)), cv2.LINE_AA)
  for _ in range(rng.integers(0, 7)):
    place = rng.uniform(0, 1, 2) * (width, height)
    axes = rng.uniform(0.8, 4.5, 2)
    cv2.ellipse(cover, tuple(int(p) for p in place),
                tuple(int(np.ceil(a)) for a in axes), rng.uniform(0, 180), 0,
                360, 1.0, -1, cv2.LINE_AA)
  opacity = rng.uniform(0.5, 1) * cover[..., None]
  return x * (1 - opacity) + opacity * float(rng.random() < 0.5)


def _noisy(x, rng):
  """Grain, fine or coarse, of one or of three colours."""
  noise = rng.normal(0, 1, (*x.shape[:2], 3 if rng.random() < 0.5 else 1))
  noise = noise.astype(np.float32)
  if rng.random() < 0.5:
    sigma = rng.uniform(0.4, 0.9)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma).reshape(noise.shape)
    noise /= noise.std() + 1e-6
  return x + noise * rng.uniform(0.01, 0.1)


def _coded(x, rng):
  """There and back through JPEG."""
  _, data = cv2.imencode(
      '.jpg', x, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
  return cv2.imdecode(data, cv2.IMREAD_COLOR)
