"""Redact: faces made unrecognisable (a Stage).

Every frame of a track is covered, also those that the detector missed, and some
frames before and after it. What is left of a face is a few coarse cells with
noise: nothing that a program could sharpen again. After the stage no field of
the clip holds the face any more, `source` included: what must not leave is in
nothing that is made of the clip.
"""

from collections.abc import Collection, Sequence
import hashlib

import cv2
import numpy as np

from revive_jax import types
from revive_jax.faces import similarity, track

KINDS = ('none', 'blur', 'pixelate', 'replace')
BEYOND = 12  # Frames before and after a track that are covered, too.
_LARGER = 1.6  # Than the box, so that hair, chin and ears are covered.
_CELLS = 3  # Across the face: what is left of it,
_CONTRAST = 0.3  # so much of how they differ,
_COLOUR = 0.3  # and of their colour.
_LEVELS = 8  # Of each colour of a cell.
_NOISE = 0.1  # Standard deviation, of full scale.
_FEATHER = 0.12  # Around that, as a share of its radius.
_FIELDS = ('source', 'frames', 'restored', 'output')
# What maps say of a place that nobody may look at.
_NOTHING = {'damage': 0, 'damage_kind': 0, 'log_variance': 0, 'spread': 1,
            'origin': types.Origin.INVENTED, 'origin_frame': 0}


def check(
    faces: str, keep: Sequence[int], *, mode: str, keeps_original: bool
) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('redact.faces', faces, KINDS)
  if any(not isinstance(n, int) or n < 1 for n in keep):
    raise types.BadInput(
        f'--config.redact.keep={tuple(keep)} are not numbers of face tracks; '
        'take them from the report of a run that hides all (faces).')
  if faces == 'none':
    if keep:
      raise types.BadInput(
          '--config.redact.keep names faces to spare, but none are redacted; '
          'set --config.redact.faces to blur, pixelate or replace.')
    return
  if mode == 'repair':
    raise types.BadInput(
        '--config.composite=repair changes nothing outside the damage, and '
        '--config.redact.faces would; choose one of them.')
  if keeps_original:
    raise types.BadInput(
        '--config.output.keep_original would send the faces along that '
        '--config.redact.faces hides; choose one of them.')


def redact(
    clip: types.Clip, *, tracks: Sequence[track.Track], start: int, how: str,
    keep: Collection[int] = (),
) -> types.Clip:
  """Hides faces in every picture of the clip.

  Args:
    clip: with source, frames, and what else there is by now.
    tracks: of the film.
    start: the number of the clip's first frame in the film.
    how: 'blur', 'pixelate' or 'replace' (by a flat, neutral face).
    keep: numbers of tracks that stay as they are.

  Returns:
    The clip; its field hidden says where.
  """
  hide = {'blur': _blurred, 'pixelate': _pixelated, 'replace': _replaced}[how]
  frames = np.arange(start, start + len(clip.source))
  hidden = [t.boxes(frames, beyond=BEYOND) for t in tracks
            if t.number not in keep]
  if not any(np.isfinite(boxes).any() for boxes in hidden):
    return clip
  values = {name: np.array(getattr(clip, name)) for name in _FIELDS
            if getattr(clip, name) is not None}
  hidden_at = np.zeros((*clip.source.shape[:3], 1), bool)
  for t in range(len(frames)):
    found = [boxes[t] for boxes in hidden if np.isfinite(boxes[t]).all()]
    if not found:
      continue
    key = _key(clip.source[t])
    for number, box in enumerate(found):
      hidden_at[t] |= similarity.ellipse(
          clip.source.shape[1:3], box, larger=_LARGER, feather=_FEATHER,
      )[..., None] > 0
      for pictures in values.values():
        # The same noise in all of them, or their mean would have less of it.
        rng = np.random.default_rng((key, number))
        pictures[t] = hide(pictures[t], box, rng)
  for name, nothing in _NOTHING.items():
    if getattr(clip, name) is not None:  # A map of a face shows the face.
      values[name] = np.where(
          hidden_at, np.asarray(nothing, getattr(clip, name).dtype),
          getattr(clip, name))
  return clip.replace(hidden=hidden_at, **values)


def _key(frame: np.ndarray) -> int:
  """A seed that only who has the frame can know, and always the same."""
  data = np.ascontiguousarray(frame).tobytes()
  return int.from_bytes(hashlib.sha256(data).digest()[:16], 'little')


def _area(shape, box):
  """(top, bottom, left, right) of what is hidden, and its share [h, w, 1]."""
  height, width = shape
  share = similarity.ellipse(
      shape, box, larger=_LARGER, feather=_FEATHER)
  rows, columns = (np.flatnonzero(share.any(axis)) for axis in (1, 0))
  if not len(rows):
    return None, None
  part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
  return part, share[part][..., None]


def _cells(picture, box, part, rng):
  """The few values that are left of a part of a picture, [n, m, 3].

  One cell is a third of the face. They are nearly alike, have noise, and are
  rounded.
  """
  height, width = picture.shape[:2]
  side = max(box[2] * width, box[3] * height) / _CELLS
  rows = max(2, round((part[0].stop - part[0].start) / side))
  columns = max(2, round((part[1].stop - part[1].start) / side))
  cells = cv2.resize(np.ascontiguousarray(picture[part], np.float32),
                     (columns, rows), interpolation=cv2.INTER_AREA)
  mean = cells.mean((0, 1))
  cells = mean + _CONTRAST * (cells - mean)
  grey = cells.mean(-1, keepdims=True)
  cells = grey + _COLOUR * (cells - grey)
  cells = cells + rng.normal(0, _NOISE, (*cells.shape[:2], 1))
  return (np.round(np.clip(cells, 0, 1) * _LEVELS) / _LEVELS).astype(np.float32)


def _covered(picture, box, rng, way):
  part, share = _area(picture.shape[:2], box)
  if part is None:
    return picture
  cells = _cells(picture, box, part, rng)
  size = share.shape[1::-1]
  cover = cv2.resize(cells, size, interpolation=way)
  result = picture.copy()
  result[part] = picture[part] * (1 - share) + np.clip(cover, 0, 1) * share
  return result


def _pixelated(picture, box, rng):
  return _covered(picture, box, rng, cv2.INTER_NEAREST)


def _blurred(picture, box, rng):
  return _covered(picture, box, rng, cv2.INTER_LINEAR)


def _replaced(picture, box, rng):
  """A flat face of the mean colour, with eyes and mouth where they may be."""
  part, share = _area(picture.shape[:2], box)
  if part is None:
    return picture
  colour = _cells(picture, box, part, rng).mean((0, 1))
  colour = np.round(colour * _LEVELS) / _LEVELS
  flat = np.broadcast_to(colour, picture.shape).astype(np.float32).copy()
  height, width = picture.shape[:2]
  at = lambda x, y: (int((box[0] + x * box[2]) * width),
                     int((box[1] + y * box[3]) * height))
  dark = tuple(float(c) for c in 0.6 * colour)
  thick = max(1, round(0.03 * box[2] * width))
  for x in (0.33, 0.67):
    cv2.circle(flat, at(x, 0.42), 2 * thick, dark, -1, cv2.LINE_AA)
  cv2.line(flat, at(0.38, 0.76), at(0.62, 0.76), dark, thick, cv2.LINE_AA)
  result = picture.copy()
  result[part] = picture[part] * (1 - share) + flat[part] * share
  return result
