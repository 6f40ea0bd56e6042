"""Measures of the quality benchmark that metrics/ does not have; tables."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
import pathlib
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from revive_jax import evaluate
from revive_jax.comparison import cases, perception, uncertainty
from revive_jax.faces import find, similarity, track
from revive_jax.metrics import scores, table

NOBODY = perception.Judges(None, None)
_COUNTS = ('true_positive', 'false_positive', 'false_negative')
_RADIUS = 4  # Frames before and after that a face is judged by.
_EIGHT = np.ones((3, 3), bool)
_SHARE = 0.5  # Of an object, that counts as all of it.
_LEAST = 4  # px; smaller specks are no objects.

# Key, title, format: see table().
FIDELITY = (('psnr', 'PSNR, dB', '{:.2f}'), ('ssim', 'SSIM', '{:.4f}'))
TIME = (('warping_error', 'warping error, %', '{:.3%}'),
        ('flicker', 'flicker, %', '{:.3%}'))
FOUND = (('precision', 'precision', '{:.3f}'), ('recall', 'recall', '{:.3f}'),
         ('f1', 'F1', '{:.3f}'))
OBJECTS = tuple((f'object_{key}', f'{title}, objects', form)
                for key, title, form in FOUND)
LEFT = (('residual', 'contrast left, %', '{:.1%}'),)
IDENTITY = (('identity', 'faces, cosine', '{:.3f}'),)
DAMAGE = (('psnr_damage', 'PSNR in damage, dB', '{:.2f}'),)
PERCEPTION = (('perceptual', 'perceptual distance', '{:.4f}'),
              ('niqe', 'NIQE', '{:.2f}'))
# evaluate's own tables, which have no other name.
UNDAMAGED, UNCERTAINTY = table.UNDAMAGED, table.UNCERTAINTY


class Found(NamedTuple):
  """What all clips say of the rows of a table, sums by row and then by clip."""

  damaged: dict[str, dict[str, scores.Sums]]
  undamaged: dict[str, dict[str, scores.Sums]]
  uncertainty: dict[str, dict[str, Any]]


def measure(
    made: Iterable[cases.Case], rows_of: Callable[[cases.Case], Mapping], *,
    judges: perception.Judges = NOBODY, undamaged: bool = False,
    more: Callable[[cases.Case, np.ndarray], scores.Sums] | None = None,
    sheets: pathlib.Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Found:
  """Measures all rows on all cases, as evaluate does.

  Args:
    made: cases, one after the other.
    rows_of: the rows of a case.
    judges: of pictures.
    undamaged: also restore what is not damaged.
    more: further sums of a case and what was made of it.
    sheets: folder of contact sheets of the cases; None: none are made.
    say: where progress goes.
  """
  found = Found({}, {}, {})
  for case in made:
    tell = lambda text, name=case.name: say(f'{name}: {text}')
    rows = rows_of(case)
    one = evaluate.measured(case, rows, undamaged, judges, tell)
    for row, result in one.results.items():
      if rows[row].about.get('told'):
        one.undamaged.pop(row, None)
      finds = rows[row].about.get('finds', True)
      if not finds or not case.damage.any():
        for key in _COUNTS:
          one.damaged[row].pop(key)
      if not finds:
        one.undamaged.get(row, {}).pop('false_share', None)
      elif case.damage.any():
        one.damaged[row].update(objects(result.found, case.damage))
      if more:
        one.damaged[row].update(more(case, result.restored))
    if sheets:
      evaluate.write_sheet(sheets / f'{case.name}.png', case, {
          row: r._replace(restored=np.asarray(r.restored, np.uint8))
          for row, r in one.results.items()})
    if more:
      one.damaged['damaged'].update(more(case, case.damaged))
      one.damaged['clean'].update(more(case, 255 * case.target))
    for field, by_row in found._asdict().items():
      for row, sums in getattr(one, field).items():
        by_row.setdefault(row, {})[case.name] = sums
  return found


def means(by_row: Mapping[str, Mapping[str, scores.Sums]]) -> dict[str, Any]:
  """The mean over clips by row; `damaged` first, `clean` last."""
  found = {}
  for row, clips in by_row.items():
    merged = scores.merge(clips.values())
    found[row] = scores.values(merged) | object_scores(merged)
  names = sorted(found, key=lambda n: (n != 'damaged', n == 'clean'))
  return {'no change' if n == 'damaged' else n: found[n] for n in names}


def undamaged(found: Found) -> dict[str, dict[str, float]]:
  """How little each row changes what is not damaged."""
  rows = means(found.undamaged)
  for row, clips in found.undamaged.items():
    rows[row]['lowest_psnr'] = min(s['psnr'][0] for s in clips.values())
  return rows


def uncertainties(found: Found) -> dict[str, dict[str, dict[str, float]]]:
  """Figures of what rows predict of their error, by place and row."""
  result = {}
  for place in uncertainty.PLACES:
    for row, clips in found.uncertainty.items():
      judged = uncertainty.judge({k: v[place] for k, v in clips.items()})
      if judged is not None:
        result.setdefault(place, {})[row] = uncertainty.figures(judged)
  return result


def objects(found: np.ndarray, damage: np.ndarray) -> scores.Sums:
  """Counts of objects, of masks [T, H, W] bool.

  An object is what hangs together in a frame (8 neighbours), of 4 px or more.
  One of the damage counts as found where half of its pixels were; one that was
  found is right where half of its pixels are damage, or beside it by 1 px.
  """
  counts = np.zeros(4)
  for a, b in zip(found, damage, strict=True):
    near = ndimage.binary_dilation(b, _EIGHT)
    counts += (*_covered(b, a), *_covered(a, near))
  return {key: (float(n), 1.0) for key, n in zip(
      ('object_found', 'object_true', 'object_right', 'object_called'),
      counts, strict=True)}


def _covered(mask, by) -> tuple[int, int]:
  """How many objects of mask are covered by another by half; and all."""
  labels, count = ndimage.label(mask, _EIGHT)
  if not count:
    return 0, 0
  sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
  hits = np.bincount(labels[by], minlength=count + 1)[1:]
  large = sizes >= _LEAST
  return int((hits >= _SHARE * sizes)[large].sum()), int(large.sum())


def object_scores(sums: scores.Sums) -> dict[str, float]:
  """object_precision, _recall and _f1, of the counts of objects()."""
  if 'object_true' not in sums:
    return {}
  share = lambda a, b: sums[a][0] / sums[b][0] if sums[b][0] else 1.0
  precision = share('object_right', 'object_called')
  recall = share('object_found', 'object_true')
  f1 = 2 * precision * recall / max(precision + recall, 1e-9)
  return {'object_precision': precision, 'object_recall': recall,
          'object_f1': f1}


def residual(case: cases.Case, restored: np.ndarray) -> scores.Sums:
  """How much of the contrast of damage is left, 1: all; below 0: too much.

  The regression of what is wrong after on what was wrong before, over the
  pixels of the damage: noise that is left, or was, does not count.
  """
  if not case.damage.any():
    return {}
  before = (np.asarray(case.damaged, np.float32) / 255 - case.target)[
      case.damage]
  after = (np.asarray(restored, np.float32) / 255 - case.target)[case.damage]
  return {'residual': (float((before * after).sum() / (before**2).sum()), 1.0)}


def identities(
    embedding: similarity.Embedding, detector: find.Detector,
    names: Collection[str] | None = None,
) -> Callable[[cases.Case, np.ndarray], scores.Sums]:
  """A measure of how far the faces of a case stay the persons they are.

  Faces are looked for in what is wanted; what was made is compared with it at
  the same places: identity, the mean over faces and frames of the cosine of
  their embeddings, each averaged over 9 frames. names: of the clips that do
  have faces, for detectors see some in textures; None: all.
  """
  known = {}

  def measured(case, restored):
    if names is not None and case.name.split('@')[0] not in names:
      return {}
    if case.name not in known:
      known.clear()
      known[case.name] = _faces(case.target, embedding, detector)
    cosines = []
    for boxes, vectors in known[case.name]:
      cosines += list(similarity.cosine(vectors, _vectors(
          np.asarray(restored, np.float32) / 255, boxes, embedding),
                                        radius=_RADIUS))
    return {'identity': (float(np.sum(cosines)), len(cosines))} if (
        cosines) else {}

  return measured


def _faces(frames, embedding, detector):
  """Boxes [T, 4], NaN where it is not, and vectors [N, D] of each face."""
  watcher = track.Watcher(detector, every=2)
  for frame in cases.to_codes(frames):
    watcher(frame)
  places = [t.boxes(np.arange(len(frames))) for t in watcher.tracks()]
  return [(b, _vectors(frames, b, embedding)) for b in places]


def _vectors(frames, boxes, embedding):
  """Of a face in frames [T, H, W, 3] in [0, 1] where it is there, [N, D]."""
  return embedding.embed(np.stack([
      similarity.cut(frames[t], boxes[t], embedding.side)
      for t in np.flatnonzero(np.isfinite(boxes).all(-1))]))


def markdown(
    title: str, rows: Mapping[str, Mapping[str, float]],
    columns: Sequence[tuple[str, str, str]],
) -> str:
  """A table; a dash where a row has no value, no column where none has."""
  return table.table(title, rows, columns)
