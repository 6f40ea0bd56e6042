"""How much room a film will take on a disk, before it is written."""

from collections.abc import Mapping
import os
import pathlib
import shutil

from revive_jax import types
from revive_jax.video import probe
from revive_jax.video import target as target_lib

# Of the samples as they are in memory; grainy film needs that much.
_RATIOS = {'ffv1': 0.6, 'prores': 0.35, 'h264': 0.12, 'h265': 0.1, 'av1': 0.08,
           'png': 0.8, 'tiff': 1.0}


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
