"""revive_jax: restores damaged film and video; it does not reinvent it."""

__version__ = '0.1.0'
