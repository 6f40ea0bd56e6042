"""What the restorer cannot do, in a picture: docs/failures.jpg.

python benchmarks/failures.py [--weights=restorer --out=docs/failures.jpg]

Scenes made of scikit-image's photographs (public domain or CC0), each of which
asks for something that real film asked for (docs/model.md). Prints how much of
the thing that counts is still there, as a share of its contrast: 1 is all.
"""

import argparse
from collections.abc import Callable
import pathlib
from typing import NamedTuple

import cv2
import jax.numpy as jnp
import numpy as np
import refusing
import skimage

import revive_jax
from revive_jax.explain import pictures
from revive_jax.video import sheet

_SIZE = (240, 320)  # px, height and width.
_FRAMES = 13
_T = _FRAMES // 2  # The frame that is shown, and judged.


class Scene(NamedTuple):
  """A clip, and a thing in it."""

  frames: np.ndarray  # [T, H, W, 3], what the network is given.
  without: np.ndarray  # The same without the thing.
  where: np.ndarray  # [H, W] bool, the thing in frame _T.
  is_damage: bool  # Whether the thing should go, or stay.


@refusing.bad_input()
def main():
  """Restores all scenes, prints the table, writes the picture."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--out', default='docs/failures.jpg')
  args = parser.parse_args()
  model, params = revive_jax.load_weights(args.weights)
  print('| scene | wanted | of its contrast is left | found to be damage |\n'
        '|---|---|---|---|')
  rows = []
  for name, make in SCENES.items():
    scene = make()
    result, _ = revive_jax.restore_frames(
        params, jnp.asarray(scene.frames[None]), model=model)
    output, damage = (np.asarray(x[0, _T]) for x in (
        result.output, result.damage))
    found = damage[scene.where, 0].mean()
    wanted = 0 if scene.is_damage else 1
    print(f'| {name} | {wanted} | {left(scene, output):.2f} | '
          f'{100 * found:.0f} % |')
    rows.append(drawn(scene, output))
  pathlib.Path(args.out).write_bytes(pictures.jpeg(np.vstack(rows), 150_000))


def left(scene: Scene, output: np.ndarray) -> float:
  """The share of the thing's contrast that is in output [H, W, 3].

  By least squares over where it is: 1 as it was, 0 gone.
  """
  thing = (scene.frames[_T] - scene.without[_T])[scene.where]
  kept = (output - scene.without[_T])[scene.where]
  return float((thing * kept).sum() / (thing * thing).sum())


def drawn(scene: Scene, output: np.ndarray) -> np.ndarray:
  """A row: frame, restored, and both around the thing, enlarged."""
  frames = {'frame': pictures.codes(scene.frames[_T]),
            'restored': pictures.codes(output)}
  close = sheet.crop(frames, sheet.densest(scene.where), factor=4)
  row = [*frames.values(), *close.values()]
  return np.hstack([cv2.resize(np.pad(
      p, ((2, 2), (2, 2), (0, 0)), constant_values=255), (240, 180),
                               interpolation=cv2.INTER_AREA) for p in row])


def _photograph(name: str) -> np.ndarray:
  """A still photograph [T, H, W, 3] with some grain."""
  photo = getattr(skimage.data, name)()
  still = cv2.resize(photo, _SIZE[::-1], interpolation=cv2.INTER_AREA)
  return np.repeat(still[None].astype(np.float32) / 255, _FRAMES, 0)


def _grained(clip: np.ndarray) -> np.ndarray:
  """clip with the grain of a film, in steps of 1 / 255."""
  rng = np.random.default_rng(0)
  noise = np.stack([cv2.GaussianBlur(rng.normal(0, 0.05, _SIZE), (0, 0), 0.6)
                    for _ in clip])[..., None]
  return pictures.codes(clip + noise).astype(np.float32) / 255


def _scene(clip, paint, *, is_damage) -> Scene:
  """clip with a thing: paint(t) is its opacity [H, W] and its brightness."""
  covers = [paint(t) for t in range(len(clip))]
  painted = np.stack([
      f + cover[..., None] * (light - f)
      for f, (cover, light) in zip(clip, covers, strict=True)])
  return Scene(_grained(painted), _grained(clip), covers[_T][0] > 0.3,
               is_damage)


def _drawing(draw: Callable[[np.ndarray], object]) -> np.ndarray:
  """Opacity [H, W] of what draw(canvas) draws with 255."""
  canvas = np.zeros(_SIZE, np.uint8)
  draw(canvas)
  return canvas.astype(np.float32) / 255


def _line(top: int, bottom: int, x: float, width: float) -> np.ndarray:
  """Opacity of an upright line with soft sides; px."""
  y, across = np.mgrid[:_SIZE[0], :_SIZE[1]]
  profile = np.exp(-0.5 * np.square((across - x) / (width / 2)))
  return np.where((y >= top) & (y < bottom), profile, 0).astype(np.float32)


def _disc(x: float, y: float, radius: int) -> np.ndarray:
  centre = (round(x), round(y))
  return _drawing(lambda canvas: cv2.circle(
      canvas, centre, radius, 255, -1, cv2.LINE_AA))


def _pole() -> Scene:
  cover = _line(20, 150, 70, 2.0)
  return _scene(_photograph('coffee'), lambda t: (cover, 0.05),
                is_damage=False)


def _ball() -> Scene:
  return _scene(
      _photograph('rocket'),
      lambda t: (_disc(160 + 26 * (t - _T), 90 + 9 * (t - _T), 6), 0.9),
      is_damage=False)


def _spark() -> Scene:
  cover = _disc(90, 150, 7)
  return _scene(_photograph('rocket'), lambda t: (cover * (t == _T), 1.0),
                is_damage=False)


def _stain() -> Scene:
  cover = _disc(60, 60, 7)
  return _scene(_photograph('astronaut'), lambda t: (0.8 * cover, 0.0),
                is_damage=True)


def _wide_scratch() -> Scene:
  cover = _line(0, _SIZE[0], 100, 6.0)
  return _scene(_photograph('cat'), lambda t: (0.5 * cover, 1.0),
                is_damage=True)


SCENES = {
    'a thin upright pole, nothing moves': _pole,
    'a ball that flies 27 px a frame': _ball,
    'a spark, there for one frame': _spark,
    'a stain that stays, nothing moves': _stain,
    'a soft scratch 6 px wide, nothing moves': _wide_scratch,
}

if __name__ == '__main__':
  main()
