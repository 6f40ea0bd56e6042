"""Prepares a folder of videos, once, as records that are quick to read.

python -m revive_jax.data.clips --root=videos --out=records
"""

import argparse
from collections.abc import Iterator, Sequence
import dataclasses
import json
import logging
import os
import pathlib
import sys

import numpy as np
import tensorflow_datasets as tfds

from revive_jax import types
from revive_jax.data import pieces, splits, videos
from revive_jax.video import atomic

# Steps of 255, see pieces.measure; below, a piece is still, empty or black.
_LEAST_MOTION = 1.0
_LEAST_DETAIL = 1.0
_LEAST_LIGHT = 8.0
_VERSION = '1.0.0'
_PER_SHARD = 400  # Pieces; 0.3 GB.
_KEPT_OF_STILL = 10  # One of so many still pieces is kept.


def _info(folder: pathlib.Path, settings: dict) -> tfds.core.DatasetInfo:
  """Describes the data set `clips` that is written to folder."""
  identity = tfds.core.dataset_info.DatasetIdentity(
      name='clips', version=tfds.core.Version(_VERSION),
      data_dir=os.fspath(folder), module_name=__name__)
  return tfds.core.DatasetInfo(
      builder=identity,
      description='Pieces of clean video, reduced, by shot.',
      features=tfds.features.FeaturesDict({
          # array_record compresses them itself, see docs/data.md.
          'clip': tfds.features.Tensor(
              shape=(None, None, None, 3), dtype=np.uint8, encoding='bytes'),
          'name': tfds.features.Text(),
          'start': np.int32, 'top': np.int32, 'left': np.int32,
          'motion': np.float32, 'detail': np.float32}),
      metadata=tfds.core.MetadataDict(
          names={}, still_share=1 / _KEPT_OF_STILL, **settings))


def _is_still(piece: pieces.Piece) -> bool:
  return (piece.motion < _LEAST_MOTION or piece.detail < _LEAST_DETAIL
          or piece.clip.mean() < _LEAST_LIGHT)


def _examples(
    path: str, options: pieces.Options, cutting: dict[str, int],
    label: str,
) -> Iterator[dict]:
  """Yields the pieces of a video that are worth keeping."""
  name = splits.name_of(path)
  seen = still = kept = 0
  video = videos.scan(path)
  for piece in pieces.cut(video, options, label=label, **cutting):
    seen += 1
    if _is_still(piece):
      still += 1
      if still % _KEPT_OF_STILL != 1:
        continue
    kept += 1
    yield dataclasses.asdict(piece) | {
        'clip': np.ascontiguousarray(piece.clip), 'name': name}
  logging.info('%s: %d pieces kept of %d.', name, kept, seen)


def _write(folder: pathlib.Path, paths: dict[str, list[str]], options, cutting):
  """Writes the pieces of paths, by split, as records to folder."""
  info = _info(folder, cutting)
  # GeneratorBasedBuilder keeps a gigabyte in memory, then needs TensorFlow.
  writer = tfds.core.SequentialWriter(
      info, _PER_SHARD, file_format='array_record')
  writer.initialize_splits(list(paths))
  todo = [(split, path) for split in paths for path in paths[split]]
  counts = {split: {} for split in paths}
  for number, (split, path) in enumerate(todo, 1):
    name = splits.name_of(path)
    for example in _examples(
        path, pieces.options_for(name, options), cutting,
        label=f'{name} ({number}/{len(todo)})'):
      writer.add_examples({split: [example]})
      counts[split][name] = counts[split].get(name, 0) + 1
  empty = [split for split in counts if not counts[split]]
  if empty:
    raise types.BadInput(
        f'No shot of {cutting["num_frames"]} frames for the split {empty[0]}; '
        'give longer videos, or ask for fewer frames.')
  info.metadata['names'] = counts
  writer.close_splits(list(paths))


def prepare(
    root: str | os.PathLike,
    out: str | os.PathLike,
    *,
    options: dict[str, dict] | None = None,
    held_out: Sequence[str] = (),
    num_frames: int = 16,
    size: int = 192,
    max_height: int = 360,
) -> str:
  """Prepares the videos below root; returns the folder of the records.

  The result is a TFDS data set `clips` in array_record, written without
  TensorFlow; read it with sources.ClipRecords.

  Args:
    root: videos, and folders of pictures, at any depth.
    out: where to write; records that are there already are left alone.
    options: by name or pattern, see pieces.Options.
    held_out: names of the videos that become the split `validation`.
    num_frames: of a piece.
    size: height and width of a piece, px, where the frame is as large.
    max_height: the shorter side of a frame is reduced to it, px.

  Raises:
    types.BadInput: no videos, options or names that do not fit, out in use.
  """
  if num_frames < 1 or size < 16 or max_height < 16:
    raise types.BadInput(
        f'Pieces of {num_frames} frames of {size} px from {max_height} px '
        'cannot be; at least one frame and 16 px are needed.')
  options = options or {}
  paths = [p for p in videos.find(root)
           if not pieces.options_for(splits.name_of(p), options).exclude]
  train, validation = splits.split_names(paths, held_out, every=None)
  by_split = {'train': train} | ({'validation': validation} if validation
                                 else {})
  folder = pathlib.Path(out) / 'clips' / _VERSION
  if folder.exists():
    raise types.BadInput(
        f'{folder}: records are there already; remove them, or choose '
        'another --out.')
  atomic.check_writable(folder)
  with atomic.replacing(folder, folder=True) as part:
    _write(part, by_split, options, dict(
        num_frames=num_frames, size=size, max_height=max_height))
  return os.fspath(folder)


def _read_options(path: str | None) -> dict:
  if path is None:
    return {}
  try:
    table = json.loads(pathlib.Path(path).read_text())
  except (OSError, ValueError) as e:
    raise types.BadInput(
        f'{path}: not a JSON file that can be read ({e}).') from e
  if not isinstance(table, dict):
    raise types.BadInput(
        f'{path}: must be an object {{name: {{option: value}}}}.')
  return table


def _arguments() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
      prog='python -m revive_jax.data.clips',
      description='Prepares a folder of clean videos for training.')
  parser.add_argument('--root', required=True, help='Videos, at any depth.')
  parser.add_argument('--out', required=True, help='Where to write.')
  parser.add_argument(
      '--options', help='JSON: {name or pattern: {scale, border, frames, hop, '
      'exclude}}.')
  parser.add_argument('--exclude', nargs='*', default=[], metavar='NAME',
                      help='Names to leave out.')
  parser.add_argument('--held_out', nargs='*', default=[], metavar='NAME',
                      help='Names that become the split validation.')
  parser.add_argument('--num_frames', type=int, default=16)
  parser.add_argument('--size', type=int, default=192)
  parser.add_argument('--max_height', type=int, default=360)
  return parser


def main(argv: Sequence[str] | None = None) -> int:
  """The command; returns 0, or 2 for bad input."""
  args = _arguments().parse_args(argv)
  logging.basicConfig(level=logging.INFO, format='%(message)s',
                      stream=sys.stderr)
  try:
    options = _read_options(args.options)
    options |= {name: {'exclude': True} for name in args.exclude}
    path = prepare(
        args.root, args.out, options=options, held_out=args.held_out,
        num_frames=args.num_frames, size=args.size,
        max_height=args.max_height)
  except types.BadInput as e:
    sys.stderr.write(f'{e}\n')
    return 2
  sys.stderr.write(f'Records are in {path}.\n')
  return 0


if __name__ == '__main__':
  sys.exit(main())
