"""Attributed: what in the film made the network decide at one frame."""

import pathlib
from typing import Any

import numpy as np

from revive_jax import explain_frame, files, networks, sealing, types
from revive_jax import workdir as workdir_lib
from revive_jax.explain import attribution
from revive_jax.models import inference, weights
from revive_jax.video import probe, reader, sandbox, sheet

_SIDE = 96  # Of what is looked at, px; its middle is explained.
_BOX = 12  # Of the region that is explained, px.
_REACH = 1  # Frames before and after it.


def explain(
    c: Any, workdir: pathlib.Path, film: str, *, time: str = '0'
) -> str:
  """attribute(), of the source that the record in the workdir names.

  Args:
    c: see attribute.
    workdir: of the restore; as sealing.places gives it.
    film: the restored film, of which the record must be.
    time: see attribute.

  Returns:
    The sentences, a line each.

  Raises:
    types.BadInput: also where there is no such record, or the source is gone,
      or faces were hidden, which the pictures of the source would show.
  """
  record = explain_frame.report_of(workdir, film)
  try:
    source = sealing.beside(record['input']['path'], workdir)
  except (LookupError, TypeError) as error:
    raise types.BadInput(
        f'{workdir}: there is no report.json of {film}, which says where its '
        'source is; name the workdir of its restore with --workdir.'
        ) from error
  if explain_frame.hides_faces(record):
    raise types.BadInput(
        f'{film}: faces are hidden in this film, and what made the network '
        'decide is drawn on its source, which shows them; leave out '
        '--config.attribution.')
  return '\n'.join(attribute(c, workdir, source, time=time))


def attribute(
    c: Any, workdir: pathlib.Path, source: str, *, time: str = '0',
    steps: int = 16
) -> list[str]:
  """Explains the damage verdict and the restored picture of a frame.

  Where the frame has most damage. Writes PNGs and a JSON into workdir/outputs.

  Args:
    c: configs/restore.py, for its weights and frame rate.
    workdir: gets outputs/<name>_attribution_<frame>_<what>.png and .json.
    source: the damaged film.
    time: which frame; see explain_frame.parse.
    steps: of the integral.

  Returns:
    Sentences on what was found.

  Raises:
    types.BadInput: there is no network, no film, or no such frame.
  """
  if not c.weights:
    raise types.BadInput(
        'Without a network there is no verdict to explain; name weights with '
        '--config.weights.')
  c = networks.with_fills(c)
  model, params = inference.build(weights.read_weights(c.weights))
  source = sandbox.guarded(source, c.sandbox)
  info = probe.probe(source, frame_rate=c.frame_rate)
  clip, t, first = _frames(info, time)

  def network(x):
    return inference.restore_frames(params, x, model=model)[0]

  damage = np.asarray(network(clip[None]).damage[0, t, ..., 0]) > 0.5
  clip, box = _around(clip, sheet.thickest(damage))
  name = f'{files.opened_name(info.path).stem}_attribution_{first + t:06d}'
  told, record = [], {'frame': first + t, 'weights': c.weights}
  for what, function in (
      ('damage', attribution.damage_verdict(network, t, box)),
      ('restored', attribution.restored_region(network, t, box))):
    found = attribution.attribute(function, clip, steps=steps)
    path = files.outputs(workdir, f'{name}_{what}.png')
    attribution.write(path, clip, found)
    record[what] = attribution.described(found, first)
    told += [_sentence(what, found, first), f'Drawn: {path}']
  workdir_lib.write_json(files.outputs(workdir, f'{name}.json'), record)
  return told


def _frames(info, time) -> tuple[np.ndarray, int, int]:
  """Frames around a time [T, H, W, 3], the wanted one's place, the first's."""
  kind, value = explain_frame.parse(time)
  number = int(value if kind == 'frame' else value * float(info.frame_rate))
  first = max(0, number - _REACH)
  shown = [f.rgb for f in reader.read_frames(info, stop=number + _REACH + 1)
           if f.index >= first]
  if len(shown) <= number - first:
    raise types.BadInput(f'{info.path}: there is no frame {number}.')
  clip = np.stack(shown).astype(np.float32)
  return clip / np.iinfo(shown[0].dtype).max, number - first, first


def _around(clip, centre) -> tuple[np.ndarray, tuple[slice, slice]]:
  """A part of the clip around a place, and the box in its middle."""
  cut, box = [], []
  for middle, length in zip(centre, clip.shape[1:3], strict=True):
    side = min(_SIDE, length)
    start = min(max(middle - side // 2, 0), length - side)
    cut.append(slice(start, start + side))
    low = min(max(middle - start - _BOX // 2, 0), max(side - _BOX, 0))
    box.append(slice(low, min(low + _BOX, side)))
  return clip[:, cut[0], cut[1]], tuple(box)


def _sentence(what, found, first) -> str:
  name = {'damage': 'Probability of damage, mean of the region',
          'restored': 'Brightness restored there, of 1'}[what]
  shares = ', '.join(
      f'frame {first + t} {100 * a:.0f} % ({100 * b:.0f} %)' for t, (a, b) in
      enumerate(zip(found.frames, found.frames_by_occlusion, strict=True)))
  return (f'{name}: {found.value:.3f}, and {found.at_baseline:.3f} of the clip '
          f'without detail. By integrated gradients (by occlusion) it comes '
          f'from {shares}; what the gradients miss of the difference: '
          f'{found.gap:.4f}.')
