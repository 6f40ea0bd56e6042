"""Batches of clean clips from sources, by seed and index, for one host."""

from collections.abc import Mapping, Sequence
import ctypes
import math
from typing import Any

import grain
import numpy as np

from revive_jax import types
from revive_jax.data import augment

_DEATH_SIGNAL, _KILL = 1, 9  # PR_SET_PDEATHSIG and SIGKILL of Linux.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of glibc's mallopt.


def _call_c(name: str, *args: int) -> None:
  """Calls a function of the C library, if it has it (Linux, glibc)."""
  function = getattr(ctypes.CDLL(None), name, None)
  if function is not None:
    function(*args)


def _keep_freed_memory() -> None:
  """Lets this process use memory again, instead of giving it back at once.

  A clip is a few MB, which glibc takes from the system and returns each time:
  reading one record took 9.7 ms, of which 6 in the kernel; so, 2.7 ms.
  """
  _call_c('mallopt', _MMAP_THRESHOLD, 32 << 20)
  _call_c('mallopt', _TRIM_THRESHOLD, 256 << 20)


def _start_worker(*_) -> None:
  """Lets a worker end when the trainer is killed, instead of living on."""
  _call_c('prctl', _DEATH_SIGNAL, _KILL)
  _keep_freed_memory()


def _check(sources, weights, batch_size, num_frames, size, index, count):
  if not sources or len(sources) != len(weights):
    raise types.BadInput(
        f'Data: {len(sources)} sources and {len(weights)} weights; give one '
        'weight for each source.')
  if not all(math.isfinite(w) and w > 0 for w in weights):
    raise types.BadInput(
        f'Data: the weights {list(weights)} must be positive numbers; leave '
        'out sources that are not to be used.')
  if min(num_frames, size) < 1:
    raise types.BadInput(
        f'Data: clips of {num_frames} frames of {size} px cannot be.')
  if batch_size < 1 or batch_size % count:
    raise types.BadInput(
        f'Data: a batch of {batch_size} cannot be shared evenly by {count} '
        'hosts; choose a multiple.')
  if not 0 <= index < count:
    raise types.BadInput(f'Data: host {index} of {count} does not exist.')


def _share(dataset, batch_size, start, index, count):
  """This host's stretch of each batch, from batch number start on."""
  stretches = dataset.batch(batch_size // count, drop_remainder=True)
  return stretches[start * count + index::count]


def read_ahead(
    batches: grain.MapDataset, workers: int = 0, threads: int = 2,
    prefetch: int = 4,
) -> grain.IterDataset:
  """Reads batches before they are asked for, as make_dataset does."""
  found = batches.to_iter_dataset(grain.ReadOptions(
      num_threads=threads, prefetch_buffer_size=prefetch))
  if workers:
    found = found.mp_prefetch(
        grain.MultiprocessingOptions(num_workers=workers),
        worker_init_fn=_start_worker)
  return found


def make_dataset(
    sources: Sequence[Any],
    weights: Sequence[float],
    *,
    seed: int,
    batch_size: int,
    num_frames: int,
    size: int,
    overlay_share: float = 0.0,
    host_index: int = 0,
    host_count: int = 1,
    start: int = 0,
    workers: int = 0,
    threads: int = 2,
    prefetch: int = 4,
) -> grain.IterDataset:
  """Returns this host's batches, without end; the same for the same seed.

  Each batch is {'clean': uint8 [batch_size / host_count, num_frames, size,
  size, 3]}. What is in it depends on the seed and the number of the batch
  alone: a run goes on by `start`, on any number of hosts, whose batches of one
  step are those of a single host, a stretch each. Every source is shuffled anew
  each time it was gone through. absl's flags must have been parsed (`app.run`,
  or `flags.FLAGS.mark_as_parsed()`).

  Args:
    sources: of data/sources.py, data/motion.py, or the like.
    weights: how often each is drawn from, in proportion.
    seed: of order and augmentation.
    batch_size: over all hosts.
    num_frames: of a clip.
    size: height and width of a clip, px.
    overlay_share: of clips with look-alikes of damage laid over them.
    host_index: which host this is.
    host_count: of how many.
    start: the number of the first batch.
    workers: processes that read; 0: threads of this one.
    threads: that read ahead, in each process.
    prefetch: batches that are read ahead, in each process.

  Raises:
    types.BadInput: numbers that do not fit, or an empty source.
  """
  _check(sources, weights, batch_size, num_frames, size, host_index, host_count)
  _keep_freed_memory()
  parts = []
  for number, source in enumerate(sources):
    if not len(source):
      raise types.BadInput(f'Data: source {number} is empty.')
    own = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    parts.append(grain.MapDataset.source(source).shuffle(seed=own).repeat())
  # Drawn before the hosts take their share: a clip is the same on any number.
  dataset = grain.MapDataset.mix(parts, weights).random_map(
      augment.Augment(num_frames, size, overlay_share), seed=seed)
  dataset = _share(dataset, batch_size, start, host_index, host_count)
  return read_ahead(dataset, workers, threads, prefetch)


def side_by_side(parts: Mapping[str, grain.IterDataset]) -> grain.IterDataset:
  """Batches of several make_dataset, each under its own name.

  {name: uint8 [batch, num_frames, size, size, 3]}.
  """
  names = tuple(parts)
  zipped = grain.experimental.ZipIterDataset(list(parts.values()))
  return zipped.map(lambda batches: {
      name: batch['clean']
      for name, batch in zip(names, batches, strict=True)})


def make_pictures(
    source: Sequence[Any], *, seed: int, batch_size: int, host_index: int = 0,
    host_count: int = 1, start: int = 0,
) -> grain.IterDataset:
  """Batches of the records of a source, without end, shuffled anew each time.

  Begun and shared out among hosts as make_dataset's.

  Args:
    source: records by index, dicts of arrays of one shape.
    seed: of the order.
    batch_size: over all hosts.
    host_index: which host this is.
    host_count: of how many.
    start: the number of the first batch.

  Raises:
    types.BadInput: there is nothing, or the batch cannot be shared out.
  """
  _check([source], [1.0], batch_size, 1, 1, host_index, host_count)
  if not len(source):
    raise types.BadInput('Data: there is nothing in the source.')
  dataset = grain.MapDataset.source(source).shuffle(seed=seed).repeat()
  dataset = _share(dataset, batch_size, start, host_index, host_count)
  return read_ahead(dataset)
