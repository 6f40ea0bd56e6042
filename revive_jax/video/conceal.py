"""Frames that a file promises and that cannot be decoded: found, filled in.

Each packet of a video promises one picture, with the packet's timestamp. Where
the decoder passes a timestamp by, a picture was lost, and its neighbour stands
in. Some packets of healthy files yield no picture (second fields, hidden
references): they lie between two pictures that follow each other as usual, and
nothing is made up for them.
"""

import bisect
from collections.abc import Iterator
import copy
import errno
import fractions
import itertools
import statistics

import av
from av.codec.context import Flags
import av.filter

from revive_jax.video import ffv1

DAMAGED = 'damaged'  # As the decoder mended it.
REPEATED = 'repeated'  # Could not be decoded: a copy of its neighbour.
_NEAR = 0.75  # Share of the usual step; pictures are not closer.
_TINY = 8  # A packet of at most so many bytes may say 'as before'.
_HISTORY = 31
_LEAP = 10  # Seconds.
_SPARE = 1 << 29  # Bytes: where that much can be had, the packet is damaged.
_PATIENCE = 8  # Errors in a row that are borne; frames to wait for a late one.


def clock(seconds: float) -> str:
  """Returns a time as HH:MM:SS.mmm."""
  thousandths = round(1000 * float(seconds))
  sign, thousandths = '-' * (thousandths < 0), abs(thousandths)
  minutes, rest = divmod(thousandths, 60_000)
  return (f'{sign}{minutes // 60:02d}:{minutes % 60:02d}:'
          f'{rest // 1000:02d}.{rest % 1000:03d}')


class Promises:
  """The timestamps of packets whose picture has not come yet.

  step: the usual distance of two frames. ordered: whether timestamps tell the
  order of display. errors: decoding errors that no lost picture explains yet;
  failures: all of them; reason: of the last. broken: the decoder could not be
  emptied. count: packets so far; start, end: the timestamps that they span,
  the last one's duration included.
  """

  def __init__(self, step: int, *, ordered: bool = True, skips: bool = False):
    """skips: a tiny packet may say that nothing changed."""
    self.step, self.ordered, self._skips = step, ordered, skips
    self.errors, self.failures, self.reason = 0, 0, ''
    self.broken = False
    self.count, self.start, self.end = 0, 0, 0
    self._due = []  # Sorted; (timestamp, whether it may hold no picture).
    self._steps = (step,)
    self._last = None
    self._late = 0
    self._spare = False  # Whether some packets of it hold no picture.

  @property
  def waiting(self) -> bool:
    """Whether the picture of some packet has not come."""
    return bool(self._due)

  def add(self, packet: av.Packet) -> None:
    """Notes a packet that is about to be decoded."""
    stamp = packet.dts if packet.pts is None else packet.pts
    if stamp is not None:
      self.start = min(self.start, stamp) if self.count else stamp
      self.end = max(self.end, stamp + (packet.duration or self.step))
    self.count += 1
    if packet.pts is not None and self.ordered and not packet.is_discard:
      tiny = self._skips and packet.size <= _TINY
      bisect.insort(self._due, (packet.pts, tiny))

  def fail(self, reason: str = '') -> None:
    """Notes an error of the decoder."""
    self.errors += 1
    self.failures += 1
    self.reason = reason

  def gap(self, frames: list[av.VideoFrame]) -> bool:
    """Returns whether a picture is missing before the last of the frames."""
    stamps = [f.pts for f in frames]
    if not self.ordered or None in stamps or not self._due or (
        self._due[0][0] >= stamps[0]):
      return False
    trial = copy.copy(self)
    trial._due = self._due.copy()
    return any([trial.take(pts) for pts in sorted(stamps)])

  def take(self, pts: int | None) -> list[int | None]:
    """Returns the timestamps that are lost before the frame at pts.

    None for a picture whose timestamp is not known.
    """
    if pts is None or not self.ordered:
      lost, self.errors = [None] * self.errors, 0
      return lost
    if self._last is not None and pts <= self._last:
      self._late += 1
      if self._late > _PATIENCE:  # It does not keep to its order.
        self.ordered, self._due = False, []
      return []
    place = bisect.bisect_left(self._due, (pts, False))
    lost = self._lost(self._due[:place], pts)
    del self._due[:place]
    if self._due and self._due[0][0] == pts:
      del self._due[0]
    if not lost and self._last is not None:
      self._steps = (*self._steps[-_HISTORY:], pts - self._last)
    self._last = pts
    return lost

  def rest(self) -> list[int | None]:
    """Returns the timestamps that are lost behind the last frame."""
    if not self.ordered or self._last is None:
      return [None] * self.errors
    lost, self._due = self._lost(self._due, None), []
    return lost

  def _lost(self, passed, pts):
    """Returns those of the timestamps passed by that lack a picture."""
    near = _NEAR * statistics.median(self._steps)
    lost, last = [], self._last
    for stamp, tiny in passed:
      apart = (last is None or stamp - last >= near) and (
          pts is None or pts - stamp >= near)
      failed = self.errors > len(lost) and not self._spare
      if failed or (apart and not tiny):
        lost.append(stamp)
        last = stamp
      else:
        self._spare = True
    self.errors = max(0, self.errors - len(lost))
    return lost


def packets(
    container: av.container.InputContainer, stream: av.VideoStream, warn
) -> Iterator[av.Packet]:
  """Yields the packets with data; goes on after errors while there are more."""
  failures, reason = 0, ''
  while failures < _PATIENCE:
    try:
      for packet in container.demux(stream):
        if packet.size:
          failures = 0
          yield packet
      return
    except IndexError:  # PyAV at the end, where tracks turned up on the way.
      return
    except av.FFmpegError as e:
      failures, reason = failures + 1, e.strerror
  warn(f'reading stopped early ({reason}).')


def plausible(read: Iterator[av.Packet], limit: int) -> Iterator[av.Packet]:
  """Yields the packets; a timestamp that leaps, and the next not, is unset.

  One wrong byte of a timestamp would else put hours of nothing into a film. In
  a whole file time does not go back, so nothing is unset there. limit: of
  leaps, in the unit of the timestamps.
  """
  def stamp(packet):
    if packet is None:
      return None
    return packet.pts if packet.dts is None else packet.dts

  before = None
  for packet, after in itertools.pairwise(itertools.chain(read, [None])):
    this, following = stamp(packet), stamp(after)
    if before is not None and this is not None and abs(this - before) > limit:
      if following is not None and abs(following - before) <= limit:
        packet.pts = packet.dts = None
        this = before
    elif (packet.pts is not None and packet.dts is not None
          and abs(packet.pts - packet.dts) > limit):
      packet.pts = None
    before = before if this is None else this
    yield packet


def pictures(
    container: av.container.InputContainer, stream: av.VideoStream,
    promises: Promises, warn
) -> Iterator[av.VideoFrame]:
  """Yields what the decoder makes of a stream: mended pictures too, flagged."""
  context = stream.codec_context
  context.flags |= Flags.output_corrupt
  has_sums, wrong = False, set()
  for packet in plausible(packets(container, stream, warn),
                          round(_LEAP / stream.time_base)):
    promises.add(packet)
    if context.codec.canonical_name == 'ffv1':
      hold = ffv1.checksums_hold(bytes(packet))
      has_sums |= hold
      if has_sums and not hold:
        wrong.add(packet.pts)
    try:
      frames = context.decode(packet)
    except av.FFmpegError as e:
      check_memory(e)
      promises.fail(e.strerror)
      continue
    yield from _marked(frames, wrong)
  try:
    yield from _marked(context.decode(None), wrong)
  except av.FFmpegError as e:
    check_memory(e)
    promises.broken = True


def check_memory(error: Exception | None = None) -> None:
  """Raises MemoryError where there is none left, which is no damage.

  error: what a decoder said; None: nothing, though it gave no frame.
  """
  if error is None or getattr(error, 'errno', 0) == errno.ENOMEM:
    bytearray(_SPARE)


def _marked(frames, wrong):
  """Marks the frames that are damaged, by themselves or as wrong says."""
  for frame in frames:
    if frame.is_corrupt or frame.pts in wrong:
      frame.opaque = [DAMAGED]
  return frames


def _copy(frame: av.VideoFrame, pts: int | None) -> av.VideoFrame:
  """Returns the picture once more, at another time; the samples are shared."""
  graph = av.filter.Graph()
  source = graph.add_buffer(
      width=frame.width, height=frame.height, format=frame.format,
      time_base=frame.time_base or fractions.Fraction(1, 1000))
  source.link_to(graph.add('buffersink'))
  graph.configure()
  graph.push(frame)
  again = graph.pull()
  again.pts, again.opaque = pts, [REPEATED]
  return again


def kind(frame: av.VideoFrame) -> str:
  """Returns REPEATED, DAMAGED or '', for a frame out of filled."""
  # A list of its own for each: PyAV forgets an object that two frames share.
  return frame.opaque[0] if frame.opaque else ''


def _size(frame):
  return frame.width, frame.height


def sorted_at_gaps(
    frames: Iterator[av.VideoFrame], promises: Promises
) -> Iterator[av.VideoFrame]:
  """Yields the frames; where one is missing, waits if it comes a little late.

  Decoders that lost a reference may give out the one before it too late.
  """
  held = []
  for frame in frames:
    held.append(frame)
    if not promises.gap(held) or len(held) > _PATIENCE:
      if len(held) > 1 and all(f.pts is not None for f in held):
        held.sort(key=lambda f: f.pts)
      yield from held
      held = []
  yield from sorted(held, key=lambda f: f.pts)


def filled(
    frames: Iterator[av.VideoFrame], promises: Promises, *, mended: bool
) -> Iterator[av.VideoFrame]:
  """Yields the frames, and a copy of a neighbour for each that is lost.

  The neighbour is the last good frame; before the first good one, that one.
  kind(frame) says what it is. mended: whether frames before the first good one
  are kept as they are, if they are damaged.
  """
  good, early = None, []
  for frame in sorted_at_gaps(frames, promises):
    lost, damaged = promises.take(frame.pts), bool(kind(frame))
    if good is None and not mended and (
        damaged or (early and not frame.key_frame)):
      early += [*lost, frame.pts]
      continue
    if damaged and good is not None and _size(frame) != _size(good):
      lost, frame = [*lost, frame.pts], None
    for pts in [*early, *lost]:
      yield _copy(good or frame, pts)
    early = []
    if frame is None:
      continue
    if good is None or not damaged:
      good = frame
    yield frame
  if good is not None:
    for pts in promises.rest():
      yield _copy(good, pts)
