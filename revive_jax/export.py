"""Export: the restorer as programs that run without the code of the network.

A folder with a program for each way of use (both directions, or causal; float32
or bfloat16), for CPU, CUDA and TPU at once and for frames of any number and
size, the weights, a manifest that says what is what, and the loader.
"""

import hashlib
import importlib
import json
import os
import pathlib
import shutil
from typing import Any

from flax import traverse_util
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import exported, types
from revive_jax.models import inference, restorer, weights

_PLATFORMS = ('cpu', 'cuda', 'rocm', 'tpu')
_DTYPES = ('float32', 'bfloat16')
_CONVENTION = """\
Each program is of jax.export; called with (parameters, frames, mask, cuts,
state, carry_after, sample) it gives (said, state). parameters: what is in
model.safetensors, float32, by name. state: of the last call, or zeros, with
true in cuts[:, 0]. Height and width are multiples of block: repeat the last
row and column, and cut the results. load.py does all that."""


def export(
    c: ml_collections.ConfigDict, workdir: str, output: str | None = None
) -> dict[str, Any]:
  """Writes c.weights as an exported restorer; returns its manifest.

  Args:
    c: configs/restore.py; of it weights and export.
    workdir: gets it, as exported/<name of the weights>, if output is None.
    output: its folder; one that is there is replaced.

  Raises:
    types.BadInput: the settings or the weights are wrong, or it cannot be
      written.
  """
  _check(c)
  found = weights.read_weights(c.weights)
  model, params = inference.build(found)
  folder = pathlib.Path(output or pathlib.Path(workdir) / 'exported' / (
      pathlib.PurePath(found.name).name))
  _refuse_other(folder)
  part = folder.with_name(f'.{folder.name}.part')
  try:
    shutil.rmtree(part, ignore_errors=True)  # Of a run that was killed.
    part.mkdir(parents=True)
    manifest = _write(part, found, model, params, c)
    if c.export.check:
      compare(part, model, params)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
  except OSError as error:
    raise types.BadInput(
        f'{folder}: the restorer cannot be written ({error.strerror}); choose '
        'another --output.') from error
  finally:
    shutil.rmtree(part, ignore_errors=True)
  return manifest | {'folder': str(folder)}


def check(c: ml_collections.ConfigDict, path: str) -> float:
  """Makes sure that what lies at path is c.weights, and restores as they do.

  Returns:
    The largest difference of their outputs.

  Raises:
    types.BadInput: it cannot be run here, or is of other weights.
  """
  _check(c)
  found = weights.read_weights(c.weights)
  try:
    manifest = exported.read_manifest(path)
  except exported.CannotRun as error:
    raise types.BadInput(str(error)) from error
  if manifest['weights']['sha256'] != found.config['sha256']:
    raise types.BadInput(
        f'{path} was exported from other weights (SHA-256 '
        f'{manifest["weights"]["sha256"][:12]}...) than {found.name} '
        f'({found.config["sha256"][:12]}...); name them with --config.weights, '
        'or export again.')
  return compare(path, *inference.build(found))


def compare(path: str | os.PathLike, model, params) -> float:
  """Runs an exported restorer beside the network, on a small clip.

  Returns:
    The largest difference of their outputs.

  Raises:
    types.BadInput: it cannot be run, or they differ.
  """
  clip = np.random.default_rng(0).random((1, 3, 40, 56, 3), np.float32)
  try:
    restore = exported.load_exported(path)
  except exported.CannotRun as error:
    raise types.BadInput(str(error)) from error
  model = model.clone(dtype=jnp.dtype(restore.args[3]))
  worst = 0.0
  for causal in (False, True):
    mine, _ = restore(clip, causal=causal)
    wanted, _ = inference.restore_frames(
        params, clip, model=model, causal=causal)
    worst = max(worst, float(jnp.abs(mine.output - wanted.output).max()))
  if worst > (1e-5 if restore.args[3] == 'float32' else 0.05):
    raise types.BadInput(
        f'{path}: its output differs from that of the network by {worst:.2g}; '
        'export the weights again.')
  return worst


def _check(c) -> None:
  if not c.weights:
    raise types.BadInput(
        'There are no weights to export; name some with --config.weights.')
  for key, known in (('platforms', _PLATFORMS), ('dtypes', _DTYPES)):
    if not c.export[key]:
      raise types.BadInput(f'--config.export.{key} is empty; choose of '
                           f'{", ".join(known)}.')
    for value in c.export[key]:
      types.check_choice(f'export.{key}', value, known)


def _refuse_other(folder: pathlib.Path) -> None:
  if not folder.exists():
    return
  try:
    exported.read_manifest(folder)
  except exported.CannotRun as error:
    raise types.BadInput(
        f'{folder} exists, and is no exported restorer; choose another '
        '--output.') from error


def _write(folder, found, model, params, c) -> dict[str, Any]:
  """Programs, weights, loader and manifest."""
  data = weights.read_tensors(c.weights)
  (folder / exported.TENSORS).write_bytes(data)
  shutil.copyfile(exported.__file__, folder / exported.LOADER)
  flat = traverse_util.flatten_dict(params, sep='/')
  programs = []
  for dtype in c.export.dtypes:
    for causal in (False, True):
      programs.append(_write_program(
          folder, model.clone(dtype=jnp.dtype(dtype)), flat, dtype, causal,
          c.export.platforms))
  manifest = {
      'kind': exported.KIND, 'format': exported.FORMAT,
      'weights': {'name': found.name, 'steps': found.config.get('steps'),
                  'sha256': hashlib.sha256(data).hexdigest()},
      'model': found.config['model'], 'settings': found.config['settings'],
      'revive_jax': importlib.import_module('revive_jax').__version__,
      'jax': jax.__version__,
      'platforms': list(c.export.platforms), 'block': restorer.BLOCK,
      'state': _about_state(model), 'programs': programs,
      'convention': ' '.join(_CONVENTION.split())}
  text = json.dumps(manifest, indent=1, allow_nan=False) + '\n'
  (folder / exported.MANIFEST).write_text(text)
  return manifest


def _write_program(
    folder, model, flat, dtype, causal, platforms
) -> dict[str, Any]:
  """One program, for frames of any number and size."""
  batch, time, rows, columns = jax.export.symbolic_shape('b, t, m, n')
  height, width = restorer.BLOCK * rows, restorer.BLOCK * columns
  state = jax.eval_shape(
      lambda: model.initial_state(1, restorer.BLOCK, restorer.BLOCK))
  array = jax.ShapeDtypeStruct

  def run(flat, frames, mask, cuts, state, carry_after, sample):
    restored, state = inference.restore_frames(
        traverse_util.unflatten_dict(flat, sep='/'), frames, model=model,
        mask=mask, cuts=cuts, state=restorer.State(**state), causal=causal,
        carry_after=carry_after, sample=sample)
    return dict(vars(restored)), dict(vars(state))

  arguments = (
      jax.tree.map(lambda x: array(x.shape, jnp.float32), flat),
      array((batch, time, height, width, 3), jnp.float32),
      array((batch, time, height, width, 1), jnp.float32),
      array((batch, time), bool),
      {name: array((batch, *(
          size // (restorer.BLOCK // x.shape[1]) for size in (height, width)),
                    x.shape[3]), x.dtype) for name, x in vars(state).items()},
      array((), jnp.int32), array((), jnp.int32))
  program = jax.export.export(
      jax.jit(run), platforms=tuple(platforms))(*arguments)
  data = bytes(program.serialize())
  name = f'{"causal" if causal else "both_ways"}_{dtype}.jax'
  (folder / name).write_bytes(data)
  return {'file': name, 'causal': causal, 'dtype': dtype,
          'sha256': hashlib.sha256(data).hexdigest(),
          'calling_convention': program.calling_convention_version,
          'inputs': _described(program.in_tree, program.in_avals)[0],
          'outputs': _described(program.out_tree, program.out_avals)}


def _described(tree, avals) -> Any:
  """What is given or returned, each array as 'float32[b,t,16*m,16*n,3]'."""
  return jax.tree.unflatten(tree, [str(aval) for aval in avals])


def _about_state(model) -> dict[str, Any]:
  """Of each part of the state what it is beside a frame."""
  state = jax.eval_shape(
      lambda: model.initial_state(1, restorer.BLOCK, restorer.BLOCK))
  fixed = ('picture', 'support')  # float32 whatever is computed with.
  return {name: {'divide': restorer.BLOCK // x.shape[1],
                 'channels': x.shape[3],
                 'dtype': 'float32' if name in fixed else 'computed'}
          for name, x in vars(state).items()}
