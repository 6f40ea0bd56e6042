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
    vae,
)

ALGORITHMS = {
    'supervised': restorer,
    'gan': gan,
    'fills': fills,
    'vae': vae,
    'latent': latent,
    'face': face,
    'image_gan': image_gan,
    'image_vae': image_vae,
}
