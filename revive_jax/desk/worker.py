"""Worker: runs the command of a job, and says how it ended.

A script of its own, which imports nothing of ours: it starts at once, and is
there whatever becomes of the command. What ends both is seen by the lock that
they hold: it is nobody's then, and there is no word of an end.

  python worker.py FOLDER LOCK COMMAND...

Writes FOLDER/job.log, and FOLDER/ended.json at last. LOCK is the number of an
open file, which the command inherits.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys

_AGAIN = 5  # Seconds after which a command that goes on is asked again.
_NICE = 5  # Whoever looks at the page comes first.


def main() -> None:
  """Does as the command line says."""
  folder, lock, *command = sys.argv[1:]
  told = []
  for number in (signal.SIGINT, signal.SIGTERM):
    # The command gets them as well, and ends; a handler, and not SIG_IGN, which
    # it would inherit.
    signal.signal(number, lambda number, _: told.append(number))
  with contextlib.suppress(OSError):
    os.nice(_NICE)
  with open(os.path.join(folder, 'job.log'), 'ab') as log:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        pass_fds=[int(lock)])
    # Before there was a command to get them; one may be lost while Python
    # starts, but for the mark that was made before it was sent.
    if not told and os.path.exists(os.path.join(folder, 'cancelled')):
      told.append(signal.SIGINT)
    for number in told:
      process.send_signal(number)
    code = _ended(process, os.path.join(folder, 'cancelled'))
  part = os.path.join(folder, '.ended.json')
  with open(part, 'w') as file:
    json.dump({'code': code}, file)
  os.replace(part, os.path.join(folder, 'ended.json'))


def _ended(process, mark) -> int:
  """The exit code of a command, which is asked to end as long as the mark is.

  More than once, for a library that is just being imported may swallow it.
  """
  seconds = 0
  while True:
    try:
      return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
      seconds = seconds + 1 if os.path.exists(mark) else 0
      if seconds and seconds % _AGAIN == 0:
        process.send_signal(signal.SIGINT)


if __name__ == '__main__':
  main()
