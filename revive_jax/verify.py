"""The mode verify: one line that says what a file is; its marks, too."""

import itertools
from typing import Any

from absl import logging
import ml_collections

from revive_jax import types
from revive_jax import workdir as workdir_lib
from revive_jax.provenance import verify as verify_lib
from revive_jax.provenance import watermark
from revive_jax.video import probe, reader, sandbox

_MOST = 480  # Frames that are looked through for the invisible mark.


def verify(
    c: ml_collections.ConfigDict, path: str, output: str | None = None
) -> dict[str, Any]:
  """Checks signature, hashes, trust and marks of the file at path.

  Args:
    c: configs/restore.py; of it provenance.anchors.
    path: a film, a picture, or a folder of pictures.
    output: where the verdict goes as JSON; None: nowhere.

  Returns:
    The verdict: 'valid', 'sentence' and what docs/trust.md lists.

  Raises:
    types.BadInput: there is no such file, no such anchors, or the libraries
      are missing.
  """
  if not path:
    raise types.BadInput('There is no input; name a file with --input.')
  anchors = verify_lib.read_anchors(c.provenance.anchors)
  verdict = verify_lib.as_json(verify_lib.verify(path, anchors=anchors))
  found = _mark(path, c.get('sandbox', 'off'))
  verdict['invisible_mark'] = None if found is None else f'{found:010x}'
  verdict['sentence'] += _about_mark(verdict)
  if output:
    workdir_lib.write_json(output, verdict)
  return verdict


def _mark(path: str, use: str) -> int | None:
  """The invisible mark of a film, or None. use: of sandbox.guarded."""
  try:
    frames = reader.read_frames(probe.probe(sandbox.guarded(path, use)))
    return watermark.read(
        (frame.rgb for frame in itertools.islice(frames, _MOST)), most=_MOST)
  except types.BadInput as error:
    logging.warning('No mark can be read: %s', error)
    return None


def _about_mark(verdict) -> str:
  """What the mark adds to the sentence."""
  mark = verdict['invisible_mark']
  if mark is None:
    return ''
  marks = (verdict['restoration'] or {}).get('marks')
  stated = marks.get('invisible') if isinstance(marks, dict) else None
  if stated == mark:
    return f' Its invisible mark {mark} is the one that is stated.'
  if verdict['where'] == 'none':
    return (f' It carries the invisible mark {mark}: it seems to be a copy of '
            'a film that was restored with revive_jax.')
  return f' It carries another invisible mark than is stated: {mark}.'
