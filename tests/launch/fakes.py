"""Programs that stand in for those of a cluster: they record how they are run.
"""

import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]
# The extra `test` installs it, beside the interpreter.
SHELLCHECK = str(pathlib.Path(sys.executable).with_name('shellcheck'))
# What a program does that is told to stop at once, and what comes of it: its
# own exit code, and that of the command that makes a stop of it.
STOPPED = (
    ("trap 'exit 0' TERM", 75),  # It saved.
    ('', 75),  # It died of the signal, as one does that has nothing to save.
    ("trap 'exit 1' TERM", 1),  # It failed.
)


class Fakes:
  """A folder for PATH; what its programs record lies beside them."""

  def __init__(self, folder: str):
    self.folder = pathlib.Path(folder)

  def add(self, name: str, body: str) -> None:
    """A program that records its arguments in NAME.INDEX, then runs body.

    INDEX is the last number of the last argument, as of HOST:PORT,COUNT,INDEX.
    """
    path = self.folder / name
    path.write_text(
        '#!/usr/bin/env bash\n'
        'index=${*: -1}\nindex=${index##*[!0-9]}\n'
        f'printf "%s\\n" "$@" > "{path}.part$index"\n'
        f'mv "{path}.part$index" "{path}.$index"\n' + body)
    path.chmod(0o755)

  def calls(self, name: str) -> dict[str, list[str]]:
    """The arguments of each call of a program, by index."""
    return {path.name.rpartition('.')[2]: path.read_text().splitlines()
            for path in sorted(self.folder.glob(f'{name}.*'))}

  def environment(self, **more: str) -> dict[str, str]:
    """That of a process that finds the programs; it has no GPU."""
    path = f'{self.folder}{os.pathsep}{os.environ["PATH"]}'
    return {**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'PATH': path, **more}

  def run(self, *command: str, **more: str) -> subprocess.CompletedProcess:
    """Runs a command; more is added to its environment."""
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60,
        env=self.environment(**more))

  def start(self, *command: str, **more: str) -> subprocess.Popen:
    """Starts a command; more is added to its environment."""
    # Tests that run in the background inherit a SIGINT that is ignored, which
    # no shell could trap.
    return subprocess.Popen(
        ('env', '--default-signal=INT', *command), stderr=subprocess.PIPE,
        text=True, env=self.environment(**more))

  def wait_for(self, *names: str) -> None:
    """Waits until files are there."""
    end = time.monotonic() + 30
    while not all((self.folder / name).exists() for name in names):
      assert time.monotonic() < end, f'{names} did not come.'
      time.sleep(0.02)


def stopping(trap: str) -> str:
  """The body of a program that has itself told to stop."""
  # A limit, so that none stays behind if a test fails.
  return (f'{trap}\nkill -TERM "$PPID"\n'
          'for ((i = 0; i < 200; i++)); do sleep 0.05; done\nexit 9\n')
