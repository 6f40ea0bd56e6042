"""Synthetic damage, in pure JAX."""
