"""All sound tracks of a film: which are repaired, and what is said of them."""

from collections.abc import Callable, Mapping
import errno
import os
from typing import Any, NamedTuple

import numpy as np

from revive_jax import files as files_lib
from revive_jax import types
from revive_jax.audio import repair, track
from revive_jax.video import probe

_CODECS = {'.mkv': 'flac', '.mp4': 'aac', '.mov': 'aac'}


class Sound(NamedTuple):
  """What becomes of the sound of a film."""

  files: Mapping[int, str]  # Repaired tracks, by their number in info.audio.
  report: list[dict[str, Any]]  # Of every track, in JSON's types.
  pictures: Mapping[int, np.ndarray]  # Spectrograms before and after, RGB.
  warnings: list[str]


class _FullError(Exception):
  """No space left on the disk."""


def restore(
    info: probe.VideoInfo, suffix: str, folder: str | os.PathLike, *,
    strength: Mapping[str, float | str],
    said: Callable[[str], None] = lambda sentence: None,
) -> Sound:
  """Measures each sound track, and repairs those that call for it.

  A track that cannot be decoded is left as it is: sound must not keep a film
  from being restored.

  Args:
    info: of the film; one that is no video has no sound.
    suffix: of the film that the tracks go into.
    folder: for the files of repaired tracks; made if there is need.
    strength: of each repair, see repair.DEFAULT.
    said: told what is worked on.

  Raises:
    types.BadInput: a strength that cannot be, or a full disk.
  """
  strength = repair.check(dict(strength))
  files, report, pictures, warnings = {}, [], {}, []
  if info.kind != 'video' or suffix not in _CODECS:
    return Sound(files, report, pictures, warnings)
  for number in range(len(info.audio)):
    said(f'Sound track {number}')
    try:
      measured = track.measure_track(info.path, number)
      done = _repaired(
          info.path, number, folder, strength=strength, codec=_CODECS[suffix],
          measured=measured)
    except _FullError as error:
      raise types.BadInput(
          f'{folder}: no space left on the disk for the sound; free some and '
          'run the same command again, it goes on from there.') from error
    except types.BadInput as error:
      warnings.append(f'Sound track {number} is left as it is: {error}')
      report.append({'track': number, 'state': 'could not be repaired'})
      continue
    if done is None:
      report.append({'track': number, 'state': 'left as it is'} | track.report(
          measured, repair.plan(measured, strength)))
      continue
    files[number] = files_lib.name(done.path)
    pictures[number] = track.spectrograms(info.path, number, done)
    report.append({'track': number, 'state': 'repaired', 'codec': done.codec}
                  | done.report)
  return Sound(files, report, pictures, warnings)


def _repaired(path, number, folder, **options):
  try:
    files_lib.path(folder).mkdir(parents=True, exist_ok=True)
    return track.repair_track(path, number, folder, **options)
  except OSError as error:  # FFmpeg's errors of the system, too.
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
      raise types.BadInput(f'{error.strerror}.') from error
    raise _FullError from error
