"""Survey: the pass over a film that comes before it is restored."""

import array
from collections.abc import Callable, Mapping, Sequence
import contextlib
from typing import Any, NamedTuple

import numpy as np

from revive_jax import ahead, progress, types
from revive_jax.explain import record
from revive_jax.pipeline import measure
from revive_jax.video import deinterlace, probe, reader

_AHEAD = 16  # Frames that are decoded before they are needed,
_SEEN = 4  # and that were looked at before they are measured.


class Survey(NamedTuple):
  """What is known of a film before it is restored."""

  shots: list[measure.Shot]
  stamps: Sequence[int]  # Of each frame, in info.time_base.
  concealed: list[dict[str, Any]]  # See record.concealed_frame.


def survey(
    source: probe.VideoInfo, info: probe.VideoInfo,
    decision: deinterlace.Decision, *, warn: Callable[[str], None],
    look: Callable[[np.ndarray], Any] = lambda rgb: None,
    steadies: bool = False, form: str = 'text',
) -> Survey:
  """Reads a film through, and measures it.

  Args:
    source: as probed.
    info: of its frames after deinterlacing.
    decision: what is done with fields.
    warn: called with a sentence for each kind of damage to the file.
    look: is given each frame, [H, W, 3].
    steadies: whether the path of every frame is wanted: it is to be stabilised.
    form: of the progress, see progress.

  Raises:
    types.BadInput: not one picture can be decoded.
  """
  stamps, concealed = array.array('q'), []

  def noted(frames):
    for frame in frames:
      stamps.append(frame.pts)
      if frame.concealed:
        concealed.append(record.concealed_frame(frame, info, stamps[0]))
      look(frame.rgb)
      yield frame.rgb

  frames = progress.show(
      ahead.ahead(reader.read_frames(
          source, decision=decision, warn=warn), _AHEAD),
      total=info.frame_count, label='Measuring', form=form)
  # Looking for faces takes as long as measuring does: each has its thread.
  # They end with it, also where it is stopped: none may work on at exit.
  with contextlib.closing(ahead.ahead(noted(frames), _SEEN)) as seen:
    shots, count = measure.measure(
        seen, frame_rate=float(info.frame_rate), motion=True,
        sampled=not steadies)
  if not count:
    raise types.BadInput(
        f'{info.path!r} holds no picture that can be decoded.')
  return Survey(shots, stamps, concealed)


def packed(found: Survey) -> dict[str, Any]:
  """A survey in JSON's types, but for numbers that are not finite."""
  return {'shots': measure.packed(found.shots),
          'stamps': measure.text(found.stamps, '<i8'),
          'concealed': found.concealed}


def unpacked(found: Mapping[str, Any]) -> Survey:
  """The inverse of packed; other keys are passed over."""
  stamps = array.array('q')
  stamps.extend(measure.numbers(found['stamps'], '<i8').tolist())
  return Survey(measure.unpacked(found['shots']), stamps, found['concealed'])
