"""Faces: a face stays the person. Refines output, fills faces.

Inside a face nothing is made up beyond the damage: outside the damage mask the
output may differ from the source by denoising and by detail brought out alone,
and where the network is a generator, by that of the regression. Then every face
of the output is compared with that of the input, over time; where it is no
longer the same person, less of the restored picture is taken, until it is.
"""

from collections.abc import Callable, Sequence
import functools

import cv2
import numpy as np
from scipy import ndimage

from revive_jax import types
from revive_jax.faces import similarity, track
from revive_jax.pipeline import composite, flicker

# What is done, from as it is to nothing at all; by number in Clip.faces.
DONE = ('restored', 'half strength', 'damage filled classically',
        'not restored')
COLUMNS = ('track', 'before', 'after', 'done', 'structure', 'change',
           'invented')
_LARGER, _FEATHER = 1.3, 0.4  # Of a face's box: where less is taken.
_RADIUS = 4  # Frames before and after that a face is judged by.
_HOLD = 4  # Frames before and after a fall-back that get it, too...
_FADE = 5  # ...and over which it comes and goes.
REACH = _RADIUS + _HOLD + _FADE // 2  # Frames that one depends on.

# Frames [T, H, W, 3] and damage [T, H, W, 1] to what a regression restores.
Regress = Callable[[np.ndarray, np.ndarray], np.ndarray]


def faces(
    clip: types.Clip, *, tracks: Sequence[track.Track], start: int,
    embedding: similarity.Embedding, threshold: float, mode: str, noise: float,
    regress: Regress | None = None,
) -> types.Clip:
  """Keeps each face the person that it was.

  Args:
    clip: with output, just composed.
    tracks: of the film.
    start: the number of the clip's first frame in the film.
    embedding: tells faces apart.
    threshold: cosine of input and output below which less is taken.
    mode: 'full' or 'repair'.
    noise: strength of denoising that the output was composed with.
    regress: what restores faces outside the damage, where the network that
      restored the clip is a generator; None: it is none.

  Returns:
    The clip; its faces are [T, tracks here, COLUMNS], NaN where one is not.
  """
  frames = np.arange(start, start + len(clip.source))
  here = [(t, boxes) for t in tracks if np.isfinite(
      boxes := t.boxes(frames)).any()]
  if not here:
    return clip
  rows = np.full((len(frames), len(here), len(COLUMNS)), np.nan, np.float32)
  base = base_of(clip, mode)
  output = clip.output
  if regress is not None and mode == 'full' and noise > 0:
    output = _regressed(clip, base, output, [b for _, b in here], noise,
                        regress)
  for number, (one, boxes) in enumerate(here):
    output, found = _kept(
        clip, base, output, boxes, embedding, threshold)
    there = np.isfinite(boxes).all(-1)
    rows[there, number, 0] = one.number
    rows[there, number, 1:] = found[there]
  origin = clip.origin
  if origin is not None:
    # Where nothing is taken any more, nothing was done.
    same = (output == base).all(-1, keepdims=True) & (
        clip.output != base).any(-1, keepdims=True)
    origin = np.where(same, types.Origin.KEPT, origin).astype(np.uint8)
  return clip.replace(output=output, origin=origin, faces=rows)


def base_of(clip: types.Clip, mode: str) -> np.ndarray:
  """What composite() mixes the restored picture into."""
  if mode == 'repair' or clip.tone is None:
    return clip.source
  return flicker.apply_tone(clip.source, clip.tone)


def _regressed(clip, base, output, places, noise, regress):
  """Output with faces, outside the damage, as a regression restores them."""
  weight = np.zeros((*output.shape[:3], 1), np.float32)
  for boxes in places:
    weight = np.maximum(weight, _weights(output.shape, boxes))
  weight *= ~composite.damage_mask(clip)[..., None]
  rows, columns = (np.flatnonzero(weight.any((0, 3)).any(axis))
                   for axis in (1, 0))
  if not len(rows):
    return output
  box = (slice(None), _block(rows, output.shape[1]),
         _block(columns, output.shape[2]))
  damage = (np.zeros_like(weight) if clip.damage is None else clip.damage)
  restored = regress(clip.frames[box], damage[box])
  part = base[box] + np.float32(noise) * (restored - base[box])
  output = output.copy()
  output[box] += weight[box] * (part - output[box])
  return output


def regression(network: Callable) -> Regress:
  """What restores faces with a network that invents nothing.

  network: of the stage restore (pipeline.restore.Network).
  """
  def regress(frames, damage):
    result, _ = network(
        frames[None], mask=(damage[None] > 0.5).astype(np.float32), cuts=None,
        state=None, carry_after=len(frames))
    return np.asarray(result.output[0], np.float32)

  return regress


def _block(inside: np.ndarray, size: int, step: int = 64) -> slice:
  """A stretch around indices, of a length that few others have."""
  low, high = int(inside[0]), int(inside[-1]) + 1
  length = min(size, -(-(high - low + 32) // step) * step)
  first = min(max(0, (low + high - length) // 2), size - length)
  return slice(first, first + length)


def _weights(shape, boxes) -> np.ndarray:
  """[T, H, W, 1]: 1 in a face, 0 far from it."""
  return np.stack([
      similarity.ellipse(shape[1:3], box, larger=_LARGER, feather=_FEATHER)
      if np.isfinite(box).all() else np.zeros(shape[1:3], np.float32)
      for box in boxes])[..., None]


def _kept(clip, base, output, boxes, embedding, threshold):
  """Output, with as much of a face taken back as it needs, and what was done.

  Returns (output, [T, COLUMNS without 'track']).
  """
  judge = _judge(clip, base, boxes, embedding)
  there = np.isfinite(boxes).all(-1)
  before = judge(output)
  done = np.zeros(len(boxes), int)
  if (before[there] < threshold).any():
    weight = _weights(output.shape, boxes)
    taken = _candidates(clip, base, output, weight)
    for level in (1, 2, 3):
      failed = there & (done == level - 1) & (
          judge(output if level == 1 else taken(level - 1)) < threshold)
      done[failed] = level
    # Not on and off from frame to frame.
    done = ndimage.maximum_filter1d(done, 2 * _HOLD + 1, mode='nearest')
    output = sum(
        ndimage.uniform_filter1d((done == level).astype(np.float32), _FADE,
                                 mode='nearest')[:, None, None, None]
        * (output if not level else taken(level))
        for level in range(len(DONE)) if (done == level).any())
  after = judge(output) if done.any() else before
  found = np.full((len(boxes), len(COLUMNS) - 1), np.nan, np.float32)
  for t in np.flatnonzero(there):
    found[t] = (before[t], after[t], done[t], *similarity.measures(
        base[t], output[t], boxes[t],
        None if clip.origin is None else clip.origin[t]))
  return output, found


def _candidates(clip, base, output, weight):
  """A function of a number in DONE: the output with that done in the face."""
  @functools.cache
  def taken(level):
    if level == 1:
      other = base + 0.5 * (output - base)
    elif level == 2:
      other = _filled(clip, base, output, weight)
    else:
      other = base
    return np.where(weight > 0, output + weight * (other - output), output)

  return taken


def _filled(clip, base, output, weight) -> np.ndarray:
  """Base, the damage in the face inpainted from around it (Telea 2004)."""
  mask = composite.damage_mask(clip) & (weight[..., 0] > 0) & (
      output != base).any(-1)
  filled = base.copy()
  for t in np.flatnonzero(mask.any((1, 2))):
    rows, columns = (np.flatnonzero(mask[t].any(axis)) for axis in (1, 0))
    box = (slice(max(0, rows[0] - 8), rows[-1] + 9),
           slice(max(0, columns[0] - 8), columns[-1] + 9))
    codes = np.clip(np.rint(base[t][box] * 255), 0, 255).astype(np.uint8)
    made = cv2.inpaint(codes, mask[t][box].astype(np.uint8), 3,
                       cv2.INPAINT_TELEA).astype(np.float32) / 255
    filled[t][box] = np.where(mask[t][box][..., None], made, base[t][box])
  return filled


def _judge(clip, base, boxes, embedding):
  """A function of an output: cosine [T] of its face and that of the input.

  Averaged over frames around each. Damage is no part of a person: where little
  of a face is damaged, only the rest of it is compared.
  """
  there = np.flatnonzero(np.isfinite(boxes).all(-1))
  mask = composite.damage_mask(clip)
  size = embedding.side
  cut = functools.partial(similarity.cut, side=size)
  before = np.stack([cut(base[t], boxes[t]) for t in there])
  hidden = np.zeros((len(there), size, size), bool)
  for i, t in enumerate(there):
    damaged = cut(np.repeat(mask[t][..., None], 3, -1).astype(np.float32),
                  boxes[t])[..., 0] > 64
    if damaged.mean() < similarity.MEANT:
      hidden[i] = damaged

  def vectors(pictures):
    found = embedding.embed(pictures)
    result = np.full((len(boxes), found.shape[-1]), np.nan, np.float32)
    result[there] = found
    return result

  whole = None if hidden.any() else vectors(before)

  def judge(output):
    after = np.stack([cut(output[t], boxes[t]) for t in there])
    known = whole
    if known is None:
      known = vectors(np.where(hidden[..., None], after, before))
    return similarity.cosine(known, vectors(after), radius=_RADIUS)

  return judge
