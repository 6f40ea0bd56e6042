"""Networks. MODELS by name."""

from revive_jax.models import restorer

MODELS = {'restorer': restorer.Restorer}
