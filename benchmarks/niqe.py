"""Fits the pristine model of NIQE on clean clips and photographs.

python benchmarks/niqe.py --root=FOLDER --photos=FOLDER --out=FOLDER
    [--clips NAME ...] [--sources='what they are, and their licences']

Every tenth photograph and the clips of --held_out are not fitted to: the table
of the model card is of them, clean and damaged. All are reduced to --height by
area averages, so that what lossy compression left does not count as natural.
"""

import argparse
from collections.abc import Callable, Iterator
import textwrap

import cv2
import jax
import numpy as np
import refusing

from revive_jax.data import held_out, sources, splits
from revive_jax.degradations import chain
from revive_jax.metrics import niqe
from revive_jax.models import weights

_HELD_OUT = ('sam2_03_blocks.mp4', 'intel_asl_walk.mkv', 'grid_lwbsza.mpg',
             'openh264_flower_720p.h264')
_SHARPNESS = 0.75  # As in the paper.
_FRAMES = 48  # Of a clip, out of which --frames are taken.

_CARD = """# niqe

The pristine model of NIQE (Mittal, Soundararajan and Bovik 2013,
doi:10.1109/LSP.2012.2227726), for `revive_jax/metrics/niqe.py`: mean and
covariance of 36 features, of {patches} sharp patches of {patch}x{patch} px in
{pictures} clean pictures; float32. It restores nothing. Its values do not
compare with those of models that were fitted to other pictures.

Data: {photos} photographs, and {frames} frames of each of {clips} clips
(`config.json` names them), reduced to {height} px or less in height.

{sources}

Command: `python benchmarks/niqe.py --root=FOLDER --photos=FOLDER --clips ...`

Measured on pictures that were not fitted to, {height} px high or less; lower is
better:

{table}

Blur: Gaussian, of that deviation. Noise: Gaussian, in codes of 255. JPEG: its
quality. Film damage: the mix `film` of `revive_jax/degradations/chain.py`. It
is a statistic of textures: in a picture that is mostly flat, noise may look
more natural than what is there, so that single values say little; compare means
over clips. The fewer patches a frame has, the higher it is: compare frames of
one size.
"""


@refusing.bad_input()
def main():
  """Fits, measures, and writes the weights."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--root', required=True)
  parser.add_argument('--photos', default='')
  parser.add_argument('--out', default='revive_jax/weights/niqe')
  parser.add_argument('--clips', nargs='*', default=[], help='None: all.')
  parser.add_argument('--held_out', nargs='*', default=list(_HELD_OUT))
  parser.add_argument('--frames', type=int, default=4)
  parser.add_argument('--height', type=int, default=272)
  parser.add_argument('--patch', type=int, default=96)
  parser.add_argument('--sources', default='')
  args = parser.parse_args()
  splits.refuse_held_out(args.clips, args.held_out, '--clips')
  photos, rest = _photos(args.photos)
  fitted = {'clips': [], 'photos': photos, 'pictures': 0, 'patches': 0}
  pristine = niqe.fit(_clean_features(args, fitted))
  card = _CARD.format(
      table=_table(_held_out(args, rest), pristine, args.patch),
      sources=textwrap.fill(
          args.sources, 80, break_on_hyphens=False), patch=args.patch,
      frames=args.frames, height=args.height,
      **{key: len(value) if isinstance(value, list) else value
         for key, value in fitted.items()})
  # float16 halves the covariance's least eigenvalue; values move by 6 %.
  weights.save_weights(
      args.out, pristine._asdict(), model='niqe',
      settings={'patch': args.patch}, card=card, dtype=np.float32,
      height=args.height, frames=args.frames, **fitted)
  print(card)


def _photos(folder: str) -> tuple[list[str], list[str]]:
  """Names to fit to, and those held out."""
  if not folder:
    return [], []
  return splits.split_names(sources.Pictures(folder).names)


def _clean_features(args, fitted) -> Iterator[np.ndarray]:
  """Features of the sharp patches of each picture; keeps a record in fitted."""
  clips = held_out.read_clips(
      args.root, clips=args.clips, exclude=args.held_out, num_frames=_FRAMES,
      height=args.height)
  fitted['clips'] = [clip.name for clip in clips]
  every = [_spread(clip.frames, args.frames) for clip in clips]
  every += [frames for _, frames in _stills(args, fitted['photos'])]
  for frames in every:
    for picture in niqe.luma(frames / 255):
      if not _fits(picture, args.patch):
        continue
      found = niqe.features(picture, patch=args.patch, sharpness=_SHARPNESS)
      fitted['pictures'] += 1
      fitted['patches'] += len(found)
      yield found


def _stills(args, names) -> Iterator[tuple[str, np.ndarray]]:
  """Name and frame [1, H, W, 3] uint8 of photographs."""
  if names:
    found = sources.Pictures(args.photos, include=names)
    for i, name in enumerate(found.names):
      yield name, held_out.reduced(found[i]['clip'], args.height)


def _fits(picture: np.ndarray, patch: int) -> bool:
  """Whether two patches fit into [H, W]."""
  return np.prod(np.array(picture.shape) // patch) >= 2


def _spread(frames: np.ndarray, count: int) -> np.ndarray:
  """So many of the frames, from the first to the last."""
  return frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]


def _held_out(args, photos) -> Iterator[tuple[str, np.ndarray]]:
  """Name and frames [T, H, W, 3] uint8 of what was not fitted to."""
  clips = args.held_out and held_out.read_clips(
      args.root, clips=args.held_out, num_frames=_FRAMES, height=args.height)
  for clip in clips:
    yield clip.name, _spread(clip.frames, args.frames)
  yield from _stills(args, photos)


def _table(
    pictures: Iterator[tuple[str, np.ndarray]], pristine: niqe.Pristine,
    patch: int,
) -> str:
  """NIQE of each, as it is and damaged, in Markdown."""
  damages = _damages()
  rows = [f'| | {" | ".join(damages)} |', '|---' * (len(damages) + 1) + '|']
  every = []
  for name, frames in pictures:
    if not _fits(frames[0, ..., 0], patch):
      continue
    values = [niqe.of_clip(damage(frames) / 255, pristine, patch=patch)
              for damage in damages.values()]
    every.append(values)
    rows.append(f'| {name} | {_cells(values)} |')
  if every:
    rows.append(f'| mean | {_cells(np.mean(every, 0))} |')
  return '\n'.join(rows)


def _cells(values) -> str:
  return ' | '.join(f'{value:.2f}' for value in values)


def _damages() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
  """By name, frames [T, H, W, 3] uint8 to damaged ones."""
  each = lambda f: lambda frames: np.stack([f(x) for x in frames])
  blur = lambda sigma: each(lambda x: cv2.GaussianBlur(x, None, sigma))
  jpeg = lambda quality: each(lambda x: cv2.imdecode(cv2.imencode(
      '.jpg', x, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR))
  return {
      'clean': lambda frames: frames,
      'blur 1 px': blur(1), 'blur 2 px': blur(2),
      'noise 5': _noise(5), 'noise 20': _noise(20),
      'JPEG 50': jpeg(50), 'JPEG 10': jpeg(10),
      'film damage, medium': _film}


def _noise(deviation):
  def noisy(frames):
    drawn = np.random.default_rng(0).normal(0, deviation, frames.shape)
    return np.clip(frames + drawn, 0, 255).round().astype(np.uint8)
  return noisy


def _film(frames):
  damaged, _, _ = chain.degrade(
      jax.random.key(0), frames.astype(np.float32) / 255,
      chain.SEVERITY['medium'], mix='film')
  return np.round(np.clip(np.asarray(damaged), 0, 1) * 255).astype(np.uint8)


if __name__ == '__main__':
  main()
