"""Settings of a restore: what cannot be."""

import ml_collections

from revive_jax import pipeline, progress, types
from revive_jax.audio import repair
from revive_jax.models import weights
from revive_jax.pipeline import (
    composite,
    face_tracks,
    moving,
    spatial,
    timeline,
    upscale,
)
from revive_jax.privacy import encryption, keys, vault
from revive_jax.provenance import consent, credential
from revive_jax.video import deinterlace, layers, probe, sandbox


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that do not exist, each in one sentence."""
  _check_choices(c)
  _check_stages(c)
  _check_numbers(c)
  repair.check(sound_strength(c))
  keys.check(c.encrypt.key)
  face_tracks.check(
      c.faces.to_dict(), c.redact.to_dict(), mode=c.composite,
      keeps_original=bool(c.output.keep_original))
  upscale.check(c.output.upscale, composite=c.composite, interlace=c.interlace,
                name=c.upscaler)
  check_provenance(c)
  check_answers(c)
  if c.mask_overrides and not c.mask:
    raise types.BadInput(
        '--config.mask_overrides needs a mask; name one with --config.mask.')
  if c.composite == 'repair' and (
      c.stabilise.strength or c.repeats != 'leave'):
    raise types.BadInput(
        '--config.composite=repair changes nothing outside the damage; leave '
        'out --config.stabilise and --config.repeats, or choose full.')


def check_film(c: ml_collections.ConfigDict, info: probe.VideoInfo) -> None:
  """Refuses to do with a film what must not be done with one of its kind."""
  if info.kind == 'dicom' and c.composite != 'repair':
    raise types.BadInput(
        f'{info.path}: medical pictures are only repaired where somebody '
        'marked them; set --config=presets/medical.')


def _check_choices(c):
  """Refuses what is none of the names that there are."""
  for key, value, known in (
      ('composite', c.composite, composite.MODES),
      ('interlace', c.interlace, deinterlace.MODES),
      ('fill', c.fill, ('temporal_median', 'inpaint')),
      ('progress', c.progress, progress.FORMS),
      ('notice', c.get('notice', 'tag'), ('tag', 'burn')),
      ('inpaint', c.inpaint, tuple(spatial.INPAINT)),
      ('denoiser', c.denoiser, ('auto', 'temporal', 'nlm', 'none')),
      ('stabilise.kind', c.stabilise.kind, ('weave', 'shake')),
      ('output.layers', c.output.layers, layers.FORMS),
      ('repeats', c.repeats, tuple(timeline.MODES)),
      ('sandbox', c.sandbox, sandbox.USES),
      ('moving', c.moving, moving.MODES)):
    types.check_choice(key, value, known)


def _check_stages(c):
  """Refuses stages that do not exist, or that cannot give a film."""
  if tuple(c.stages) != ('auto',):
    for name in c.stages:
      types.check_choice('stages', name, tuple(pipeline.STAGES))
    if 'composite' not in c.stages:
      raise types.BadInput(
          f'--config.stages={",".join(c.stages)}: without the stage composite '
          'there is no picture to write; add composite after what repairs.')
  if 'restore' in c.stages and not c.weights:
    raise types.BadInput(
        'The stage restore needs a network; name its weights with '
        f'--config.weights (shipped: {", ".join(weights.shipped())}).')


def _check_numbers(c):
  """Refuses numbers out of their range."""
  for kind, value in c.strength.items():
    if not 0 <= value <= 1:
      raise types.BadInput(
          f'--config.strength.{kind}={value} is not between 0 and 1.')
  for key, least in (('window', 1), ('lookahead', 0), ('tile', 64),
                     ('overlap', 0), ('frame_rate', 0.01)):
    if c[key] < least:
      raise types.BadInput(f'--config.{key}={c[key]} is less than {least}.')
  if c.output.grain > 1 or c.output.grain < 0 and c.output.grain != -1:
    raise types.BadInput(
        f'--config.output.grain={c.output.grain} is neither -1 nor between 0 '
        'and 1.')
  if not 0 <= c.stabilise.strength <= 1:
    raise types.BadInput(
        f'--config.stabilise.strength={c.stabilise.strength} is not between 0 '
        'and 1.')
  if c.overlap >= c.tile:
    raise types.BadInput(
        f'--config.overlap={c.overlap} is not less than '
        f'--config.tile={c.tile}.')


def check_provenance(c: ml_collections.ConfigDict) -> consent.Consent | None:
  """Refuses what nobody agreed to, and marks where nothing may change.

  Returns the consent that covers these settings; None: not stated.
  """
  if c.composite == 'repair' and (c.mark.visible or c.mark.invisible):
    raise types.BadInput(
        '--config.composite=repair changes nothing outside the damage; leave '
        'out --config.mark, or choose full.')
  credential.check_pair(c.provenance.key, c.provenance.certificate)
  return consent.stated(
      _consent_file(c), required=c.consent.required, scope=consent.needed(
          c.composite, upscale=c.output.upscale))


def _consent_file(c):
  """The file of a consent, opened with the key of the run if it is sealed."""
  if not c.encrypt.key or not encryption.is_sealed(c.consent.file):
    return c.consent.file
  return vault.Vault(keys.read(
      c.encrypt.key, passphrase_file=c.encrypt.passphrase_file)).path(
          c.consent.file)


def check_answers(c: ml_collections.ConfigDict) -> None:
  """Refuses to be given several answers by what has one."""
  if c.num_samples < 1:
    raise types.BadInput(
        f'--config.num_samples={c.num_samples} is less than 1.')
  if (c.num_samples > 1 or c.fills) and not c.weights:
    raise types.BadInput(
        f'--config.num_samples={c.num_samples}: the classical stages give one '
        'answer only; name a network with --config.weights.')


def keeps_segments(c: ml_collections.ConfigDict) -> bool:
  """Whether what is finished is kept, shot by shot, to be decided about."""
  return bool(c.keep_segments or c.decisions or c.num_samples > 1)


def sound_strength(
    c: ml_collections.ConfigDict
) -> dict[str, float | str]:
  """c.audio, where -1 is what was measured."""
  return {k: repair.AUTO if v == -1 else v for k, v in c.audio.items()}


