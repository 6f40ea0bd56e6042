"""Sources of clean clips by index: folders, prepared records, TFDS.

Each has a length, gives {'clip': [T, H, W, 3] uint8} by index, always the
same, and can be pickled. A still is a clip of one frame.
"""

from collections.abc import Iterable, Sequence
import json
import os
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from revive_jax import types
from revive_jax.data import splits, videos
from revive_jax.video import images

_EXTRA = 'revive-jax[tensorflow]'


def _chosen(
    paths: Iterable[str], include: Sequence[str] | None, exclude: Sequence[str],
    root: str | os.PathLike,
) -> list[str]:
  """Returns the paths whose names are wanted; BadInput if none are."""
  paths, exclude = list(paths), set(exclude)
  include = None if include is None else set(include)
  names = {splits.name_of(p) for p in paths}
  missing = sorted((include or set()) - names)
  if missing:
    raise types.BadInput(
        f'{root}: {", ".join(missing)} is to be included, but is not there; '
        'correct the name or the folder.')
  found = [p for p in paths if splits.name_of(p) not in exclude and (
      include is None or splits.name_of(p) in include)]
  if not found:
    raise types.BadInput(
        f'{root}: all {len(paths)} files are excluded; nothing is left.')
  return found


class VideoFolder:
  """Clips of the videos and folders of pictures below a folder.

  Clip k of a video is decoded from the key frame before it. No clip crosses a
  shot cut or an end. For training at speed, prepare records (data/clips.py).
  """

  def __init__(
      self,
      root: str | os.PathLike,
      *,
      num_frames: int,
      longest: int | None = None,
      stride: int = 1,
      include: Sequence[str] | None = None,
      exclude: Sequence[str] = (),
  ):
    """Decodes each video once, to find its length and cuts.

    Args:
      root: videos and sequences, at any depth.
      num_frames: of a clip, at least.
      longest: and at most, where the shot has as many; None: num_frames.
      stride: from one frame of a clip to the next; clips do not overlap.
      include: names to use; None: all.
      exclude: names to leave out, e.g. those held out.

    Raises:
      types.BadInput: there is no clip of that length.
    """
    paths = _chosen(videos.find(root), include, exclude, root)
    self._videos = [videos.scan(path) for path in paths]
    span = (num_frames - 1) * stride + 1
    longest = ((longest or num_frames) - 1) * stride + 1
    self._clips = [
        (v, range(first, min(first + longest, b), stride))
        for v, video in enumerate(self._videos) for a, b in video.shots
        for first in range(a, b - span + 1, longest)]
    if not self._clips:
      raise types.BadInput(
          f'{root}: no shot has {span} frames; give longer videos, or ask for '
          'fewer frames.')

  @property
  def names(self) -> list[str]:
    """The names of the videos, sorted."""
    return sorted({video.name for video in self._videos})

  @property
  def videos(self) -> list[int]:
    """For each clip the number of its video."""
    return [number for number, _ in self._clips]

  def __len__(self) -> int:
    return len(self._clips)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    number, frames = self._clips[index]
    return {'clip': videos.read(self._videos[number], frames)}


class Pictures:
  """The pictures below a folder, as clips of one frame."""

  def __init__(
      self,
      root: str | os.PathLike,
      *,
      include: Sequence[str] | None = None,
      exclude: Sequence[str] = (),
  ):
    """Lists the pictures, by name; see VideoFolder. Raises BadInput."""
    paths = sorted(
        (os.path.join(folder, name)
         for folder, _, names in os.walk(root) for name in names
         if images.is_picture(name) and not name.startswith('.')),
        key=lambda p: (images.natural_key(splits.name_of(p)), p))
    if not paths:
      what = 'holds no picture' if os.path.isdir(root) else 'no such folder'
      raise types.BadInput(f'{root}: {what}; give a folder of pictures.')
    self._paths = _chosen(paths, include, exclude, root)

  @property
  def names(self) -> list[str]:
    """The names of the pictures."""
    return [splits.name_of(p) for p in self._paths]

  def __len__(self) -> int:
    return len(self._paths)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    picture, _ = images.read_picture(self._paths[index])
    return {'clip': videos.to_uint8(picture)[None]}


class ClipRecords:
  """Pieces of video that data/clips.py prepared."""

  def __init__(
      self,
      directory: str | os.PathLike,
      split: str,
      *,
      held_out: Sequence[str] = (),
  ):
    """Opens records.

    Args:
      directory: the `--out` of data/clips.py, or a folder below it.
      split: `train` or `validation`.
      held_out: names that must not be among them.

    Raises:
      types.BadInput: there are none, or held-out names are among them.
    """
    found = sorted(pathlib.Path(directory).rglob('metadata.json'))
    found = [p.parent for p in found if (p.parent / 'features.json').exists()]
    if len(found) != 1:
      raise types.BadInput(
          f'{directory}: {len(found)} sets of records in this folder, one is '
          'needed; prepare them with `python -m revive_jax.data.clips`.')
    metadata = json.loads((found[0] / 'metadata.json').read_text())
    if split not in metadata.get('names', {}):
      raise types.BadInput(
          f'{found[0]}: no split {split!r}; it has '
          f'{", ".join(metadata.get("names", {})) or "none"}.')
    self.names = sorted(metadata['names'][split])
    splits.refuse_held_out(self.names, held_out, f'{found[0]} ({split})')
    self._folder, self._split = found[0], split
    self._records = tfds.builder_from_directory(
        found[0]).as_data_source(split=split)

  @property
  def videos(self) -> list[int]:
    """For each piece the number of its video; reads all records for it."""
    only_names = tfds.builder_from_directory(self._folder).as_data_source(
        split=self._split, decoders={'clip': tfds.decode.SkipDecoding()})
    names = [record['name'] for record in only_names]
    number = {name: i for i, name in enumerate(sorted(set(names)))}
    return [number[name] for name in names]

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {'clip': self._records[index]['clip']}


class TfdsSource:
  """A TFDS data set that has a feature `video` or `image`, already prepared.

  Images become clips of one frame (see motion.Photographs to move them).
  """

  def __init__(self, name: str, data_dir: str | os.PathLike, split: str):
    """Opens a data set; nothing is downloaded.

    Args:
      name: of the data set, with configuration and version where needed
        (`ucf101/ucf101_1:2.0.0`).
      data_dir: where it was prepared.
      split: in the notation of TFDS, e.g. `train[:90%]`.

    Raises:
      types.BadInput: it is not there, has no such feature, or needs
        TensorFlow, which is not installed.
    """
    where = f'The data set {name!r} in {data_dir}'
    try:
      builder = tfds.core.read_only_builder.builder_from_files(
          name, data_dir=os.fspath(data_dir))
      kinds = [k for k in ('video', 'image') if k in builder.info.features]
      if not kinds:
        raise types.BadInput(
            f'{where} has no feature `video` or `image`, but '
            f'{", ".join(builder.info.features)}; choose another one.')
      if not (builder.info.available_file_formats()
              & tfds.core.FileFormat.with_random_access()):
        raise types.BadInput(
            f'{where} is stored in a way that cannot be read by index; prepare '
            'it again with `tfds build --file_format=array_record`, which '
            f'needs {_EXTRA}.')
      self._kind = kinds[0]
      self._records = builder.as_data_source(split=split)
      if not len(self._records):
        raise types.BadInput(f'{where} is empty for the split {split!r}.')
      self[0]  # What cannot be decoded is found now.
    except types.BadInput:
      raise
    except tfds.core.DatasetNotFoundError as e:
      raise types.BadInput(
          f'{where} is not there; prepare it with `tfds build '
          f'--file_format=array_record`, which needs {_EXTRA}.') from e
    except ImportError as e:
      raise types.BadInput(
          f'{where} needs TensorFlow to be read; install {_EXTRA}.') from e
    except ValueError as e:
      raise types.BadInput(f'{where}: {str(e).splitlines()[0]}') from e

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    clip = np.asarray(self._records[index][self._kind])
    if clip.ndim == 3:
      clip = clip[None]
    if clip.shape[-1] == 1:
      clip = np.repeat(clip, 3, -1)
    return {'clip': clip}
