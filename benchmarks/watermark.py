"""The invisible mark: what it costs, and what it survives.

python benchmarks/watermark.py [--root=FOLDER --frames=48 --width=640]
    [--output=TABLE.md]

The first frames of each video and folder of pictures in --root (by default of a
clip that is made here) are marked, coded by x264 at its usual settings, decoded
and read without the original. The table has the cost (PSNR of the marked frames
against the unmarked), and, for each coding, the share of wrong bits in single
frames and after a vote of all, whether the id was read, and whether anything
was read from the unmarked film, coded in the same way.
"""

import argparse
import datetime
import pathlib
import tempfile

import av
import cv2
import numpy as np
import refusing

from revive_jax.data import videos
from revive_jax.provenance import watermark
from revive_jax.video import probe, reader

_CODINGS = ((23, 1.0), (28, 1.0), (23, 0.5), (28, 0.5))
_ID = 0x52455649F1


@refusing.bad_input()
def main():
  """Measures all, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--root', default='')
  parser.add_argument('--frames', type=int, default=48)
  parser.add_argument('--width', type=int, default=640)
  parser.add_argument('--output', default='')
  args = parser.parse_args()
  codings = [f'CRF {crf}{f", x{scale:g}" if scale != 1 else ""}'
             for crf, scale in _CODINGS]
  lines = [f'| clip | PSNR, dB | {" | ".join(codings)} | unmarked |',
           '|---|---|' + '---|' * (len(codings) + 1)]
  for name, frames in _clips(args):
    cost, cells, false = measure(frames)
    lines.append(f'| {name} | {cost:.1f} | {" | ".join(cells)} | '
                 f'{"something read" if false else "nothing read"} |')
    print(lines[-1], flush=True)
  text = (
      f'benchmarks/watermark.py, {datetime.date.today()}: {args.frames} frames '
      f'of each clip, at most {args.width} px wide, x264 at preset medium. '
      'Wrong bits in single frames / after the vote of all; id.\n\n'
      + '\n'.join(lines) + '\n')
  print('\n' + text)
  if args.output:
    pathlib.Path(args.output).write_text(text)


def measure(frames: list[np.ndarray]) -> tuple[float, list[str], bool]:
  """PSNR of the mark, what was read after each coding, and falsely."""
  mark = watermark.Writer(_ID)
  marked = [mark(frame) for frame in frames]
  error = np.mean([np.mean((a.astype(float) - b) ** 2)
                   for a, b in zip(frames, marked, strict=True)])
  cells, false = [], False
  for crf, scale in _CODINGS:
    found = watermark.Reader()
    single = []
    for frame in coded(marked, crf, scale):
      before = found.soft.copy()
      found.add(frame)
      single.append(np.mean(_bits(found.soft - before)))
    right = 'read' if found.found() == _ID else 'NOT read'
    cells.append(f'{100 * np.mean(single):.1f} % / '
                 f'{100 * np.mean(_bits(found.soft)):.1f} %, {right}')
    plain = watermark.read(coded(frames, crf, scale))
    false |= plain is not None
  return 10 * np.log10(255 ** 2 / error), cells, false


def _bits(soft) -> np.ndarray:
  """Which bits are wrong."""
  return (soft < 0) != watermark.code(_ID).astype(bool)


def coded(frames, crf: int, scale: float) -> list[np.ndarray]:
  """Frames [H, W, 3] uint8 after x264, perhaps made smaller before."""
  height, width = (round(x * scale) // 2 * 2 for x in frames[0].shape[:2])
  with tempfile.TemporaryDirectory() as folder:
    path = str(pathlib.Path(folder) / 'film.mp4')
    with av.open(path, 'w') as output:
      stream = output.add_stream('libx264', rate=25, options={'crf': str(crf)})
      stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
      for frame in frames:
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(small, 'rgb24')))
      output.mux(stream.encode(None))
    with av.open(path) as source:
      return [f.to_ndarray(format='rgb24') for f in source.decode(video=0)]


def _clips(args):
  """Yields (name, frames)."""
  if not args.root:
    yield 'made here', _made(args.frames, args.width)
    return
  for path in map(pathlib.Path, videos.find(args.root)):
    if 'mask' in path.name:
      continue
    frames = []
    for frame in reader.read_frames(
        probe.probe(str(path)), stop=args.frames):
      rgb = frame.rgb
      if rgb.dtype == np.uint16:
        rgb = (rgb >> 8).astype(np.uint8)
      scale = min(1, args.width / rgb.shape[1])
      size = [round(x * scale) // 2 * 2 for x in rgb.shape[1::-1]]
      frames.append(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    yield path.name, frames


def _made(count, width) -> list[np.ndarray]:
  """Blobs that drift over a noisy ground."""
  rng, height = np.random.default_rng(0), width * 9 // 16 // 2 * 2
  large = cv2.GaussianBlur(
      rng.random((height, 2 * width, 3), np.float32), (0, 0), 12)
  large = 128 + 45 * (large - large.mean()) / large.std()
  return [np.uint8(np.clip(
      large[:, 2 * t:2 * t + width] + rng.normal(0, 3, (height, width, 1)),
      0, 255)) for t in range(count)]


if __name__ == '__main__':
  main()
