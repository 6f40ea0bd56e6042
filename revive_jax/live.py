"""Live: a camera, a stream or a pipe, restored while it runs.

Each frame is restored from the ones before it (and `lookahead` after it, which
are waited for). When the machine cannot keep up, frames are not dropped: they
are given a cheaper setting, see _LEVELS.
"""

import collections
from collections.abc import Iterator
import contextlib
import fractions
import functools
import os
import pathlib
import stat
import sys
import time
from typing import Any, NamedTuple

from absl import logging
import av
import cv2
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import ahead, settings, types
from revive_jax import workdir as workdir_lib
from revive_jax.models import inference, weights
from revive_jax.pipeline import upscale

_SCHEMES = ('rtsp', 'rtmp', 'udp', 'tcp', 'http', 'https', 'srt', 'rtp')
# Sides of what the network sees, of the frame's: in full; at half the size,
# what it changes being enlarged; not at all, the frame passing as it is.
_LEVELS = (1.0, 0.5, 0.0)
_WAITING = 8  # Frames that may wait; a source that can be held up is, then.
_CALM = 2.0  # Seconds without a queue after which a dearer level is tried.


def is_live(source: str | None) -> bool:
  """Whether an input runs by itself: '-', a camera, a stream, a named pipe."""
  if not source:
    return False
  if source == '-' or source.split('://')[0] in _SCHEMES:
    return True
  try:
    mode = os.stat(source).st_mode
  except OSError:
    return False
  return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


class Frame(NamedTuple):
  """A frame on its way through."""

  rgb: np.ndarray  # [H, W, 3] uint8.
  pts: int
  arrived: float  # By time.monotonic().


class Levels:
  """Which setting the next frame gets, by what waits and what frames took."""

  def __init__(self, interval: float, count: int):
    """interval: seconds from frame to frame; count: of levels, 1 or more."""
    self.level = 0
    self._interval, self._count = interval, count
    self._calm = 0.0  # Seconds since anything waited.
    self._cost = [None] * count  # Seconds that a frame took, smoothed.

  def took(self, seconds: float, waiting: int) -> None:
    """Tells how long the last frame took, and how many wait behind it."""
    old = self._cost[self.level]
    # What was dear once is so again: it falls slowly, and rises at once.
    self._cost[self.level] = seconds if old is None else max(
        seconds, 0.9 * old + 0.1 * seconds)
    self._calm = 0.0 if waiting > 1 else self._calm + max(
        seconds, self._interval)
    if waiting > 2 and self.level + 1 < self._count:
      self.level += 1
      self._calm = 0.0
    elif self._calm > _CALM and self.level and self._may_rise():
      self.level -= 1
      self._calm = 0.0

  def _may_rise(self) -> bool:
    cost = self._cost[self.level - 1]
    if cost is None or cost < 0.9 * self._interval:
      return True
    # It was too dear; its memory fades, since the machine may be free by now.
    self._cost[self.level - 1] = 0.9 * cost
    self._calm = 0.0
    return False


class Restorer:
  """The network on one frame after the other, at any of the levels."""

  def __init__(self, found: weights.Weights, c: ml_collections.ConfigDict):
    self._model, params = inference.build(found)
    self._params = jax.device_put(params)
    self._noise = 0.0 if c.composite == 'repair' else c.strength.noise
    self._fill = max(c.strength.dust, c.strength.scratch)
    self._states = {}

  def forget(self) -> None:
    """Begins anew."""
    self._states = {}

  def __call__(self, frames: list[np.ndarray], level: int) -> np.ndarray:
    """The first of frames [H, W, 3] uint8, restored; the others are ahead."""
    scale = _LEVELS[level]
    self._states = {k: v for k, v in self._states.items() if k == level}
    if not scale:
      return frames[0]
    height, width = frames[0].shape[:2]
    seen = np.stack([_scaled(f, scale) for f in frames])
    change, self._states[level] = _change(
        self._params, seen, self._states.get(level), model=self._model,
        noise=self._noise, fill=self._fill)
    change = np.asarray(change)
    if scale != 1:
      change = cv2.resize(change, (width, height),
                          interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(frames[0] + change), 0, 255).astype(np.uint8)


def _scaled(frame, scale):
  if scale == 1:
    return frame
  height, width = frame.shape[:2]
  return cv2.resize(frame, (max(1, round(width * scale)),
                            max(1, round(height * scale))),
                    interpolation=cv2.INTER_AREA)


@functools.partial(jax.jit, static_argnames=('model', 'noise', 'fill'))
def _change(params, frames, state, *, model, noise, fill):
  """What to add to the first frame, [H, W, 3] in codes, and the next state."""
  clip = frames[None].astype(jnp.float32) / 255
  restored, state = inference.restore_frames(
      params, clip, model=model, causal=len(frames) == 1, state=state,
      carry_after=1)
  share = jnp.where(restored.damage[0, 0] > 0.5, fill, noise)
  return 255 * share * (restored.output[0, 0] - clip[0, 0]), state


def restore(
    c: ml_collections.ConfigDict, workdir: str, source: str, destination: str,
) -> dict[str, Any]:
  """Restores until the source ends (or Ctrl-C); returns the report.

  Args:
    c: configs/restore.py; of it live, strength, composite, weights.
    workdir: gets config.json and report.json.
    source: '-' (standard input), a file, a named pipe, a camera's device, or
      the address of a stream.
    destination: a file, '-' (standard output, as Matroska), or an address
      (udp://127.0.0.1:9000) that a player listens at.

  Raises:
    types.BadInput: anything the user can set right.
  """
  if not destination:
    raise types.BadInput(
        'Where does it go? Name a file, - or udp://127.0.0.1:PORT with '
        '--output.')
  upscale.refuse(c.output.upscale,
                 'What runs by itself (a camera, a stream, a pipe)')
  if c.redact.faces != 'none':
    raise types.BadInput(
        '--config.redact.faces is for films: in what runs by itself a face '
        'could not be hidden before it is found; restore a recording.')
  if c.live.lookahead < 0:
    raise types.BadInput(
        f'--config.live.lookahead={c.live.lookahead} is negative.')
  _check_provenance(c)
  found = weights.read_weights(c.weights) if c.weights else None
  if found is None:
    raise types.BadInput(
        'Live restoring needs a network; name its weights with '
        f'--config.weights (shipped: {", ".join(weights.shipped())}).')
  with workdir_lib.opened(workdir) as folder:
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    with _open_input(source, c.live.format) as container:
      report = _run(container, destination, Restorer(found, c),
                    c.live.lookahead, c.output.crf,
                    keeps_up=_keeps_up(source, c.live.keep_up))
    report['weights'] = f'{found.name}, sha256 {found.config["sha256"]}'
    workdir_lib.write_json(folder / 'report.json', report)
  return report


def _check_provenance(c) -> None:
  """Refuses what nobody agreed to, and what live films do not carry."""
  settings.check_provenance(c)
  if c.mark.visible or c.mark.invisible:
    raise types.BadInput(
        'Live films are not marked; leave out --config.mark.')


def _keeps_up(source, wanted) -> bool:
  """Whether frames may get cheaper settings: where the source does not wait."""
  return bool(wanted) if wanted >= 0 else (
      '://' in source or source.startswith('/dev/'))


def _open_input(source, form):
  """Opens what the user named; a network address only if that is one."""
  options = {}
  if '://' in source or source.startswith('/dev/'):
    # The frames that the format is found by are old by then. (Of a pipe all
    # are wanted.)
    options = {'fflags': 'nobuffer', 'flags': 'low_delay'}
  if source.startswith('rtsp'):
    options['rtsp_transport'] = 'tcp'
  if not form and source.startswith('/dev/video'):
    form = 'v4l2'
  try:
    return av.open(sys.stdin.buffer if source == '-' else source, 'r',
                   format=form or None, options=options, timeout=(15, 15))
  except (av.FFmpegError, OSError, ValueError) as error:
    raise types.BadInput(
        f'{source}: nothing to see comes from there '
        f'({getattr(error, "strerror", None) or error}); see that it runs, and '
        'that --config.live.format is what it sends.') from error


class _Output:
  """The coded stream; of every frame its latency."""

  def __init__(self, destination, stream, size, crf):
    options = {'fflags': '+flush_packets'}
    form, self._name = None, destination
    if destination == '-':
      destination, form = sys.stdout.buffer, 'matroska'
    elif '://' in destination:
      form = 'mpegts'
    elif pathlib.Path(destination).suffix.lower() == '.mp4':
      options['movflags'] = 'frag_keyframe+empty_moov'  # Whole at any moment.
    try:
      self._container = av.open(destination, 'w', format=form, options=options)
      self._stream = self._add_stream(stream, size, crf)
      self._container.start_encoding()
    except (av.FFmpegError, OSError, ValueError) as error:
      raise types.BadInput(
          f'{destination}: cannot be written to '
          f'({getattr(error, "strerror", None) or error}).') from error
    # The container gives the stream a unit of its own.
    self._time_base = stream.time_base
    self.latencies = []

  def _add_stream(self, stream, size, crf):
    rate = stream.average_rate or fractions.Fraction(25)
    made = self._container.add_stream('libx264', rate=rate, options={
        'crf': str(crf), 'preset': 'ultrafast', 'tune': 'zerolatency'})
    made.width, made.height = size
    # 4:2:0 has no odd sizes.
    made.pix_fmt = 'yuv444p' if size[0] % 2 or size[1] % 2 else 'yuv420p'
    made.time_base = made.codec_context.time_base = stream.time_base
    return made

  def write(self, frame: Frame, rgb: np.ndarray) -> None:
    """Codes a frame, and lets it go."""
    coded = av.VideoFrame.from_ndarray(rgb, 'rgb24')
    coded.pts, coded.time_base = frame.pts, self._time_base
    with self._named():
      for packet in self._stream.encode(coded):
        self._container.mux(packet)
    self.latencies.append(time.monotonic() - frame.arrived)

  def close(self) -> None:
    """Ends the stream."""
    with self._named():
      self._container.mux(self._stream.encode(None))
      self._container.close()

  @contextlib.contextmanager
  def _named(self):
    try:
      yield
    except (av.FFmpegError, OSError) as error:
      raise types.BadInput(
          f'{self._name}: can no longer be written to '
          f'({error.strerror or error}), after {len(self.latencies)} frames; '
          'start again.') from error


def _frames(container, stream) -> Iterator[Frame]:
  last = None
  step = max(1, round(1 / ((stream.average_rate or 25) * stream.time_base)))
  try:
    for frame in container.decode(stream):
      pts = frame.pts
      if pts is None or last is not None and pts <= last:
        pts = 0 if last is None else last + step
      last = pts
      yield Frame(frame.to_ndarray(format='rgb24'), pts, time.monotonic())
  except av.FFmpegError as error:
    logging.warning('The source broke off (%s).', error.strerror)


def _run(
    container, destination, restorer, lookahead, crf, *, keeps_up
) -> dict[str, Any]:
  if not container.streams.video:
    raise types.BadInput('The input holds no pictures.')
  stream = container.streams.video[0]
  stream.thread_type = 'SLICE'  # Threads by frame hold frames back.
  rate = float(stream.average_rate or 25)
  waiting = _Counted(_frames(container, stream))
  # An idle source must not keep Ctrl-C from ending the file.
  frames = ahead.ahead(waiting, _WAITING, patience=1.0)
  levels = Levels(1 / rate, len(_LEVELS) if keeps_up else 1)
  counts = collections.Counter()
  window, output, start = collections.deque(), None, None
  try:
    for frame in frames:
      if output is None:
        output = _Output(
            destination, stream, frame.rgb.shape[1::-1], crf)
        _warm_up(restorer, frame.rgb, lookahead, keeps_up)
        start = time.monotonic()
      # What waited for the compiler did not wait for the network.
      frame = frame._replace(arrived=max(frame.arrived, start))
      if window and frame.rgb.shape != window[-1].rgb.shape:
        raise types.BadInput(
            'The input changed the size of its pictures; start again.')
      window.append(frame)
      if len(window) > lookahead:
        _step(window, restorer, levels, counts, output, waiting)
    while window:
      _step(window, restorer, levels, counts, output, waiting)
  except KeyboardInterrupt:
    if output is None or not output.latencies:
      raise
    logging.warning('Stopped.')
  finally:
    try:
      if output is not None:
        output.close()
    finally:
      frames.close()
  if output is None:
    raise types.BadInput('Not one frame came from the input.')
  return _report(output.latencies, counts, time.monotonic() - start, rate,
                 lookahead, destination)


class _Counted:
  """An iterator that knows how many of its items were taken."""

  def __init__(self, items):
    self._items, self.taken = items, 0

  def __iter__(self):
    for item in self._items:
      self.taken += 1
      yield item


def _step(window, restorer, levels, counts, output, waiting) -> None:
  """The oldest frame of the window is restored and written."""
  began = time.monotonic()
  level = levels.level
  rgb = restorer([f.rgb for f in window], level)
  output.write(window.popleft(), rgb)
  counts[level] += 1
  left = waiting.taken - sum(counts.values()) - len(window)
  levels.took(time.monotonic() - began, left)


def _warm_up(restorer, rgb, lookahead, keeps_up) -> None:
  """Compiles all that may be needed: no frame is to wait for that."""
  for level in range(len(_LEVELS) if keeps_up else 1):
    for count in range(1, lookahead + 2):
      for _ in range(2):  # Without a state, and with one.
        restorer([rgb] * count, level)
  restorer.forget()


def _report(latencies, counts, seconds, rate, lookahead, destination):
  ordered = sorted(latencies)
  at = lambda share: round(1000 * ordered[min(
      len(ordered) - 1, int(share * len(ordered)))], 1)
  names = {1.0: 'full size', 0.5: 'half size', 0.0: 'as it is'}
  return {
      'schema': 1, 'live': {
          'frames': len(latencies), 'seconds': round(seconds, 2),
          'frames_per_second': round(len(latencies) / max(seconds, 1e-9), 2),
          'source_frames_per_second': rate, 'lookahead': lookahead,
          'latency_ms': {'p50': at(0.5), 'p95': at(0.95), 'p99': at(0.99)},
          'frames_by_setting': {
              names[scale]: counts[i] for i, scale in enumerate(_LEVELS)}},
      'outputs': [{'path': destination}]}
