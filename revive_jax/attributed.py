"""Attributed: what in the film made the network decide at one frame."""

import pathlib
from typing import Any

import ml_collections
import numpy as np

from revive_jax import explain_frame, files, networks, sealing, types
from revive_jax import workdir as workdir_lib
from revive_jax.explain import attribution
from revive_jax.models import inference, weights
from revive_jax.video import deinterlace, probe, reader, sandbox, sheet

_SIDE = 96  # Of what is looked at, px; its middle is explained.
_BOX = 12  # Of the region that is explained, px.
_REACH = 1  # Frames before and after it.


def explain(
    c: Any, workdir: pathlib.Path, film: str, *, time: str = '0'
) -> str:
  """attribute(), of the source and the network that the record names.

  Args:
    c: configs/restore.py, for its sandbox.
    workdir: of the restore; as sealing.places gives it.
    film: the restored film, of which the record must be.
    time: which of its frames; see explain_frame.parse.

  Returns:
    The sentences, a line each.

  Raises:
    types.BadInput: also where there is no such record, or the source is gone,
      or no network or another one than there is now restored the film, or faces
      were hidden, which the pictures of the source would show.
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
  found = record.get('interlace')
  return '\n'.join(attribute(
      _as_restored(c, record, film), workdir, source,
      seconds=explain_frame.moment(film, time),
      decision=deinterlace.reported(found) if found else None))


def _as_restored(c, record, film) -> ml_collections.ConfigDict:
  """c with the weights and the rate of frames that the film was restored with.
  """
  told = record.get('weights')
  if not told:
    raise types.BadInput(
        f'{film}: no network restored this film, so there is no verdict of one '
        'to explain; leave out --config.attribution.')
  settings = record['settings']
  if str(networks.identity(settings['weights'])) not in told.split('; ')[0]:
    raise types.BadInput(
        f'{film}: it was restored with {told}, and {settings["weights"]} are '
        'other weights by now; put back those, or restore the film again.')
  found = ml_collections.ConfigDict(c.to_dict())
  found.weights, found.fills = settings['weights'], settings.get('fills', '')
  found.frame_rate = settings.get('frame_rate', found.frame_rate)
  return found.lock()


def attribute(
    c: Any, workdir: pathlib.Path, source: str, *, seconds: float = 0.0,
    decision: deinterlace.Decision | None = None, steps: int = 16
) -> list[str]:
  """Explains the damage verdict and the restored picture of a frame.

  Where the frame has most damage. Writes PNGs and a JSON into workdir/outputs.

  Args:
    c: configs/restore.py, for its weights, sandbox and frame rate.
    workdir: gets outputs/<name>_attribution_<frame>_<what>.png and .json.
    source: the damaged film.
    seconds: from its first frame; the frame that is shown then is explained.
    decision: what was done with its fields; frames are counted after that.
    steps: of the integral.

  Returns:
    Sentences on what was found.

  Raises:
    types.BadInput: there is no network, or no film, or the network saw fields.
  """
  if not c.weights:
    raise types.BadInput(
        'Without a network there is no verdict to explain; name weights with '
        '--config.weights.')
  c = networks.with_fills(c)
  model, params = inference.build(weights.read_weights(c.weights))
  source = sandbox.guarded(source, c.sandbox)
  info = probe.probe(source, frame_rate=c.frame_rate)
  clip, t, first = _frames(info, seconds, decision)

  def network(x):
    return inference.restore_frames(params, x, model=model)[0]

  damage = np.asarray(network(clip[None]).damage[0, t, ..., 0]) > 0.5
  clip, box = _around(clip, sheet.thickest(damage))
  name = f'{files.opened_name(info.path).stem}_attribution_{first + t:06d}'
  told = [f'Looked at: frame {first + t} of the source, by {c.weights}.']
  record = {'frame': first + t, 'weights': c.weights}
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


def _frames(info, seconds, decision) -> tuple[np.ndarray, int, int]:
  """Frames around a time [T, H, W, 3], the wanted one's place, the first's."""
  time_base = info.time_base
  if decision is not None:
    time_base = deinterlace.retimed(info, decision).time_base
  shown, number, start = [], 0, None
  for frame in reader.read_frames(info, decision=decision):
    shown.append(frame)
    start = frame.pts if start is None else start
    is_later = float((frame.pts - start) * time_base) > (
        seconds + explain_frame.ROUNDED)
    number = number if is_later else frame.index
    shown = [f for f in shown if f.index >= number - _REACH]
    if is_later and frame.index >= number + _REACH:
      break
  if any(f.by_field for f in shown):
    raise types.BadInput(
        f'{info.path}: this part was restored field by field, and no whole '
        'frame was seen by the network; leave out --config.attribution.')
  clip = np.stack([f.rgb for f in shown]).astype(np.float32)
  clip /= np.iinfo(shown[0].rgb.dtype).max
  return clip, number - shown[0].index, shown[0].index


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
