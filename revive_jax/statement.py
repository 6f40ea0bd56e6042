"""The statement of a run: who agreed, what was done; signed, and marked.

provenance/ knows how; here is what of a run goes into it, and when.
"""

from collections.abc import Callable, Mapping, Sequence
import hashlib
import importlib
import json
import pathlib
from typing import Any

import ml_collections

from revive_jax import files as files_lib
from revive_jax import sealing, settings
from revive_jax.models import weights
from revive_jax.pipeline import tally, upscale
from revive_jax.provenance import (
    consent,
    credential,
    manifest,
    mark,
    watermark,
)
from revive_jax.video import dicom_writer, probe, sandbox, writer

_UNSIGNED = ('{}: no signed statement of what was done goes with it; install '
             'pip install "revive-jax[provenance]".')
_ORIGINAL = (
    '{}: the original goes with it (--config.output.keep_original), and all '
    'that it says of places, devices and people, also what is left out of the '
    'film: a telephone\'s place, a patient\'s name; keep it to yourself where '
    'that matters.')
_TEST = 'local test credential, untrusted'


class Statement:
  """What one film is marked with, and what is stated of it."""

  def __init__(
      self, c: ml_collections.ConfigDict, info: probe.VideoInfo,
      destination: str, workdir: pathlib.Path,
  ):
    """Refuses what would fail at the end: see settings.check_provenance.

    workdir: of the run, whose segments were opened; a local credential is kept
      there, if there is no other place.

    Raises:
      types.BadInput: a credential that cannot sign, frames that cannot be
        marked.
    """
    self._c, self._info, self._path = c, info, files_lib.path(destination)
    self._id, self._workdir = run_id(workdir), workdir
    # Kept: at the end it may be past its last day, or another file.
    self._consent = consent.told(settings.check_provenance(c))
    self._facts, self.warnings = {}, []
    if c.output.keep_original and not c.keep_private_metadata:
      self.warnings.append(_ORIGINAL.format(self._path))
    if c.mark.invisible:
      watermark.check_size(info.height, info.width)
    self._credential = self._found(workdir)
    # A camera's own manifest has a small picture, and may say where it was. It
    # is read by this process, which does not open what nobody trusts.
    goes_along = c.keep_private_metadata and c.redact.faces == 'none' and (
        not sandbox.covers(info.path))
    self._parent = info.path if goes_along else ''

  def _found(self, workdir) -> credential.Credential | None:
    options = self._c.provenance
    if not options.sign:
      return None
    if not options.key and not credential.is_installed():
      self.warnings.append(_UNSIGNED.format(self._path))
      return None
    found = credential.find(options.key, options.certificate, workdir)
    if not found.is_test:
      manifest.check(found)
    return found

  def marker(
      self
  ) -> Callable[[writer.OutputFrame, dict[str, int]], writer.OutputFrame]:
    """What marks the frames of one segment, in order.

    It is given the counts of tally.output_frames, too.
    """
    hidden = watermark.Writer(self._id) if self._c.mark.invisible else None
    burns = self._c.get('notice') == 'burn'

    def marked(frame, counts):
      if burns:
        frame = tally.drawn(frame, dicom_writer.burn(frame.rgb), counts)
      if self._c.mark.visible:
        frame = tally.drawn(frame, mark.stamp(frame.rgb), counts)
      if hidden:
        frame = tally.marked(frame, hidden(frame.rgb), counts)
      return frame

    return marked

  def say(
      self, plans: Sequence[Any], tallies: Sequence[Mapping[str, int]],
      num_frames: int, sound: Sequence[Mapping[str, Any]] = (),
      decided: Sequence[Mapping[str, Any]] = (),
  ) -> None:
    """Tells what was done; before the film is joined. See explain.record.

    Args:
      plans: of the shots.
      tallies: as well.
      num_frames: of the source.
      sound: what was done to each track, of audio.film.
      decided: what a person decided, of decisions.rows; without the notes,
        which are for those who work on the film.
    """
    c = self._c
    stages = _picture_stages(plans, c.output.upscale)
    total = max(sum(t['pixels'] for t in tallies), 1)
    learned = any(s['name'] == 'restore' for s in stages)
    self._facts = {
        'version': importlib.import_module('revive_jax').__version__,
        'mode': c.composite, 'frames': num_frames,
        'stages': stages + _sound_stages(sound),
        'share': {name: sum(t[name] for t in tallies) / total for name in (
            'changed', 'damaged', 'moved', 'invented')},
        'weights': _described(c.weights) if learned else None,
        'upscaler': _described(c.upscaler) if c.output.upscale > 1 else None,
        'fills': _described(c.fills) if c.fills and learned else None,
        'faces_hidden': c.redact.faces,
        'consent': self._consent,
        'marks': self._marks(), 'mask': self._mask(),
        'decisions': [{k: v for k, v in row.items() if k != 'note'}
                      for row in decided],
        'source': {'sha256': manifest.hash_file(self._info.path)},
        'signer': None if self._credential is None else (
            _TEST if self._credential.is_test else 'named by the user')}

  @property
  def copies(self) -> int:
    """How often the film is on its disk for a while: signing copies it."""
    return 1 + 2 * (self._credential is not None
                    and manifest.is_embedded(self._path))

  def embed(self, part: pathlib.Path) -> None:
    """Puts the manifest into the film, before it gets its name."""
    if self._credential is not None and manifest.is_embedded(part):
      manifest.embed(part, self._facts, self._credential,
                     source=self._parent)

  def report(self) -> dict[str, Any]:
    """Puts the manifest beside a film that has none in it; for report.json."""
    files = []
    if self._credential is not None and not manifest.is_embedded(self._path):
      files = manifest.put_beside(
          self._path, self._facts, self._credential, source=self._parent)
    return {'provenance': {
        'manifest': None if self._credential is None else (
            'sidecar' if files else 'embedded'),
        'files': [str(f) for f in files],
        **{key: self._facts.get(key) for key in (
            'consent', 'marks', 'signer', 'share', 'source')}},
            'hashes': self._hashes()}

  def _hashes(self) -> dict[str, str | None]:
    """SHA-256 of what made the film, by what it is; None: there is none."""
    told = json.dumps(self._c.to_dict(), sort_keys=True, default=str)
    return {'settings': hashlib.sha256(told.encode()).hexdigest()} | {
        name: (self._facts.get(name) or {}).get('sha256')
        for name in ('source', 'weights', 'fills', 'upscaler', 'mask')}

  def _mask(self) -> dict[str, Any] | None:
    """The mask of a person, by its SHA-256, and whether it had the last word.
    """
    if not self._c.mask:
      return None
    path = sealing.beside(self._c.mask, self._workdir)
    return {'sha256': manifest.hash_file(path),
            'overrides': self._c.mask_overrides}

  def _marks(self) -> dict[str, Any]:
    return {'visible': self._c.mark.visible,
            'invisible': f'{self._id:010x}' if self._c.mark.invisible else None}


def run_id(workdir: pathlib.Path) -> int:
  """40 bits that stand for the film, the settings and the weights of a run.

  A run that was stopped goes on with the same: they are those of the key of its
  segments.
  """
  with (workdir / 'segments' / 'key.json').open('rb') as file:
    return watermark.id_of(file.read().decode())


def _described(name: str) -> dict[str, Any]:
  """Weights by their name and SHA-256."""
  found = weights.read_weights(name)
  return {'name': found.name, 'sha256': found.config['sha256']}


def _picture_stages(plans, factor) -> list[dict[str, Any]]:
  """What was done to the pictures of all shots, as stages."""
  return manifest.stages([
      [{'name': x.name, 'why': x.why, 'strength': float(x.strength)}
       for x in p.stages] + upscale.stages(factor) for p in plans])


def _sound_stages(tracks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
  """What was done to sound, as stages; each once, if any track got it."""
  stages = manifest.stages([
      [{'name': f'sound: {name}', **told} for name, told in t['done'].items()
       if told['strength'] > 0]
      for t in tracks if t['state'] == 'repaired'])
  return [{('tracks' if key == 'shots' else key): value
           for key, value in stage.items()} for stage in stages]
