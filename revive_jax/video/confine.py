"""Takes rights away from the process that calls it, for good.

Of two kinds, where the kernel has them: files (Landlock, Linux 5.13) and calls
of the kernel (seccomp, x86-64 and ARM64). Memory and what may be written are
limited on every system.
"""

from collections.abc import Sequence
import ctypes
import os
import platform
import resource

# What confine() can take away, where the kernel has what it takes.
ALL = {'files': 'the files (Landlock, from Linux 5.13 on)',
       'calls': 'the calls of the kernel (seccomp, on x86-64 and ARM64)'}

_NO_NEW_PRIVILEGES, _SECCOMP, _DIE_WITH_PARENT = 38, 22, 1  # Of prctl.
_RULESET, _ADD_RULE, _RESTRICT = 444, 445, 446  # Everywhere the same.
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# What each version of Landlock can forbid: bits of files, and then the network.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK = 4  # The version that knows TCP.
_SCOPES = 6  # The version that knows signals and abstract sockets.

_LOAD, _EQUAL, _ANY, _RETURN = 0x20, 0x15, 0x45, 0x06  # Of BPF.
_ALLOW, _ERROR, _KILL = 0x7fff0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_THREAD = 0x00010000  # CLONE_THREAD.
# Calls that no decoder needs: (x86-64, ARM64); None: not there.
_FORBIDDEN = {
    'socket': (41, 198), 'connect': (42, 203), 'bind': (49, 200),
    'listen': (50, 201), 'execve': (59, 221), 'execveat': (322, 281),
    'fork': (57, None), 'vfork': (58, None), 'kill': (62, 129),
    'tkill': (200, 130), 'ptrace': (101, 117), 'process_vm_readv': (310, 270),
    'process_vm_writev': (311, 271), 'pidfd_open': (434, 434),
    'pidfd_getfd': (438, 438), 'io_uring_setup': (425, 425),
    'rename': (82, None), 'renameat': (264, 38), 'renameat2': (316, 276),
    'unlink': (87, None), 'unlinkat': (263, 35), 'rmdir': (84, None),
    'truncate': (76, 45), 'chmod': (90, None), 'fchmodat': (268, 53),
    'chown': (92, None), 'fchownat': (260, 54), 'mount': (165, 40),
    'setns': (308, 268), 'unshare': (272, 97), 'bpf': (321, 280),
    'userfaultfd': (323, 282), 'add_key': (248, 217), 'keyctl': (250, 219),
    'request_key': (249, 218), 'prlimit64': (302, 261),
    'open_by_handle_at': (304, 265), 'memfd_create': (319, 279),
    'rt_sigqueueinfo': (129, 138), 'rt_tgsigqueueinfo': (297, 240),
    'pidfd_send_signal': (424, 424)}
_CLONE, _CLONE3, _TGKILL = (56, 220), (435, 435), (234, 131)
_MACHINES = {'x86_64': (0, 0xc000003e), 'aarch64': (1, 0xc00000b7)}


def limit(memory: int) -> None:
  """Bounds what this process may take, and write: no file, no core dump.

  memory: bytes, beyond what it holds already.
  """
  for what, most in (
      (resource.RLIMIT_DATA, memory + _held(5)),
      (resource.RLIMIT_AS, 2 * memory + _held(0)),
      (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0),
      (resource.RLIMIT_NOFILE, 256)):
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _held(column: int) -> int:
  """Bytes of this process, by the kernel's table: 0 all, 5 data and stack."""
  try:
    with open('/proc/self/statm', encoding='ascii') as file:
      return int(file.read().split()[column]) * resource.getpagesize()
  except OSError:
    return 1 << 30


def die_with_parent() -> None:
  """Asks the kernel to end this process with the one that made it."""
  _prctl(_DIE_WITH_PARENT, 9)


def confine(readable: Sequence[str | os.PathLike]) -> list[str]:
  """Takes away what a decoder does not need.

  Args:
    readable: files and folders that may still be read, whole trees.

  Returns:
    What holds from here on: 'files', 'calls', or none of them.
  """
  if not hasattr(os, 'pidfd_open') or _prctl(_NO_NEW_PRIVILEGES, 1):
    return []
  return (['files'] if _only_these_files(readable) else []) + (
      ['calls'] if _only_these_calls() else [])


def _libc():
  return ctypes.CDLL(None, use_errno=True)


def _prctl(*numbers) -> int:
  numbers = [*numbers, 0, 0, 0, 0][:5]
  try:
    return _libc().prctl(numbers[0], *(
        ctypes.c_ulong(n) for n in numbers[1:]))
  except (AttributeError, OSError):  # No Linux.
    return -1


class _Ruleset(ctypes.Structure):
  _fields_ = [('files', ctypes.c_uint64), ('network', ctypes.c_uint64),
              ('scopes', ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
  _pack_ = 1
  _fields_ = [('rights', ctypes.c_uint64), ('folder', ctypes.c_int32)]


def _only_these_files(readable) -> bool:
  """Reading of these trees stays; no other file, and nothing is written."""
  call = _libc().syscall
  version = call(_RULESET, None, ctypes.c_size_t(0), 1)
  if version < 1:
    return False
  rules = _Ruleset(
      (1 << _RIGHTS[min(version, max(_RIGHTS))]) - 1,
      3 if version >= _NETWORK else 0, 3 if version >= _SCOPES else 0)
  size = 24 if version >= _SCOPES else 16 if version >= _NETWORK else 8
  ruleset = call(_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
  if ruleset < 0:
    return False
  for path in readable:
    try:
      opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
      continue
    rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
    beneath = _Beneath(rights, opened)
    call(_ADD_RULE, ruleset, 1, ctypes.byref(beneath), 0)
    os.close(opened)
  done = call(_RESTRICT, ruleset, 0)
  os.close(ruleset)
  return done == 0


class _Step(ctypes.Structure):
  _fields_ = [('code', ctypes.c_uint16), ('yes', ctypes.c_uint8),
              ('no', ctypes.c_uint8), ('value', ctypes.c_uint32)]


class _Program(ctypes.Structure):
  _fields_ = [('length', ctypes.c_uint16), ('steps', ctypes.POINTER(_Step))]


def _steps(machine: str) -> list[_Step]:
  """The filter: forbidden calls fail, and new threads are no new processes."""
  column, known = _MACHINES[machine]
  steps = [_Step(_LOAD, 0, 0, 4), _Step(_EQUAL, 1, 0, known),
           _Step(_RETURN, 0, 0, _KILL), _Step(_LOAD, 0, 0, 0)]
  if machine == 'x86_64':  # The same calls under other numbers (x32).
    steps += [_Step(0x35, 0, 1, 0x40000000), _Step(_RETURN, 0, 0, _KILL)]
  for numbers in _FORBIDDEN.values():
    if numbers[column] is not None:
      steps += [_Step(_EQUAL, 0, 1, numbers[column]),
                _Step(_RETURN, 0, 0, _ERROR | _EPERM)]
  # Without clone3 the C library takes clone, whose flags can be looked at.
  steps += [_Step(_EQUAL, 0, 1, _CLONE3[column]),
            _Step(_RETURN, 0, 0, _ERROR | _ENOSYS),
            _Step(_EQUAL, 0, 4, _CLONE[column]), _Step(_LOAD, 0, 0, 16),
            _Step(_ANY, 0, 1, _THREAD), _Step(_RETURN, 0, 0, _ALLOW),
            _Step(_RETURN, 0, 0, _ERROR | _EPERM),
            # A signal only to itself: so it is that abort() ends a process.
            _Step(_EQUAL, 0, 3, _TGKILL[column]), _Step(_LOAD, 0, 0, 16),
            _Step(_EQUAL, 1, 0, os.getpid()),
            _Step(_RETURN, 0, 0, _ERROR | _EPERM)]
  return [*steps, _Step(_RETURN, 0, 0, _ALLOW)]


def _only_these_calls() -> bool:
  if platform.machine() not in _MACHINES:
    return False
  steps = _steps(platform.machine())
  program = _Program(len(steps), (_Step * len(steps))(*steps))
  return _libc().prctl(
      _SECCOMP, ctypes.c_ulong(2), ctypes.byref(program), ctypes.c_ulong(0),
      ctypes.c_ulong(0)) == 0
