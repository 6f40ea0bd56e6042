"""Explain: one frame of a restored film, and what was done at each pixel."""

import bisect
from collections.abc import Mapping
import fractions
import json
import os
import re
from typing import Any

import numpy as np

from revive_jax import files, sealing, types
from revive_jax.explain import layers as layers_lib
from revive_jax.explain import sentences
from revive_jax.video import (
    conceal,
    duplicate,
    layers,
    mux,
    original,
    probe,
    reader,
    sheet,
)

_CLOCK = re.compile(r'(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)$')
ROUNDED = 6e-4  # Seconds: MKV counts in milliseconds, and users round.
_HIDDEN = ('The source is not shown: faces are hidden in this film, and it '
           'would show them.')
_MARKED = ('What is kept may be a few steps lighter or darker by the invisible '
           'mark of this film; the change shows it.')
_NO_SOURCE = ('The source is not shown: restore with '
              '--config.output.keep_original, and it stays at hand.')


def explain(
    workdir: str, film: str, destination: str | None = None, *, time: str = '0'
) -> str:
  """Writes one frame as a PNG: source, output, each layer with a legend.

  Of a film with hidden faces the source is not shown.

  Args:
    workdir: of the restore, whose report says where the source is; gets
      outputs/<name>_explained_<frame>.png if destination is None.
    film: the restored film.
    destination: a PNG.
    time: from the film's first frame, '12.5', '1:02.5' or '0:01:02.5'; or the
      number of a frame, '#120'.

  Returns:
    Sentences on what was written where.

  Raises:
    types.BadInput: there is no film, or no layers; time is none, or beyond the
      film's end; destination is no PNG or cannot be written.
  """
  if not film:
    raise types.BadInput(
        'There is no input; name the restored film with --input.')
  wanted = parse(time)
  if destination and files.suffix(destination) != '.png':
    raise types.BadInput(
        f'{destination}: a frame is explained as a PNG; name the output .png.')
  place = layers.where(film)
  info = probe.probe(film)
  stamps, time_base = _stamps(info)
  number = _number(info, stamps, time_base, wanted)
  stamp = float(stamps[number] * time_base)
  seconds = stamp - float(stamps[0] * time_base)
  found = layers.read(place, number, stamp)
  report = report_of(workdir, film)
  source = None if hides_faces(report) else _source(
      workdir, film, seconds, report)
  pictures = {} if source is None else {'source': _fit(source, found)}
  pictures |= {'output': _fit(_picture(info, number, stamp), found)}
  notes = [f'Frame {number} at {conceal.clock(seconds)} of '
           f'{os.path.basename(film)}.', *_notes(source, report)]
  path = files.path(destination) if destination else files.outputs(
      workdir, f'{files.opened_name(film).stem}_explained_{number:06d}.png')
  sheet.write_png(path, layers_lib.page(pictures, found, notes))
  shares = ', '.join(f'{name} {100 * share:.2f} %' for name, share in
                     layers_lib.shares(found['origin']).items())
  return '\n'.join([*notes, f'Of its pixels: {shares}.', f'Drawn: {path}'])


def _notes(source, report) -> list[str]:
  """What is to be known of the pictures."""
  notes = []
  if source is None:
    notes.append(_HIDDEN if hides_faces(report) else _NO_SOURCE)
  return notes + ([_MARKED] if sentences.is_marked(report) else [])


def moment(film: str, time: str) -> float:
  """Seconds from a film's first frame to the one that is shown at a time.

  Raises:
    types.BadInput: see explain.
  """
  info = probe.probe(film)
  stamps, time_base = _stamps(info)
  number = _number(info, stamps, time_base, parse(time))
  return float((stamps[number] - stamps[0]) * time_base)


def parse(text: str) -> tuple[str, float]:
  """('frame', its number) or ('time', seconds) of what a user wrote.

  Raises:
    types.BadInput: it is neither.
  """
  text = text.strip()
  if re.fullmatch(r'#\d+', text):
    return 'frame', int(text[1:])
  found = _CLOCK.fullmatch(text)
  if not found:
    raise types.BadInput(
        f'--time={text}: this is no time; write seconds (12.5), a clock '
        '(0:01:02.5), or the number of a frame (#120).')
  hours, minutes, seconds = (float(x or 0) for x in found.groups())
  return 'time', 3600 * hours + 60 * minutes + seconds


def _number(info, stamps, time_base, wanted) -> int:
  """The number of the frame that is wanted."""
  kind, value = wanted
  if kind == 'frame':
    if value >= len(stamps):
      raise types.BadInput(
          f'{info.path}: there is no frame {value}; the last one is number '
          f'{len(stamps) - 1}.')
    return value
  seconds = [float((s - stamps[0]) * time_base) for s in stamps]
  end = seconds[-1] + float(1 / info.frame_rate)
  if value >= end:
    raise types.BadInput(
        f'{info.path}: {value:g} s is beyond its end; it lasts {end:.3f} s.')
  return bisect.bisect_right(seconds, value + ROUNDED) - 1


def _stamps(info) -> tuple[list[int], fractions.Fraction]:
  """The times of all frames of a film, and their unit."""
  if info.kind == 'video':
    return mux.written_timestamps(info.path)
  return list(range(info.frame_count or 1)), info.time_base


def _picture(info, number, seconds) -> np.ndarray:
  """Frame of that number, at a time of the file; only videos are sought in."""
  if info.kind == 'video':
    with probe.open_video(info.path) as container:
      index = probe.video_stream(container, info.path).index
    return layers.frame_at(info.path, index, seconds).to_ndarray(format='rgb24')
  return list(reader.read_frames(info, stop=number + 1))[-1].rgb


def _source(workdir, film, seconds, report) -> np.ndarray | None:
  """The source's frame at a time from its first; None: it is not at hand."""
  if original.holds(film):
    with probe.open_video(film) as container:
      index = original.pictures(container).index
    frame = layers.frame_at(film, index, seconds, relative=True)
    return None if frame is None else frame.to_ndarray(format='rgb24')
  place, rate = duplicate.find(film), 24.0
  if place is None:
    place, rate = _input_of(workdir, report)
  if place is None or files.suffix(place) == '.zip':
    return None
  info = probe.probe(place, frame_rate=rate)
  stamps, time_base = _stamps(info)
  number = bisect.bisect_right(
      [float((s - stamps[0]) * time_base) for s in stamps],
      seconds + ROUNDED) - 1
  return _picture(info, number, float(stamps[number] * time_base))


def hides_faces(report: Mapping[str, Any]) -> bool:
  """Whether a run, by its report.json, hid faces: its source shows them."""
  redact = (report.get('settings') or {}).get('redact') or {}
  return redact.get('faces', 'none') != 'none'


def report_of(workdir, film) -> dict[str, Any]:
  """The report in the workdir; {}: there is none, or it is of another film.

  Raises:
    types.BadInput: it is sealed, and was changed: nobody knows what it hid.
  """
  try:
    report = json.loads((files.path(workdir) / 'report.json').read_text())
    if os.path.samefile(report['outputs'][0]['path'], film):
      return report
  except types.BadInput:
    raise
  except (OSError, ValueError, LookupError, TypeError):
    pass
  return {}


def _input_of(workdir, report) -> tuple[str | None, float]:
  """The source by a report, and its rate of frames."""
  try:
    path = sealing.beside(report['input']['path'], workdir)
    if os.path.exists(path):
      return path, report['input']['frame_rate']
  except (LookupError, TypeError):
    pass  # Then it is not at hand.
  return None, 24.0


def _fit(rgb, found) -> np.ndarray:
  """A picture in 8 bits, and as large as the layers."""
  height, width = next(iter(found.values())).shape
  if rgb.dtype == np.uint16:
    rgb = (rgb >> 8).astype(np.uint8)
  step = max(1, rgb.shape[0] // height)
  return np.ascontiguousarray(rgb[::step, ::step][:height, :width])
