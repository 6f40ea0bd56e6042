"""One frame after the other, each restored from those before it."""

import collections
from collections.abc import Mapping
import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import inference, weights
from revive_jax.pipeline import borders

# Sides of what the network sees, of the frame's: in full; at half the size,
# what it changes being enlarged; not at all, the frame passing as it is.
SCALES = (1.0, 0.5, 0.0)
_LOOK, _LOOKS = 8, 32  # Frames from look to look at borders; looks that count.
_LONGEST = 8  # Frames that a mean is of, at most.
_SIDE = 5  # Of the square in which something must move to be seen, px.
_DOUBT = 3.0  # Deviations of the noise beyond which something moves.
_STILL = 0.5  # Of 255: no less than that is taken for a movement.


class Network:
  """The network on one frame after the other, at any of the scales."""

  def __init__(self, found: weights.Weights, strength: Mapping[str, float], *,
               repair: bool = False):
    """strength: of noise, dust, scratch; repair: noise stays."""
    self.scales = SCALES
    self._model, params = inference.build(found)
    self._params = jax.device_put(params)
    self._noise = 0.0 if repair else strength['noise']
    self._fill = max(strength['dust'], strength['scratch'])
    self.forget()

  def forget(self) -> None:
    """Begins anew."""
    self._states = {}
    self._looks, self._taken = collections.deque(maxlen=_LOOKS), 0

  def __call__(self, frames: list[np.ndarray], level: int) -> np.ndarray:
    """The first of frames [H, W, 3] uint8, restored; the others are ahead."""
    scale = self.scales[level]
    self._states = {k: v for k, v in self._states.items() if k == level}
    if not scale:
      return frames[0]
    height, width = frames[0].shape[:2]
    seen = np.stack([_scaled(f, scale) for f in frames])
    change, self._states[level] = _change(
        self._params, seen, self._states.get(level), model=self._model,
        noise=self._noise, fill=self._fill)
    change = np.asarray(change)
    if scale != 1:
      change = cv2.resize(change, (width, height),
                          interpolation=cv2.INTER_LINEAR)
    black = self._black(frames[0])
    if any(black):  # There is nothing to repair: see composite.py.
      change, even = change.copy(), borders.evened(frames[0], black)
      for box in borders.boxes(black):
        change[box] = self._noise * (
            even[box].astype(np.float32) - frames[0][box])
    return np.clip(np.rint(frames[0] + change), 0, 255).astype(np.uint8)

  def _black(self, frame):
    """The black borders that the last frames had, as borders.of_shot's."""
    if self._taken % _LOOK == 0:
      luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
      self._looks.append(borders.of_frame(luma))
    self._taken += 1
    return borders.of_shot(np.array(self._looks))


def _scaled(frame, scale):
  if scale == 1:
    return frame
  height, width = frame.shape[:2]
  return cv2.resize(frame, (max(1, round(width * scale)),
                            max(1, round(height * scale))),
                    interpolation=cv2.INTER_AREA)


@functools.partial(jax.jit, static_argnames='model')
def _change(params, frames, state, *, model, noise, fill):
  """What to add to the first frame, [H, W, 3] in codes, and the next state."""
  clip = frames[None].astype(jnp.float32) / 255
  restored, state = inference.restore_frames(
      params, clip, model=model, causal=len(frames) == 1, state=state,
      carry_after=1)
  share = jnp.where(restored.damage[0, 0] > 0.5, fill, noise)
  return 255 * share * (restored.output[0, 0] - clip[0, 0]), state


class Mean:
  """A mean of what was recorded, at each pixel for as long as nothing moves.

  What moves is seen in squares, by more than the noise there, and shown as it
  is. No value is made up: each lies among those of the last frames.
  """

  scales = (1.0, 0.0)

  def __init__(self, strength: float):
    """strength: in [0, 1], of the noise that is taken out."""
    self._strength = strength
    self.forget()

  def forget(self) -> None:
    """Begins anew."""
    self._mean = self._count = None

  def __call__(self, frames: list[np.ndarray], level: int) -> np.ndarray:
    """The first of frames [H, W, 3] uint8, restored; the others are unused."""
    given = frames[0]
    if not self.scales[level] or not self._strength:
      self.forget()
      return given
    frame = given.astype(np.float32)
    if self._mean is None:
      self._mean, self._count = frame, np.ones(frame.shape[:2], np.float32)
      return given
    change = frame - self._mean
    self._count = np.minimum(1 + self._count * _stillness(change), _LONGEST)
    self._mean = self._mean + change / self._count[..., None]
    shown = cv2.addWeighted(
        frame, 1 - self._strength, self._mean, self._strength, 0.5)
    return np.clip(shown, 0, 255).astype(np.uint8)


def _stillness(change: np.ndarray) -> np.ndarray:
  """How sure it is that nothing moved, [H, W] in [0, 1].

  change: [H, W, 3] float32, of 255.
  """
  local = cv2.blur(change, (_SIDE, _SIDE))
  # The rest of the change, beside its local mean, is mostly noise: a part of
  # it stands for all.
  noise = np.median(np.abs(change - local)[::4, ::4]) / 0.6745
  limit = np.float32(max(_DOUBT * noise / _SIDE, _STILL))
  red, green, blue = cv2.split(np.abs(local))
  return np.exp(-(cv2.max(cv2.max(red, green), blue) / limit) ** 4)
