"""Masks: what a person painted and erased, of a frame or of a whole shot.

Where it was painted is damage; where it was erased is none, whatever the
program finds; elsewhere the program decides (mask_overrides of a restore). A
mark of a frame goes over that of its shot.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import fractions
import hashlib
import os
import re
import secrets

import av
import cv2
import numpy as np

from revive_jax import files, types
from revive_jax.desk import known, pictures, places, settings, visitors

_DAMAGE, _LEFT, _NONE = 255, 128, 0  # Codes, as video/masks.py reads them.
_CHANGED, _MADE = 'marks.changed', 'mask.made'  # Which marks a mask is of.
_FILE = re.compile(r'(frame|shot)_(\d+)\.png')


def paint(
    place: places.Place, *, frame: int | None = None, shot: int | None = None,
    painted: np.ndarray, erased: np.ndarray,
) -> None:
  """Marks a frame, or each frame of a shot; what was marked there is replaced.

  Args:
    place: the film.
    frame: its number; or
    shot: its number.
    painted: [H, W] bool, damage. Where it is erased, too, it is damage.
    erased: [H, W] bool, no damage. Without any of both the mark is forgotten.

  Raises:
    types.BadInput: there is no such frame or shot, or the mask is of another
      size.
  """
  found = known.opened(place)
  path = _path(place, found, frame, shot)
  size = found.film.info.height, found.film.info.width
  painted, erased = np.asarray(painted, bool), np.asarray(erased, bool)
  for mask in (painted, erased):
    if mask.shape != size:
      raise types.BadInput(
          f'{place.name}: the mask is of {mask.shape[::-1]} pixels, the film '
          f'of {size[::-1]}; paint on a picture of its size.')
  code = np.where(painted, _DAMAGE, np.where(erased, _NONE, _LEFT))
  with _alone(place):
    # A restore that runs may read the masks as they were: nothing is removed.
    (place.folder / _CHANGED).write_text(secrets.token_hex(8))
    if not (painted | erased).any():
      path.unlink(missing_ok=True)
      with contextlib.suppress(OSError):
        (place.folder / 'marks').rmdir()  # Where none is left.
      return
    (place.folder / 'marks').mkdir(exist_ok=True)
    part = path.with_name(f'.{path.name}')
    part.write_bytes(_png(code.astype(np.uint8)))
    os.replace(part, path)


def painted(
    place: places.Place, *, frame: int | None = None, shot: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
  """What was painted, and what was erased, of a frame or a shot, [H, W] bool.

  Raises:
    types.BadInput: there is no such frame or shot.
  """
  found = known.opened(place)
  code = _code(_path(place, found, frame, shot), found)
  return code == _DAMAGE, code == _NONE


def listed(place: places.Place) -> dict[str, list[int]]:
  """The 'frames' and the 'shots' that are marked."""
  result = {'frames': [], 'shots': []}
  folder = place.folder / 'marks'
  for path in folder.iterdir() if folder.is_dir() else ():
    if match := _FILE.fullmatch(path.name):
      result[f'{match[1]}s'].append(int(match[2]))
  return {name: sorted(numbers) for name, numbers in result.items()}


def effective(place: places.Place, frame: int) -> np.ndarray | None:
  """The mask of a frame as its restore sees it, [H, W] int8; None: no marks.

  1: damage, -1: none, 0: the program decides.
  """
  if not is_marked(place):
    return None
  found = known.opened(place)
  pictures.check(len(found.survey.stamps), frame, place.name)
  code = _joined(place, found, frame)
  return (code == _DAMAGE).astype(np.int8) - (code == _NONE)


def is_marked(place: places.Place) -> bool:
  """Whether anything is painted or erased in a film."""
  return (place.folder / 'marks').is_dir()


def compose(place: places.Place, spares_job: bool = False) -> None:
  """Writes the masks of all frames where a restore reads them.

  Nothing is done if it is there, or nothing is marked. Frames of the same mask
  are coded once.

  Args:
    place: the film.
    spares_job: whether the masks stay as they are while a job is at the film:
      it may read them yet.
  """
  with _alone(place):
    if not (spares_job and place.path(settings.mask_name(place)).exists() and (
        visitors.is_held(place.folder / visitors.LOCK))):
      _compose(place)


@contextlib.contextmanager
def composed(place: places.Place) -> Iterator[dict[str, str]]:
  """The same; nobody paints until the end of it.

  Yields:
    What stands for what is painted in each shot, by its number as text.
  """
  with _alone(place):
    _compose(place)
    yield _digests(place)


@contextlib.contextmanager
def _alone(place):
  """Keeps others out who paint on a film, or make its masks."""
  with open(place.folder / 'masks.lock', 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield


def _compose(place) -> None:
  path = place.path(settings.mask_name(place))
  made = place.folder / _MADE
  state = _text(place.folder / _CHANGED)
  if not is_marked(place) or path.exists() and _text(made) == state:
    return
  found = known.opened(place)
  for old in place.folder.glob(f'.part.*.{path.name}'):  # Of who was killed.
    old.unlink(missing_ok=True)
  part = path.with_name(f'.part.{secrets.token_hex(4)}.{path.name}')
  try:
    file = files.media(part, 'w')
    try:
      with av.open(file, 'w', format='matroska') as output:
        _write(output, found, _codes(place, found))
    finally:
      files.close(file)
    os.replace(part, path)
  except BaseException:
    part.unlink(missing_ok=True)
    raise
  made.write_text(state)


def _digests(place) -> dict[str, str]:
  marked, found = listed(place), {}
  for number, shot in enumerate(known.opened(place).survey.shots):
    names = [f'shot_{number:06d}.png'] if number in marked['shots'] else []
    names += [f'frame_{t:06d}.png' for t in marked['frames']
              if shot.start <= t < shot.stop]
    digest = hashlib.sha256()
    for name in names:
      data = place.path(f'marks/{name}').read_bytes()
      digest.update(f'{name} {len(data)} '.encode() + data)
    found[str(number)] = digest.hexdigest()
  return found


def _text(path) -> str:
  return path.read_text() if path.exists() else ''


def _path(place, found, frame, shot):
  if (frame is None) == (shot is None):
    raise ValueError('Name a frame or a shot, and not both.')
  if frame is not None:
    pictures.check(len(found.survey.stamps), frame, place.name)
    return place.path(f'marks/frame_{frame:06d}.png')
  if isinstance(shot, bool) or not 0 <= shot < len(found.survey.shots):
    raise types.BadInput(
        f'{place.name}: there is no shot {shot}; they go from 0 to '
        f'{len(found.survey.shots) - 1}.')
  return place.path(f'marks/shot_{shot:06d}.png')


def _png(code) -> bytes:
  good, data = cv2.imencode('.png', code)
  assert good
  return data.tobytes()


def _code(path, found) -> np.ndarray:
  """The codes of a mark [H, W]; all are left, where there is none."""
  if not path.exists():
    return np.full((found.film.info.height, found.film.info.width), _LEFT,
                   np.uint8)
  return cv2.imdecode(
      np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)


def _joined(place, found, frame) -> np.ndarray:
  """The codes of a frame: its own over those of its shot."""
  shot = next(i for i, s in enumerate(found.survey.shots)
              if s.start <= frame < s.stop)
  own = _code(_path(place, found, frame, None), found)
  return np.where(own == _LEFT, _code(_path(place, found, None, shot), found),
                  own)


def _codes(place, found) -> Iterator[tuple[tuple, np.ndarray | None]]:
  """For each frame what its mask is called, and the mask the first time."""
  marked = listed(place)
  frames, shots, seen = {*marked['frames']}, {*marked['shots']}, set()
  for number, shot in enumerate(found.survey.shots):
    for t in range(shot.start, shot.stop):
      name = ('frame', t) if t in frames else (
          ('shot', number) if number in shots else ('none',))
      yield name, None if name in seen else _joined(place, found, t)
      seen.add(name)


def _write(output, found, codes) -> None:
  info = found.film.info
  rate = fractions.Fraction(info.frame_rate).limit_denominator(100_000)
  stream = output.add_stream('ffv1', rate=rate, options={
      'level': '3', 'g': '1', 'slices': '4'})
  stream.width, stream.height, stream.pix_fmt = info.width, info.height, 'gray'
  stream.codec_context.thread_type = 'SLICE'
  stream.time_base = 1 / rate
  coded = {}
  for t, (name, code) in enumerate(codes):
    if code is not None:
      picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(code), 'gray')
      picture.pts = 0
      # A codec of single pictures gives back each as it gets it.
      packet, = stream.encode(picture)
      coded[name] = bytes(packet)
    packet = av.Packet(coded[name])
    packet.pts = packet.dts = t
    packet.time_base, packet.stream, packet.duration = 1 / rate, stream, 1
    packet.is_keyframe = True
    output.mux(packet)
