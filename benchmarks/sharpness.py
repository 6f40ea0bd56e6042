"""Sharpness: how soft pictures are measured to be, and what sharpening brings.

python benchmarks/sharpness.py --root=FOLDER [--photos=FOLDER --frames=4]

Clean clips, and photographs in motion, under Gaussian blur of known width,
rounded to 8 bits. By width: the width that pipeline/sharpness.py measures (10 %
of the clips less, the median, 10 % more), the gain of an unsharp mask that is
best by squared error, the gain that is chosen, and PSNR in dB: blurred, after
FFmpeg's unsharp, sharpened at the default strength, and at full strength; then
the clip that lost most at full strength. Width 0 is the clip as it is, and
90 dB are no change.
"""

import argparse

import cv2
import numpy as np
import quality_baselines as baselines
import refusing
from revive_jax.configs import restore

from revive_jax.data import held_out
from revive_jax.pipeline import choose, measure, sharpness

_WIDTHS = (0, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0)  # px
_HEADER = ('blur, px | measured, px | best gain | chosen | blurred | '
           'FFmpeg unsharp | default | full | most lost')


@refusing.bad_input()
def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--root', required=True)
  parser.add_argument('--photos', default='')
  parser.add_argument('--exclude', default='bmx-trees_mask')
  parser.add_argument('--frames', type=int, default=4)
  args = parser.parse_args()
  size = restore.get_config().strength.to_dict()
  clips = held_out.read_clips(
      args.root, exclude=args.exclude.split(','), num_frames=args.frames,
      height=272)
  if args.photos:
    clips += held_out.move_photos(
        args.photos, count=24, num_frames=args.frames, size=272, seed=0)
  print(f'{len(clips)} clips of {args.frames} frames')
  print(f'| {_HEADER} |\n|{"---|" * (_HEADER.count("|") + 1)}')
  for width in _WIDTHS:
    print(f'| {row(width, [of_clip(c.frames, width, size) for c in clips])} |',
          flush=True)


def of_clip(clean, width, strength) -> dict[str, float]:
  """What is measured and gained on a clip [T, H, W, 3] uint8."""
  soft = np.stack([cv2.GaussianBlur(f.astype(np.float32), (0, 0), width)
                   for f in clean]) if width else clean
  codes = np.round(soft).astype(np.uint8)
  frames, target = measure.to_float(codes), measure.to_float(clean)
  shots, _ = measure.measure(iter(codes), frame_rate=24.0)
  chosen = {k: _chosen(shots[0], strength | {'blur': v})
            for k, v in (('default', strength['blur']), ('full', 1.0))}
  psnr = lambda x: -10 * float(
      np.log10(max(np.square(x - target).mean(), 1e-9)))
  detail = np.stack([f - sharpness.softened(f) for f in frames])
  found = {
      'width': shots[0].edge_width, 'chosen': sharpness.GAIN * chosen['full'],
      'best': float((detail * (target - frames)).sum() / (detail**2).sum()),
      'blurred': psnr(frames),
      'unsharp': psnr(measure.to_float(
          baselines.sharpeners()['FFmpeg unsharp'].restore(codes).restored))}
  for name, amount in chosen.items():
    found[name] = psnr([sharpness.sharpen(f, amount, shots[0].noise)
                        for f in frames])
  return found


def _chosen(shot, strength) -> float:
  """Strength of sharpening beside a network."""
  plan = choose.choose(
      shot, mode='full', strength=strength, stages=('auto',),
      output=dict(bits=8, grain=0.0), fill='', inpaint='', denoiser='auto',
      seed=0, marked=False, learned=True)
  return max((s.options['sharpen'] for s in plan.stages
              if s.name == 'optimise'), default=0.0)


def row(width, found) -> str:
  """A row of the table, of what was found on the clips."""
  mean = lambda name: float(np.mean([f[name] for f in found]))
  low, middle, high = np.nanpercentile([f['width'] for f in found],
                                       (10, 50, 90))
  lost = max(f['blurred'] - f['full'] for f in found)
  values = (f'{x:.2f}' for x in (
      mean('best'), mean('chosen'), mean('blurred'), mean('unsharp'),
      mean('default'), mean('full'), max(lost, 0)))
  return ' | '.join(
      (f'{width}', f'{low:.2f}, {middle:.2f}, {high:.2f}', *values))


if __name__ == '__main__':
  main()
