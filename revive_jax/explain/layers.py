"""Layers in colours, with a legend that says in plain words what they mean."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from revive_jax import types
from revive_jax.explain import origin

# Colours of the classes: RGB.
CLASSES = {
    types.Origin.KEPT: ('kept', (64, 64, 64)),
    types.Origin.DENOISED: ('denoised', (70, 130, 200)),
    types.Origin.MOVED: ('moved from another frame', (90, 190, 90)),
    types.Origin.INVENTED: ('invented', (230, 60, 50))}
_HEADINGS = {
    'damage': 'damage that was found, %',
    'change': 'change to the source, of 255',
    'uncertainty': 'uncertainty (standard deviation), of 255',
    'spread': 'how much several fills differ, of 255',
    'origin': 'where each pixel comes from',
    'origin_frame': 'frame that a moved pixel is from'}
_TICKS = {  # Of a layer's codes, and what they are called.
    'damage': ((0, '0'), (128, '50'), (255, '100')),
    'change': ((0, '0'), (4, '4'), (16, '16'), (64, '64'), (255, '255')),
    'uncertainty': ((0, 'kept'), (16, '4'), (64, '16'),
                    (255, '64+ or unknown')),
    'spread': ((0, '0'), (16, '4'), (64, '16'), (255, '64+'))}
_BAR = 22  # Height of a line of a legend, px.
_LINES = 3  # Of a legend.
_LEAST = 320  # Width of a panel, px: below that no legend could be read.


def coloured(name: str, layer: np.ndarray) -> np.ndarray:
  """A layer [H, W] uint8 as a picture [H, W, 3] uint8; name: of layers."""
  if name == 'origin':
    table = np.zeros((256, 3), np.uint8)
    for code in range(256):
      table[code] = CLASSES[types.Origin(origin.classes(np.uint8(code)))][1]
    return table[layer]
  if name == 'origin_frame':
    table = np.stack([_of_offset(code - 128) for code in range(256)])
    return table[layer]
  return _map(name)[layer]


def legend(name: str, layer: np.ndarray, width: int) -> np.ndarray:
  """What the colours of coloured(name, layer) mean, [height, width, 3]."""
  picture = np.zeros((_LINES * _BAR, width, 3), np.uint8)
  _write(picture, _HEADINGS[name], 4, 0)
  if name == 'origin':
    _write_classes(picture, layer)
  elif name == 'origin_frame':
    _write_offsets(picture, layer)
  else:
    _write_scale(picture, name, width)
  return picture


def page(
    pictures: Mapping[str, np.ndarray], layers: Mapping[str, np.ndarray],
    notes: Sequence[str] = (), columns: int = 3,
) -> np.ndarray:
  """One picture of all: pictures [H, W, 3] uint8 by title, and the layers.

  Small ones are enlarged until a legend can be read.
  """
  height, width = next(iter(pictures.values())).shape[:2]
  factor = max(1, -(-_LEAST // width))
  size = (width * factor, height * factor)
  fit = lambda x: cv2.resize(x, size, interpolation=cv2.INTER_NEAREST)
  panels = []
  for title, picture in pictures.items():
    bar = np.zeros((_LINES * _BAR, size[0], 3), np.uint8)
    _write(bar, title, 4, 0)
    panels.append(np.vstack([bar, fit(picture)]))
  for name, layer in layers.items():
    panels.append(np.vstack([
        legend(name, layer, size[0]), fit(coloured(name, layer))]))
  panels += [np.zeros_like(panels[0])] * (-len(panels) % columns)
  rows = [np.hstack([np.pad(p, ((0, 4), (0, 4), (0, 0))) for p in
                     panels[i:i + columns]])
          for i in range(0, len(panels), columns)]
  if notes:
    foot = np.zeros((_BAR * len(notes), rows[0].shape[1], 3), np.uint8)
    for line, note in enumerate(notes):
      _write(foot, note, 4, line)
    rows.append(foot)
  return np.vstack(rows)


def shares(layer: np.ndarray) -> dict[str, float]:
  """The share of each class in a layer `origin`, by its plain name."""
  counts = np.bincount(origin.classes(layer).ravel(), minlength=4)
  return {CLASSES[k][0]: counts[k] / layer.size for k in CLASSES}


def _map(name) -> np.ndarray:
  """Colours [256, 3] of a scale: small values are stretched, but for damage."""
  codes = np.arange(256) / 255
  if name != 'damage':
    codes = np.sqrt(codes)
  grey = np.round(255 * codes).astype(np.uint8)
  return cv2.applyColorMap(grey[None], cv2.COLORMAP_INFERNO)[0][:, ::-1]


def _of_offset(offset: int) -> np.ndarray:
  """Blue for earlier frames, orange for later ones; paler the farther."""
  if not offset:
    return np.array((64, 64, 64), np.uint8)
  base = np.array((60, 120, 235) if offset < 0 else (240, 140, 40), np.float32)
  pale = min(abs(offset) - 1, 4) / 6
  return np.round(base + pale * (255 - base)).astype(np.uint8)


def _write(picture, text, x, line, colour=(230, 230, 230)) -> None:
  cv2.putText(picture, text, (x, (line + 1) * _BAR - 7),
              cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)


def _entries(picture, entries) -> None:
  """Squares of colour, each with its word, over two lines."""
  x, line = 4, 1
  for text, colour in entries:
    wide = 22 + cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    if x + wide > picture.shape[1] and line + 1 < _LINES:
      x, line = 4, line + 1
    top = line * _BAR + 5
    picture[top:top + 12, x:x + 12] = colour
    _write(picture, text, x + 16, line)
    x += wide + 8


def _write_classes(picture, layer) -> None:
  found = shares(layer)
  _entries(picture, [(f'{name} {100 * found[name]:.1f} %', colour)
                     for name, colour in CLASSES.values()])


def _write_offsets(picture, layer) -> None:
  found = sorted(set(np.unique(origin.offsets(layer)).tolist()) - {0})
  _entries(picture, [('this one', _of_offset(0))] + [
      (f'{abs(n)} {"earlier" if n < 0 else "later"}', _of_offset(n))
      for n in found[:8]])


def _write_scale(picture, name, width) -> None:
  """A bar of all colours, and what some of them stand for."""
  table = _map(name)
  inner = width - 8
  codes = (np.arange(inner) * 255 / max(inner - 1, 1)) / 255
  if name != 'damage':  # Even steps of colour.
    codes = codes**2
  index = np.round(255 * codes).astype(int)
  picture[_BAR + 4:2 * _BAR - 2, 4:4 + inner] = table[index]
  for code, text in _TICKS[name]:
    share = code / 255 if name == 'damage' else np.sqrt(code / 255)
    wide = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    x = int(np.clip(4 + share * inner - wide / 2, 4, width - 4 - wide))
    _write(picture, text, x, 2)
