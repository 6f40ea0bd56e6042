"""Clips of the quality benchmark: held out, and refused if trained on.

python benchmarks/quality_clips.py FOLDER ... > benchmarks/trained_on.json

writes down the names and contents (the first 16 digits of SHA-256) of all files
below folders that networks were trained on, their weights chosen by, or their
models fitted to. The benchmark compares every file that it reads with them, by
name and by content, and its name with the names and marks (data/splits.py) that
the configs of the weights hold: so that a clip that a network has seen is
refused, renamed or not; of one's own training, renamed, if its folder is named.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
import hashlib
import json
import os
import pathlib

import numpy as np
from revive_jax.configs import restorer

from revive_jax import types
from revive_jax.data import held_out, sources, splits, videos
from revive_jax.degradations import textures
from revive_jax.models import weights

TRAINED_ON = pathlib.Path(__file__).with_name('trained_on.json')
_DIGITS = 16


def main():
  """Prints the names and contents of the files of folders."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('folders', nargs='+')
  args = parser.parse_args()
  print(json.dumps(listed(args.folders), indent=0, sort_keys=True))


def listed(folders: Iterable[str | os.PathLike]) -> dict[str, str]:
  """Contents (digest) by name of all files below folders.

  What is but a number in a sequence is named with its folder.
  """
  found = {}
  for folder in folders:
    for path in sorted(p for p in pathlib.Path(folder).rglob('*')
                       if p.is_file()):
      name = path.name
      if path.stem.isdigit():
        name = f'{path.parent.name}/{name}'
      found[name] = digest(path)
  return found


def trained() -> dict[str, str]:
  """What the networks that ship were trained on, as listed() has it."""
  return json.loads(TRAINED_ON.read_text())


def digest(path: str | os.PathLike) -> str:
  """The first digits of the SHA-256 of a file."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()[:_DIGITS]


def names_of_weights(names: Iterable[str]) -> set[str]:
  """The clips and photographs that the configs of weights say they saw.

  Names, or marks of names.
  """
  found = set(restorer.get_config().data.held_out)  # They chose the weights.
  for name in names:
    config = weights.read_weights(name).config
    found.update(config.get('trained_on', ()))
    for key in ('clips', 'photos'):
      if isinstance(config.get(key), list):
        found |= {x.split('@')[0] for x in config[key]}
  return found


def refuse_trained(
    paths: Iterable[str | os.PathLike], trained: dict[str, str],
    names: Iterable[str] = (), mend: str = 'leave it out with --clips',
) -> None:
  """Raises BadInput for the first of paths that was trained on.

  Args:
    paths: files, or folders of pictures.
    trained: as listed().
    names: further names that must not be among them, or marks of such.
    mend: what to do about it.
  """
  contents = {value: name for name, value in trained.items()}
  folders = {name.split('/')[0] for name in trained if '/' in name}
  known = {*trained, *folders, *names}
  for path in map(pathlib.Path, paths):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    name = splits.name_of(path)
    if name in known or known.intersection(splits.marks([name])):
      raise types.BadInput(
          f'{path}: a clip of this name was trained on, so nothing can be '
          f'measured on it; {mend}.')
    for file in files:
      same = file.is_file() and contents.get(digest(file))
      if same:
        raise types.BadInput(
            f'{file}: its content is that of {same}, which was trained on, so '
            f'nothing can be measured on it; {mend}.')


def refuse_photos(
    photos: str, count: int, trained: dict[str, str],
    names: Iterable[str] = (),
) -> None:
  """refuse_trained, of the first count photographs below a folder."""
  stills = sources.Pictures(photos).names[:count]
  refuse_trained([_below(photos, n) for n in stills], trained, names,
                 mend='name a folder without it with --photos')


def read(
    root: str, *, clips: Sequence[str], photos: str, photo_clips: int,
    num_frames: int, size: tuple[int, int], seed: int, trained: dict[str, str],
    names: Iterable[str] = (),
) -> list[held_out.Clean]:
  """Reads held-out clips, and photographs in motion.

  Args:
    root: folder of clips.
    clips: their names; empty: all.
    photos: folder of photographs; '': none.
    photo_clips: how many of them to set in motion.
    num_frames: of a clip, at most.
    size: width and height, px: larger clips are reduced until one of both is
      met, and the middle is cut out. Smaller ones stay.
    seed: of the motion.
    trained: see refuse_trained.
    names: as well.

  Raises:
    types.BadInput: there are none, or one was trained on.
  """
  if not root:
    raise types.BadInput(
        'There is nothing to measure on; name a folder of clean clips, which '
        'no network was trained on, with --root.')
  found = []
  for path in _chosen(root, clips):
    refuse_trained([path], trained, names)
    clip, = held_out.read_clips(
        os.path.dirname(path), clips=[splits.name_of(path)],
        num_frames=num_frames, height=10**6)
    found.append(clip._replace(frames=_fitted(clip.frames, *size)))
  if photos:
    refuse_photos(photos, photo_clips, trained, names)
    for clip in held_out.move_photos(
        photos, count=photo_clips, num_frames=num_frames, size=size[0],
        seed=seed):
      found.append(clip._replace(frames=_fitted(clip.frames, *size)))
  return found


def read_textures(folder: str, trained: dict[str, str]) -> np.ndarray | None:
  """Shapes of real artefacts, but for those that were trained on; '': None.

  Raises:
    types.BadInput: there are none.
  """
  contents = set(trained.values())
  try:
    return textures.load_textures(
        folder, wanted=lambda p: digest(p) not in contents) if folder else None
  except FileNotFoundError as error:
    raise types.BadInput(f'--textures: {error}') from error


def read_old(
    root: str, *, clips: Sequence[str], num_frames: int,
    trained: dict[str, str], names: Iterable[str] = (),
) -> Iterator[held_out.Clean]:
  """Yields real film as it is, the middle of the longest shot of each clip.

  clips: names; empty: all films below root that are no single photographs.

  Raises:
    types.BadInput: there are none, or one was trained on.
  """
  for path in old_films(root, clips=clips, trained=trained, names=names):
    yield from held_out.read_clips(
        os.path.dirname(path), clips=[splits.name_of(path)],
        num_frames=num_frames, height=10**6)


def old_films(
    root: str, *, clips: Sequence[str], trained: dict[str, str],
    names: Iterable[str] = (),
) -> list[str]:
  """The paths of the films that read_old reads; raises what it raises."""
  paths = [p for p in _chosen(root, clips, flag='--old_clips')
           if splits.name_of(p) != 'photos']
  refuse_trained(paths, trained, names, mend='leave it out with --old_clips')
  return paths


def _chosen(root, clips, flag='--clips') -> list[str]:
  """Paths of clips below root; all but masks, where none are named."""
  paths = {splits.name_of(p): p for p in videos.find(root)}
  missing = [name for name in clips if name not in paths]
  if missing:
    raise types.BadInput(
        f'{flag}: {root} has no {", ".join(missing)}; it has '
        f'{", ".join(paths)}.')
  return [paths[n] for n in clips or [
      n for n in paths if not n.endswith('_mask')]]


def _below(folder, name) -> pathlib.Path:
  """The file of a picture that is known by its name."""
  path = pathlib.Path(folder) / name
  return path if path.exists() else next(pathlib.Path(folder).rglob(
      pathlib.Path(name).name))


def _fitted(frames, width, height):
  """[T, H, W, 3] reduced to cover width x height, and its middle cut out."""
  scale = max(width / frames.shape[2], height / frames.shape[1])
  if scale < 1:
    frames = held_out.reduced(frames, -int(-frames.shape[1] * scale // 2) * 2)
  rows, columns = frames.shape[1:3]
  high, wide = min(rows, height) // 2 * 2, min(columns, width) // 2 * 2
  top, left = (rows - high) // 2, (columns - wide) // 2
  return frames[:, top:top + high, left:left + wide]


if __name__ == '__main__':
  main()
