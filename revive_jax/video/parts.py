"""A film in parts: each is coded by itself, and all are joined at the end.

So a run that was stopped goes on after its last part, and the film is the same
as of a run that was not: parts begin at the same frames, and each with a key
frame. Joining copies packets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import fractions
import itertools
import os
import pathlib
import shutil
from typing import Any, NamedTuple

import av

from revive_jax import files as files_lib
from revive_jax.video import (
  atomic,
  bond,
  dicom_writer,
  duplicate,
  durations,
  mux,
  original,
  probe,
  writer,
)
from revive_jax.video import checksums as checksums_lib
from revive_jax.video import extras as extras_lib
from revive_jax.video import layers as layers_lib
from revive_jax.video import target as target_lib


class Part(NamedTuple):
  """What is to be known of a part, in JSON's types."""

  stamps: Sequence[int]  # Of its frames, in the source's time base.
  kept: int  # Pixels that were passed on untouched,
  pixels: int  # of all.
  relabelled: int  # Frames with other colour tags than the film's.


def name(number: int, target: target_lib.Target) -> str:
  """The name of a part: of a file, or of a folder of pictures."""
  if target.kind == 'dicom':
    return f'{number:06d}.words'
  if target.kind != 'video':
    return f'{number:06d}{target.suffix if target.kind == "image" else ""}'
  # Each keeps every timestamp of the codec as it is.
  return f'{number:06d}' + {
      'ffv1': '.nut', 'prores': '.mov'}.get(target.codec, '.mp4')


def files(folder: pathlib.Path, part: str) -> list[str]:
  """The files of a part, by their names in the folder, in order."""
  path = folder / part
  if not path.is_dir():
    return [part]
  return [f'{part}/{p.name}' for p in sorted(path.iterdir())]


def write(
    path: str | os.PathLike, frames: Iterable[writer.OutputFrame],
    info: probe.VideoInfo, target: target_lib.Target,
    found: extras_lib.Extras, **options: Any,
) -> Part:
  """Writes a part; whole when it returns, and only then.

  found: what the source holds beside its pictures.
  options: crf, preset and seed of writer.write_video.

  Raises:
    types.BadInput: the disk is full, or cannot be written.
  """
  path, frames = files_lib.path(path), writer.guarded(frames)
  try:
    tally = _written(path, frames, info, target, found, options)
  except writer.FramesError as error:  # The disk of the parts is not at fault.
    raise error.__cause__ from None
  finally:
    frames.close()
  return Part(tally.stamps.tolist(), tally.kept, tally.pixels, tally.relabelled)


def _written(path, frames, info, target, found, options) -> writer.Tally:
  with atomic.replacing(path, folder=target.kind == 'images') as part:
    if target.kind == 'video':
      # No source, no other tracks: they come when parts are joined. What the
      # coded frames themselves say is of the source.
      extras = extras_lib.Extras(siting=found.siting, static=found.static)
      silent = dataclasses.replace(info, path='', kind='images')
      tally = writer.write_coded(
          part, target, frames, silent, extras=extras, **options)
    elif target.kind == 'dicom':
      tally = dicom_writer.write_words(part, frames, info)
    else:
      tally = writer.write_pictures(
          part, target, frames, info, seed=options.get('seed', 0))
  return tally


def join(
    path: str | os.PathLike, found: Sequence[str | os.PathLike],
    parts: Sequence[Part], info: probe.VideoInfo, target: target_lib.Target,
    extras: extras_lib.Extras, *, expected_frames: int | None = None,
    sound: Mapping[int, str] | None = None, checksums: bool = False,
    layers: Sequence[str | os.PathLike] = (), form: str = 'none',
    finish: Callable[[pathlib.Path], None] | None = None,
    keep_original: bool = False,
) -> writer.Written:
  """Joins parts to the film, with the source's sound and what else it holds.

  Args:
    path: of the film; appears whole or not at all.
    found: the files of all parts, in order; they stay as they are.
    parts: what write() gave back for each.
    info: of the source.
    target: what the parts were written as.
    extras: what the source holds beside its pictures.
    expected_frames: how many there must be.
    sound: see writer.write_video.
    checksums: see writer.write_video.
    layers: the files of the layers of all parts, in order.
    form: what becomes of them, of layers.form.
    finish: is given the film when all in it is done, before it gets its name.
    keep_original: whether the source travels in the film, or lies beside it.
      What lies beside it gets its name after the film.

  Raises:
    types.BadInput: the disk is full, or cannot be written.
    RuntimeError: frames were lost, which would be a bug.
  """
  tally = _together(parts)
  writer.check_count(tally, expected_frames)
  with contextlib.ExitStack() as later:
    written = _joined(
        path, found, tally, info, target, extras, sound, finish,
        _Beside(later, layers, form, keep_original))
  if checksums and target.kind != 'dicom':
    checksums_lib.write(target.path, info.frame_rate)
  return written


class _Beside(NamedTuple):
  """What goes with the film, in it or beside it."""

  later: contextlib.ExitStack  # Closed when the film has its name.
  layers: Sequence[str | os.PathLike]
  form: str
  original: bool


def _joined(
    path, found, tally, info, target, extras, sound, finish, beside
) -> writer.Written:
  """Joins the film; what lies beside it gets its names after it."""
  shown = durations.of(tally.stamps, info)
  travels = beside.original and _can_travel(info, target)

  def lay(part, *, copied=beside.original and not travels):
    _lay_beside(beside, path, part, tally.stamps, shown, info, target, copied)

  if target.kind == 'dicom':
    return dicom_writer.join(path, found, info, tally, lay)
  warnings, sounds, error = target_lib.warnings(target, info), 0, 0.0
  with atomic.replacing(
      files_lib.path(path), folder=target.kind == 'images') as part:
    lost = False  # Whether the film does not hold the original as it was.
    if target.kind == 'video':
      sounds = writer.join_coded(
          part, target, found[0], _packets(found, info.time_base, shown), info,
          warnings.append, extras=extras, sound=sound, beside=_tracks(
              info, tally.stamps, shown, sound or (), travels, beside))
      error = writer.check_written(part, tally, info)
      lost = travels and not original.same(part, info.path)
      warnings += _not_held(part, path, info, target, extras, lost)
    else:
      _join_pictures(found, part, target)
    if beside.form == 'files' and target.kind == 'images':
      layers_lib.write_pictures(part / layers_lib.FOLDER, beside.layers)
    if finish is not None:
      finish(part)
    lay(part, copied=beside.original and (lost or not travels))
  return writer.written(target, tally, info, error, sounds, warnings)


def _together(parts) -> writer.Tally:
  """What was counted of all parts."""
  tally = writer.Tally()
  for part in parts:
    tally.stamps.extend(part.stamps)
    tally.kept += part.kept
    tally.pixels += part.pixels
    tally.relabelled += part.relabelled
  return tally


def _not_held(film, path, info, target, extras, lost) -> list[str]:
  """What the source has and the film does not, in sentences.

  lost: whether the source was to be in it, and is not as it was.
  """
  found = []
  if lost:
    found.append('MKV does not hold the original as it was, so it lies beside: '
                 f'{duplicate.sidecar(info, path)}.')
  if info.kind == 'video' and info.path:
    found += mux.lost(film, info, target, extras)
  return found


def _can_travel(info, target) -> bool:
  return (target.kind == info.kind == 'video'
          and original.travels(info.path, target.suffix))


def _tracks(info, stamps, shown, replaced, travels, beside):
  """What makes further tracks of the film: of its layers, of the original."""
  more = []
  if beside.layers and beside.form == 'tracks':
    more.append(lambda output: layers_lib.Tracks(
        output, beside.layers, stamps, info.time_base, shown))
  if travels:
    more.append(original.tracks(info.path, replaced))
  return more


def _lay_beside(
    beside, path, part, stamps, shown, info, target, copied
) -> None:
  """Writes layers and original beside the film, bound to what is in part.

  Not under their names yet: where the disk is full, an older film keeps what is
  of it.
  """
  layered = beside.form == 'files' and target.kind != 'images'
  if not layered and not copied:
    return
  to = dict(made=bond.of(part), later=beside.later)
  if layered and target.kind == 'image':
    layers_lib.write_folder(path, beside.layers, **to)
  elif layered:
    layers_lib.write_sidecar(
        path, beside.layers, stamps, info.time_base, shown, **to)
  if copied:
    duplicate.keep(info, path, **to)


def _join_pictures(found, part, target) -> None:
  if target.kind == 'image':
    shutil.copyfile(found[0], part)
    return
  sealed = files_lib.SEALED if files_lib.is_sealed(part) else ''
  for index, source in enumerate(found):
    place = part / f'{index:06d}{files_lib.suffix(source)}{sealed}'
    try:
      os.link(source, place)
    except OSError:  # Another disk, or one that has no links.
      shutil.copyfile(source, place)


def _packets(
    found, time_base: fractions.Fraction, shown: durations.Durations
) -> Iterator[av.Packet]:
  """The coded frames of all parts, in the time base of the source.

  Each part was coded for itself: its times of decoding may run into those of
  the part before it, where frames are not even. So they are given anew: the
  times of presentation in order, as late as the deepest reordering asks for.

  shown: how long each frame is, by its time of presentation, in order.
  """
  depths, ends = zip(*map(_reordering, found), strict=True)
  depth, ordered = max(depths), shown.stamps
  # MP4 is as long as its times of decoding say: so much before the first frame.
  last = _exactly(ends[-1] / time_base)
  delay = max(depth, int(ordered[-1]) + shown[ordered[-1]]
              - int(ordered[-1 - depth]) - shown[last])
  early = [int(ordered[0]) - delay + delay // depth * n for n in range(depth)]
  decoded = itertools.chain(early, shown)
  for path in found:
    with probe.open_video(path) as container:
      stream = container.streams.video[0]
      for packet in container.demux(stream):
        if not packet.size:
          continue
        packet.pts = _exactly(packet.pts * stream.time_base / time_base)
        packet.dts = next(decoded)
        packet.time_base = time_base
        packet.duration = shown[packet.pts]
        yield packet


def _exactly(value: fractions.Fraction) -> int:
  if value.denominator != 1:
    raise RuntimeError(f'A part holds the timestamp {value}.')
  return int(value)


def _reordering(path) -> tuple[int, fractions.Fraction]:
  """By how many places a frame is decoded before its turn, and the last's time.
  """
  with probe.open_video(path) as container:
    stream = container.streams.video[0]
    stamps = [p.pts for p in container.demux(stream) if p.size]
    last = stamps[-1] * stream.time_base
  place = {stamp: i for i, stamp in enumerate(sorted(stamps))}
  return max(i - place[stamp] for i, stamp in enumerate(stamps)), last
