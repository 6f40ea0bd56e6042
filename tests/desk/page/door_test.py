"""Tests of who may come in: asked of the app itself, without a server."""

import asyncio

from absl.testing import absltest, parameterized

from revive_jax import types
from revive_jax.desk.page import door

_TOKEN = 'a-token-of-the-tests'


async def _behind(scope, receive, send):
  """Says which cookies came through."""
  del receive
  body = dict(scope['headers']).get(b'cookie', b'')
  await send({'type': 'http.response.start', 'status': 200,
              'headers': [(b'content-type', b'text/plain')]})
  await send({'type': 'http.response.body', 'body': b'in ' + body})


def _ask(path='/en/', *, host='127.0.0.1', token='', method='GET', body=b'',
         known=('old',), **headers):
  """(status, headers, body) of an answer."""
  app = door.guarded(_behind, host=host, port=7, token=token,
                     known=lambda v: v in known, new=lambda: 'new')
  path, _, query = path.partition('?')
  headers = {'host': '127.0.0.1:7', **headers}
  scope = {'type': 'http', 'path': path, 'query_string': query.encode(),
           'method': method, 'headers': [
               (k.replace('_', '-').encode(), v.encode())
               for k, v in headers.items()]}
  sent = []

  async def receive():
    return {'type': 'http.request', 'body': body, 'more_body': False}

  async def send(message):
    sent.append(message)

  asyncio.run(app(scope, receive, send))
  got = {k.decode(): v.decode() for k, v in sent[0]['headers']}
  return sent[0]['status'], got, b''.join(m['body'] for m in sent[1:]).decode()


class DoorTest(parameterized.TestCase):

  @parameterized.parameters(
      ('127.0.0.1', True), ('127.8.9.1', True), ('::1', True), ('[::1]', True),
      ('localhost', True), ('0.0.0.0', False), ('::', False),
      ('192.168.1.7', False), ('example.org', False), ('', False))
  def test_loopback(self, host, wanted):
    self.assertEqual(door.is_loopback(host), wanted)

  def test_elsewhere_there_is_a_token_always(self):
    self.assertEqual(door.token_for('127.0.0.1', ''), '')
    for host in ('0.0.0.0', '::', '192.168.1.7'):
      one, two = (door.token_for(host, '') for _ in range(2))
      self.assertGreaterEqual(len(one), 22)  # 128 bits in base 64.
      self.assertNotEqual(one, two)
    self.assertEqual(door.token_for('0.0.0.0', _TOKEN), _TOKEN)

  @parameterized.parameters('short', 'with spaces in it, long', 'ü' * 20)
  def test_what_is_no_token(self, token):
    with self.assertRaisesRegex(types.BadInput, 'config.ui.token'):
      door.token_for('0.0.0.0', token)

  def test_a_first_look_makes_a_visitor(self):
    status, headers, body = _ask()
    self.assertEqual((status, body), (200, 'in revive_desk_7=new'))
    for word in ('revive_desk_7=new;', 'HttpOnly', 'SameSite=Lax'):
      self.assertIn(word, headers['set-cookie'])
    status, headers, body = _ask(cookie='revive_desk_7=old')
    self.assertNotIn('set-cookie', headers)
    self.assertIn('old', body)
    # Who has gone, or never was, is a new one; and only pages make visitors.
    self.assertIn('new', _ask(cookie='revive_desk_7=guess')[2])
    self.assertNotIn('set-cookie', _ask('/desk/static/desk.js')[1])

  def test_nothing_leaves_the_page(self):
    policy = _ask()[1]['content-security-policy']
    self.assertIn("default-src 'self'", policy)
    self.assertIn("frame-ancestors 'none'", policy)
    self.assertNotRegex(policy, r'https?:|\*')
    self.assertEqual(_ask()[1]['referrer-policy'], 'same-origin')

  @parameterized.parameters(
      dict(host='evil.example'), dict(host='127.0.0.1.evil.example:7'),
      dict(origin='http://evil.example'), dict(origin='http://127.0.0.1:8'),
      dict(origin='null'), dict(host='[::1'), dict(origin='http://[::1'))
  def test_other_sites_get_nothing(self, host='127.0.0.1:7', **headers):
    status, body = _raw([(b'host', host.encode()), *(
        (k.encode(), v.encode()) for k, v in headers.items())])
    self.assertEqual(status, 403)
    self.assertFalse(body.startswith('in '))

  def test_our_own_page_gets_through(self):
    for host in ('127.0.0.1:7', 'localhost:7', '[::1]:7'):
      status, _ = _raw([(b'host', host.encode()),
                        (b'origin', f'http://{host}'.encode())])
      self.assertEqual(status, 200)

  @parameterized.parameters(
      '/en/gradio_api/upload', '/zh/gradio_api/file=/etc/passwd',
      '/en/gradio_api/proxy=http://x', '/en/gradio_api/stream/1',
      '/en/gradio_api/component_server', '/en/upload', '/en/file=/etc/passwd',
      '/en/gradio_api/run/predict', '/en/runs', '/en/monitoring')
  def test_gradio_takes_and_gives_no_files(self, path):
    self.assertEqual(_ask(path)[0], 404)

  @parameterized.parameters(
      '/', '/en/', '/zh/', '/en/config', '/en/gradio_api/queue/join',
      '/zh/assets/index.js', '/desk/frame')
  def test_what_the_page_needs_is_open(self, path):
    self.assertEqual(_ask(path)[0], 200)

  def test_without_the_token_there_is_a_form(self):
    for path in ('/', '/en/', '/desk/frame', '/en/gradio_api/queue/join'):
      status, _, body = _ask(path, token=_TOKEN, host='0.0.0.0')
      self.assertEqual(status, 401)
      self.assertIn('<form method="post"', body)
      self.assertNotIn(_TOKEN, body)
    body = _ask(token=_TOKEN, accept_language='zh-CN')[2]
    self.assertIn('lang="zh"', body)

  def test_the_token_opens_and_leaves_the_address(self):
    status, headers, _ = _ask(f'/zh/?film=1&token={_TOKEN}', token=_TOKEN)
    self.assertEqual((status, headers['location']), (303, '/zh/?film=1'))
    cookie = headers['set-cookie'].partition(';')[0]
    self.assertNotIn(_TOKEN, cookie)
    self.assertEqual(_ask(token=_TOKEN, cookie=cookie)[0], 200)
    self.assertEqual(_ask(token=_TOKEN + 'x', cookie=cookie)[0], 401)

  def test_the_form(self):
    ask = lambda body: _ask('/desk/enter', method='POST', token=_TOKEN,
                            body=body)
    self.assertEqual(ask(f'token={_TOKEN}'.encode())[0], 303)
    with absltest.mock.patch.object(door, '_PAUSE', 0):
      for body in (b'token=wrong', b'token=', b'', b'token=' + 2000 * b'x'):
        status, _, page = ask(body)
        self.assertEqual(status, 401)
        self.assertIn('role="alert"', page)


def _raw(headers):
  """(status, body) of a request with exactly these headers."""
  app = door.guarded(_behind, host='127.0.0.1', port=7, token='',
                     known=lambda v: True, new=lambda: 'new')
  sent = []

  async def send(message):
    sent.append(message)

  asyncio.run(app({'type': 'http', 'path': '/desk/job', 'method': 'POST',
                   'query_string': b'', 'headers': headers}, None, send))
  return sent[0]['status'], sent[1]['body'].decode()


if __name__ == '__main__':
  absltest.main()
