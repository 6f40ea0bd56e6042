"""Playback: the film before and after, as browsers play it, frame by frame.

Both have a frame for each frame of the source, at an even rate: frame n of one
lies beside frame n of the other, also where the restored film leaves out what
was shown twice. They are smaller and coded with losses; the film itself is not
touched.
"""

from collections.abc import Callable, Iterator
import contextlib
import fractions
import itertools
import os

import av
import numpy as np

from revive_jax import files, types
from revive_jax.desk import (
    downloads,
    known,
    pictures,
    places,
    settings,
    turns,
)
from revive_jax.video import passage, probe

WHICH = ('before', 'after')
_HEIGHT = 720  # px, at most.
_KEY = 12  # Frames from one that can be gone to at once to the next.
_OPTIONS = {'crf': '18', 'preset': 'veryfast'}
_busy = turns.Locks()  # A visitor's films are made one after the other.


def make(
    place: places.Place, which: str, frames: tuple[int, int] | None = None,
    shown: Callable[[int, int], None] = lambda done, total: None,
) -> None:
  """Makes it, if it is not there.

  Args:
    place: the film.
    which: of WHICH.
    frames: [start, stop) of the source; None: all. Of a long film a shot is
      quicker.
    shown: called with the frames that are done, and with all of them.

  Raises:
    types.BadInput: there is no restored film, or nobody may see the source.
  """
  found = known.opened(place)
  start, stop = frames or (0, len(found.survey.stamps))
  pictures.check(len(found.survey.stamps), start, place.name)
  pictures.check(len(found.survey.stamps), stop - 1, place.name)
  path = _path(place, which, frames)
  with _busy.of(place.visitor):
    if path.exists():
      return
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f'.part.{path.name}')
    read = _before if which == 'before' else _after
    try:
      _write(part, found.film.info, read(place, found, start, stop),
             lambda done: shown(done, stop - start))
    except BaseException:
      part.unlink(missing_ok=True)
      raise
    os.replace(part, path)


def is_ready(
    place: places.Place, which: str, frames: tuple[int, int] | None = None
) -> bool:
  """Whether make() has made it, of the film as it is now."""
  return _path(place, which, frames).exists()


def size(
    place: places.Place, which: str, frames: tuple[int, int] | None = None
) -> int:
  """Its bytes."""
  return downloads.size(_path(place, which, frames))


def stream(
    place: places.Place, which: str, start: int = 0, stop: int | None = None,
    frames: tuple[int, int] | None = None,
) -> Iterator[bytes]:
  """Its bytes [start, stop), an MP4, in pieces."""
  return downloads.pieces(_path(place, which, frames), start, stop)


def _path(place, which, frames):
  """Where it lies: under another name when the film is another."""
  types.check_choice('which', which, WHICH)
  version = 0
  if which == 'after':
    output = settings.output(place)
    if not output.exists():
      raise types.BadInput(
          f'{place.name}: there is no restored film yet to compare with.')
    version = output.stat().st_mtime_ns
  elif settings.choices(place)['hide_faces'] != 'none':
    raise types.BadInput(
        f'{place.name}: the film before is not shown, since faces are hidden.')
  part = '' if frames is None else '_{}_{}'.format(*frames)
  seal = files.SEALED if place.desk.vault else ''
  return place.path(f'play/{which}{part}_{version:x}.mp4{seal}')


def _before(place, found, start, stop) -> Iterator[np.ndarray]:
  del place
  film = found.film
  with contextlib.closing(passage.read_from(
      film.source, film.stamps, start=start, decision=film.decision)) as frames:
    for one in itertools.islice(frames, start, stop):
      yield pictures.eight_bits(one.rgb)


def _after(place, found, start, stop) -> Iterator[np.ndarray]:
  """For each frame of the source the one that the restored film shows then."""
  path = settings.output(place)
  info = probe.probe(files.name(path))
  places_ = [pictures.place_in(path, found, t) for t in range(start, stop)]
  stamps, _ = pictures.written(path)
  with contextlib.closing(passage.read_from(
      info, stamps, start=places_[0])) as frames:
    number, shown = -1, None
    for wanted in places_:
      while number < wanted:
        shown, number = next(frames), number + 1
      yield pictures.eight_bits(shown.rgb)


def _write(path, info, frames, shown) -> None:
  """Codes frames of the size of a film as H.264, no higher than _HEIGHT."""
  scale = min(1.0, _HEIGHT / info.height)
  width, height = (max(2, 2 * round(n * scale / 2))
                   for n in (info.width, info.height))
  rate = fractions.Fraction(info.frame_rate).limit_denominator(60_000)
  file = files.media(path, 'w')
  try:
    with av.open(file, 'w', format='mp4') as output:
      stream_ = output.add_stream('libx264', rate=rate, options=_OPTIONS | {
          'g': str(_KEY), 'bf': '0'})
      stream_.width, stream_.height = width, height
      stream_.pix_fmt, stream_.time_base = 'yuv420p', 1 / rate
      context = stream_.codec_context
      context.colorspace = context.color_primaries = context.color_trc = 1
      context.color_range = 1
      for number, rgb in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(rgb), 'rgb24').reformat(
                width, height, 'yuv420p', interpolation='AREA', threads=1,
                dst_colorspace='ITU709')
        picture.pts, picture.time_base = number, 1 / rate
        output.mux(stream_.encode(picture))
        shown(number + 1)
      output.mux(stream_.encode(None))
  finally:
    files.close(file)
