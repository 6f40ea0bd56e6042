"""Upscale: finished frames at twice the size, on their way to the writer.

What lies between the source's pixels is invented; their means are kept: 2 x 2
codes of the output have the source's code as their mean, exactly.
"""

from collections.abc import Callable, Iterable, Iterator
import dataclasses
import functools
import itertools
import os
from typing import Any, NamedTuple

import jax
import numpy as np

from revive_jax import types
from revive_jax.models import inference, weights
from revive_jax.ops import windows
from revive_jax.video import color, probe, writer

FACTORS = (1, 2)
_TILE = 512  # Side, px of the source: more at once only takes more memory.


class Enlarger(NamedTuple):
  """A network that doubles frames, with what is to be known of it."""

  network: Callable[[np.ndarray], Any]  # [H, W, 3] in [0, 1] to [2 H, 2 W, 3].
  reach: int  # Pixels of the source around a pixel that it sees.
  weights: str  # Which: for the report.


def check(factor: int, *, composite: str, interlace: str, name: str) -> None:
  """Refuses what enlarging does not go with.

  Args:
    factor: of both sides.
    composite: what may be changed.
    interlace: what is done with fields.
    name: of the weights.

  Raises:
    types.BadInput: says what to set instead.
  """
  if factor not in FACTORS:
    raise types.BadInput(
        f'--config.output.upscale={factor} is not known; choose 1 or 2.')
  if factor == 1:
    return
  if composite == 'repair':
    raise types.BadInput(
        '--config.output.upscale=2 cannot keep the samples of the source, as '
        '--config.composite=repair (and DICOM) must; leave it out, or choose '
        'full.')
  if interlace == 'keep':
    raise types.BadInput(
        '--config.output.upscale=2 makes whole frames, and --config.interlace='
        'keep makes fields; set interlace to auto, double or same.')
  if not name:
    raise types.BadInput(
        '--config.output.upscale=2 needs a network; set --config.upscaler='
        'upscaler.')


def refuse(factor: int, what: str) -> None:
  """Refuses another size where there can be none; what: a noun.

  Raises:
    types.BadInput: factor is not 1.
  """
  if factor != 1:
    raise types.BadInput(
        f'{what} keeps its size; leave out --config.output.upscale.')


def load(factor: int, where: str | os.PathLike) -> Enlarger | None:
  """The enlarger of trained weights; None: frames keep their size.

  Args:
    factor: 1 or 2.
    where: the weights: a name that ships, a folder, a file, or a hub id.

  Raises:
    types.BadInput: the weights are not there, or not of an upscaler.
  """
  if factor == 1:
    return None
  model, params = inference.load_upscaler(where)
  found = weights.read_weights(where)
  return Enlarger(
      functools.partial(inference.upscale_frames, jax.device_put(params),
                        model=model),
      model.reach(),
      f'{found.name}, {found.config.get("steps", 0)} steps, sha256 '
      f'{found.config["sha256"]}')


def enlarged(info: probe.VideoInfo, factor: int) -> probe.VideoInfo:
  """The film as it is written: of another size, all else the same."""
  if factor == 1:
    return info
  larger = dataclasses.replace(
      info, width=factor * info.width, height=factor * info.height)
  if larger.layout != info.layout:
    # Colours without a tag are read by the number of lines: now it is said.
    larger = dataclasses.replace(larger, colorspace=info.layout.matrix)
  return larger


def frames(
    found: Iterable[writer.OutputFrame], enlarger: Enlarger | None
) -> Iterator[writer.OutputFrame]:
  """The frames, each enlarged; one at a time is in memory."""
  for frame in found:
    if enlarger is not None:
      source, rgb = frame.source, frame.rgb
      if source.layout and color.is_grey(source.planes, source.layout):
        rgb = color.grey_rgb(rgb)
      frame = dataclasses.replace(frame, rgb=enlarge(rgb, enlarger))
    yield frame


def enlarge(
    rgb: np.ndarray, enlarger: Enlarger, tile: int = _TILE
) -> np.ndarray:
  """RGB [H, W, 3] uint8 or uint16 as [2 H, 2 W, 3] of the same type.

  What has no colour gets none.
  Larger frames go tile by tile, each with as much around it as the network
  sees: no seam can show. All tiles have one size, and are compiled once.

  Args:
    rgb: the frame.
    enlarger: of load().
    tile: its longest side, px of the source.
  """
  height, width = rgb.shape[:2]
  result = np.empty((2 * height, 2 * width, 3), rgb.dtype)
  reach, peak = enlarger.reach, np.float32(np.iinfo(rgb.dtype).max)
  tile, grey = max(tile, 4 * reach), bool((rgb == rgb[..., :1]).all())
  # Of two neighbours each sees enough beyond the line where they meet.
  cut = dict(tile=tile, overlap=2 * reach)
  tall, wide = (windows.tile_size(x, **cut) for x in (height, width))
  for top, left in itertools.product(
      windows.tile_starts(height, **cut), windows.tile_starts(width, **cut)):
    part = rgb[top:top + tall, left:left + wide]
    values = np.asarray(enlarger.network(part / peak), np.float32)
    if grey:
      values = values.mean(-1, keepdims=True).repeat(3, -1)
    codes = to_codes(values, part)
    # What was at the border of a tile was made better by the one before.
    skip_y, skip_x = (2 * reach if start else 0 for start in (top, left))
    result[2 * top + skip_y:2 * (top + tall),
           2 * left + skip_x:2 * (left + wide)] = codes[skip_y:, skip_x:]
  return result


def to_codes(values: np.ndarray, rgb: np.ndarray) -> np.ndarray:
  """Whole numbers near values whose means over 2 x 2 are exactly rgb.

  What rounding takes from one of the four is given to the next.

  Args:
    values: [2 H, 2 W, 3] in [0, 1], with the means rgb / peak.
    rgb: [H, W, 3] uint8 or uint16.

  Returns:
    [2 H, 2 W, 3] of rgb's type.
  """
  peak = np.iinfo(rgb.dtype).max
  codes = np.empty(values.shape, rgb.dtype)
  missing, left = 0.0, 4 * rgb.astype(np.int32)
  for y, x in ((0, 0), (0, 1), (1, 1)):
    wanted = values[y::2, x::2] * np.float32(peak) + missing
    code = np.clip(np.rint(wanted), 0, peak)
    codes[y::2, x::2] = code
    missing = wanted - code
    left -= code.astype(np.int32)
  # The last one is what the sum asks for: near its value, but for the errors
  # of float32.
  codes[1::2, 0::2] = np.clip(left, 0, peak)
  return codes


def stages(factor: int) -> list[dict[str, Any]]:
  """What is said of the stage, in the report and in the signed statement."""
  if factor == 1:
    return []
  return [{
      'name': 'upscale', 'strength': 1.0,
      'why': "asked for; the detail between the source's pixels is invented, "
             'their means over 2 x 2 are kept'}]


def noted(
    report: dict[str, Any], enlarger: Enlarger | None
) -> dict[str, Any]:
  """The report of a film, with what enlarging did."""
  if enlarger is None:
    return report
  shots = [shot | {'stages': shot['stages'] + stages(2)}
           for shot in report['shots']]
  return report | {'shots': shots, 'upscale': {
      'factor': 2, 'weights': enlarger.weights,
      'width': 2 * report['input']['width'],
      'height': 2 * report['input']['height']}}
