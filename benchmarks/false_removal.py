"""How much of clean moving footage is taken for damage, and changed.

python benchmarks/false_removal.py [--root=FOLDER --frames=24 --width=320]
    [--weights=,restorer --scenes=rain,sparks,snow,pan --clips=8]
    [--moving=ignore,keep --output=TABLE.md]

Rain, sparks, snow and a plain pan are made here, with seeds; --root is a folder
of clean videos and of folders of pictures, the first frames of which are used.
All is restored in the mode repair, once without a network (weights '') and
once with each network: every pixel that changes was changed falsely. Prints a
table in Markdown. Of rain, sparks and snow it says, too, how much of them went.
"""

import argparse
import datetime
import itertools
import pathlib
import tempfile

from absl import logging
import cv2
import numpy as np
import refusing
from revive_jax.configs import restore as config

from revive_jax import restore, types
from revive_jax.data import videos
from revive_jax.models import weights as weights_lib
from revive_jax.video import probe, reader

_LEAST = 4 / 255  # Smaller changes are not seen.


@refusing.bad_input()
def main():
  """Restores all, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--root', default='')
  parser.add_argument('--frames', type=int, default=24)
  parser.add_argument('--width', type=int, default=320)
  parser.add_argument('--weights', default=',restorer')
  parser.add_argument('--scenes', default='rain,sparks,snow,pan')
  parser.add_argument('--moving', default='ignore,keep')
  parser.add_argument('--clips', type=int, default=8)
  parser.add_argument('--output', default='')
  args = parser.parse_args()
  logging.set_verbosity(logging.ERROR)
  _check(args)
  lines = ['| clip | restored by | moving | taken for damage, of 10,000 px | '
           'visibly changed, of 10,000 px | of rain, sparks, snow gone |',
           '|---|---|---|---|---|---|']
  for name, film, cover in _films(args):
    for weights, moving in itertools.product(
        args.weights.split(','), args.moving.split(',')):
      found, changed, gone = measure(film, cover, weights, moving)
      lost = '' if gone is None else f'{100 * gone:.1f} %'
      lines.append(
          f'| {name} | {weights or "classical"} | {moving} | '
          f'{1e4 * found:.2f} | {1e4 * changed:.2f} | {lost} |')
      print(lines[-1], flush=True)
  text = (f'{args.frames} frames of each, {args.width} px wide, mode repair; '
          f'{datetime.date.today()}.\n\n' + '\n'.join(lines) + '\n')
  print('\n' + text)
  if args.output:
    pathlib.Path(args.output).write_text(text)


def measure(
    film: np.ndarray, cover: np.ndarray | None, weights: str,
    moving: str = 'keep',
) -> tuple[float, float, float | None]:
  """Restores a clean film.

  Args:
    film: [T, H, W, 3] uint8.
    cover: [T, H, W] in [0, 1], how much of a pixel is rain or spark; or None.
    weights: of the network; '' for none.
    moving: config.moving: 'keep' or 'ignore'.

  Returns:
    (share of pixels taken for damage, share visibly changed, share of what is
    moving that went, or None).
  """
  clips = []
  with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder) / 'film'
    source.mkdir()
    for t, frame in enumerate(film):
      cv2.imwrite(str(source / f'{t:05d}.png'), frame[..., ::-1])
    c = config.get_config()
    c.weights, c.composite, c.moving = weights, 'repair', moving
    restore.restore(c, str(pathlib.Path(folder) / 'work'), str(source),
                    see=clips.append)
  return _shares(clips, cover)


def _shares(clips: list[types.Clip], cover) -> tuple:
  join = lambda name: np.concatenate([getattr(c, name) for c in clips])
  source, output = join('source'), join('output')
  if any(c.damage is None for c in clips):
    damage = np.zeros(source.shape[:3], bool)
  else:
    damage = join('damage')[..., 0] > 0.5
  change = np.abs(output - source).max(-1) > _LEAST
  gone = None
  if cover is not None:
    seen = cover > 0.3
    gone = float((change & seen).sum() / max(seen.sum(), 1))
  return float(damage.mean()), float(change.mean()), gone


def _check(args) -> None:
  """Refuses what would end the run in its middle."""
  for name in filter(None, args.weights.split(',')):
    weights_lib.read_weights(name)
  for name in filter(None, args.scenes.split(',')):
    if name not in _SCENES:
      raise types.BadInput(
          f'--scenes: {name!r} is not known; choose of {", ".join(_SCENES)}.')
  if args.root:
    videos.find(args.root)


def _films(args):
  """Yields (name, film [T, H, W, 3] uint8, cover or None)."""
  for name in filter(None, args.scenes.split(',')):
    yield name, *_SCENES[name](args.frames, args.width * 9 // 16, args.width)
  if args.root:
    paths = [p for p in map(pathlib.Path, videos.find(args.root))
             if 'mask' not in p.name]
    for path in paths[:args.clips]:
      yield path.name, _first_frames(path, args.frames, args.width), None


def _first_frames(path, count, width) -> np.ndarray:
  """The first frames of a film, made smaller."""
  frames = []
  info = probe.probe(str(path), frame_rate=24.0)
  for frame in reader.read_frames(info, stop=count):
    rgb = frame.rgb
    if rgb.dtype == np.uint16:
      rgb = (rgb >> 8).astype(np.uint8)
    height = round(rgb.shape[0] * width / rgb.shape[1])
    frames.append(cv2.resize(rgb, (width, height),
                             interpolation=cv2.INTER_AREA))
  return np.stack(frames)


def pan(count: int, height: int, width: int, seed: int = 0):
  """A camera pans over a textured scene; (film, None)."""
  rng = np.random.default_rng(seed)
  shape = (height, width + 2 * count + 8, 3)
  scene = np.zeros(shape, np.float32)
  for scale, share in ((24.0, 0.6), (6.0, 0.3), (1.5, 0.1)):
    layer = cv2.GaussianBlur(rng.random(shape, np.float32), (0, 0), scale)
    scene += share * (layer - layer.mean()) / layer.std()
  scene = 0.4 + 0.15 * scene
  film = np.stack([scene[:, 2 * t:2 * t + width] for t in range(count)])
  return _codes(film, rng), None


def rain(count: int, height: int, width: int, seed: int = 0):
  """Bright streaks that fall, each seen in two to five frames."""
  rng = np.random.default_rng(seed)
  drops = max(20, height * width // 700)
  x = rng.uniform(0, width, drops)
  y = rng.uniform(-height, height, drops)
  speed = rng.uniform(0.15, 0.35, drops) * height  # px a frame.
  bright = rng.uniform(0.3, 0.8, drops)
  cover = np.zeros((count, height, width), np.float32)
  for frame in cover:
    for i in range(drops):
      end = (int(16 * x[i]), int(16 * y[i]))
      start = (int(16 * (x[i] - 0.1 * speed[i])), int(16 * (y[i] - speed[i])))
      streak = np.zeros_like(frame, np.uint8)
      cv2.line(streak, start, end, 255, 1, cv2.LINE_AA, 4)
      np.maximum(frame, bright[i] / 255 * streak, out=frame)
    x, y = x + 0.1 * speed, y + speed
    out = y > 2 * height
    x[out], y[out] = rng.uniform(0, width, out.sum()), -speed[out]
  return _over(cover, 0.8, rng)


def sparks(count: int, height: int, width: int, seed: int = 0):
  """Bright dots that fly from one place, fall, and go out."""
  rng = np.random.default_rng(seed)
  cover = np.zeros((count, height, width), np.float32)
  for _ in range(12 * count):
    start, life = rng.integers(-6, count), rng.integers(3, 12)
    place = np.array([width / 2, 0.6 * height])
    velocity = rng.normal(0, 0.03, 2) * height - (0, 0.03 * height)
    for t in range(start, min(start + life, count)):
      place = place + velocity
      velocity = velocity + (0, 0.004 * height)
      if t >= 0:
        dot = np.zeros((height, width), np.uint8)
        tail = place - 0.5 * velocity
        cv2.line(dot, *(tuple((16 * p).astype(int).tolist())
                        for p in (tail, place)), 255, 1, cv2.LINE_AA, 4)
        np.maximum(cover[t], dot * ((1 - (t - start) / life) / 255),
                   out=cover[t])
  return _over(cover, 1.0, rng)


def snow(count: int, height: int, width: int, seed: int = 0):
  """Bright flakes of one to four px that fall, drift, and sway."""
  rng = np.random.default_rng(seed)
  flakes = max(30, height * width // 700)
  place = rng.uniform(0, 1, (flakes, 2)) * (width, height)
  velocity = np.stack([rng.normal(0.008, 0.006, flakes),
                       rng.uniform(0.012, 0.05, flakes)], -1) * height
  radius = rng.uniform(0.4, 1.8, flakes) * height / 180
  bright = rng.uniform(0.4, 0.9, flakes)
  phase = rng.uniform(0, 2 * np.pi, flakes)
  cover = np.zeros((count, height, width), np.float32)
  for t, frame in enumerate(cover):
    at = place + t * velocity
    at[:, 0] += 0.01 * height * np.sin(phase + 0.5 * t)
    at %= (width, height)
    for i in range(flakes):
      flake = np.zeros_like(frame, np.uint8)
      cv2.circle(flake, tuple((16 * at[i]).astype(int).tolist()),
                 int(16 * radius[i]), 255, -1, cv2.LINE_AA, 4)
      np.maximum(frame, bright[i] / 255 * flake, out=frame)
  return _over(cover, 0.9, rng)


def _over(cover, light, rng):
  """(the pan with light over it, cover)."""
  scene, _ = pan(*cover.shape, seed=1)
  scene = 0.7 * scene.astype(np.float32) / 255
  film = scene + cover[..., None] * (light - scene)
  return _codes(film, rng), cover


def _codes(film, rng):
  """uint8, with a little noise, the same in all colours."""
  noise = 0.006 * rng.standard_normal((*film.shape[:3], 1))
  return np.uint8(np.round(255 * np.clip(film + noise, 0, 1)))


_SCENES = {'rain': rain, 'sparks': sparks, 'snow': snow, 'pan': pan}

if __name__ == '__main__':
  main()
