"""Face tracks: what is known of a film's faces, from measuring to the report.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np

from revive_jax import types
from revive_jax.faces import embedding as embedding_lib
from revive_jax.faces import find, similarity, track
from revive_jax.models import face, inference
from revive_jax.pipeline import choose, measure, run
from revive_jax.pipeline import faces as faces_lib
from revive_jax.privacy import redact as redact_lib

POLICIES = ('protect', 'off')
# How faces are looked for that are to be hidden, of track.Watcher.
CAREFUL = {'every': 3, 'evidence': 1, 'side': 480, 'across': True}


def check(
    faces: Mapping[str, Any], redact: Mapping[str, Any], *, mode: str,
    keeps_original: bool,
) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('faces.policy', faces['policy'], POLICIES)
  if not -1 <= faces['threshold'] <= 1:
    raise types.BadInput(
        f'--config.faces.threshold={faces["threshold"]} is no cosine, which is '
        'between -1 and 1.')
  redact_lib.check(redact['faces'], tuple(redact['keep']), mode=mode,
                   keeps_original=keeps_original)


class Faces:
  """The faces of one film; does nothing where nobody wants them."""

  def __init__(self, faces: Mapping[str, Any], redact: Mapping[str, Any]):
    """faces, redact: the settings of these names, see configs/restore.py."""
    self._settings, self._redact = dict(faces), dict(redact)
    self._hides = redact['faces'] != 'none'
    self._protects = faces['policy'] == 'protect'
    self.tracks = []
    self._watcher = None
    if self._hides or self._protects:
      # What is to be hidden must not be missed; else a look less is cheaper.
      careful = CAREFUL if self._hides else {}
      side = careful.get('side', find.SIDE)
      self._watcher = track.Watcher(
          find.detector(faces['detector'], side=side), **careful)

  def look(self, rgb: np.ndarray) -> None:
    """Told of each frame of the film, in order, while it is measured."""
    if self._watcher is not None:
      self._watcher(rgb)

  def found(
      self, shots: Sequence[tuple[int, int]]
  ) -> list[dict[str, Any]]:
    """The tracks within shots, in JSON's types, when all was looked at."""
    if self._watcher is None:
      return []
    self.know(found := track.packed(self._watcher.tracks(shots)))
    return found

  def know(self, found: Sequence[Mapping[str, Any]]) -> None:
    """Takes the tracks that found() returned in an earlier run."""
    self.tracks = track.unpacked(found)
    missing = {*self._redact['keep']} - {t.number for t in self.tracks}
    if missing:
      raise types.BadInput(
          f'--config.redact.keep: there is no face track {min(missing)} in '
          f'this film, which has {len(self.tracks)}; take the numbers from the '
          'report of a run that hides all (faces).')

  @functools.cached_property
  def embedding(self) -> similarity.Embedding:
    """What tells faces apart; read when there are some."""
    if self._settings['embedder']:
      return embedding_lib.onnx(self._settings['embedder'])
    return similarity.Embedding(face.SIDE, face.load())

  def planned(
      self, plans: Sequence[choose.Plan], shots: Sequence[measure.Shot], *,
      mode: str, network: Any = None,
  ) -> list[choose.Plan]:
    """The plans, with the stages for faces in the shots that have some.

    network: that restores the film; faces get a regression's work instead of a
    generator's.
    """
    regress = None
    # A generator is a restorer that is given noise (models/restorer.py).
    made = getattr(network, 'keywords', {}).get('model')
    if self.tracks and self._protects and getattr(made, 'noise', 0):
      model, params = inference.load_weights('restorer')
      regress = faces_lib.regression(functools.partial(
          inference.restore_frames, params, model=model))
    return [self._of_shot(plan, shot, mode, regress)
            for plan, shot in zip(plans, shots, strict=True)]

  def _of_shot(self, plan, shot, mode, regress):
    own = [t for t in self.tracks if shot.start <= t.start < shot.stop]
    stages = list(plan.stages)
    place = _place(stages, 'composite')
    if own and self._protects and place < len(stages):
      options = dict(
          tracks=own, embedding=self.embedding, mode=mode, regress=regress,
          threshold=self._settings['threshold'],
          noise=stages[place].options['strength']['noise'])
      stays = 'it stays the person it was' if len(own) == 1 else (
          'each stays the person it was')
      stages.insert(place + 1, choose.Choice(
          'faces', _counted(own) + stays, 1.0, options))
    # Of other shots, too: what is taken for a cut may be none.
    near = [t for t in self.tracks
            if t.start - redact_lib.BEYOND < shot.stop
            and shot.start < t.stop + redact_lib.BEYOND]
    if near and self._hides:
      # Last but for what only rounds, or moves whole frames: tracks tell the
      # places of faces in the source.
      stages.insert(_place(stages, 'output', 'stabilise'), choose.Choice(
          'redact', _counted(near) + f'asked for ({self._redact["faces"]})',
          1.0, dict(tracks=near, how=self._redact['faces'],
                    keep=tuple(self._redact['keep']))))
    return dataclasses.replace(plan, stages=tuple(stages))

  def report(self, notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What report.json says of faces; notes: of note(), of all segments."""
    total = {}
    for one in notes:
      for number, found in one.items():
        _add(total.setdefault(int(number), _empty()), found)
    keep = {*self._redact['keep']}
    return {
        'policy': self._settings['policy'],
        'threshold': self._settings['threshold'],
        'embedder': self._settings['embedder'] or 'face',
        'tracks': [_told(t, total.get(t.number)) | {
            'redacted': self._redact['faces'] if (
                self._hides and t.number not in keep) else 'none'}
                   for t in self.tracks]}


def _place(stages, *names) -> int:
  """Where the first stage of one of these names is; the end: there is none."""
  return next((i for i, s in enumerate(stages) if s.name in names),
              len(stages))


def _counted(tracks) -> str:
  return '1 face: ' if len(tracks) == 1 else f'{len(tracks)} faces: '


def note(notes: dict[str, Any], window: run.Window) -> None:
  """Adds what was done to the faces of a window to the notes of a segment.

  notes: by number of the track, in JSON's types.
  """
  if window.clip.faces is None:
    return
  for frame, rows in zip(window.frames, np.asarray(window.clip.faces),
                         strict=True):
    for number, *values in rows[np.isfinite(rows[:, 0])].tolist():
      before, after, done, structure, change, invented = values
      _add(notes.setdefault(str(int(number)), _empty()), {
          'frames': 1, 'before': [before, before], 'after': [after, after],
          'structure': structure, 'change': change, 'invented': invented,
          'done': [[frame.index, frame.index + 1, int(done)]]})


def _empty() -> dict[str, Any]:
  return {'frames': 0, 'before': [0.0, 1.0], 'after': [0.0, 1.0],
          'structure': 0.0, 'change': 0.0, 'invented': 0.0, 'done': []}


def _add(total, more) -> None:
  """Sums, and the lowest; done: stretches of frames, which join."""
  for key in ('frames', 'structure', 'change', 'invented'):
    total[key] += more[key]
  for key in ('before', 'after'):
    total[key] = [total[key][0] + more[key][0],
                  min(total[key][1], more[key][1])]
  for start, stop, level in more['done']:
    last = total['done'][-1] if total['done'] else None
    if last and last[1] == start and last[2] == level:
      last[1] = stop
    else:
      total['done'].append([start, stop, level])


def _told(one: track.Track, found) -> dict[str, Any]:
  """One track for the report; found: its sums, or None."""
  middle = one.keys[len(one.keys) // 2]
  told = {
      'track': one.number, 'start': one.start, 'end': one.stop,
      'frame_of_box': int(middle[0]),
      'box_share': [round(float(x), 4) for x in middle[1:]],
      'found_in_frames': one.found}
  if found is None:
    return told
  count = found['frames']
  mean = lambda key: round(found[key] / count, 3)
  return told | {
      'similarity_before': {'mean': round(found['before'][0] / count, 3),
                            'lowest': round(found['before'][1], 3)},
      'similarity_after': {'mean': round(found['after'][0] / count, 3),
                           'lowest': round(found['after'][1], 3)},
      'structure': mean('structure'), 'change_of_255': mean('change'),
      'invented_share': mean('invented'),
      'done': [{'start': a, 'end': b, 'what': faces_lib.DONE[level]}
               for a, b, level in found['done']]}
