"""Networks. MODELS by name; RESTORERS are those that restore frames."""

from collections.abc import Mapping
from typing import Any

from flax import linen as nn

from revive_jax.models import (
    dense,
    face,
    fills,
    latent,
    restorer,
    upscaler,
    vae,
)

MODELS = {
    'restorer': restorer.Restorer,
    'dense_generator': dense.Generator,
    'dense_vae': dense.Vae,
    'fill_vae': fills.FillVae,
    'clip_vae': vae.ClipVae,
    'latent_restorer': latent.LatentRestorer,
    'face': face.Embedder,
    'upscaler': upscaler.Upscaler,
}
RESTORERS = ('restorer',)


def build(name: str, settings: Mapping[str, Any], **more: Any) -> nn.Module:
  """The network of a name in MODELS, of its settings as JSON has them."""
  # A list, which JSON makes of a tuple, cannot be a static argument of jit.
  fixed = {key: tuple(value) if isinstance(value, list) else value
           for key, value in settings.items()}
  return MODELS[name](**fixed, **more)
