"""From a config to what the loop runs. ALGORITHMS by name.

Each has check(c), which refuses settings that cannot be, and assemble(c, mesh).
"""

from revive_jax.algorithms import (
    face,
    fills,
    gan,
    image_gan,
    image_vae,
    latent,
    restorer,
    upscaler,
    vae,
)

ALGORITHMS = {
    'supervised': restorer,
    'gan': gan,
    'fills': fills,
    'vae': vae,
    'latent': latent,
    'face': face,
    'upscaler': upscaler,
    'image_gan': image_gan,
    'image_vae': image_vae,
}
