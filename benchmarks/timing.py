"""What benchmarks of speed share: medians, what a device can do, its names."""

import contextlib
import datetime
import os
import platform
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np


def median(function, repeats: int, *, longest: float = 60.0) -> float:
  """Median seconds of function(), after one call to warm up.

  Fewer repeats where they would take more than `longest` seconds, but one.
  """
  jax.block_until_ready(function())
  times = []
  while len(times) < repeats and (not times or sum(times) < longest):
    start = time.perf_counter()
    jax.block_until_ready(function())
    times.append(time.perf_counter() - start)
  return float(np.median(times))


def limits(dtype=None) -> dict[str, float]:
  """Operations per second of one large product, bytes per second of a sum.

  dtype: of the product; None: float32 on CPUs, bfloat16 elsewhere.
  """
  cpu = jax.default_backend() == 'cpu'
  dtype = dtype or (jnp.float32 if cpu else jnp.bfloat16)
  size = 3072 if cpu else 8192
  x = jax.random.normal(jax.random.key(0), (size, size), dtype)
  product, total = jax.jit(jnp.matmul), jax.jit(jnp.add)
  y = jnp.ones((64 if cpu else 512) * 2**20, jnp.float32)
  return {'peak': 2 * size**3 / median(lambda: product(x, x), 9),
          'bandwidth': 3 * y.nbytes / median(lambda: total(y, y), 9)}


def high_water() -> int:
  """Bytes, at most so far: of the device, or of this process."""
  stats = jax.devices()[0].memory_stats()
  if stats:
    return stats['peak_bytes_in_use']
  return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
  """The device, and the versions that its speed depends on."""
  device = jax.devices()[0]
  return (f'{datetime.date.today()}; {device.device_kind}, {os.cpu_count()} '
          f'CPU cores, {_instructions()}; Python {platform.python_version()}, '
          f'jax {jax.__version__}')


def load() -> float:
  """The mean load of the last minute; what else runs lowers all figures."""
  return os.getloadavg()[0]


def _instructions() -> str:
  """The widest vectors of this CPU, which speed depends on most."""
  with contextlib.suppress(OSError), open('/proc/cpuinfo') as file:
    text = file.read()
    return next((name for name, flag in (
        ('AVX-512', 'avx512f'), ('AVX2', 'avx2')) if flag in text), 'no AVX2')
  return 'vectors unknown'
