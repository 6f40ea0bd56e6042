"""Frames: all that the program does to a film, for who has its frames.

For other programs, whose films are arrays or come frame by frame:

  c = frames.settings(composite='repair')
  found = frames.restore_frames(c, film)

The film is measured, planned and restored as restore.py does it, and comes out
as a lossless file of it would. What is only for files is not done: fields are
not taken apart, there is no sound, no mark and no signed statement.
"""

import collections
from collections.abc import Callable, Iterator, Sequence
import functools
import importlib.util
import itertools
import pathlib
import threading
from typing import Any, NamedTuple

import ml_collections
import numpy as np

from revive_jax import networks, plans, types
from revive_jax import settings as settings_lib
from revive_jax.models import weights as weights_lib
from revive_jax.pipeline import (
    choose,
    decisions,
    face_tracks,
    measure,
    run,
    shares,
    tally,
    timeline,
)
from revive_jax.video import reader, splice, writer

_PACKAGE = pathlib.Path(__file__).resolve().parent
# In a wheel the configs lie in the package, in a checkout beside it.
_CONFIGS = (_PACKAGE / 'configs', _PACKAGE.parent / 'configs')
_KEPT = 32  # Frames that are kept behind the last one, at least: see Film.
# What frames have no place for: the key, and the values that ask for nothing.
_REFUSED = (
    ('mask', ('',), 'give the mask as an array'),
    ('interlace', ('auto', 'off'), 'take fields apart before'),
    ('repeats', ('leave', 'replace'), 'their number stays'),
    ('output.upscale', (1,), 'their size stays'),
    ('output.bits', (0,), 'they come out as they went in'),
    ('output.keep_original', (False,), 'nothing is written that could hold it'),
    ('encrypt.key', ('',), 'nothing is written that could be sealed'),
    ('provenance.key', ('',), 'nothing is written that could be signed'),
    ('mark.visible', (False,), 'only files are marked'),
    ('mark.invisible', (False,), 'only files are marked'),
)


class Restored(NamedTuple):
  """Frames, restored."""

  frames: np.ndarray  # [T, H, W, 3], of the type that they came in.
  mask: np.ndarray  # [T, H, W] bool: what was found damaged, or was marked.
  # What was done at each pixel, [T, H, W] uint8 by name: explain/origin.py.
  layers: dict[str, np.ndarray]


def settings(name: str = 'restore', **values: Any) -> ml_collections.ConfigDict:
  """The settings of a file of configs/, with other values for some.

  values: by key; strength may be one number, which all limits are multiplied
  with, or a dict.

  Raises:
    types.BadInput: there is no such file or key.
  """
  path = next((folder / f'{name}.py' for folder in _CONFIGS
               if (folder / f'{name}.py').is_file()), None)
  if path is None:
    raise types.BadInput(f'There is no config {name!r}; try restore.')
  spec = importlib.util.spec_from_file_location(f'config_{path.stem}', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  c = module.get_config()
  strength = values.pop('strength', 1.0)
  unknown = {*values} - {*c}
  c.lock()  # So that what is mistyped within a group is refused, too.
  try:
    if not isinstance(strength, dict):
      strength = {kind: c.strength[kind] * strength for kind in c.strength}
    unknown |= {*strength} - {*choose.KINDS}
    if not unknown:
      c.strength.update(strength)
      c.update(values)
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise types.BadInput(
        f'These settings cannot be ({" ".join(str(error).split())}); '
        'configs/restore.py lists what there is.') from error
  if unknown:
    raise types.BadInput(
        f'There is no setting {min(unknown)!r}; configs/restore.py lists what '
        'there is.')
  return c


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, or that only films in files have."""
  settings_lib.check(c)
  for key, harmless, why in _REFUSED:
    value = functools.reduce(lambda x, part: x[part], key.split('.'), c)
    if value not in harmless:
      raise types.BadInput(
          f'--config.{key}={value} is for files; of frames {why}.')
  if c.num_samples > 1 and not c.decisions:  # Else it has been chosen.
    raise types.BadInput(
        f'--config.num_samples={c.num_samples} is for files; of frames there '
        'is one answer.')
  if c.get('notice', 'tag') == 'burn':
    raise types.BadInput(
        '--config.notice=burn is for files; frames get no notice drawn in.')


def restore_frames(
    c: ml_collections.ConfigDict, film: np.ndarray, *,
    mask: np.ndarray | None = None, stamps: Sequence[int] | None = None,
    frame_rate: float = 24.0, told: Callable[[int], None] = lambda done: None,
) -> Restored:
  """Restores a film that is in memory, as the program restores a file of it.

  Args:
    c: configs/restore.py, see settings().
    film: [T, H, W, 3] RGB, gamma-encoded: uint8, uint16, or float in [0, 1],
      which is worked on with 16 bits; pixels that nothing was done to come back
      as they were.
    mask: [T, H, W] or [1, H, W] bool: what the user marked as damaged; or int8,
      1 for damaged, -1 for not, 0 for what the program is to decide.
    stamps: [T] integers, times in any unit, of which noise depends; None: the
      numbers of the frames.
    frame_rate: frames per second.
    told: is given the number of frames that are finished, after each.

  Raises:
    types.BadInput: settings, film or mask cannot be.
  """
  codes = _coded(film)
  mask = _checked(mask, codes)
  stamps = range(len(codes)) if stamps is None else [int(x) for x in stamps]

  def read(t):
    return reader.SourceFrame(t, stamps[t], codes[t], ())

  whole = Film(c, read, len(codes), mask=mask, frame_rate=frame_rate)
  out = np.empty_like(film)
  damaged, layers = np.empty(film.shape[:3], bool), collections.defaultdict(
      lambda: np.zeros(film.shape[:3], np.uint8))
  for t in range(len(codes)):
    frame, damaged[t] = whole.frame(t)
    _put(out[t], frame.rgb, codes[t], film[t])
    for name, layer in frame.layers.items():
      layers[name][t] = layer
    told(t + 1)
  return Restored(out, damaged, dict(layers))


def _coded(film) -> np.ndarray:
  """A film as the program works on it: uint8 or uint16."""
  if not isinstance(film, np.ndarray) or film.ndim != 4 or (
      film.shape[-1] != 3 or not film.size):
    raise types.BadInput(
        f'Frames of shape {getattr(film, "shape", None)} are no film; give an '
        'array [T, H, W, 3] of one frame or more.')
  if film.dtype in (np.uint8, np.uint16):
    return film
  if film.dtype.kind != 'f':
    raise types.BadInput(
        f'Frames of type {film.dtype} are no film; give uint8, uint16, or '
        'float in [0, 1].')
  if not (np.isfinite(film).all() and film.min() >= 0 and film.max() <= 1):
    raise types.BadInput(
        'The frames have values that are not between 0 and 1; bring them '
        'there, or give uint8.')
  return np.rint(film.astype(np.float32) * 65535).astype(np.uint16)


def _checked(mask, film):
  """The user's mask, one for each frame; None stays None."""
  if mask is None:
    return None
  mask = np.asarray(mask)
  if mask.shape[1:] != film.shape[1:3] or len(mask) not in (1, len(film)) or (
      mask.dtype not in (bool, np.int8)):
    raise types.BadInput(
        f'A mask of shape {mask.shape}, {mask.dtype}, does not fit frames of '
        f'shape {film.shape}; give [T, H, W] or [1, H, W] of bool.')
  return np.broadcast_to(mask, film.shape[:3])


def _put(place, rgb, before, film) -> None:
  """Writes a frame into place, in its type; what did not change is film's."""
  if place.dtype.kind != 'f':
    place[:] = rgb
    return
  np.divide(rgb, 65535, out=place, casting='unsafe')
  same = rgb == before
  place[same] = film[same]


class Film:
  """A film whose frames are restored when they are asked for, in any order.

  It is read through when the first frame is asked for, and measured. Then one
  window after the other is restored, and the last of them kept, so that memory
  does not grow with the film. Asked for in order, each window is restored once;
  for a frame further back its shot is begun anew, and every frame is the same,
  in whatever order. It may be used by several threads.
  """

  def __init__(
      self, c: ml_collections.ConfigDict,
      read: Callable[[int], reader.SourceFrame], count: int, *,
      mask: np.ndarray | None = None, frame_rate: float = 24.0,
  ):
    """Measures nothing yet.

    Args:
      c: configs/restore.py.
      read: gives frames by number, each as often as it is asked to; called by
        one thread at a time.
      count: how many there are.
      mask: [T, H, W], see restore_frames.
      frame_rate: frames per second.

    Raises:
      types.BadInput: settings or weights cannot be.
    """
    check(c)
    c = networks.with_fills(c)
    if count < 1:
      raise types.BadInput('There are no frames to restore.')
    self.c, self.count = c, count
    self._read, self._mask, self._frame_rate = read, mask, frame_rate
    self._decided = decisions.read(c.decisions)
    found = weights_lib.read_weights(c.weights) if c.weights else None
    self._network = networks.make_network(found, c) if found else None
    self._lock = threading.Lock()
    self._known = None  # Of _measured().
    self._windows, self._next = None, 0  # What runs, and its next window.
    self._done = collections.OrderedDict()  # Frames, by number.

  def frame(self, number: int) -> tuple[writer.OutputFrame, np.ndarray]:
    """A restored frame with its layers, and where it was damaged, [H, W] bool.
    """
    if not 0 <= number < self.count:
      raise IndexError(f'Frame {number} of {self.count}.')
    with self._lock:
      if self._known is None:
        self._known = self._measured()
      while number not in self._done:
        self._advance(number)
      return self._done[number]

  @property
  def shots(self) -> list[measure.Shot]:
    """What was measured; [] before the first frame was asked for."""
    return self._known.shots if self._known else []

  def _measured(self) -> '_Known':
    """Reads the film through, and decides what is done to each shot."""
    c, deep, size = self.c, [False], [None]
    faces = face_tracks.Faces(c.faces.to_dict(), c.redact.to_dict())

    def looked_at():
      for frame in map(self._read, range(self.count)):
        size[0] = _same_size(size[0], frame)
        deep[0] = frame.rgb.dtype != np.uint8
        faces.look(frame.rgb)
        yield frame.rgb

    shots, _ = measure.measure(
        looked_at(), frame_rate=self._frame_rate, motion=True,
        sampled=not c.stabilise.strength > 0)
    faces.found([(s.start, s.stop) for s in shots])
    decisions.check(self._decided, shots, c.num_samples)
    planned = timeline.plan(shots, [], c.repeats, timed=False)
    made = plans.make(
        c, shots, planned, faces=faces, decided=self._decided,
        network=self._network, is_deep=deep[0], marked=self._mask is not None)
    work = shares.work(
        shots, c, height=size[0][0], width=size[0][1], by_shot=False)
    return _Known(shots, made, work, deep[0], run.cut(
        shots, window=work.window, context=work.context))

  def _advance(self, number) -> None:
    """Restores one window: the next that the frame needs."""
    cut = self._known.windows
    wanted = next(i for i, w in enumerate(cut) if number < w.core_stop)
    first = self._first(wanted)
    if self._windows is None or not first <= self._next <= wanted:
      self._windows, self._next = self._running(first), first
    windows, self._windows = self._windows, None
    window = next(windows)  # If that fails the next one begins anew.
    self._windows, self._next = windows, self._next + 1
    counts = dict.fromkeys(tally.COUNTED, 0)
    for t, frame in enumerate(tally.output_frames(
        window, counts, is_deep=self._known.is_deep, layered=True)):
      damage = window.clip.damage
      self._done[frame.source.index] = frame, (
          np.zeros(frame.rgb.shape[:2], bool) if damage is None
          else np.asarray(damage[t, ..., 0] > 0.5))
      self._done.move_to_end(frame.source.index)
    # Those that were asked for at the same time may come a little late.
    while len(self._done) > max(_KEPT, 2 * self._known.work.window):
      self._done.popitem(last=False)

  def _first(self, wanted) -> int:
    """The window from which on the network must go to be right at wanted."""
    known = self._known
    start = known.windows[wanted].core_start
    shot = max(i for i, s in enumerate(known.shots) if s.start <= start)
    if not any(stage.name == 'restore' for stage in known.plans[shot].stages):
      return wanted
    return next(i for i, w in enumerate(known.windows)
                if w.core_start == known.shots[shot].start)

  def _running(self, first) -> Iterator[run.Window]:
    """What restores the windows from first on."""
    known, c = self._known, self.c
    start = known.windows[first].start
    skipped = itertools.repeat(None, start)  # They are not even read.
    masks = None if self._mask is None else iter(self._mask)
    return run.run(
        itertools.chain(skipped, map(self._read, range(start, self.count))),
        known.shots, known.plans, window=known.work.window,
        context=known.work.context, tile=c.tile, overlap=c.overlap,
        masks=masks, network=self._network,
        only=range(first, len(known.windows)))


def planes(frame: writer.OutputFrame) -> tuple[np.ndarray, ...]:
  """A frame as samples of the source's layout; what did not change is its own.

  frame: of a source that has planes and a layout.
  """
  source = frame.source
  rgb, changed, _ = writer.without_color(frame, source.layout)
  return splice.splice(
      rgb, changed, source.planes, source.layout, source.layout)[0]


class _Known(NamedTuple):
  """What is known of a film once it was read through."""

  shots: list[measure.Shot]
  plans: list[choose.Plan]
  work: shares.Work
  is_deep: bool
  windows: list[Any]  # Of run.cut.


def _same_size(size, frame) -> tuple[int, int]:
  """The height and width of a frame, which must be those of all."""
  found = frame.rgb.shape[:2]
  if size not in (None, found):
    raise types.BadInput(
        f'Frame {frame.index} is {found[1]}x{found[0]}, the first was '
        f'{size[1]}x{size[0]}; all must be of one size.')
  return found
