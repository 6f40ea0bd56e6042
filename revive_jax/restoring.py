"""Restoring, by the command line: which way an input goes, and what is told."""

import pathlib
import sys

from absl import logging
import ml_collections

from revive_jax import choices, films, live, networks, piped, sealing, types
from revive_jax import restore as restore_lib
from revive_jax.video import sandbox

STOPPED = 'revive_jax: stopped; the same command goes on from here.\n'


def restore(
    c: ml_collections.ConfigDict, workdir: str, source: str | None,
    destination: str | None,
) -> None:
  """Restores what source is, and says where the outcome lies.

  Exits with 1 where some of many films failed, with 130 where what runs by
  itself was stopped before there was a frame.

  Args:
    c: configs/restore.py.
    workdir: see restore.restore.
    source: a film; many; a sample, where a preset makes its own (None); or what
      runs by itself.
    destination: see the restores of each.

  Raises:
    types.BadInput: anything the user can set right.
  """
  is_live = live.is_live(source)
  if not is_live:
    c = networks.with_fills(c)
  if piped.is_whole(c, source, destination, is_live=is_live):
    if not is_live and films.is_many(source):
      raise types.BadInput(
          f'{source}: these are many films, and --output=- has place for one; '
          'name a folder with --output, or one of them with --input.')
    _piped(c, workdir, source, destination, is_live)
    return
  if is_live:
    sealing.refuse(c, 'What runs by itself (a camera, a stream, a pipe)')
    sandbox.refuse(c.get('sandbox'), source)
    _live(c, workdir, source, destination)
    return
  if films.is_many(source):
    rows = films.restore_all(c, workdir, source, destination)
    print(films.table(rows))
    if not all(row.is_good for row in rows):
      sys.exit(1)
    return
  if 'sample' in c and not source and not destination:
    from revive_jax import samples  # Makes pictures: nobody else needs it.

    sealing.refuse(c, 'The sample of a preset, which shows nobody,')
    samples.restore_sample(c, workdir)
    return
  _one(c, workdir, source, destination)


def _one(c, workdir, source, destination):
  if c.num_samples > 1 and not c.decisions:  # Else it has been chosen.
    report = choices.restore_all(c, workdir, source, destination)
    print(f'Choose in {report["fills"]["form"]}, and run again with it as '
          '--config.decisions. The answers beside each other: '
          f'{", ".join(report["fills"]["sheets"])}')
  else:
    report = restore_lib.restore(c, workdir, source, destination)
  for warning in report['warnings']:
    logging.warning('%s', warning)
  for item in report['outputs']:
    print(f'{item["frames"]} frames: {item["path"]}' if 'frames' in item
          else f'{item["kind"].capitalize()}: {item["path"]}')
  print(f'What was done and why: {pathlib.Path(workdir) / "report.json"}'
        f'{sealing.hint(c, workdir)}')


def _piped(c, workdir, source, destination, is_live):
  try:
    report = piped.restore(
        c, workdir, source, destination, is_live=is_live)
  except KeyboardInterrupt:
    sys.stderr.write('revive_jax: stopped; what came through the pipe has to '
                     'be sent again.\n' if is_live else STOPPED)
    sys.exit(130)
  for warning in report['warnings']:
    logging.warning('%s', warning)
  found = report['outputs'][0]  # Standard output may be the film's.
  sys.stderr.write(f'{found["frames"]} frames: {found["path"]}\n')


def _live(c, workdir, source, destination):
  try:
    found = live.restore(c, workdir, source, destination)['live']
  except KeyboardInterrupt:  # After the first frame it only ends the film.
    sys.stderr.write('revive_jax: stopped before the first frame was restored; '
                     'there is no output.\n')
    sys.exit(130)
  sys.stderr.write(
      f'{found["frames"]} frames, {found["frames_per_second"]} a second; '
      'latency {p50}, {p95}, {p99} ms (50, 95, 99 %).\n'.format(
          **found['latency_ms']))
  if found['damaged']:
    sys.stderr.write(f'{found["damaged"]} parts of the input were damaged.\n')
  if less := found['frames'] - found['frames_by_setting']['full size']:
    sys.stderr.write(f'{less} of them at a cheaper setting: see '
                     f'{pathlib.Path(workdir) / "report.json"}.\n')
