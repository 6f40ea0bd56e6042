"""Tests of how much one visitor gets at once, asked of the app itself."""

import asyncio

from absl.testing import absltest
import pytest

pytest.importorskip('starlette')  # Of the extra ui.

from revive_jax.desk.page import crowd  # noqa: E402


def _scope(visitor, path='/desk/frame'):
  return {'type': 'http', 'path': path, 'method': 'GET', 'query_string': b'',
          'headers': [(b'cookie', f'revive_desk_7={visitor}'.encode())]}


class CrowdTest(absltest.TestCase):

  def _begun(self, *scopes, begins=False):
    """How many are at work when nobody else comes through."""
    async def run():
      count, end = [0], asyncio.Event()

      async def app(scope, receive, send):
        count[0] += 1
        if begins:
          await send({'type': 'http.response.start', 'status': 200})
        await end.wait()

      async def send(message):
        del message

      few = crowd.Few(app, 7)
      asked = [asyncio.ensure_future(few(s, None, send)) for s in scopes]
      for _ in range(len(asked) + 5):
        await asyncio.sleep(0)
      found = count[0]
      end.set()
      await asyncio.gather(*asked)
      self.assertLen(asked, count[0])  # All come through in the end.
      self.assertEmpty(few._places)
      return found

    return asyncio.run(run())

  def test_one_waits_and_others_do_not(self):
    mine, others = [_scope('mine')] * 30, [_scope('others')] * 3
    self.assertEqual(self._begun(*mine, *others), crowd._MOST + 3)

  def test_what_is_being_sent_does_not_count(self):
    self.assertEqual(self._begun(*[_scope('mine')] * 30, begins=True), 30)

  def test_what_gradio_answers_does_not_count(self):
    self.assertEqual(self._begun(*[_scope('mine', '/en/queue')] * 30), 30)

  def test_who_fails_makes_room(self):
    async def app(scope, receive, send):
      raise ConnectionError

    async def run():
      few = crowd.Few(app, 7)
      for _ in range(2 * crowd._MOST):
        with self.assertRaises(ConnectionError):
          await few(_scope('mine'), None, None)

    asyncio.run(run())


if __name__ == '__main__':
  absltest.main()
