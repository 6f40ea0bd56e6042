"""Runs an exported restorer: a folder that --mode=export wrote.

It needs jax, flatbuffers and NumPy, and none of the code of the network; a copy
of this file lies in each such folder, as load.py:

  restore = load_exported('exported/restorer')  # Or, there: import load.
  restored, state = restore(frames)  # [B, T, H, W, 3] in [0, 1], of any size.
  restored, state = restore(frames, state=state, causal=True)  # And so on.
"""

from collections.abc import Callable
import functools
import hashlib
import json
import os
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

KIND, FORMAT = 'exported restorer of revive_jax', 1
MANIFEST, TENSORS, LOADER = 'manifest.json', 'model.safetensors', 'load.py'
_NUMBERS = {'F16': np.float16, 'F32': np.float32}


class CannotRun(ValueError):
  """What was given is no exported restorer, or does not fit it; one sentence.
  """


class Restored(NamedTuple):
  """What a restorer says of frames [B, T, H, W, 3]."""

  output: jax.Array  # [B, T, H, W, 3], the restored frames, float32.
  damage: jax.Array  # [B, T, H, W, 1], the probability of damage, [0, 1].
  log_variance: jax.Array  # [B, T, H, W, 1], of output - clean.
  # [B, T, 2, H/2, W/2, 2] px of 1/2: to t - 1, to t + 1; 0 over a cut.
  flow: jax.Array


def load_exported(
    path: str | os.PathLike, *, dtype: str | None = None
) -> Callable[..., tuple[Restored, dict[str, jax.Array]]]:
  """The function restore(frames, ...) of an exported restorer: see run.

  Args:
    path: the folder.
    dtype: of what is computed with, one that was exported; None: float32 on
      CPUs, bfloat16 elsewhere, if it was exported.

  Raises:
    CannotRun: it is none, it is damaged, or this jax cannot read it.
  """
  folder = pathlib.Path(path)
  manifest = read_manifest(folder)
  known = sorted({entry['dtype'] for entry in manifest['programs']})
  if dtype is None:
    dtype = 'float32' if jax.default_backend() == 'cpu' else 'bfloat16'
    dtype = next((d for d in (dtype, *known) if d in known), dtype)
  if dtype not in known:
    raise CannotRun(f'{folder}: there is no program in {dtype}; it has '
                    f'{", ".join(known) or "none at all"}.')
  params = read_params(folder, manifest)
  programs = {entry['causal']: _program(folder, manifest, entry)
              for entry in manifest['programs'] if entry['dtype'] == dtype}
  return functools.partial(
      run, jax.device_put(params), programs, manifest, dtype)


def run(
    params: dict[str, jax.Array], programs: dict[bool, Callable[..., Any]],
    manifest: dict[str, Any], dtype: str, frames: Any, *, mask: Any = None,
    cuts: Any = None, state: dict[str, Any] | None = None,
    causal: bool = False, carry_after: int | None = None, sample: int = 0,
) -> tuple[Restored, dict[str, jax.Array]]:
  """Restores frames [B, T, H, W, 3] in [0, 1]; compiled once for each shape.

  Args:
    params: these four are filled in by load_exported.
    programs: as above.
    manifest: as above.
    dtype: as above.
    frames: float32, gamma-encoded RGB, without global flicker.
    mask: [B, T, H, W, 1], above a half where a person marked damage.
    cuts: [B, T], true where a shot starts at this frame.
    state: what the last call returned, when frames go on from there.
    causal: use no future frames at all.
    carry_after: how many of the frames the returned state has seen; None: all.
    sample: which of its answers, of a network with noise.

  Returns:
    Restored, and the state.

  Raises:
    CannotRun: the shapes do not fit each other, or the network.
  """
  batch, time, height, width = _checked_frames(frames)
  mask = _checked('mask', mask, (batch, time, height, width, 1))
  cuts = _checked('cuts', cuts, (batch, time)).astype(bool)
  block = manifest['block']
  pads = [(0, 0), (0, 0), (0, -height % block), (0, -width % block), (0, 0)]
  if pads[2][1] or pads[3][1]:
    frames, mask = (jnp.pad(x, pads, mode='edge') for x in (frames, mask))
  if state is None:
    cuts = cuts.at[:, 0].set(True)
  state = {name: _part_of_state(name, about, state, frames.shape, dtype)
           for name, about in manifest['state'].items()}
  last = time if carry_after is None else carry_after
  if not 1 <= last <= time:
    raise CannotRun(f'carry_after={last} is not among the {time} frames.')
  said, state = programs[causal](
      params, jnp.asarray(frames, jnp.float32), mask, cuts, state,
      np.int32(last), np.int32(sample))
  said['flow'] = said['flow'][:, :, :, :-(-height // 2), :-(-width // 2)]
  for name in ('output', 'damage', 'log_variance'):
    said[name] = said[name][:, :, :height, :width]
  return Restored(**said), state


def read_manifest(folder: str | os.PathLike) -> dict[str, Any]:
  """What is in the folder, as it says itself.

  Raises:
    CannotRun: it is no exported restorer, or one of another format.
  """
  path = pathlib.Path(folder) / MANIFEST
  try:
    manifest = json.loads(path.read_bytes())
  except OSError as error:
    raise CannotRun(
        f'{folder} is no exported restorer: its {MANIFEST} cannot be read '
        f'({error.strerror}); make one with --mode=export.') from error
  except (ValueError, RecursionError) as error:
    raise CannotRun(
        f'{path} is not JSON; export the restorer again.') from error
  if not isinstance(manifest, dict) or manifest.get('kind') != KIND:
    raise CannotRun(
        f'{folder} is no exported restorer: its {MANIFEST} does not say that '
        'it is one; make one with --mode=export.')
  if manifest.get('format') != FORMAT:
    raise CannotRun(
        f'{path} is of format {manifest.get("format")}, and this is a loader '
        f'of format {FORMAT}; take the {LOADER} beside it.')
  missing = {'weights', 'programs', 'block', 'state', 'jax'} - {*manifest}
  if missing:
    raise CannotRun(f'{path} has no {min(missing)!r}; export the restorer '
                    'again.')
  return manifest


def read_params(
    folder: str | os.PathLike, manifest: dict[str, Any]
) -> dict[str, np.ndarray]:
  """The weights, float32, by name.

  Raises:
    CannotRun: they are not those that the programs were exported for.
  """
  path = pathlib.Path(folder) / TENSORS
  data = _read(path, manifest['weights']['sha256'],
               'these are not the weights it was exported with')
  # A length, a table in JSON, and the numbers.
  start = 8 + int.from_bytes(data[:8], 'little')
  params = {}
  for name, about in json.loads(data[8:start]).items():
    if name == '__metadata__':
      continue
    first, last = (start + offset for offset in about['data_offsets'])
    params[name] = np.frombuffer(
        data[first:last], _NUMBERS[about['dtype']]
    ).astype(np.float32).reshape(about['shape'])
  return params


def _program(folder, manifest, entry) -> Callable[..., Any]:
  """One exported program, jitted."""
  data = _read(folder / entry['file'], entry['sha256'], 'it is damaged')
  made = f'{folder / entry["file"]} was made with jax {manifest["jax"]}'
  try:
    program = jax.export.deserialize(bytearray(data))
  except ImportError as error:
    raise CannotRun(f'{folder}: to read it, install flatbuffers '
                    '(pip install flatbuffers).') from error
  except Exception as error:  # Whatever another version does not understand.
    raise CannotRun(
        f'{made}, which this jax, {jax.__version__}, cannot read '
        f'({type(error).__name__}); export it again, or install jax '
        f'{manifest["jax"]}.') from error
  platform = jax.export.default_export_platform()
  if platform not in program.platforms:
    raise CannotRun(
        f'{folder} was exported for {", ".join(program.platforms)}, and this '
        f'is {platform}; export it with '
        f"--config.export.platforms=\"('{platform}',)\".")
  versions = (jax.export.minimum_supported_calling_convention_version,
              jax.export.maximum_supported_calling_convention_version)
  if not versions[0] <= program.calling_convention_version <= versions[1]:
    raise CannotRun(
        f'{made} (calling convention {program.calling_convention_version}), '
        f'and this jax, {jax.__version__}, reads {versions[0]} to '
        f'{versions[1]}; export it again, or install jax {manifest["jax"]}.')
  return jax.jit(program.call)


def _read(path, sha256, otherwise) -> bytes:
  try:
    data = path.read_bytes()
  except OSError as error:
    raise CannotRun(f'{path} cannot be read ({error.strerror}); export the '
                    'restorer again.') from error
  if hashlib.sha256(data).hexdigest() != sha256:
    raise CannotRun(f'{path}: {otherwise} (its SHA-256 is not the one in '
                    f'{MANIFEST}); export the restorer again.')
  return data


def _checked_frames(frames) -> tuple[int, int, int, int]:
  shape = tuple(np.shape(frames))
  if len(shape) != 5 or shape[-1] != 3 or 0 in shape:
    raise CannotRun(f'Frames of shape {shape} are not [B, T, H, W, 3].')
  if not jnp.issubdtype(jnp.result_type(frames), jnp.floating):
    raise CannotRun(f'Frames of {jnp.result_type(frames)} are not of floats in '
                    '[0, 1]; divide them by their white.')
  return shape[:4]


def _part_of_state(name, about, state, shape, dtype):
  """One array of the state beside frames of this shape; zeros of none."""
  if state is not None and name not in state:
    raise CannotRun(f'The state has no {name!r}; give what the last call '
                    'returned.')
  sides = (size // about['divide'] for size in shape[2:4])
  return _checked(
      f'state[{name!r}]', state and state[name],
      (shape[0], *sides, about['channels']),
      dtype if about['dtype'] == 'computed' else about['dtype'])


def _checked(name, x, shape, dtype='float32'):
  """x of this shape, or zeros where there is none."""
  if x is None:
    return jnp.zeros(shape, dtype)
  if tuple(np.shape(x)) != shape:
    raise CannotRun(f'{name} is of shape {tuple(np.shape(x))}, and must be '
                    f'{shape} beside these frames.')
  return jnp.asarray(x, dtype)
