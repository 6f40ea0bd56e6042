"""What users would run instead of the network: seconds per frame of each.

Each is looked for where it is used: a machine without OpenCV or PyAV measures
the rest.
"""

import fractions
import time

import numpy as np

# Seconds per frame by height, fastest and slowest of several clips, on 2 CPU
# cores of the same kind. Recorded elsewhere, not in this run.
DVDNET = {272: (0.9, 2.0), 480: (3.6, 6.8)}


def measure(height: int, width: int, repeats: int) -> dict[str, float]:
  """Seconds per frame by name, of those that are there.

  Smooth pictures with noise of sigma 10, which all of them are for.
  """
  rng = np.random.default_rng(0)
  rows, columns = np.mgrid[:height, :width]
  smooth = 128 + 60 * np.sin(rows / 17)[..., None] * np.cos(
      columns[..., None] / (13, 23, 31))
  count = max(2, min(8, 2_000_000 // (height * width)))
  codes = [np.clip(smooth + rng.normal(0, 10, smooth.shape), 0, 255).astype(
      np.uint8) for _ in range(count)]
  found = {}
  for name, make in (('OpenCV non-local means', _opencv),
                     ('FFmpeg nlmeans', lambda: _filter('nlmeans')),
                     ('FFmpeg hqdn3d', lambda: _filter('hqdn3d'))):
    try:
      run = make()
    except (ImportError, ValueError):  # Not there; or such a filter is not.
      continue
    run(codes[:1])
    found[name] = float(np.median(
        [_seconds(run, codes) for _ in range(repeats)])) / count
  return found


def _seconds(run, codes) -> float:
  start = time.perf_counter()
  run(codes)
  return time.perf_counter() - start


def _opencv():
  import cv2
  return lambda codes: [
      cv2.fastNlMeansDenoisingColored(x, None, 9, 13, 5, 15) for x in codes]


def _filter(name):
  """Frames through one of FFmpeg's filters, as yuv420p, which it wants."""
  import av
  if name not in av.filter.filters_available:
    raise ValueError(name)

  def run(codes):
    height, width = codes[0].shape[:2]
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format='yuv420p',
                         time_base='1/25'),
        graph.add(name), graph.add('buffersink')).configure()
    frames = [av.VideoFrame.from_ndarray(x, format='rgb24').reformat(
        format='yuv420p') for x in codes]
    for i, frame in enumerate(frames):
      frame.pts = i
      frame.time_base = fractions.Fraction(1, 25)
    _drain(graph, frames, av)
  return run


def _drain(graph, frames, av):
  for frame in (*frames, None):
    graph.push(frame)
    try:
      while True:
        graph.pull()
    except (av.BlockingIOError, EOFError):  # It wants more, or is done.
      continue
