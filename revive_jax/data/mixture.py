"""Mixture: the sources of a training, and how often each is drawn from."""

from collections.abc import Sequence
import pathlib
from typing import Any

from absl import logging

from revive_jax import types
from revive_jax.data import augment, motion, sources, splits, videos

_MARGIN = 16  # Moving photographs are drawn so much larger, px, then cropped.


def mixture(
    *, root: str, tfds: str, tfds_dir: str, tfds_split: str,
    photos: Sequence[str], photo_share: float, look_alike_share: float,
    held_out: Sequence[str], num_frames: int, size: int, seed: int,
) -> tuple[list[Any], list[float]]:
  """Sources of clean clips, and their shares of a batch (they add up to 1).

  Args:
    root: a folder of videos, or of records prepared by data.clips, or several,
      comma-separated, each drawn from by its size; '': none.
    tfds: a prepared TFDS data set of videos or images, by name; '': none.
    tfds_dir: where it was prepared.
    tfds_split: of it.
    photos: folders of photographs, which are set in motion; every tenth of
      each is held out.
    photo_share: of all clips, if there is something else.
    look_alike_share: of moving pictures with look-alikes of damage.
    held_out: names of videos that must not be trained on; all of them are in
      root, or none is.
    num_frames: of a clip.
    size: height and width of a clip, px.
    seed: of the motion.

  Raises:
    types.BadInput: a source is not there, or a name to be held out is not.
  """
  def moving(stills):
    return motion.Photographs(
        stills, num_frames=num_frames, size=size + _MARGIN, seed=seed,
        look_alike_share=look_alike_share)

  found = [_videos(folder, num_frames, held_out)
           for folder in root.split(',') if folder]
  clips = sum(map(len, found))
  by_size = [len(source) / clips for source in found]
  if tfds:
    source = sources.TfdsSource(tfds, tfds_dir, tfds_split)
    found.append(moving(source) if len(source[0]['clip']) == 1 else source)
  share = 1 - photo_share if photos else 1.0
  if tfds:  # Half, where there are videos as well.
    by_size = [x / 2 for x in by_size] + [0.5 if by_size else 1.0]
  shares = [share * x for x in by_size]
  for folder in photos:
    found.append(moving(sources.Pictures(
        folder, include=_trained_photos(folder))))
    shares.append((photo_share if tfds or root else 1.0) / len(photos))
  return found, shares


def names(
    *, root: str, photos: Sequence[str], held_out: Sequence[str]
) -> list[str]:
  """Names of the videos and photographs of a mixture; args as mixture's.

  Of a TFDS data set none are known. Videos too short for a clip are among them.
  """
  found = []
  for folder in filter(None, root.split(',')):
    found += (sources.ClipRecords(folder, 'train').names
              if _has_records(folder) else
              map(splits.name_of, videos.find(folder)))
  for folder in photos:
    found += _trained_photos(folder)
  return sorted(set(found) - set(held_out))


def _has_records(root):
  return bool(list(pathlib.Path(root).rglob('features.json')))


def _trained_photos(folder):
  """All photographs but every tenth."""
  return splits.split_names(sources.Pictures(folder).names)[0]


def _videos(root, num_frames, held_out):
  """Prepared records, or the videos of a folder as they are."""
  root = pathlib.Path(root)
  if _has_records(root):
    return sources.ClipRecords(root, 'train', held_out=held_out)
  present = {splits.name_of(p) for p in root.rglob('*')}
  missing = sorted(set(held_out) - present)
  if missing and len(missing) < len(set(held_out)):
    raise types.BadInput(
        f'{root}: {", ".join(missing)} is to be held out, but is not there; '
        'correct the name or the folder.')
  if missing:
    logging.warning('%s: none of the names to be held out is there.', root)
  # As many frames as the longest stride needs.
  return sources.VideoFolder(
      root, num_frames=num_frames,
      longest=augment.LONGEST_STRIDE * (num_frames - 1) + 1,
      exclude=[n for n in held_out if n in present])
