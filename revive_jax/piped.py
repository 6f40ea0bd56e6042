"""Piped: a film as a whole through standard input or output.

What comes through a pipe is restored while it runs (live.py), from the frames
before it. With --config.live.whole it is kept on the disk until it ends, and
then restored as any film is: measured, with a look at the frames after each,
and two passes. What goes to - is the film and nothing else.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import errno
import os
import pathlib
import shutil
import stat
import sys
import tempfile
from typing import Any

from absl import logging
import ml_collections

from revive_jax import restore as restore_lib
from revive_jax import sealing, types
from revive_jax import workdir as workdir_lib
from revive_jax.video import deinterlace, probe, reader, sandbox, y4m

_Y4M = b'YUV4MPEG2 '
_PREFIX = 'pipe_'  # Of a folder in the workdir, then the process's number.
_BUFFER = 1 << 20  # Bytes that are moved at once.


def is_whole(
    c: ml_collections.ConfigDict, source: str | None, destination: str | None,
    *, is_live: bool,
) -> bool:
  """Whether a film goes through a pipe as a whole.

  is_live: whether the source runs by itself.
  """
  return bool(c.live.whole) if is_live else bool(source) and destination == '-'


def restore(
    c: ml_collections.ConfigDict, workdir: str, source: str,
    destination: str | None, *, is_live: bool,
) -> dict[str, Any]:
  """Restores a film that comes or goes through a pipe; returns the report.

  Args:
    c: configs/restore.py.
    workdir: gets what restore.restore writes there, and meanwhile the film.
    source: '-' (standard input), a named pipe, or a film.
    destination: '-' (standard output), or see restore.restore.
    is_live: whether the source runs by itself, and is to be kept first.

  Raises:
    types.BadInput: anything the user can set right; also where nobody reads the
      film any more, which then is kept in workdir/outputs.
  """
  sealing.refuse(c, 'What goes through a pipe')
  types.check_choice('live.sends', c.live.sends, y4m.FORMS)
  _check_ends(source, destination)
  if is_live:
    _check(c, source)
  if c.num_samples > 1 and not c.decisions:
    raise types.BadInput(
        f'--config.num_samples={c.num_samples}: what goes through a pipe has '
        'one answer; leave it out, or restore a file to a file.')
  film = source
  try:
    pathlib.Path(workdir).mkdir(parents=True, exist_ok=True)
    _sweep(workdir)
    folder = pathlib.Path(tempfile.mkdtemp(
        prefix=f'{_PREFIX}{os.getpid()}_', dir=workdir))
  except OSError as error:
    raise types.BadInput(
        f'The workdir {workdir!r} cannot be written ({error.strerror}); choose '
        'another one with --workdir.') from error
  try:
    with _named(folder / 'film', source):
      if is_live:
        film = str(_kept(source, folder / 'film', c.sandbox))
      if destination == '-':
        return _to_output(c, workdir, film, folder, source, is_live=is_live)
      report = restore_lib.restore(c, workdir, film, destination, anew=is_live)
      _note(workdir, report, source, report['outputs'][0]['path'])
      return report
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def _sweep(workdir) -> None:
  """Removes what a killed run kept of its film: it has to be sent again."""
  for left in pathlib.Path(workdir).glob(f'{_PREFIX}*_*'):
    owner = left.name.removeprefix(_PREFIX).partition('_')[0]
    if owner.isdecimal() and not _runs(int(owner)):
      shutil.rmtree(left, ignore_errors=True)


def _runs(process) -> bool:
  """Whether there is a process of a number; of anybody's."""
  try:
    os.kill(process, 0)
  except (ProcessLookupError, OverflowError):
    return False
  except PermissionError:
    pass
  return True


@contextlib.contextmanager
def _named(film, source) -> Iterator[None]:
  """Says source, in sentences about the film that is kept of it."""
  try:
    yield
  except types.BadInput as error:
    raise types.BadInput(str(error).replace(str(film), source)) from error


def _note(workdir, report, source, place) -> None:
  """Puts where a film really came from, and is, into the report."""
  report['input']['path'] = str(source)
  report['outputs'][0]['path'] = str(place)
  workdir_lib.write_json(pathlib.Path(workdir) / 'report.json', report)


def _check_ends(source, destination) -> None:
  """Refuses standard input and output that are closed."""
  for name, end, stream in (('input', source, sys.stdin),
                            ('output', destination, sys.stdout)):
    if end == '-' and stream is None:
      raise types.BadInput(
          f'-: standard {name} is closed; open it, or name a file with '
          f'--{name}.')


def _check(c, source) -> None:
  """Refuses what never ends, or could not be read from a file."""
  if source != '-' and not stat.S_ISFIFO(os.stat(source).st_mode if (
      os.path.exists(source)) else 0):
    raise types.BadInput(
        f'{source}: --config.live.whole is for pipes, which end; leave it out, '
        'and what comes is restored while it runs.')
  if c.live.format not in ('', y4m.FORM, 'matroska'):
    raise types.BadInput(
        f'--config.live.format={c.live.format}: with --config.live.whole the '
        'format is found; leave it out, and send y4m or Matroska.')


def _kept(source, place, sandboxed) -> pathlib.Path:
  """What comes through a pipe, until it ends, as a file."""
  if source != '-' and not os.access(source, os.R_OK):
    raise types.BadInput(
        f'{source}: this pipe may not be read; see to its rights.')
  try:
    with contextlib.ExitStack() as stack:
      stream = sys.stdin.buffer if source == '-' else stack.enter_context(
          open(source, 'rb'))
      with open(place, 'wb') as file:
        shutil.copyfileobj(stream, file, _BUFFER)
  except OSError as error:
    raise types.BadInput(
        f'{source}: what comes through the pipe cannot be kept in '
        f'{place.parent.parent} ({error.strerror}); free some of the disk, or '
        'choose another --workdir, and send it again.') from error
  if not place.stat().st_size:
    raise types.BadInput(f'{source}: nothing came through the pipe; see that '
                         'what sends the film runs.')
  with place.open('rb') as file:
    is_y4m = file.read(len(_Y4M)) == _Y4M
  if is_y4m and (more := y4m.left_over(
      place, probe.probe(sandbox.guarded(str(place), sandboxed)))):
    logging.warning('%s: the pipe was closed within a frame; %d bytes of it '
                    'are left out.', source, more)
  return place


def _to_output(
    c, workdir, source, folder, named, *, is_live
) -> dict[str, Any]:
  """Restores a film, and writes it to standard output.

  named: what the user calls the source.
  """
  info = probe.probe(
      sandbox.guarded(source, c.sandbox), frame_rate=c.frame_rate)
  form = c.live.sends
  if form == 'auto':
    form = y4m.FORM if info.container == y4m.FORM else 'matroska'
  _check_output(c, form)
  if form == y4m.FORM:
    _warn_of_y4m(info, named)
  film = folder / 'restored.mkv'
  c = ml_collections.ConfigDict(c.to_dict())
  c.provenance.sign = False  # The statement would lie beside the film.
  if c.output.layers == 'auto':
    c.output.layers = 'none'
  report = restore_lib.restore(
      c.lock(), workdir, source, str(film), anew=is_live)
  with _kept_if_nobody_reads(film, workdir, report, named):
    if form == y4m.FORM:
      made = dataclasses.replace(
          probe.probe(str(film)),
          field_order=deinterlace.field_order(report['interlace']))
      count = y4m.write(sys.stdout.buffer, reader.read_frames(made), made)
      if count != report['outputs'][0]['frames']:
        raise RuntimeError(f'{count} frames were sent of '
                           f'{report["outputs"][0]["frames"]}.')
    else:
      with open(film, 'rb') as file:
        shutil.copyfileobj(file, sys.stdout.buffer, _BUFFER)
    sys.stdout.buffer.flush()
  _note(workdir, report, named, '-')
  return report


def _warn_of_y4m(info, named) -> None:
  """Says what a film has that y4m cannot hold."""
  if info.audio:
    logging.warning('%s: y4m holds no sound; it is left out.', named)
  if info.rotation:
    logging.warning(
        '%s: y4m cannot say that the film is to be turned by %d degrees; turn '
        'it behind the pipe.', named, info.rotation)


def _check_output(c, form) -> None:
  """Refuses what would lie beside a film that goes through a pipe."""
  is_y4m = form == y4m.FORM
  for key, asked in (
      ('output.checksums', c.output.checksums),
      ('output.layers', c.output.layers in ('files', 'tracks') and (
          is_y4m or c.output.layers == 'files')),
      ('output.keep_original', c.output.keep_original and is_y4m),
      ('provenance.key', c.provenance.key)):
    if asked:
      raise types.BadInput(
          f'--output=-: {form} through a pipe has no place for what '
          f'--config.{key} asks for; leave it out, or name a file.')


@contextlib.contextmanager
def _kept_if_nobody_reads(film, workdir, report, named) -> Iterator[None]:
  """Turns a pipe that was closed into a sentence, and keeps the film."""
  try:
    yield
  except OSError as error:
    if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOSPC):
      raise
    place = pathlib.Path(workdir) / 'outputs' / 'piped.mkv'
    place.parent.mkdir(exist_ok=True)
    shutil.move(film, place)
    _note(workdir, report, named, place)
    raise types.BadInput(
        f'-: nobody reads the film any more ({error.strerror}); it is whole in '
        f'{place}.') from error
