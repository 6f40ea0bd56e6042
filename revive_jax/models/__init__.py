"""Networks. MODELS by name; RESTORERS are those that restore frames."""

from revive_jax.models import dense, restorer

MODELS = {
    'restorer': restorer.Restorer,
    'dense_generator': dense.Generator,
    'dense_vae': dense.Vae,
}
RESTORERS = ('restorer',)
