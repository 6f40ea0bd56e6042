"""Restores damaged film and video; also trains what restores it.

Examples:
  python -m revive_jax.main --config=configs/demo.py --workdir=runs/demo
  python -m revive_jax.main --input=film.mkv --output=restored.mkv
  python -m revive_jax.main --input=tapes/ --output=restored/
  python -m revive_jax.main --mode=verify --input=restored.mkv
  ffmpeg -i film.mkv -f yuv4mpegpipe - | \\
      python -m revive_jax.main --input=- --output=- | ffmpeg -i - out.mkv
  python -m revive_jax.main --config=restore_classical --input=tape.mp4 \\
      --workdir=runs/tape --config.composite=repair --config.mask=brush.png

Exit codes: 0 done; 1 some films of a folder failed, a file that was to be
verified is not valid, or a bug; 2 bad input or usage, said in one sentence;
130 stopped by Ctrl-C: the same command goes on.
"""

from collections.abc import Sequence
import os
import pathlib
import sys

# Before NumPy is there: products are small here, and BLAS's threads, which spin
# while they wait, take the processor from those that decode and restore.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

# ruff: noqa: E402
from absl import app, flags, logging
from ml_collections import config_flags

from revive_jax import types

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'A file of configs/ or the name of one that ships, and '
    'after a colon its size: demo:tiny. Any value of it can be set with '
    '--config.key=value. Default: restore, if there is an --input.')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Where a run keeps its settings, report and outputs. '
    'Default: runs/<name of the config>.')
_MODE = flags.DEFINE_string(
    'mode', None, 'What to do: restore, ui (the same in a browser), archive '
    '(many films, on many machines), demo, train, evaluate, explain (one '
    'frame of a restored film, and what was done at each pixel), verify '
    '(whether a film is what its signed statement says), restore-original '
    '(give the source back), unseal (open what is sealed), make-key (what '
    'to seal with), or export (--config.weights, as programs that run without '
    'this one; with an --input, whether it is such an export, and of these '
    'weights). Default: the mode of the config.')
_INPUT = flags.DEFINE_string(
    'input', None, 'The film: a video, a folder of pictures, or a picture; or '
    'many: a folder of videos, or a list (.txt, a path a line), or, for '
    'archive, a manifest (.csv: path, preset, consent); or what runs '
    'by itself: a camera (/dev/video0), rtsp://..., a named pipe, or - '
    '(standard input). It is only read.')
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Where the film goes: .mp4 (H.264), .mkv (FFV1, lossless), '
    'a folder (PNG), or a picture if the input is one; of many films, their '
    'folder; or - (standard output: y4m where y4m comes in, else Matroska). '
    'Default: in the workdir.')
_DISTRIBUTED = flags.DEFINE_string(
    'distributed', '', 'For training by several processes, all started with '
    'the same command: HOST:PORT,COUNT,INDEX, or auto on SLURM, Kubernetes '
    '(launch/kubernetes.yaml), Open MPI and TPUs. See docs/training.md.')
_TIME = flags.DEFINE_string(
    'time', '0', 'Of --mode=explain: which frame of the film, by its time '
    '(12.5, 1:02.5 or 0:01:02.5) or by its number, from #0 on.')
_PROFILE = flags.DEFINE_bool(
    'profile', False, 'Record some training steps in the workdir, for '
    'TensorBoard or Perfetto.')
_OWN = ('config', 'workdir', 'mode', 'input', 'output', 'time', 'distributed',
        'profile')
_PACKAGE = pathlib.Path(__file__).resolve().parent
# In a wheel the configs lie in the package, in a checkout beside it.
_CONFIG_FOLDERS = (_PACKAGE / 'configs', _PACKAGE.parent / 'configs')


def _demo(c, workdir):
  from revive_jax import demo, sealing  # Here, so that --help is quick.

  sealing.refuse(c, 'The demo, which shows nobody,')
  if _INPUT.value or _OUTPUT.value:
    raise types.BadInput(
        'The demo makes its own input; to restore a film use '
        '--mode=restore, or leave out --config.')
  demo.demo(c, workdir)


def _restore(c, workdir):
  from revive_jax import restoring

  restoring.restore(c, workdir, _INPUT.value, _OUTPUT.value)


def _archive(c, workdir):
  from revive_jax.archive import films, rows

  found = films.restore_all(c, workdir, _INPUT.value, _OUTPUT.value)
  print(rows.text(found))
  print(f'All films: {pathlib.Path(workdir) / "index.html"}')
  if not all(row.is_good for row in found):
    sys.exit(1)


def _train(c, workdir):
  from revive_jax import train

  if _INPUT.value or _OUTPUT.value:
    raise types.BadInput(
        'Training takes no --input and no --output; name its data with '
        '--config.data.root.')
  try:
    train.train(c, workdir, _PROFILE.value)
  except FloatingPointError as error:
    sys.stderr.write(f'revive_jax: {error}\n')
    sys.exit(1)
  print(f'Weights: {pathlib.Path(workdir) / "weights"}')


def _unseal(c, workdir):
  from revive_jax import sealing

  del workdir
  for path in sealing.unseal(c, _INPUT.value, _OUTPUT.value):
    print(f'Open to all who can read it: {path}')


def _make_key(c, workdir):
  from revive_jax.privacy import keys

  del workdir
  keys.make(c.encrypt.key)
  print(f'A new key: {c.encrypt.key}. Keep a copy of it in a safe place: what '
        'is sealed with it cannot be opened by anything else.')


def _evaluate(c, workdir):
  from revive_jax import evaluate

  evaluate.evaluate(c, workdir)


def _export(c, workdir):
  from revive_jax import export, sealing

  sealing.refuse(c, 'An exported network, which shows nobody,')
  if _INPUT.value:
    if _OUTPUT.value:
      raise types.BadInput(
          'With an --input, --mode=export looks at it, and writes nothing; '
          'leave out --output, or --input.')
    worst = export.check(c, _INPUT.value)
    print(f'{_INPUT.value} restores as {c.weights} does, to {worst:.1g}.')
  else:
    found = export.export(c, workdir, _OUTPUT.value)
    print(f'Exported for {", ".join(found["platforms"])}: {found["folder"]}')


def _refuse_sandbox(c, mode):
  from revive_jax.video import sandbox

  sandbox.refuse(c.get('sandbox'), _INPUT.value, (
      f'the mode {mode} opens films in its own process'))


def _restore_original(c, workdir):
  from revive_jax import original, sealing

  _refuse_sandbox(c, 'restore-original')
  found = original.give_back(*sealing.places(
      c, workdir, _INPUT.value, _OUTPUT.value))
  for warning in found.warnings:
    logging.warning('%s', warning)
  print(f'The original: {found.path}')


def _verify(c, workdir):
  from revive_jax import sealing, verify

  _, path, output = sealing.places(c, workdir, _INPUT.value, _OUTPUT.value)
  found = verify.verify(c, path, output)
  print(found['sentence'])
  if not found['valid']:
    sys.exit(1)


def _explain(c, workdir):
  from revive_jax import explain_frame, sealing

  _refuse_sandbox(c, 'explain')
  workdir, film, output = sealing.places(
      c, workdir, _INPUT.value, _OUTPUT.value)
  print(explain_frame.explain(workdir, film, output, time=_TIME.value))
  if c.get('attribution'):
    from revive_jax import attributed

    print(attributed.explain(c, workdir, film, time=_TIME.value))


def _ui(c, workdir):
  from revive_jax import ui

  if _INPUT.value or _OUTPUT.value:
    raise types.BadInput(
        'On the desk films are opened in the browser; leave out --input and '
        '--output.')
  ui.serve(c, workdir)


def _use_compilation_cache() -> None:
  """Keeps compiled programs from run to run, where there is a home."""
  import jax

  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  folder = pathlib.Path(home) / 'revive_jax' / 'xla'
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError:
    return
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def _start_processes() -> None:
  if _DISTRIBUTED.value:
    from revive_jax import cluster

    cluster.start(_DISTRIBUTED.value)


_STOPPED = {
    'restore': 'revive_jax: stopped; the same command goes on from here.\n',
    'archive': 'revive_jax: stopped; the same command goes on with the films '
               'that are left.\n',
    'train': 'revive_jax: stopped; the same command goes on from the last '
             'checkpoint.\n',
    'ui': 'revive_jax: the desk is closed; restores that were begun go on, and '
          'the same command opens it again.\n'}
MODES = {'archive': _archive, 'demo': _demo, 'evaluate': _evaluate,
         'explain': _explain, 'export': _export, 'make-key': _make_key,
         'restore': _restore, 'restore-original': _restore_original,
         'train': _train, 'ui': _ui, 'unseal': _unseal, 'verify': _verify}


def config_path(name: str) -> str:
  """The file of a config that is given by path or by name, with its size.

  Raises:
    types.BadInput: there is no such file.
  """
  path, colon, size = name.partition(':')
  if pathlib.Path(path).is_file():
    return name
  for folder in _CONFIG_FOLDERS:
    shipped = folder / f'{path.removesuffix(".py")}.py'
    within = str(pathlib.Path(path).parent)
    if shipped.is_file() and within in ('.', 'configs', 'presets'):
      return f'{shipped}{colon}{size}'
  known = sorted({p.stem for f in _CONFIG_FOLDERS for p in f.glob('*.py')}
                 - {'__init__'})
  known += sorted({f'presets/{p.stem}' for f in _CONFIG_FOLDERS
                   for p in f.glob('presets/[!_]*.py')})
  raise types.BadInput(
      f'There is no config {path!r}; give the path of a file, or one of '
      f'{", ".join(known)}.')


def _with_config_path(argv: Sequence[str]) -> list[str]:
  """argv with the path of the config filled in, and put first."""
  given, rest, skip = None, [], False
  for i, word in enumerate(argv[1:], 1):
    flag = word.removeprefix('--').removeprefix('-')
    if skip:
      skip = False
    elif word.startswith('-') and flag.startswith('config='):
      given = flag.removeprefix('config=')
    elif word.startswith('-') and flag == 'config' and i + 1 < len(argv):
      given, skip = argv[i + 1], True
    else:
      rest.append(word)
  asks_input = any(w.lstrip('-').split('=')[0] == 'input' for w in rest)
  # Their config alone is of use.
  asks_input |= bool({'--mode=make-key', '--mode=export'} & {*rest})
  if given is None and '--mode=ui' in rest:
    given = 'ui'
  if given is None and asks_input:
    given = 'archive' if '--mode=archive' in rest else 'restore'
  if given is None:
    raise types.BadInput(
        'There is nothing to do; name a film with --input, or an experiment '
        'with --config (see --help).')
  return [argv[0], f'--config={config_path(given)}', *rest]


def _help() -> str:
  lines = [__doc__, 'Flags:']
  for name in _OWN:
    lines.append(f'  --{name}: {flags.FLAGS[name].help}')
  return '\n'.join(lines)


def parse(argv: Sequence[str]) -> list[str]:
  """Parses the flags; what is wrong with them is one sentence, exit code 2."""
  if {'--help', '-h', '-help', '--helpfull'} & set(argv[1:]):
    print(_help())
    sys.exit(0)
  try:
    rest = flags.FLAGS(_with_config_path(argv))
    if len(rest) > 1:
      raise types.BadInput(f'Unexpected argument {rest[1]!r}; see --help.')
    return rest
  except types.BadInput as error:
    _refuse(str(error))
  except (flags.Error, AttributeError, KeyError, TypeError, ValueError,
          SyntaxError, ImportError, OSError) as error:
    # ml_collections reports unknown keys and wrong types in these ways.
    _refuse(_about_flags(error))


def _about_flags(error: Exception) -> str:
  """One sentence about an error of the flags or of a config file."""
  text = ' '.join(str(error.args[0] if error.args else error).split())
  if isinstance(error, (AttributeError, KeyError)):
    name = text.strip('\'"')
    return (f'The config has no setting and no size {name!r}; its file lists '
            'what it has.')
  return f'The command line cannot be understood: {text}.'


def _refuse(sentence: str) -> None:
  sys.stderr.write(f'revive_jax: {sentence}\n')
  sys.exit(2)


def main(argv: Sequence[str]) -> None:
  """Runs the mode; argv holds no more than the program's name."""
  del argv
  c = _CONFIG.value
  mode = _MODE.value or c.mode
  name = pathlib.Path(config_flags.get_config_filename(
      flags.FLAGS['config'])).stem.split(':')[0]
  workdir = _WORKDIR.value or str(pathlib.Path('runs') / name)
  try:
    if mode not in MODES:
      raise types.BadInput(
          f'There is no mode {mode!r}; choose one of {", ".join(MODES)}.')
    if (_DISTRIBUTED.value or _PROFILE.value) and mode != 'train':
      raise types.BadInput(
          '--distributed and --profile are for training; leave them out.')
    _start_processes()
    _use_compilation_cache()
    MODES[mode](c.lock(), workdir)
  except types.BadInput as error:
    _refuse(str(error))
  except KeyboardInterrupt:
    sys.stderr.write(_STOPPED.get(mode, 'revive_jax: stopped.\n'))
    sys.exit(130)


def run() -> None:
  """The entry point of the command revive-jax."""
  logging.set_verbosity(logging.WARNING)
  try:
    try:
      app.run(main, flags_parser=parse)
    finally:
      if sys.stdout:
        sys.stdout.flush()
  except BrokenPipeError as error:  # Who read along has left.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    ended = error.__context__
    sys.exit(ended.code if isinstance(ended, SystemExit) else 0)


if __name__ == '__main__':
  run()
