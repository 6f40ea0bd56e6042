"""A film on the desk: what is in it, what was measured, what is proposed."""

from collections.abc import Mapping
import json
from typing import Any, NamedTuple

import numpy as np

from revive_jax import workdir as workdir_lib
from revive_jax.desk import known, pictures, places, preview
from revive_jax.explain import page, record, sentences
from revive_jax.explain import pictures as pictures_lib
from revive_jax.pipeline import choose, motion
from revive_jax.video import atomic, conceal, deinterlace

_SHORT = 300 * 480 * 640  # Pixels of a film that is measured while one waits.

place = places.find


class Shot(NamedTuple):
  """What is known of a shot, and what would be done."""

  number: int
  start: int
  stop: int
  key_frame: int
  clock: str  # From when to when.
  measured: Mapping[str, Any]  # As report.json has it.
  findings: list[dict[str, Any]]  # 'name', 'value', 'unit', 'title', 'meaning'.
  proposal: list[dict[str, Any]]  # 'stage', 'title', 'strength', 'reasons'.


class Film(NamedTuple):
  """What is known of a film."""

  info: dict[str, Any]
  sentences: list[str]
  shots: list[Shot]
  faces: list[dict[str, Any]]
  warnings: list[str]
  interlace: str  # What was found about fields, in a sentence; or ''.
  hides: bool  # Faces are hidden: nobody may see the source.


def is_measured(place_: places.Place) -> bool:
  """Whether all is known that the present settings ask for."""
  return known.is_there(place_)


def is_long(place_: places.Place) -> bool:
  """Whether measuring takes so long that a job should do it."""
  info = known.probed(place_)
  count = info.frame_count or (info.duration or 1e9) * info.frame_rate
  return count * info.width * info.height > _SHORT


def measure(place_: places.Place) -> None:
  """Reads a film through, and keeps what is found; nothing, if it was.

  Raises:
    types.BadInput: it cannot be read.
  """
  with places.named(place_):
    known.measure(place_)


def opened(place_: places.Place) -> Film:
  """What is known of a film that was measured.

  Raises:
    types.BadInput: it was not, or cannot be opened.
  """
  with places.named(place_):
    found = known.opened(place_)
  film, shots = found.film, found.survey.shots
  steps = motion.described(
      shots, found.plans, size=(film.info.height, film.info.width))
  told = [workdir_lib.plain(record.measured(s) | {
      'jitter_pixels': m['jitter_pixels']})
          for s, m in zip(shots, steps, strict=True)]
  info = _info(found)
  return Film(
      info, _sentences(info, shots, film), [
          _shot(i, s, t, p, info) for i, (s, t, p) in enumerate(
              zip(shots, told, found.plans, strict=True))],
      film.faces.report([])['tracks'],
      [places.plainly(place_, w) for w in dict.fromkeys(film.warnings)],
      _fields(film), found.c.redact.faces != 'none')


def _info(found) -> dict[str, Any]:
  info, count = found.film.info, len(found.survey.stamps)
  return {
      'width': info.width, 'height': info.height, 'frames': count,
      'frame_rate': float(info.frame_rate), 'kind': info.kind,
      'seconds': count / float(info.frame_rate), 'codec': info.codec,
      'sound': [f'{a.codec} {a.sample_rate} Hz' for a in info.audio]}


def _shot(number, shot, told, plan, info) -> Shot:
  rate = info['frame_rate']
  findings = [
      {'name': name, 'value': told[name], 'unit': m.unit, 'title': m.name,
       'meaning': m.meaning} for name, m in sentences.MEASURES.items()
      if told.get(name) is not None]
  return Shot(
      number, shot.start, shot.stop, shot.key_frame,
      f'{conceal.clock(shot.start / rate)} to '
      f'{conceal.clock(shot.stop / rate)}', told, findings,
      [proposed(s) for s in plan.stages])


def proposed(stage: choose.Choice) -> dict[str, Any]:
  """What a stage would do, and why, in plain words."""
  return {'stage': stage.name,
          'title': sentences.STAGES.get(stage.name, stage.name),
          'strength': stage.strength, 'reasons': sentences.reasons(stage.why)}


def _sentences(info, shots, film) -> list[str]:
  if info['kind'] in ('image', 'dicom') and info['frames'] == 1:
    return [f'A picture of {info["width"]} by {info["height"]} pixels.']
  told = [f'The film has {info["frames"]:,} frames of {info["width"]} by '
          f'{info["height"]} pixels: '
          f'{page.number(info["seconds"], "seconds")} at '
          f'{page.number(info["frame_rate"], "frames a second")}, in '
          f'{sentences.plural(len(shots), "shot")} (from one cut to the next).']
  if all(s.grey for s in shots):
    told.append('It is in black and white.')
  told.append(f'Sound: {", ".join(info["sound"])}.' if info['sound'] else
              'It has no sound.')
  if film.faces.tracks:
    told.append(f'{sentences.plural(len(film.faces.tracks), "face")} found.')
  return told


def _fields(film) -> str:
  """What was found about interlacing, and what is done about it."""
  found = deinterlace.report(film.decision)['segments']
  kinds = {s['kind']: s['action'] for s in found if s['kind'] != 'progressive'}
  return '; '.join(f'{kind}: {action}' for kind, action in kinds.items())


def thumbnail(place_: places.Place, shot: int, width: int = 240) -> bytes:
  """The key frame of a shot as a JPEG; of hidden faces, as it is restored.

  Raises:
    types.BadInput: there is no such shot, or the film was not measured.
  """
  found = known.opened(place_)
  shots = found.survey.shots
  pictures.check(len(shots), shot, f'{place_.name}, shots')
  hides = found.c.redact.faces != 'none'
  path = place_.path(f'thumbs/{shot}_{width}{"_hidden" if hides else ""}.jpg')
  if not path.exists():
    number = shots[shot].key_frame
    shown = preview.preview(place_, number).after if hides else (
        pictures.before(found, number))
    path.parent.mkdir(exist_ok=True)
    with atomic.replacing(path) as part:
      part.write_bytes(pictures_lib.jpeg(pictures_lib.fit(shown, width)))
  return path.read_bytes()


def frame(
    place_: places.Place, number: int, which: str = 'before'
) -> np.ndarray | None:
  """A frame in 8 bits, [H, W, 3]; None where it cannot be shown.

  Args:
    place_: the film.
    number: of the frame, as it is restored (fields are frames).
    which: 'before', which is not shown where faces are hidden; or 'after', of
      the finished film.

  Raises:
    types.BadInput: there is no such frame.
  """
  with places.named(place_):
    return pictures.frame(place_, number, which)


def report(place_: places.Place) -> dict[str, Any] | None:
  """report.json of the last finished restore; None: there is none."""
  try:
    return json.loads(place_.path('work/report.json').read_text())
  except FileNotFoundError:
    return None
