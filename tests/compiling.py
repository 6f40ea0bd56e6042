"""Compiling for tests: without the passes that take most of the time.

For modules that compile much and compute little:

  setUpModule, tearDownModule = compiling.quickly, compiling.as_usual
"""

import jax


def quickly():
  jax.config.update('jax_disable_most_optimizations', True)


def as_usual():
  jax.config.update('jax_disable_most_optimizations', False)
