"""Prints one command line for each setting of a sweep; runs none of them.

  python launch/sweep.py --config=restorer --workdir=runs/sweep \\
      --config.data.root=records optimizer.peak=0.003,0.01 seed=0,1

prints four, each with a workdir of its own in runs/sweep. Needs: the package
installed. What begins with - goes into every line; key=value,value is swept.
Tuples stand in their parentheses: damage.severity=(0.25,2.0),(0.5,1.0).

On one machine, two at a time (or `| parallel -j 2`):
  python launch/sweep.py ... | xargs -d '\\n' -n 1 -P 2 sh -c

On SLURM, as an array of four (add what your cluster wants):
  python launch/sweep.py ... > sweep.txt
  sbatch --array=1-4 --gpus=1 \\
      --wrap='eval "$(sed -n "${SLURM_ARRAY_TASK_ID}p" sweep.txt)"'

Exit codes: 0 done; 2 bad usage, or a setting that the config does not take,
said in one sentence.
"""

from collections.abc import Sequence
import itertools
import shlex
import sys

from absl import flags
import ml_collections
from ml_collections import config_flags

from revive_jax import main as program
from revive_jax import types


def split(text: str) -> list[str]:
  """Cuts at the commas that are not in parentheses or brackets.

  Raises:
    types.BadInput: a parenthesis is not closed, or not opened.
  """
  parts, depth = [''], 0
  for character in text:
    depth += (character in '([') - (character in ')]')
    if depth < 0:
      break
    if character == ',' and not depth:
      parts.append('')
    else:
      parts[-1] += character
  if depth:
    raise types.BadInput(f'The parentheses of {text!r} do not match.')
  return parts


def parse(
    config: str, overrides: Sequence[str]) -> ml_collections.ConfigDict:
  """Returns the config as the program would read it.

  Args:
    config: as after --config=.
    overrides: each --config.key=value.

  Raises:
    types.BadInput: there is no such config, or it does not take an override.
  """
  path = program.config_path(config)
  argv = ['sweep', f'--config={path}', *overrides]
  values = flags.FlagValues()
  config_flags.DEFINE_config_file('config', flag_values=values, sys_argv=argv)
  try:
    values(argv)
  except (AttributeError, KeyError) as error:
    name = ' '.join(str(error).split()).strip('\'"')
    raise types.BadInput(
        f'The config {config!r} has no setting and no size {name!r}.'
    ) from error
  except (flags.Error, TypeError, ValueError, SyntaxError) as error:
    text = ' '.join(str(error).split()).rstrip('.')
    raise types.BadInput(
        f'The config {config!r} does not take a value: {text}.') from error
  return values.config


def _sort(words: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
  """Returns the flags of every line, and the values of each swept key."""
  fixed, swept = {}, {}
  for word in words:
    name, equals, text = word.partition('=')
    if not equals or not name:
      raise types.BadInput(
          f'{word!r} is neither --flag=value nor key=value,value.')
    if name in fixed or name in swept:
      raise types.BadInput(f'{name!r} is given twice.')
    if name.startswith('-'):
      fixed[name] = text
    else:
      swept[name] = split(text)
  return fixed, swept


def commands(words: Sequence[str]) -> list[str]:
  """Returns the command lines of a sweep, the last key changing fastest.

  Args:
    words: --config=..., --workdir=..., other flags, and key=value,value.

  Raises:
    types.BadInput: bad usage, or a setting that the config does not take.
  """
  fixed, swept = _sort(words)
  if not {'--config', '--workdir'} <= fixed.keys() or not swept:
    raise types.BadInput(
        'Name a --config=, a --workdir=, and at least one key=value,value.')
  config, workdir = fixed.pop('--config'), fixed.pop('--workdir')
  rest = ['='.join(item) for item in fixed.items()]
  overrides = [word for word in rest if word.startswith('--config.')]
  for key, texts in swept.items():
    for text in texts:
      parse(config, [*overrides, f'--config.{key}={text}'])
  lines = {}
  for texts in itertools.product(*swept.values()):
    settings = [f'{key}={text}' for key, text in zip(swept, texts, strict=True)]
    # One folder, whatever the values are.
    name = ','.join(settings).replace('/', '_')
    if name in lines or len(name.encode()) > 255:
      raise types.BadInput(
          f'{name!r} cannot be a folder of its own: it is too long, or two '
          'settings have that name.')
    lines[name] = shlex.join([
        'python', '-m', 'revive_jax.main', f'--config={config}',
        f'--workdir={workdir.rstrip("/")}/{name}', *rest,
        *(f'--config.{setting}' for setting in settings)])
  return list(lines.values())


def main(words: Sequence[str]) -> int:
  """Prints the lines, or why there are none; returns the exit code."""
  if {'-h', '--help'} & set(words):
    print(__doc__)
    return 0
  try:
    print(*commands(words), sep='\n')
  except types.BadInput as error:
    sys.stderr.write(f'sweep: {error}\n')
    return 2
  return 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
