"""A sound track of a file: measured, and repaired into a file of its own."""

import dataclasses
import os
import pathlib

import numpy as np

from revive_jax.audio import blocks, clipping, decode, encode, spectrogram
from revive_jax.audio import measure as measuring
from revive_jax.audio import repair as repairing

_PIECE = 16 * blocks.GRID  # Samples repaired at once; 12 s at 44.1 kHz.


@dataclasses.dataclass(frozen=True)
class Repaired:
  """A track that was repaired."""

  path: pathlib.Path  # Holds it alone; its packets are to be copied.
  codec: str  # 'flac', 'pcm_s24le' or 'aac'.
  report: dict  # Plain: what was measured, done, and why; units in the names.


def measure_track(path: str | os.PathLike, index: int) -> measuring.Measured:
  """Returns what is wrong with sound track index (0 = the first) of a file.

  Raises BadInput for a track that cannot be decoded.
  """
  with decode.Track(path, index) as track:
    return measuring.measure(track.blocks(), track.rate, track.layout)


def report(measured: measuring.Measured, plan: repairing.Plan) -> dict:
  """Returns what was measured, and what is done and why: plain, for JSON."""
  figures = {name: _plain(value) for name, value in measured.report().items()}
  return {
      'measured': figures,
      'done': {name: {'strength': float(plan.strengths[name]),
                      'why': plan.reasons[name]}
               for name in repairing.REPAIRS},
      'gain_db': float(20 * np.log10(plan.gain))}


def _plain(value):
  if isinstance(value, float) and not np.isfinite(value):
    return None  # JSON has no infinity; silence has no level.
  return value


def _drawn_peak(path, index, measured, strength):
  """Returns the peak of a track with its clipped peaks drawn anew."""
  with decode.Track(path, index) as track:
    pieces = blocks.overlapped(
        track.blocks(),
        lambda samples, start: clipping.repair(
            samples, strength, measured.limits),
        size=_PIECE, reach=blocks.GRID)
    return max(float(np.abs(piece).max()) for piece in pieces)


def repair_track(
    path: str | os.PathLike, index: int, folder: str | os.PathLike, *,
    strength=repairing.DEFAULT, codec: str = 'flac',
    measured: measuring.Measured | None = None
) -> Repaired | None:
  """Repairs sound track index (0 = the first) of the media file at path.

  Two passes in little memory: measure, repair (one more if peaks were cut
  off). Rate, channels and number of samples stay, and so does the time of each
  sample. None if nothing needs doing: copy the source's packets then.

  strength: by repair, from 0 (off) to 1, or 'auto'; see repair.DEFAULT.
  codec: 'flac' (24 bit; PCM where it cannot hold the track) or 'aac', for .mp4.
  measured: of measure_track, if it is known already.
  Raises BadInput for a track that cannot be decoded, or other strengths.
  """
  settings = repairing.check(strength)
  measured = measured or measure_track(path, index)
  plan = repairing.plan(measured, settings)
  if plan.idle:
    return None
  if plan.strengths['clipping']:
    plan = repairing.within(plan, _drawn_peak(
        path, index, measured, plan.strengths['clipping']))
  with decode.Track(path, index) as track:
    pieces = blocks.overlapped(
        track.blocks(), repairing.repairer(measured, plan), size=_PIECE,
        reach=repairing.reach(measured, plan))
    first = next(pieces)
    with encode.Writer(folder, f'sound_{index}', codec, track.rate,
                       track.layout, track.stamps[0][1]) as writer:
      told = _write(writer, first, track, 1)
      for piece in pieces:
        told = _write(writer, piece, track, told)
  return Repaired(writer.path, writer.codec, {
      **report(measured, plan), 'codec': writer.codec,
      'limited_samples': writer.limited, 'lost_packets': track.errors})


def _write(writer, piece, track, told):
  """Writes a piece; tells the writer of stamps read since; returns how many."""
  for sample, seconds in track.stamps[told:]:
    writer.stamp(sample, seconds)
  writer.write(piece)
  return len(track.stamps)


def spectrograms(
    path: str | os.PathLike, index: int, repaired: Repaired, **size
) -> np.ndarray:
  """Returns the track before and after, as spectrogram.before_after."""
  with (decode.Track(path, index) as before,
        decode.Track(repaired.path, 0) as after):
    return spectrogram.before_after(
        before.blocks(), after.blocks(), before.rate, **size)
