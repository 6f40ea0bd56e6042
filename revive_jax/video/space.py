"""How much room a film will take on a disk, before it is written."""

from collections.abc import Mapping
import os
import pathlib
import shutil

from revive_jax import types
from revive_jax.video import images, probe
from revive_jax.video import target as target_lib

# Of the samples as they are in memory; grainy film needs that much.
_RATIOS = {'ffv1': 0.6, 'prores': 0.35, 'h264': 0.12, 'h265': 0.1, 'av1': 0.08,
           'png': 0.8, 'tiff': 1.0}
_LAYERS = 0.5  # Bytes of all layers for each pixel of the source.


def coded_bytes(
    goal: target_lib.Target, info: probe.VideoInfo, num_frames: int
) -> float:
  """About the size of so many frames, as goal codes them."""
  layout = goal.layout or info.layout
  samples = sum(
      height * width * (3 if rest else 1) for height, width, *rest
      in layout.plane_shapes(info.height, info.width))
  return (num_frames * samples * (2 if layout.bits > 8 else 1)
          * _RATIOS.get(goal.codec, 1.0))


def needed(
    goal: target_lib.Target, source: probe.VideoInfo, larger: probe.VideoInfo,
    num_frames: int, done: int, *, folder: os.PathLike, copies: int,
    layers: str, keeps_original: bool,
) -> dict[os.PathLike, float]:
  """About the bytes that a run will need, by their places.

  Args:
    goal: what is written.
    source: the film.
    larger: the film as it is written.
    num_frames: of the film.
    done: frames whose segments are there already.
    folder: of the segments.
    copies: how often the film is on its disk for a while.
    layers: what becomes of them; see layers.form.
    keeps_original: whether the source is kept with the film.
  """
  layered = (layers != 'none') * _LAYERS * source.height * source.width
  coded = lambda count: coded_bytes(goal, larger, count)
  left = max(num_frames - done, 0)
  return {
      folder: coded(left) + left * layered,
      goal.path: copies * coded(num_frames) + num_frames * layered + (
          _size(source.path) if keeps_original else 0)}


def _size(path: str | os.PathLike) -> int:
  """Bytes of a film, or of the pictures of a folder."""
  if os.path.isdir(path):
    return sum(os.path.getsize(p) for p in images.list_pictures(path))
  return os.path.getsize(path)


def check(needed: Mapping[str | os.PathLike, float]) -> list[str]:
  """Looks whether there is room.

  Args:
    needed: bytes by place, which need not be there yet.

  Returns:
    A sentence for each disk where it may become tight.

  Raises:
    types.BadInput: a disk has less than a quarter of it: no estimate is as
      wrong as that.
  """
  disks = {}
  for place, wanted in needed.items():
    place = _existing(pathlib.Path(place).absolute())
    first, sum_ = disks.get(place.stat().st_dev, (place, 0.0))
    disks[place.stat().st_dev] = first, sum_ + wanted
  said = []
  for place, wanted in disks.values():
    free = shutil.disk_usage(place).free
    if free < wanted / 4:
      raise types.BadInput(
          f'{place}: about {_gigabytes(wanted)} are needed, {_gigabytes(free)} '
          'are free; make room, or choose another place with --workdir and '
          '--output.')
    if free < wanted:
      said.append(f'{place}: about {_gigabytes(wanted)} are needed, '
                  f'{_gigabytes(free)} are free.')
  return said


def _existing(path: pathlib.Path) -> pathlib.Path:
  while not path.exists():
    path = path.parent
  return path


def _gigabytes(count: float) -> str:
  return f'{count / 1e9:.2g} GB' if count < 1e10 else f'{count / 1e9:.0f} GB'
