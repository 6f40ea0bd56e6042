"""Master keys: from the system's keyring, a file, or a passphrase.

No key and no passphrase is taken from a command line or a config, where others
could read it; and none is written to a report or a log.
"""

import base64
import binascii
import getpass
import os
import sys

from revive_jax import files, types
from revive_jax.privacy import encryption

VARIABLE = 'REVIVE_JAX_PASSPHRASE'  # Of the environment.
_SERVICE, _USER = 'revive_jax', 'master key'  # In the keyring.
_LEAST = 8  # Characters of a passphrase.
_MAKE = '--mode=make-key --config.encrypt.key='


def check(name: str) -> None:
  """Raises BadInput unless name is one of the kinds of keys (or '', none)."""
  if name not in ('', 'keyring', 'passphrase') and not (
      name.startswith('file:') and len(name) > 5):
    raise types.BadInput(
        f'--config.encrypt.key={name!r} is not known; choose keyring, '
        'file:PATH, passphrase, or leave it empty.')


def read(
    name: str, *, passphrase_file: str = '', confirm: bool = False
) -> encryption.MasterKey:
  """The key that is there.

  Args:
    name: 'keyring', 'file:PATH' or 'passphrase'.
    passphrase_file: its first line is the passphrase; '': the variable
      REVIVE_JAX_PASSPHRASE, or else the user is asked.
    confirm: ask twice, since a slip would lock the files for good.

  Raises:
    types.BadInput: there is no such key, or others can read it.
  """
  check(name)
  if name == 'keyring':
    return encryption.MasterKey(_read_keyring())
  if name.startswith('file:'):
    return encryption.MasterKey(_read_file(name.removeprefix('file:')))
  words = _passphrase(passphrase_file, confirm)
  if len(words) < _LEAST:
    raise types.BadInput(
        f'The passphrase has fewer than {_LEAST} characters; take a longer '
        'one, such as several words.')
  return encryption.MasterKey(words.encode(), is_passphrase=True)


def make(name: str) -> None:
  """Makes a new key; never in the place of one that is there.

  name: 'keyring' or 'file:PATH'.

  Raises:
    types.BadInput: it cannot be made, or there is one.
  """
  check(name)
  text = base64.b64encode(os.urandom(32)).decode()
  if name == 'keyring':
    if _asked_keyring('get_password') is not None:
      raise types.BadInput(
          'The keyring holds a key of revive_jax; what is sealed with it '
          'needs it, so remove it there yourself if you want another one.')
    _asked_keyring('set_password', text)
  elif name.startswith('file:'):
    _make_file(name.removeprefix('file:'), text)
  else:
    raise types.BadInput(
        'A passphrase needs no key to be made; keys are made with '
        '--config.encrypt.key=keyring or file:PATH.')


def _make_file(path, text) -> None:
  try:
    # Others cannot read it from its first moment on.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
              'w') as file:
      file.write(f'{text}\n')
  except FileExistsError:
    raise types.BadInput(
        f'{path}: there is a file of this name; what may be sealed with it '
        'needs it, so name another one.') from None
  except OSError as error:
    raise types.BadInput(
        f'{path}: the key cannot be written ({error.strerror}).') from error


def _private_text(path: str, what: str) -> str:
  """The text of a file that nobody else can read."""
  try:
    with open(path, encoding='utf-8') as file:
      if not files.is_private(file):
        raise types.BadInput(
            f'{path}: others can read this {what}; run: chmod 600 {path}')
      return file.read(1 << 16)
  except FileNotFoundError:
    more = f'; make one with {_MAKE}file:{path}' if what == 'key' else ''
    raise types.BadInput(f'{path}: there is no {what}{more}.') from None
  except OSError as error:
    raise types.BadInput(
        f'{path}: the {what} cannot be read ({error.strerror}).') from error
  except UnicodeDecodeError:
    raise types.BadInput(f'{path}: this is no {what}.') from None


def _decoded(text: str, where: str) -> bytes:
  try:
    secret = base64.b64decode(text.strip(), validate=True)
  except (binascii.Error, ValueError):
    secret = b''
  if len(secret) != 32:
    raise types.BadInput(
        f'{where}: this is no key; one is made with {_MAKE}file:PATH.')
  return secret


def _read_file(path: str) -> bytes:
  return _decoded(_private_text(path, 'key'), path)


def _read_keyring() -> bytes:
  text = _asked_keyring('get_password')
  if text is None:
    raise types.BadInput(
        f'The keyring holds no key of revive_jax; make one with {_MAKE}'
        'keyring.')
  return _decoded(text, 'The keyring')


def _asked_keyring(what: str, *text: str) -> str | None:
  try:
    import keyring
    from keyring import errors
  except ImportError:
    raise types.BadInput(
        'The keyring needs a library; run: pip install revive-jax[keyring], '
        'or name a key with --config.encrypt.key=file:PATH.') from None
  try:
    return getattr(keyring, what)(_SERVICE, _USER, *text)
  except errors.KeyringError as error:
    raise types.BadInput(
        f'The keyring of this system cannot be used ({error or "locked"}); '
        'name a key with --config.encrypt.key=file:PATH.') from error


def _passphrase(path: str, confirm: bool) -> str:
  if path:
    return (_private_text(path, 'passphrase').splitlines() or [''])[0]
  if VARIABLE in os.environ:
    return os.environ[VARIABLE]
  if not sys.stdin or not sys.stdin.isatty():
    raise types.BadInput(
        f'There is nobody to ask for the passphrase; put it into {VARIABLE}, '
        'or name its file with --config.encrypt.passphrase_file.')
  words = getpass.getpass('Passphrase: ')
  if confirm and getpass.getpass('Once more: ') != words:
    raise types.BadInput('The passphrases differ; run the command again.')
  return words
