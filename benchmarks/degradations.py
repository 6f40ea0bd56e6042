"""Clips per second of the degradations, against NumPy and OpenCV.

python benchmarks/degradations.py [--clips=8 --frames=5 --size=64 --repeats=7]

Both sides damage the same batch in float32 with the same parameters at medium
severity, on the same machine in the same run; both leave the result in memory.
Prints a table in Markdown. Time to compile is told apart.
"""

import argparse
import datetime
import functools
import math
import platform
import time

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import chain, codec, film, geometry

_NAMES = (
    'blur',
    'anisotropic_blur',
    'monochrome',
    'grain',
    'white_noise',
    'scratches',
    'dust',
    'hairs',
    'flicker',
    'weave',
    'block_compression',
    'rescale',
)


def main():
  """Measures every operator on both sides and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--clips', type=int, default=8)
  parser.add_argument('--frames', type=int, default=5)
  parser.add_argument('--size', type=int, nargs='+', default=[64])
  parser.add_argument('--repeats', type=int, default=7)
  flags = parser.parse_args()
  height, width = flags.size[0], flags.size[-1]
  clips = _clips(flags.clips, flags.frames, height, width)
  rows = []
  for name in _NAMES:
    mix = chain.Mix({name: 1.0})
    numpy_side = functools.partial(_numpy_batch, names=(name,))
    rows.append((name, *_compare(clips, mix, numpy_side, flags.repeats)))
  numpy_film = functools.partial(
      _numpy_batch, names=tuple(chain.MIXES['film'].operators)
  )
  rows.append((
      'film (chain)',
      *_compare(clips, chain.MIXES['film'], numpy_film, flags.repeats),
  ))
  print(f'{flags.clips} clips of {flags.frames} frames of {width}x{height}, '
        f'float32; median of {flags.repeats}.\n')
  print(f'{datetime.date.today()}; {_device()}; Python '
        f'{platform.python_version()}, jax {jax.__version__}, OpenCV '
        f'{cv2.__version__}, NumPy {np.__version__}.\n')
  print('| operator | JAX, clips/s | NumPy/OpenCV, clips/s | ratio '
        '| compile, s |\n|---|---|---|---|---|')
  for name, ours, theirs, compile_time in rows:
    print(f'| {name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} '
          f'| {compile_time:.1f} |')


def _device():
  device = jax.devices()[0]
  return f'{device.device_kind}, {len(jax.devices())} device'


def _clips(count, frames, height, width):
  """Smooth pictures in motion, uniform in tone: [B, T, H, W, 3]."""
  rng = np.random.default_rng(0)
  coarse = rng.random((count, 8, 8, 3), np.float32)
  clips = np.empty((count, frames, height, width, 3), np.float32)
  for b in range(count):
    big = cv2.resize(coarse[b], (width + frames, height + frames))
    for t in range(frames):
      clips[b, t] = big[t : t + height, t : t + width]
  return clips


def _compare(clips, mix, numpy_side, repeats):
  """(ours, theirs) in clips per second, and our time to compile in s."""
  ones = jnp.ones(len(clips))
  on_device = jnp.asarray(clips)
  run = jax.jit(functools.partial(chain.degrade_batch, mix=mix))
  start = time.perf_counter()
  compiled = run.lower(jax.random.key(0), on_device, ones).compile()
  compile_time = time.perf_counter() - start
  ours = _median(
      lambda i: jax.block_until_ready(
          compiled(jax.random.key(i), on_device, ones)
      ),
      repeats,
  )
  theirs = _median(
      lambda i: numpy_side(np.random.default_rng(i), clips), repeats
  )
  return len(clips) / ours, len(clips) / theirs, compile_time


def _median(function, repeats):
  function(0)
  times = []
  for i in range(repeats):
    start = time.perf_counter()
    function(i + 1)
    times.append(time.perf_counter() - start)
  return float(np.median(times))


def _numpy_batch(rng, clips, *, names):
  damaged, masks = clips.copy(), np.zeros((*clips.shape[:4], 1), np.float32)
  for b in range(len(clips)):
    for name in names:
      if name == 'monochrome' and len(names) > 1 and rng.random() < 0.5:
        continue
      damaged[b] = _NUMPY[name](rng, damaged[b], masks[b])
  return damaged, masks


def _scale(clip):
  return geometry.scale(clip.shape, None)


def _blur(rng, clip, mask):
  sigma = 0.8 * _scale(clip)
  return np.stack([
      cv2.GaussianBlur(f, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
      for f in clip
  ])


def _anisotropic_blur(rng, clip, mask):
  short, long = np.sort(rng.uniform(0.5, 2.0, 2)) * _scale(clip)
  radius = max(1, math.ceil(3 * long))
  y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
  result = []
  angle = rng.uniform(0, math.pi)
  for frame in clip:
    angle += rng.normal(0, 0.05)
    along = (np.cos(angle) * x + np.sin(angle) * y) / long
    across = (np.cos(angle) * y - np.sin(angle) * x) / short
    kernel = np.exp(-0.5 * (along**2 + across**2)).astype(np.float32)
    result.append(
        cv2.filter2D(
            frame, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
        )
    )
  return np.stack(result)


def _monochrome(rng, clip, mask):
  return np.stack([
      cv2.cvtColor(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
      for f in clip
  ])


def _grain(rng, clip, mask):
  radius = 0.6 * _scale(clip)
  kernel = cv2.getGaussianKernel(2 * math.ceil(4 * radius) + 1, radius)
  gain = 1 / (kernel**2).sum()
  result = np.empty_like(clip)
  for t, frame in enumerate(clip):
    noise = rng.standard_normal(frame.shape, np.float32)
    noise = cv2.sepFilter2D(noise, -1, kernel, kernel) * gain
    amount = 10 / 255 * film.tone_response(frame)
    result[t] = np.clip(frame + amount * noise, 0, 1)
  return result


def _white_noise(rng, clip, mask):
  noise = rng.standard_normal(clip.shape, np.float32)
  return np.clip(clip + np.float32(10 / 255) * noise, 0, 1)


def _lay(frame, mask, cover, colour, opacity):
  alpha = (cover.astype(np.float32) * (opacity / 255))[..., None]
  frame += alpha * (colour - frame)
  np.maximum(mask, alpha > 0.05, out=mask)


def _colour(rng):
  return np.float32(rng.choice([rng.uniform(0, 0.2), rng.uniform(0.8, 1)]))


def _scratches(rng, clip, mask):
  scale, height = _scale(clip), clip.shape[1]
  clip = clip.copy()
  for _ in range(3):
    x = rng.uniform(0, clip.shape[2])
    tilt, colour = rng.uniform(-3, 3) * scale, _colour(rng)
    width = max(1, round(rng.uniform(1.6, 4) * scale))
    for frame, damage in zip(clip, mask, strict=True):
      x += rng.normal(0, 0.7 * scale)
      cover = np.zeros(frame.shape[:2], np.uint8)
      ends = [(round((x + d) * 16), y * 16) for d, y in
              ((-tilt, 0), (tilt, height))]
      cv2.line(cover, *ends, 255, width, cv2.LINE_AA, 4)
      _lay(frame, damage, cover, colour, 0.8)
  return clip


def _dust(rng, clip, mask):
  scale, (height, width) = _scale(clip), clip.shape[1:3]
  clip = clip.copy()
  for frame, damage in zip(clip, mask, strict=True):
    for _ in range(rng.poisson(6)):
      cover = np.zeros(frame.shape[:2], np.uint8)
      radius = math.exp(rng.uniform(0, math.log(6))) * scale
      angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
      outline = radius * (1 + 0.25 * np.cos(2 * angle + rng.uniform(0, 6)))
      points = np.stack([np.cos(angle), np.sin(angle)], 1) * outline[:, None]
      points += rng.uniform(0, 1, 2) * (width, height)
      cv2.fillPoly(
          cover, [np.round(points * 16).astype(int)], 255, cv2.LINE_AA, 4
      )
      _lay(frame, damage, cover, _colour(rng), rng.uniform(0.7, 1))
  return clip


def _hairs(rng, clip, mask):
  scale, (height, width) = _scale(clip), clip.shape[1:3]
  clip = clip.copy()
  for frame, damage in zip(clip, mask, strict=True):
    for _ in range(rng.poisson(2)):
      cover = np.zeros(frame.shape[:2], np.uint8)
      length = math.exp(rng.uniform(math.log(20), math.log(70))) * scale
      angle = rng.uniform(0, 6.28) + np.cumsum(rng.normal(0, 0.8, 10))
      step = np.stack([np.cos(angle), np.sin(angle)], 1) * length / 10
      points = np.cumsum(step, 0) + rng.uniform(0, 1, 2) * (width, height)
      thick = max(1, round(rng.uniform(0.8, 2) * scale))
      cv2.polylines(
          cover, [np.round(points * 16).astype(int)], False, 255, thick,
          cv2.LINE_AA, 4)
      _lay(frame, damage, cover, _colour(rng), rng.uniform(0.6, 1))
  return clip


def _flicker(rng, clip, mask):
  walk = [rng.normal()]
  for _ in clip[1:]:
    walk.append(0.5 * walk[-1] + math.sqrt(0.75) * rng.normal())
  gain = np.exp(0.08 * np.array(walk, np.float32))
  return np.clip(clip * gain[:, None, None, None], 0, 1)


def _weave(rng, clip, mask):
  height, width = clip.shape[1:3]
  result, shift = [], np.zeros(2)
  for frame in clip:
    shift = 0.7 * shift + rng.normal(0, 0.5, 2) * (1, 0.5) * _scale(clip)
    matrix = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    result.append(
        cv2.warpAffine(
            frame, matrix, (width, height), flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE)
    )
  return np.clip(np.stack(result), 0, 1)


def _block_compression(rng, clip, mask):
  """cv2.dct block by block; 4:2:0 as in the operator."""
  return np.stack([_compress(frame) for frame in clip])


def _compress(frame):
  height, width = frame.shape[:2]
  padded = cv2.copyMakeBorder(
      frame, 0, -height % 16, 0, -width % 16, cv2.BORDER_REPLICATE)
  ycrcb = cv2.cvtColor(padded, cv2.COLOR_RGB2YCrCb) * 255 - 128
  planes = []
  for i in range(3):
    plane = np.ascontiguousarray(ycrcb[..., i])
    full = plane.shape[1], plane.shape[0]
    base = codec.CHROMA_TABLE if i else codec.LUMA_TABLE
    table = np.clip(np.round(base * 1.25), 1, 255).astype(np.float32)
    if i:
      plane = cv2.resize(
          plane, (full[0] // 2, full[1] // 2), interpolation=cv2.INTER_AREA)
    for y in range(0, plane.shape[0], 8):
      for x in range(0, plane.shape[1], 8):
        block = cv2.dct(plane[y : y + 8, x : x + 8])
        block = np.round(block / table) * table
        plane[y : y + 8, x : x + 8] = cv2.idct(block)
    if i:
      plane = cv2.resize(plane, full, interpolation=cv2.INTER_NEAREST)
    planes.append(plane)
  ycrcb = (np.stack(planes, -1) + 128) / 255
  rgb = cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB)
  return np.clip(rgb[:height, :width], 0, 1)


def _rescale(rng, clip, mask):
  height, width = clip.shape[1:3]
  small = width // 2, height // 2
  kernel = rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
  return np.clip(
      np.stack([
          cv2.resize(
              cv2.resize(f, small, interpolation=cv2.INTER_AREA),
              (width, height), interpolation=int(kernel))
          for f in clip
      ]), 0, 1)


_NUMPY = {
    'blur': _blur,
    'anisotropic_blur': _anisotropic_blur,
    'monochrome': _monochrome,
    'grain': _grain,
    'white_noise': _white_noise,
    'scratches': _scratches,
    'dust': _dust,
    'hairs': _hairs,
    'flicker': _flicker,
    'weave': _weave,
    'block_compression': _block_compression,
    'rescale': _rescale,
}


if __name__ == '__main__':
  main()
