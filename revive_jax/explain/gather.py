"""Gather: what a report needs of the frames, while they go by.

Pictures are kept as small files beside each segment, and sums in its notes,
so that the report of a stopped run that went on lacks nothing.
"""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any, NamedTuple

import cv2
import numpy as np

from revive_jax import types, workdir
from revive_jax.explain import pictures

MOST_SHOTS = 24  # That are shown; the others are in the table only.
BYTES = 6_000_000  # Of all pictures of a report; in a page they take 4/3.
UNSURE = 10 / 255  # A larger expected deviation is called unsure.
_SUMS = ('pixels', 'change', 'classed', 'kept', 'denoised', 'moved', 'invented',
         'judged', 'deviation', 'unsure', 'points', 'confirmed')


def shown(count: int) -> list[int]:
  """Which shots of so many are shown: all, or some at even distances."""
  return sorted({round(x) for x in np.linspace(
      0, count - 1, min(count, MOST_SHOTS))}) if count else []


class Wanted(NamedTuple):
  """Which pictures are wanted of a film."""

  frames: Mapping[int, Sequence[tuple[int, str]]]  # (shot, 'key' or 'sheet').
  shots: int  # That are shown; 0: nothing is gathered.
  hides: bool = False  # Nobody may see the source: faces are hidden.


NOTHING = Wanted({}, 0)


def wanted(shots: Sequence[Any], *, hides: bool = False) -> Wanted:
  """Which pictures are wanted.

  Args:
    shots: of pipeline.measure, in order.
    hides: show the output only, nothing that was made of the source.
  """
  found, numbers = {}, shown(len(shots))
  for number in numbers:
    shot = shots[number]
    found.setdefault(shot.key_frame, []).append((number, 'key'))
    count = min(shot.stop - shot.start, 6 if len(numbers) <= 6 else 4)
    for i in range(count):
      t = shot.start + (2 * i + 1) * (shot.stop - shot.start) // (2 * count)
      found.setdefault(t, []).append((number, 'sheet'))
  return Wanted(found, len(numbers), hides)


class Segment:
  """What is gathered of one segment."""

  def __init__(self, folder: pathlib.Path, number: int, wanted_: Wanted):
    """Of segment number, whose files go to folder."""
    self.folder, self.number, self.wanted = folder, number, wanted_
    shots = max(1, wanted_.shots)
    self.most = BYTES // shots  # Bytes for a shot.
    self.width = 960 if shots <= 6 else 720 if shots <= 12 else 560
    self.found, self.sums = [], {}

  def see(self, clip: types.Clip, shot: int, first: int) -> None:
    """Takes a finished window of this shot, whose first frame is this one."""
    if not self.wanted.shots:
      return
    sums = self.sums.setdefault(str(shot), dict.fromkeys(_SUMS, 0))
    shown_ = clip.replace(source=clip.output, log_variance=None) if (
        self.wanted.hides) else clip
    for t in range(len(clip.source)):
      _count(sums, clip, t)
      for number, kind in self.wanted.frames.get(first + t, ()):
        take = self._key if kind == 'key' else self._thumbnail
        take(shown_, t, number, first + t, sums)

  @property
  def files(self) -> list[str]:
    """Names of the files that were written."""
    return [picture['file'] for picture in self.found]

  @property
  def notes(self) -> dict[str, Any]:
    """For the notes of the segment, in JSON's types."""
    return {'pictures': self.found, 'sums': self.sums}

  def _key(self, clip, t, shot, frame, sums):
    keep = lambda kind, picture, share, **more: self._keep(
        kind, pictures.fit(picture, self.width), shot, frame, share, **more)
    if not self.wanted.hides:
      keep('before', pictures.codes(clip.source[t]), 0.24)
    keep('after', pictures.codes(clip.output[t]), 0.24)
    found = pictures.damage(clip, t)
    if found is not None:
      keep('damage', found, 0.12)
    found = pictures.doubt(clip, t)
    if found is not None:
      keep('doubt', found, 0.12)
    matched = pictures.matches(clip, t)
    if matched is not None:
      match, other = matched
      good = match.confirmed
      sums['points'] += len(good)
      sums['confirmed'] += int(good.sum())
      moved = np.linalg.norm(match.last - match.first, axis=-1)[good]
      self._keep(
          'matches', pictures.arrows(
              clip.source[t], clip.source[other], match, self.width // 2),
          shot, frame, 0.13, other=frame + other - t,
          longer=pictures.magnified(match, clip.source.shape[1:3]),
          median_pixels=round(float(np.median(moved)), 2) if len(moved) else 0)

  def _thumbnail(self, clip, t, shot, frame, sums):
    del sums
    before = pictures.fit(pictures.codes(clip.source[t]), 240)
    after = cv2.resize(pictures.codes(clip.output[t]), before.shape[1::-1],
                       interpolation=cv2.INTER_AREA)
    both = [after] if self.wanted.hides else [before, after]
    self._keep('sheet', np.vstack(both), shot, frame, 0.02,
               both=len(both) == 2)

  def _keep(self, kind, picture, shot, frame, share, **more):
    """share: of the bytes of a shot."""
    name = f'{self.number:06d}_{shot}_{frame}_{kind}.jpg'
    coded = pictures.jpeg(picture, int(share * self.most))
    with workdir.written(self.folder / name):
      (self.folder / name).write_bytes(coded)
    self.found.append({
        'file': name, 'shot': shot, 'kind': kind, 'frame': frame,
        'width': picture.shape[1], 'height': picture.shape[0], **more})


def _count(sums, clip, t):
  """Adds frame t to the sums of its shot."""
  source, output = clip.source[t], clip.output[t]
  if source.shape != output.shape:  # It was made larger.
    source = cv2.resize(source, output.shape[1::-1])
  sums['pixels'] += output[..., 0].size
  sums['change'] += float(
      np.abs(output - source).sum(dtype=np.float64)) / output.shape[-1]
  if clip.origin is not None:
    for kind in types.Origin:
      sums[kind.name.lower()] += int(np.count_nonzero(clip.origin[t] == kind))
    sums['classed'] += clip.origin[t].size
  if clip.log_variance is not None:
    deviation = pictures.deviation(clip.log_variance[t])
    sums['judged'] += deviation.size
    sums['deviation'] += float(deviation.sum(dtype=np.float64))
    sums['unsure'] += int(np.count_nonzero(deviation > UNSURE))


def pictures_of(
    notes: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
  """All pictures of the segments with these notes, in order."""
  return [p for note in notes for p in note.get('seen', {}).get('pictures', ())]


def summed(
    notes: Sequence[Mapping[str, Any]], num_shots: int
) -> list[dict[str, Any] | None]:
  """What was gathered of each shot; None where nothing was.

  'change': mean, of 255; 'share': of pixels by class; 'doubt' (None where
  nothing says it): 'deviation', mean, of 255, and 'unsure_percent'; 'matches'
  (or None): 'points' and 'confirmed'.
  """
  total = [dict.fromkeys(_SUMS, 0) for _ in range(num_shots)]
  for note in notes:
    for shot, sums in note.get('seen', {}).get('sums', {}).items():
      for name, value in sums.items():
        total[int(shot)][name] += value
  return [_described(sums) if sums['pixels'] else None for sums in total]


def _described(sums):
  pixels, judged = sums['pixels'], sums['judged']
  return {
      'mean_change_of_255': round(255 * sums['change'] / pixels, 3),
      'share_by_origin': {name: sums[name] / max(sums['classed'], 1)
                          for name in ('kept', 'denoised', 'moved',
                                       'invented')},
      'doubt': {
          'mean_deviation_of_255': round(255 * sums['deviation'] / judged, 3),
          'unsure_percent': round(100 * sums['unsure'] / judged, 3),
      } if judged else None,
      'matches': {'points': sums['points'], 'confirmed': sums['confirmed']}
      if sums['points'] else None}
