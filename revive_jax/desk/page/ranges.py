"""Files that are sent whole, or in the parts that a player asks for."""

from collections.abc import Callable, Iterator
import re

NEW = {'cache-control': 'no-store'}  # Nothing of a film stays in a browser.


def part(asked: str | None, size: int) -> tuple[int, int] | None:
  """The bytes [start, stop) of a header Range, or all.

  What is no such header, or asks for several parts, is given all; None: there
  are no such bytes.
  """
  found = re.fullmatch(r'bytes=(\d*)-(\d*)', asked or '')
  if not found or not any(found.groups()):
    return 0, size
  first, last = found.groups()
  start = int(first) if first else max(size - int(last), 0)
  stop = min(int(last) + 1, size) if first and last else size
  return (start, stop) if start < stop else None


def named(name: str) -> str:
  """The header that says what a file is called where it is saved."""
  plain = re.sub(r'[^\w. -]', '_', name, flags=re.ASCII)
  quoted = ''.join(
      chr(b) if b < 128 and (chr(b).isalnum() or chr(b) in '.-_')
      else f'%{b:02X}' for b in name.encode())
  return f'attachment; filename="{plain}"; filename*=UTF-8\'\'{quoted}'


def headers(asked: str | None, size: int, name: str | None
            ) -> tuple[int, dict[str, str], tuple[int, int]]:
  """(status, headers, [start, stop)) of an answer."""
  told = {**NEW, 'accept-ranges': 'bytes'}
  found = part(asked, size)
  if found is None:
    return 416, {**told, 'content-range': f'bytes */{size}'}, (0, 0)
  if name is not None:
    told['content-disposition'] = named(name)
  start, stop = found
  told['content-length'] = str(stop - start)
  if (start, stop) == (0, size):
    return 200, told, found
  told['content-range'] = f'bytes {start}-{stop - 1}/{size}'
  return 206, told, found


def answer(request, size: int, read: Callable[[int, int], Iterator[bytes]], *,
           kind: str, name: str | None = None):
  """A file, or the part of it that is asked for; never all of it in memory.

  Args:
    request: of starlette, perhaps with a header Range.
    size: of the file, bytes.
    read: bytes [start, stop) of it, in pieces.
    kind: its media type.
    name: of the file where it is saved; None: it is shown.
  """
  from fastapi import responses  # Tests of the rest do without.

  status, told, (start, stop) = headers(
      request.headers.get('range'), size, name)
  if status == 416:
    return responses.Response(status_code=status, headers=told)
  return responses.StreamingResponse(
      read(start, stop), status, media_type=kind, headers=told)
