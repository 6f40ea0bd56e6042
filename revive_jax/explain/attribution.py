"""Attribution: which pixels, and which frames, made a number what it is.

Of any function of a clip to a number. Two methods that fail in different ways.
Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365): the gradient,
averaged over the way from a baseline to the clip, times that way. Completeness:
over all pixels they sum to the difference of the function at both ends; how far
they are off says whether the steps were enough. Occlusion (Zeiler and Fergus
2014, arXiv:1311.2901): what changes when a patch of one frame is put back to
the baseline; no gradient is asked, so a function that does not have a useful
one is explained, too.
"""

from collections.abc import Callable
import pathlib
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import types
from revive_jax.video import sheet

Function = Callable[[jax.Array], jax.Array]  # [T, H, W, C] to a number.
# frames [1, T, H, W, C] to something with 'damage' and 'output'.
Network = Callable[[jax.Array], Any]

_CLOSE = 0.01  # Of the difference, which the parts of an integral may miss;
_MOST = 16  # or else so many times as many points as were asked for.


class Attribution(NamedTuple):
  """What each pixel of a clip did to a number."""

  pixels: np.ndarray  # [T, H, W], by integrated gradients.
  patches: np.ndarray  # [T, H, W], by occlusion: the change, where hidden.
  value: float  # The number for the clip,
  at_baseline: float  # and for the baseline.
  gap: float  # |sum of pixels - (value - at_baseline)|; 0 is complete.

  @property
  def frames(self) -> np.ndarray:
    """[T], the share of each frame by integrated gradients; sums to 1.

    Of absolute values; all 0 where nothing was attributed.
    """
    return _shares(self.pixels)

  @property
  def frames_by_occlusion(self) -> np.ndarray:
    """[T], the same by occlusion."""
    return _shares(self.patches)


def _shares(values):
  each = np.abs(values).sum((1, 2))
  return each / max(each.sum(), 1e-12)


def attribute(
    function: Function, clip: np.ndarray, *, baseline: np.ndarray | None = None,
    steps: int = 16, patch: int = 16
) -> Attribution:
  """Explains function(clip) by both methods.

  Args:
    function: traceable by JAX.
    clip: [T, H, W, C] float32 in [0, 1].
    baseline: what "nothing to see" is, of the same shape; None: blurred().
    steps: of the integral, where it is smooth; more where it is not.
    patch: side of the patches that are hidden, px.

  Raises:
    ValueError: baseline has another shape, or function is no number.
  """
  clip = np.asarray(clip, np.float32)
  baseline = blurred(clip) if baseline is None else np.asarray(
      baseline, np.float32)
  if baseline.shape != clip.shape:
    raise ValueError(
        f'A baseline of {baseline.shape} for a clip of {clip.shape}.')
  pixels, value, start = integrated_gradients(
      function, clip, baseline, steps=steps)
  return Attribution(
      pixels, occlusion(function, clip, baseline, patch=patch), value, start,
      abs(float(pixels.sum(dtype=np.float64)) - (value - start)))


def blurred(clip: np.ndarray, share: float = 0.05) -> np.ndarray:
  """The clip without detail: a blur of this share of its diagonal.

  Black would not do: to a network black is damage.
  """
  sigma = max(1.0, share * float(np.hypot(*clip.shape[1:3])))
  return np.stack([cv2.GaussianBlur(f, (0, 0), sigma).reshape(f.shape)
                   for f in clip])


def integrated_gradients(
    function: Function, clip: np.ndarray, baseline: np.ndarray, *, steps: int
) -> tuple[np.ndarray, float, float]:
  """[T, H, W] of each pixel, function(clip) and function(baseline).

  The integral is a Gauss-Legendre rule of so many points, which is exact for
  polynomials. Where a part of the way does not sum to the difference at its
  ends, as a verdict that jumps does not, it is halved, the worst part first,
  until all of them together do, or _MOST times as many points were looked at.
  """
  graded = jax.jit(jax.value_and_grad(function))
  look = lambda place: graded(jnp.asarray(
      baseline + place * (clip - baseline), jnp.float32))
  start, value = float(look(0.0)[0]), float(look(1.0)[0])
  parts = [_part(look, clip - baseline, (0.0, start), (1.0, value), steps)]
  count = steps
  while (sum(x.gap for x in parts) > _CLOSE * abs(value - start)
         and count < _MOST * steps):
    worst = parts.pop(int(np.argmax([x.gap for x in parts])))
    middle = (worst.start[0] + worst.end[0]) / 2
    middle = middle, float(look(middle)[0])
    points = max(1, steps // 2)
    parts += [_part(look, clip - baseline, *ends, points)
              for ends in ((worst.start, middle), (middle, worst.end))]
    count += 2 * points
  return sum(x.pixels for x in parts), value, start


class _Part(NamedTuple):
  """A part of the way from baseline to clip."""

  start: tuple[float, float]  # The place, 0 at the baseline, and the number
  end: tuple[float, float]  # there; 1 at the clip.
  pixels: np.ndarray  # [T, H, W], float64.

  @property
  def gap(self) -> float:
    return abs(float(self.pixels.sum()) - (self.end[1] - self.start[1]))


def _part(look, way, start, end, points) -> _Part:
  """The integral from one place to another, by so many points."""
  at, weights = np.polynomial.legendre.leggauss(points)
  length = end[0] - start[0]
  total = np.zeros(way.shape, np.float64)
  for x, weight in zip(at, weights / 2, strict=True):
    _, slope = look(start[0] + length * (x + 1) / 2)
    total += weight * length * np.asarray(slope, np.float64)
  return _Part(start, end, (total * way).sum(-1))


def occlusion(
    function: Function, clip: np.ndarray, baseline: np.ndarray, *, patch: int
) -> np.ndarray:
  """[T, H, W]: function(clip) less that with this patch hidden.

  Hidden: as in the baseline; one patch of one frame at a time.
  """
  run = jax.jit(function)
  whole = float(run(jnp.asarray(clip)))
  found = np.zeros(clip.shape[:3], np.float64)
  for t in range(clip.shape[0]):
    for top in range(0, clip.shape[1], patch):
      for left in range(0, clip.shape[2], patch):
        box = (t, slice(top, top + patch), slice(left, left + patch))
        hidden = clip.copy()
        hidden[box] = baseline[box]
        found[box] = whole - float(run(jnp.asarray(hidden)))
  return found


def damage_verdict(
    network: Network, t: int, box: tuple[slice, slice]
) -> Function:
  """The mean probability of damage that a network gives a region of frame t.

  Args:
    network: such as models.inference.restore_frames with its first arguments
      bound; its first result counts, if there are several.
    t: frame.
    box: rows and columns.
  """
  return lambda clip: _first(network(clip[None])).damage[(0, t, *box)].mean()


def restored_region(
    network: Network, t: int, box: tuple[slice, slice]
) -> Function:
  """The mean brightness that a network restores in a region of frame t."""
  return lambda clip: _first(network(clip[None])).output[(0, t, *box)].mean()


def _first(result):
  return result[0] if type(result) is tuple else result


def checked_box(
    box: tuple[int, int, int, int], shape: tuple[int, int]
) -> tuple[slice, slice]:
  """Top, bottom, left, right as slices of a frame of this height and width.

  Raises:
    types.BadInput: it is empty, or not inside.
  """
  top, bottom, left, right = box
  height, width = shape
  if not (0 <= top < bottom <= height and 0 <= left < right <= width):
    raise types.BadInput(
        f'The region {box} (top, bottom, left, right) is not inside of a frame '
        f'of {width}x{height}.')
  return slice(top, bottom), slice(left, right)


def picture(clip: np.ndarray, values: np.ndarray, width: int = 0) -> np.ndarray:
  """The frames beside each other, grey, with what counted in colour, uint8.

  Orange: raised the number; blue: lowered it; the strongest of all frames is
  the fullest colour.

  Args:
    clip: [T, H, W, C] in [0, 1].
    values: [T, H, W], of an Attribution.
    width: of each frame, px; 0: as it is.
  """
  size = np.abs(values)
  scale = np.percentile(size[size > 0], 99.5) if (size > 0).any() else 1.0
  rows = []
  for frame, value in zip(clip, values / scale, strict=True):
    weight = np.clip(np.abs(value), 0, 1)[..., None]
    color = np.where(value[..., None] > 0, (230, 97, 0), (30, 120, 255))
    grey = 255 * 0.7 * np.clip(frame, 0, 1).mean(-1, keepdims=True)
    drawn = np.uint8(np.round((1 - weight) * grey + weight * color))
    if width:
      drawn = cv2.resize(drawn, (width, max(1, round(
          width * drawn.shape[0] / drawn.shape[1]))),
                         interpolation=cv2.INTER_AREA)
    rows.append(np.pad(drawn, ((0, 0), (1, 1), (0, 0)), constant_values=255))
  return np.hstack(rows)


def write(path: pathlib.Path, clip: np.ndarray, found: Attribution) -> None:
  """Writes both methods, one above the other, as a PNG; a column each frame."""
  sheet.write_png(path, np.vstack([
      picture(clip, found.pixels), picture(clip, found.patches)]))


def described(found: Attribution, first: int) -> dict[str, Any]:
  """An attribution in JSON's types; first: the number of the clip's frame 0."""
  shares = lambda x: {str(first + t): round(float(s), 4)
                      for t, s in enumerate(x)}
  return {
      'value': found.value, 'at_baseline': found.at_baseline,
      'completeness_gap': found.gap,
      'share_by_frame': shares(found.frames),
      'share_by_frame_occlusion': shares(found.frames_by_occlusion)}
