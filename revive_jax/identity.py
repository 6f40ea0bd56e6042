"""Identity: what decides about every frame of a restored film."""

from typing import Any

import ml_collections

from revive_jax import networks, settings, types
from revive_jax.models import weights
from revive_jax.pipeline import detail, segments, upscale
from revive_jax.video import probe, target

# Another one wherever the same settings would give another film.
FORMAT = 11
# Settings that a stopped run may go on with changed.
_FREE = ('progress', 'encrypt', 'report', 'decisions', 'keep_segments',
         'sandbox')


def of(
    c: ml_collections.ConfigDict, info: probe.VideoInfo, destination: str
) -> dict[str, Any]:
  """What decides about every frame of the output: a run goes on with no other.

  Raises:
    types.BadInput: the weights or the mask cannot be read.
  """
  goal = target.choose(
      destination, upscale.enlarged(info, c.output.upscale), c.output.codec,
      c.output.bits or 'auto')
  try:
    mask = segments.identity(c.mask) if c.mask else None
    film_ = segments.identity(info.path)
  except OSError as error:
    raise types.BadInput(
        f'{error.filename}: cannot be read ({error.strerror}).') from error
  return {
      'input': film_, 'mask': mask,
      'settings': {k: v for k, v in c.to_dict().items() if k not in _FREE},
      'by_shot': settings.keeps_segments(c),
      'fills': networks.identity(c.fills),
      'weights': (weights.read_weights(c.weights).config['sha256']
                  if c.weights else None),
      'upscaler': (weights.read_weights(c.upscaler).config['sha256']
                   if c.output.upscale > 1 else None),
      'detail': detail.digest(),
      'output': f'{goal.codec} {goal.pix_fmt}',
      'format': FORMAT}
