"""Who may come in: this machine's own browser, or who has the token."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import hashlib
import hmac
import html
import http.cookies
import ipaddress
import secrets
import urllib.parse

from revive_jax import types
from revive_jax.desk.page import strings

_SHORTEST = 16  # Characters of a token; one of ours has 22.
_PAUSE = 1.0  # Seconds before a wrong token is answered.
_LARGEST_FORM = 1000  # Bytes of the form with the token.
_YEAR = 365 * 24 * 3600
PAGES = ('/', *(f'/{name}/' for name in strings.LANGUAGES))
# What the page needs of gradio. Its other routes would keep files openly on the
# disk, or fetch them for others: nothing of ours goes that way.
_OPEN = tuple(f'/{place}' for place in (
    'config', 'theme.css', 'static/', 'assets/', 'svelte/', 'favicon.ico',
    'manifest.json', 'gradio_api/queue/', 'gradio_api/info',
    'gradio_api/heartbeat/', 'gradio_api/startup-events',
    'gradio_api/theme.css', 'gradio_api/app_id', 'gradio_api/cancel',
    'gradio_api/reset', 'gradio_api/login_check', 'gradio_api/user'))
# gradio's own page needs scripts in the page and new Function().
_HEADERS = {
    'content-security-policy': (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'self'"),
    # With no-referrer a browser would not say whose form it sends.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
}
_App = Callable[[dict, Callable, Callable], Awaitable[None]]


def is_loopback(host: str) -> bool:
  """Whether only this machine can reach what listens there."""
  try:
    return ipaddress.ip_address(host.strip('[]')).is_loopback
  except ValueError:
    return host == 'localhost'


def token_for(host: str, token: str) -> str:
  """The token that is asked for; '': none, only this machine can come in.

  Raises:
    types.BadInput: the token of the user is too short to be one.
  """
  if token and (len(token) < _SHORTEST or not token.isascii()
                or not token.isprintable() or ' ' in token):
    raise types.BadInput(
        f'--config.ui.token has to be of {_SHORTEST} characters or more, '
        "letters, digits and signs; leave it out, and one is made.")
  if not token and not is_loopback(host):
    return secrets.token_urlsafe(16)
  return token


def guarded(app: _App, *, host: str, port: int, token: str,
            known: Callable[[str], bool], new: Callable[[], str]) -> _App:
  """An ASGI app behind the door.

  Other sites, and other names of this machine, are sent away; without the
  token there is a form that asks for it; who opens a page for the first time
  becomes a visitor, whose id travels in a cookie that no script can read.

  Args:
    app: what is behind the door.
    host: where it listens.
    port: of this desk: cookies of two on one machine have two names.
    token: see token_for.
    known: whether an id is of a visitor.
    new: makes a visitor, and returns the id.
  """
  async def entered(scope, receive, send):
    if scope['type'] not in ('http', 'websocket'):
      await app(scope, receive, send)
      return
    headers = _headers(scope)
    cookies = _cookies(headers.get('cookie', ''))
    if problem := _problem(scope, headers, host):
      await _answer(scope, send, 403, problem)
    elif token and not _holds(cookies.get(_token_cookie(port)), token):
      await _ask(scope, headers, receive, send, token, port)
    elif _is_closed(scope['path']):
      await _answer(scope, send, 404, 'This desk takes no files this way.')
    else:
      await _pass_on(scope, receive, send, cookies.get(visitor_cookie(port)))

  async def _pass_on(scope, receive, send, visitor):
    extra = dict(_HEADERS)
    if scope['type'] == 'http' and scope['path'] in PAGES and not (
        visitor and known(visitor)):
      name = visitor_cookie(port)
      visitor = await asyncio.to_thread(new)
      extra['set-cookie'] = _cookie(name, visitor)
      scope = {**scope, 'headers': [
          *((k, v) for k, v in scope['headers'] if k != b'cookie'),
          (b'cookie', f'{name}={visitor}'.encode())]}
    await app(scope, receive, _with_headers(send, extra))

  return entered


def visitor_cookie(port: int) -> str:
  """The name of the cookie with a visitor's id."""
  return f'revive_desk_{port}'


def visitor_of(cookies: Mapping[str, str], port: int) -> str:
  """The id in the cookies of a request, or ''; nobody has looked at it."""
  return cookies.get(visitor_cookie(port), '')


def _token_cookie(port: int) -> str:
  return f'revive_door_{port}'


def _headers(scope) -> dict[str, str]:
  return {k.decode('latin-1').lower(): v.decode('latin-1')
          for k, v in scope['headers']}


def _cookies(text: str) -> dict[str, str]:
  try:
    return {k: m.value for k, m in http.cookies.SimpleCookie(text).items()}
  except http.cookies.CookieError:
    return {}


def _cookie(name: str, value: str) -> str:
  return f'{name}={value}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Lax'


def _problem(scope, headers, host) -> str:
  """Why a request is not of our own page; ''."""
  asked = headers.get('host', '')
  try:
    name = urllib.parse.urlsplit(f'//{asked}').hostname or ''
    origin = headers.get('origin')
    site = None if origin is None else urllib.parse.urlsplit(origin).netloc
  except ValueError:  # '[' without ']'.
    return 'This is no name of a machine.'
  # Else a page of another site, whose name is made to mean this machine, would
  # be read as ours.
  if is_loopback(host) and not is_loopback(name):
    return 'This desk is open to the browser of its own machine only.'
  if site is not None and site != asked:
    return 'Another site asks for this; it gets nothing.'
  return ''


def _is_closed(path: str) -> bool:
  """Whether a path is of gradio, and none that the page needs."""
  for page in PAGES[1:]:
    if path.startswith(page):
      rest = path[len(page) - 1:]
      return rest != '/' and not rest.startswith(_OPEN)
  return False


def _holds(given: str | None, token: str) -> bool:
  return hmac.compare_digest((given or '').encode(), _proof(token).encode())


def _proof(token: str) -> str:
  """What a browser keeps that knew the token."""
  return hashlib.sha256(f'revive_jax desk {token}'.encode()).hexdigest()


async def _ask(scope, headers, receive, send, token, port) -> None:
  """Lets in who gives the token in the address or the form; asks others."""
  query = dict(urllib.parse.parse_qsl(scope.get('query_string', b'').decode(
      'utf-8', 'replace')))
  given = query.pop('token', None)
  if scope['type'] == 'http' and scope['method'] == 'POST' and (
      scope['path'] == '/desk/enter'):
    form = await _form(receive)
    given, query = form.get('token', ''), {}
  if given is not None and hmac.compare_digest(
      given.strip().encode(), token.encode()):
    place = '/' if scope['path'] not in PAGES else scope['path']
    if query:
      place += f'?{urllib.parse.urlencode(query)}'
    await _answer(scope, send, 303, '', {
        'location': place,
        'set-cookie': _cookie(_token_cookie(port), _proof(token))})
    return
  if given is not None:
    await asyncio.sleep(_PAUSE)
  language = strings.choose(headers.get('accept-language'))
  await _answer(scope, send, 401, _login(language, given is not None),
                {'content-type': 'text/html; charset=utf-8'})


async def _form(receive) -> dict[str, str]:
  """The fields of a small form; {}: it is not small."""
  body = b''
  while True:
    message = await receive()
    body += message.get('body', b'')
    if len(body) > _LARGEST_FORM:
      return {}
    if not message.get('more_body'):
      return dict(urllib.parse.parse_qsl(body.decode('utf-8', 'replace')))


def _login(language: str, was_wrong: bool) -> str:
  """The page that asks for the token."""
  text = lambda key: html.escape(strings.say(language, key))
  wrong = f'<p role="alert">{text("token_wrong")}</p>' if was_wrong else ''
  return f"""<!doctype html><html lang="{language}"><head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{text('title')}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 18px/1.5 system-ui, sans-serif; max-width: 32rem;
  margin: 3rem auto; padding: 0 1rem; }}
input, button {{ font: inherit; padding: .5rem; width: 100%;
  box-sizing: border-box; margin: .3rem 0; }}
[role=alert] {{ font-weight: 600; }}
</style></head><body><h1>{text('title')}</h1>{wrong}
<form method="post" action="/desk/enter">
<label for="token">{text('token_ask')}</label>
<input id="token" name="token" type="password" required autofocus
 autocomplete="current-password">
<button>{text('token_enter')}</button></form></body></html>"""


async def _answer(scope, send, status, text, headers=None) -> None:
  if scope['type'] == 'websocket':
    await send({'type': 'websocket.close', 'code': 1008})
    return
  body = text.encode()
  told = {'content-type': 'text/plain; charset=utf-8', **_HEADERS,
          'content-length': str(len(body)), 'cache-control': 'no-store',
          **(headers or {})}
  await send({'type': 'http.response.start', 'status': status,
              'headers': _encoded(told)})
  await send({'type': 'http.response.body', 'body': body})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
  return [(k.encode(), v.encode()) for k, v in headers.items()]


def _with_headers(send, extra):
  """Sends on, with headers that hold for all answers."""
  async def sent(message):
    if message['type'] == 'http.response.start':
      drop = {k.encode() for k in extra if k != 'set-cookie'}
      kept = [(k, v) for k, v in message['headers'] if k.lower() not in drop]
      message = {**message, 'headers': [*kept, *_encoded(extra)]}
    await send(message)

  return sent
