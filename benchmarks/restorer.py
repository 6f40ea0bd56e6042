"""Seconds per frame of the network alone, warm, against OpenCV's denoiser.

python benchmarks/restorer.py [--weights=restorer --frames=16 --repeats=5]

At 480x272 and 854x480, both directions of time and causally; the baseline is
cv2.fastNlMeansDenoisingColored on the same frames in the same run. Medians.
Prints a table in Markdown.
"""

import argparse
import datetime
import os
import platform
import time

import cv2
import jax
import numpy as np
import refusing

import revive_jax

_SIZES = ((272, 480), (480, 854))


@refusing.bad_input()
def main():
  """Measures all, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--frames', type=int, default=16)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()
  model, params = revive_jax.load_weights(args.weights)
  params = jax.device_put(params)
  count = sum(x.size for x in jax.tree.leaves(params))
  rows = []
  for height, width in _SIZES:
    rng = np.random.default_rng(0)
    clip = rng.random((1, args.frames, height, width, 3), np.float32)
    codes = np.round(255 * clip[0, :2]).astype(np.uint8)
    rows.append((f'{width}x{height}',
                 _seconds(model, params, clip, codes, args.repeats)))
  device = jax.devices()[0]
  print(f'{args.weights}, {count / 1e6:.2f} M parameters; {args.frames} frames '
        f'at once, median of {args.repeats}.\n\n'
        f'{datetime.date.today()}; {device.device_kind}, {os.cpu_count()} '
        f'CPU cores, {_instructions()}; Python {platform.python_version()}, '
        f'jax {jax.__version__}, OpenCV {cv2.__version__}; load before '
        f'{os.getloadavg()[0]:.1f}.\n')
  print('| size | both directions, frames/s | causal, frames/s | OpenCV '
        'non-local means, frames/s | ratio to OpenCV |\n|---|---|---|---|---|')
  for size, s in rows:
    print(f'| {size} | {1 / s["both"]:.2f} | {1 / s["causal"]:.2f} | '
          f'{1 / s["OpenCV"]:.2f} | {s["OpenCV"] / s["both"]:.2f} |')


def _seconds(model, params, clip, codes, repeats) -> dict[str, float]:
  """Seconds per frame of each method."""
  restore = lambda causal: jax.block_until_ready(revive_jax.restore_frames(
      params, clip, model=model, causal=causal))
  denoise = lambda: [
      cv2.fastNlMeansDenoisingColored(f, None, 9, 13, 5, 15) for f in codes]
  return {
      'both': _median(lambda: restore(False), repeats) / clip.shape[1],
      'causal': _median(lambda: restore(True), repeats) / clip.shape[1],
      'OpenCV': _median(denoise, repeats) / len(codes)}


def _instructions() -> str:
  """The widest vectors of this CPU, which speed depends on most."""
  try:
    with open('/proc/cpuinfo') as file:
      text = file.read()
  except OSError:
    return 'vectors unknown'
  return next((name for name, flag in (
      ('AVX-512', 'avx512f'), ('AVX2', 'avx2')) if flag in text), 'no AVX2')


def _median(function, repeats) -> float:
  """Median seconds of function(), after one call to warm up."""
  function()
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    function()
    times.append(time.perf_counter() - start)
  return float(np.median(times))


if __name__ == '__main__':
  main()
