"""Frames per second of restoring, end to end and by stage, and its memory.

python benchmarks/restore.py [--sizes=480p,1080p,2160p --frames=48,12,6]

For each size a grainy, scratched pan is made and coded with H.264, and restored
to H.264 in a process of its own. Stages alone, in the same process: decoding,
measuring, the network (warm, on the windows of the run), coding. What users run
instead: FFmpeg's atadenoise and nlmeans, OpenCV's non-local means. Prints a
table in Markdown.
"""

import argparse
import datetime
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import av
import cv2
import jax
import numpy as np
import pan
import refusing
from revive_jax.configs import restore as config

from revive_jax import networks, restore, types
from revive_jax.models import weights
from revive_jax.ops import windows as tiles
from revive_jax.pipeline import fit, measure, run
from revive_jax.video import extras, parts, probe, reader, target, writer

_SIZES = {'240p': (240, 320), '480p': (480, 640), '720p': (720, 1280),
          '1080p': (1080, 1920), '2160p': (2160, 3840)}


@refusing.bad_input()
def main():
  """Measures all sizes, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--sizes', default='480p,1080p,2160p')
  parser.add_argument('--frames', default='48,12,6')
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--one', help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.one:
    size, count = args.one.split(',')
    print(json.dumps(_measured(_SIZES[size], int(count), args.weights)))
    return
  if args.weights:
    weights.read_weights(args.weights)  # Refused here, not in a child.
  sizes, counts = args.sizes.split(','), args.frames.split(',')
  if len(sizes) != len(counts) or not {*sizes} <= {*_SIZES}:
    raise types.BadInput(
        f'--sizes={args.sizes} --frames={args.frames}: give as many of both, '
        f'and sizes of {", ".join(_SIZES)}.')
  load, rows = os.getloadavg()[0], []
  for size, count in zip(sizes, counts, strict=True):
    done = subprocess.run(
        [sys.executable, __file__, f'--one={size},{count}',
         f'--weights={args.weights}'], stdout=subprocess.PIPE, text=True,
        check=True)
    rows.append((size, count, json.loads(done.stdout.splitlines()[-1])))
    print(f'{size}: {done.stdout.splitlines()[-1]}', file=sys.stderr)
  device = jax.devices()[0]
  print(f'{datetime.date.today()}; {device.device_kind}, {os.cpu_count()} CPU '
        f'cores; Python {platform.python_version()}, jax {jax.__version__}; '
        f'load before {load:.1f}. Weights: {args.weights or "none"}.\n')
  names = list(rows[0][2])
  print('| | ' + ' | '.join(f'{s} ({n} frames)' for s, n, _ in rows) + ' |')
  print('|---' * (len(rows) + 1) + '|')
  for name in names:
    print(f'| {name} | ' + ' | '.join(f'{r[name]:.3g}' for *_, r in rows)
          + ' |')


def _timed(work) -> float:
  start = time.perf_counter()
  work()
  return time.perf_counter() - start


def _measured(size, count, name) -> dict[str, float]:
  """Frames per second, by what was done."""
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    writer.write_rgb(folder / 'film.mp4', pan.frames(*size, count),
                     frame_rate=24, crf=12)
    info = probe.probe(str(folder / 'film.mp4'))
    c = config.get_config()
    c.weights, c.progress = name, 'none'
    once = lambda: restore.restore(
        c, str(folder / 'work'), info.path, str(folder / 'out.mp4'))
    once()  # Compiles.
    seconds = _timed(once)
    memory = restore.peak_memory()  # Before whole films are held below.
    frames = list(reader.read_frames(info))
    found = {'end to end, frames/s': count / seconds,
             'decoding alone': count / _timed(
                 lambda: list(reader.read_frames(info))),
             'measuring alone': count / _timed(lambda: measure.measure(
                 (f.rgb for f in frames), frame_rate=24.0)),
             'coding alone': count / _timed(
                 lambda: _coded(folder / 'part.mp4', frames, info))}
    if name:
      found['network alone, on the same windows'] = count / _network(
          frames, c, info, name)
      found['end to end, of the network alone'] = (
          found['end to end, frames/s']
          / found['network alone, on the same windows'])
    found['peak memory, MB'] = memory
    codes = [f.rgb for f in frames[:4]]
    found['FFmpeg atadenoise, frames/s'] = count / _timed(
        lambda: _filtered(info.path, 'atadenoise'))
    found['FFmpeg nlmeans'] = count / _timed(
        lambda: _filtered(info.path, 'nlmeans'))
    found['OpenCV non-local means'] = len(codes) / _timed(
        lambda: [cv2.fastNlMeansDenoisingColored(x, None, 3, 3, 7, 21)
                 for x in codes])
    return found


def _coded(path, frames, info):
  goal = target.choose(path, info, 'auto')
  parts.write(path, (writer.OutputFrame(f, f.rgb) for f in frames), info, goal,
              extras.Extras(), crf=16)


def _network(frames, c, info, name) -> float:
  """Seconds of the network for the windows of a run, compiled before."""
  network = networks.make_network(weights.read_weights(name))
  shots, _ = measure.measure((f.rgb for f in frames), frame_rate=24.0)
  window = fit.window(c.window, height=info.height, width=info.width)
  context = fit.context(c.lookahead, height=info.height, width=info.width)
  cuts = run.cut(shots, window=window, context=context)
  length = fit.length(cuts[-1].core_stop, most=window + context)
  whole = np.stack([measure.to_float(f.rgb) for f in frames])
  size = info.height, info.width
  tall, wide = (tiles.tile_size(x, c.tile, c.overlap) for x in size)

  def work():
    for segment in cuts:
      clip = whole[segment.core_start:segment.stop]
      count = len(clip)  # What makes up a shape is not gone through.
      clip = np.concatenate([clip, np.repeat(clip[-1:], length - count, 0)])
      for top, left in itertools.product(
          *(tiles.tile_starts(x, c.tile, c.overlap) for x in size)):
        part = clip[None, :, top:top + tall, left:left + wide]
        jax.block_until_ready(network(part, count=count))

  work()
  return _timed(work)


def _filtered(path, name):
  """Decodes a film through one of FFmpeg's filters."""
  with av.open(path) as container:
    stream = container.streams.video[0]
    graph = av.filter.Graph()
    graph.link_nodes(graph.add_buffer(template=stream), graph.add(name),
                     graph.add('buffersink')).configure()
    for frame in (*container.decode(stream), None):
      graph.push(frame)
      try:
        while True:
          graph.pull()
      except (av.BlockingIOError, EOFError):  # It wants more, or is done.
        continue


if __name__ == '__main__':
  main()
