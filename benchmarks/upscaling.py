"""Enlarging to twice the size, against Lanczos, bicubic and nearest.

python benchmarks/upscaling.py --root=FOLDER [--weights=upscaler --frames=8
    --height=272 --clips=a.mp4,b.mkv --repeats=3 --output=TABLE.md
    --pictures=FOLDER]

Clean clips below --root that nothing was trained on (default: those that
configs/restorer.py holds out) are reduced to --height, which is what is wanted;
made half as large, by the mean of 2 x 2 px (OpenCV's INTER_AREA) and by
Pillow's antialiased bicubic, in 8 bits; and enlarged again. Pillow's kernels
are the baselines; 'means kept' is Lanczos moved so that the mean of 2 x 2 is
the source, without a network. Prints tables in Markdown; --pictures gets crops.
"""

import argparse
import datetime
import os
import pathlib
import platform
import time

import cv2
import jax
import numpy as np
import PIL.Image
import refusing
from revive_jax.configs import restorer

from revive_jax.data import held_out
from revive_jax.metrics import fidelity
from revive_jax.models import upscaler
from revive_jax.pipeline import upscale
from revive_jax.video import sheet

_RESAMPLING = PIL.Image.Resampling
_KERNELS = {'nearest': _RESAMPLING.NEAREST, 'bicubic': _RESAMPLING.BICUBIC,
            'Lanczos': _RESAMPLING.LANCZOS}
_KEPT = 'Lanczos, means kept'
_SIZES = ((272, 480), (480, 854))
_CROP = 96  # Side of what pictures show, px.


@refusing.bad_input()
def main():
  """Measures all, and prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--root', required=True)
  parser.add_argument('--weights', default='upscaler')
  parser.add_argument('--frames', type=int, default=8)
  parser.add_argument('--height', type=int, default=272)
  parser.add_argument(
      '--clips', default=','.join(restorer.get_config().data.held_out))
  parser.add_argument('--repeats', type=int, default=3)
  parser.add_argument('--output', default='')
  parser.add_argument('--pictures', default='')
  args = parser.parse_args()
  enlarger = upscale.load(2, args.weights)
  methods = _methods(enlarger)
  clips = held_out.read_clips(
      args.root, clips=args.clips.split(','), num_frames=args.frames,
      height=args.height)
  lines = [_head(args, enlarger)]
  for kind, reduce in (('the mean of 2 x 2 px', _area), (
      'antialiased bicubic', _bicubic)):
    lines += [f'\nMade small by {kind}; PSNR in dB / SSIM:\n',
              *_table(clips, reduce, methods, args.pictures and
                      pathlib.Path(args.pictures) / reduce.__name__[1:])]
  lines += ['', *_speeds(methods, args.repeats)]
  text = '\n'.join(lines) + '\n'
  print(text)
  if args.output:
    pathlib.Path(args.output).write_text(text)


def _methods(enlarger):
  """By name: frames [H, W, 3] uint8 to [2 H, 2 W, 3]."""
  return {
      **{name: lambda x, kernel=kernel: _resized(x, x.shape[0] * 2, kernel)
         for name, kernel in _KERNELS.items()},
      _KEPT: _kept,
      'upscaler': lambda x: upscale.enlarge(x, enlarger)}


def _resized(x, height, kernel):
  width = x.shape[1] * height // x.shape[0]
  return np.asarray(PIL.Image.fromarray(x).resize((width, height), kernel))


@jax.jit
def _moved(x):
  return upscaler.kept_means(upscaler.enlarge(x), x)


def _kept(x):
  return upscale.to_codes(np.asarray(_moved(x[None] / np.float32(255)))[0], x)


def _area(x):
  height, width = x.shape[:2]
  return cv2.resize(x, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def _bicubic(x):
  height, width = x.shape[:2]
  return np.asarray(PIL.Image.fromarray(x).resize(
      (width // 2, height // 2), _RESAMPLING.BICUBIC))


def _table(clips, reduce, methods, pictures) -> list[str]:
  """Rows of scores; a picture of each clip's middle frame."""
  names = list(methods)
  lines = [f'| clip | {" | ".join(names)} | more than Lanczos, dB |',
           '|---' * (len(names) + 2) + '|']
  found = []
  for clip in clips:
    small = [reduce(x) for x in clip.frames]
    made = {n: np.stack([f(x) for x in small]) for n, f in methods.items()}
    found.append([_scores(made[n], clip.frames) for n in names])
    lines.append(_row(clip.name, found[-1], names))
    if pictures:
      _show(pictures / f'{clip.name}.png', made, clip.frames)
  return [*lines, _row('mean', np.mean(found, 0), names)]


def _row(name, scores, names) -> str:
  gain = scores[names.index('upscaler')][0] - scores[names.index('Lanczos')][0]
  cells = [f'{psnr:.2f} / {ssim:.4f}' for psnr, ssim in scores]
  return f'| {name} | {" | ".join(cells)} | {gain:+.2f} |'


def _scores(made, clean) -> tuple[float, float]:
  made, clean = (np.float32(x) / 255 for x in (made, clean))
  return (float(np.mean(fidelity.psnr(made, clean))),
          float(np.mean(fidelity.ssim(made, clean))))


def _show(path, made, clean) -> None:
  """The middle of the middle frame, by all methods, three times as large."""
  frame, height, width = len(clean) // 2, *clean.shape[1:3]
  top, left = max(0, height - _CROP) // 2, max(0, width - _CROP) // 2
  path.parent.mkdir(parents=True, exist_ok=True)
  sheet.write_sheet(path, [{
      name: x[frame, top:top + _CROP, left:left + _CROP].repeat(3, 0).repeat(
          3, 1) for name, x in (*made.items(), ('clean', clean))}])


def _speeds(methods, repeats) -> list[str]:
  """Rows of frames per second and CPU seconds, a frame at a time, medians."""
  names = ('Lanczos', 'upscaler')
  lines = [f'| size of the source | {" | ".join(names)} |',
           '|---' * (len(names) + 1) + '|']
  for height, width in _SIZES:
    x = np.random.default_rng(0).integers(
        0, 256, (height, width, 3), np.uint8)
    cells = ['{:.2f} / {:.3f}'.format(*_medians(methods[n], x, repeats))
             for n in names]
    lines.append(f'| {width}x{height} | {" | ".join(cells)} |')
  return ['Frames per second / CPU seconds of a frame, of 8 bits:\n', *lines]


def _medians(function, x, repeats) -> tuple[float, float]:
  """Frames per second, and CPU seconds of a frame, which load changes less."""
  function(x)
  found = []
  for _ in range(repeats):
    start = time.monotonic(), time.process_time()
    function(x)
    found.append((time.monotonic() - start[0],
                  time.process_time() - start[1]))
  wall, busy = np.median(found, 0)
  return 1 / wall, busy


def _head(args, enlarger) -> str:
  return (f'{enlarger.weights.split(", sha256")[0]}; {args.frames} frames of '
          f'each clip, {args.height} px high or less.\n\n'
          f'{datetime.date.today()}; {jax.devices()[0].device_kind}, '
          f'{os.cpu_count()} CPU cores; Python {platform.python_version()}, '
          f'jax {jax.__version__}, Pillow {PIL.__version__}; load before '
          f'{os.getloadavg()[0]:.1f}.')


if __name__ == '__main__':
  main()
