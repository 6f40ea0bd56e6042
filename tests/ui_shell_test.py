"""Tests of what is around the desk: where it listens, who may come in, the end.

The slow ones need the extra ui and a browser, as tests/ui_test.py does.
"""

import contextlib
import io
import pathlib
import re
import signal
import socket
import subprocess
import sys
from unittest import mock
import webbrowser

from absl.testing import absltest, parameterized
import pytest

from configs import restore as restore_config
from configs import ui as config
from revive_jax import types, ui
from tests import processes
from tests.desk import desks
from tests.desk.page import browsing

_REFUSED = '400 (Bad Request)'  # What a browser says of what is refused.


class ShellTest(parameterized.TestCase):
  """What needs no browser and no gradio."""

  def test_a_port_in_use(self):
    with socket.socket() as other:
      other.bind(('127.0.0.1', 0))
      other.listen()
      c = config.get_config('tiny')
      c.ui.port = other.getsockname()[1]
      with self.assertRaisesRegex(
          types.BadInput, rf'port {c.ui.port} .*config.ui.port'):
        ui.serve(c, self.create_tempdir().full_path)

  @parameterized.parameters(
      ('port', -1, 'is no port'), ('port', 70_000, 'is no port'),
      ('host', 'no.such.host.invalid', 'no address of this computer'),
      ('token', 'short', 'config.ui.token'))
  def test_where_it_cannot_listen(self, name, value, sentence):
    c = config.get_config('tiny')
    c.ui[name] = value
    with self.assertRaisesRegex(types.BadInput, sentence):
      ui.serve(c, self.create_tempdir().full_path)

  def test_another_config(self):
    with self.assertRaisesRegex(types.BadInput, '--config=ui'):
      ui.serve(restore_config.get_config('tiny'),
               self.create_tempdir().full_path)

  def test_limits_that_cannot_be(self):
    for name in config.get_config('tiny').desk:
      c = config.get_config('tiny')
      c.desk[name] = 0
      with self.assertRaisesRegex(types.BadInput, f'config.desk.{name}'):
        ui.serve(c, self.create_tempdir().full_path)

  def test_limits_are_those_of_the_config(self):
    c = config.get_config('tiny').desk
    found = ui._limits(c)
    self.assertEqual(found.bytes, 4_000_000_000)
    self.assertEqual((found.seconds, found.lifetime), (1800, 86400))
    self.assertEqual((found.films, found.jobs), (c.films, c.jobs))

  def test_without_gradio_one_sentence_says_what_to_install(self):
    c = config.get_config('tiny')
    c.ui.port = 0
    with mock.patch.dict(sys.modules, {
        'gradio': None, 'fastapi': None, 'revive_jax.desk.page.app': None}):
      with self.assertRaisesRegex(
          types.BadInput, r"pip install 'revive-jax\[ui\]'"):
        ui.serve(c, self.create_tempdir().full_path)

  @parameterized.parameters(
      dict(return_value=False), dict(side_effect=webbrowser.Error))
  def test_without_a_browser_it_says_so(self, **found):
    said = io.StringIO()
    with mock.patch.object(webbrowser, 'open', **found), mock.patch.object(
        ui, '_has_screen', lambda: True), contextlib.redirect_stderr(said):
      ui._tell(mock.Mock(started=True), 'http://127.0.0.1:7/', True)
    self.assertEqual(said.getvalue(), 'revive_jax: no browser was found; open '
                     'the address above in one.\n')

  @parameterized.parameters(
      ('127.0.0.1', '', 'http://127.0.0.1:7/'), ('::1', '', 'http://[::1]:7/'),
      ('192.168.1.2', 'abc', 'http://192.168.1.2:7/?token=abc'),
      ('192.168.1.2', 'a&b#+', 'http://192.168.1.2:7/?token=a%26b%23%2B'))
  def test_addresses(self, host, token, wanted):
    self.assertEqual(ui.address(host, 7, token), wanted)

  def test_everywhere_is_called_by_the_name_of_the_machine(self):
    self.assertIn(socket.gethostname(), ui.address('0.0.0.0', 7, ''))


@pytest.mark.slow
class OwnDeskTest(parameterized.TestCase):
  """What needs a desk of its own."""

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.film = browsing.film(self.folder)

  def test_the_desk_is_killed_and_started_again(self):
    """The restore goes on meanwhile; the page finds it, by the same address."""
    port = processes.free_port()
    desk = browsing.serve(self.folder / 'desk', port=port)
    with browsing.visiting(desk.address, expected=[
        'ERR_CONNECTION_REFUSED', 'Failed to fetch', 'ERR_', 'WebSocket',
        'Connection']) as visitor:
      visitor.open(self.film)
      visitor.tab.click('desk-job .primary')
      visitor.wait_for_job('running')
      desk.stop(signal.SIGKILL)
      with browsing.served(self.folder / 'desk', port=port):
        visitor.tab.reload()
        visitor.wait_for_job('done')
        visitor.tab.wait_for_selector('desk-result video')

  def test_the_token(self):
    token = 'a-token-of-these-tests'
    with browsing.served(
        self.folder / 'desk', '--config.ui.host=0.0.0.0',
        f'--config.ui.token={token}') as desk:
      address = re.sub(r'//[^:]+', '//127.0.0.1', desk.address.split('?')[0])
      with browsing.visiting(address, expected=['401']) as visitor:
        tab = visitor.tab
        self.assertFalse(tab.is_visible('desk-open'))
        tab.fill('#token', 'not-the-token-at-all')
        tab.click('button')
        tab.wait_for_selector('text=This is not the token')
        tab.fill('#token', token)
        tab.click('button')
        visitor.open(self.film)
        self.assertNotIn(token, tab.url)
      with browsing.visiting(f'{address}?token={token}') as visitor:
        visitor.tab.wait_for_selector('desk-open button')
        self.assertNotIn(token, visitor.tab.url)

  def test_a_token_is_made_where_others_could_come_in(self):
    with browsing.served(
        self.folder / 'desk', '--config.ui.host=0.0.0.0') as desk:
      self.assertRegex(desk.address, r'\?token=[\w-]{22}$')

  def test_sealed_nothing_plain_is_on_the_disk(self):
    key = self.folder / 'key'
    key.write_text(desks.KEY)
    key.chmod(0o600)
    temporary = self.folder / 'temporary'
    temporary.mkdir()
    # Bytes that are in the film, and in no file of the desk.
    secret = browsing.secret(self.film)
    with browsing.served(
        self.folder / 'desk', f'--config.encrypt.key=file:{key}',
        TMPDIR=str(temporary)) as desk:
      with browsing.visiting(desk.address) as visitor:
        visitor.open(self.film)
        self.assertIn('encrypted', visitor.tab.inner_text('body'))
        visitor.tab.click('desk-job .primary')
        visitor.wait_for_job('done')
        visitor.tab.wait_for_selector('desk-result video.before')
        with visitor.tab.expect_download() as loaded:
          visitor.tab.click('desk-result a:has-text("The original")')
        taken = pathlib.Path(loaded.value.path()).read_bytes()
        self.assertEqual(taken, self.film.read_bytes())
        self.assertEqual(browsing.lying_open(
            secret, self.folder / 'desk', temporary), [])
    self.assertEqual(browsing.lying_open(
            secret, self.folder / 'desk', temporary), [])

  def test_too_large_and_too_many(self):
    with browsing.served(
        self.folder / 'desk', '--config.desk.gigabytes=2e-4',
        '--config.desk.films=1') as desk:
      large = self.folder / 'large.mkv'
      large.write_bytes(bytes(300_000))
      with browsing.visiting(desk.address, expected=[_REFUSED, '413']
                             ) as visitor:
        tab = visitor.tab
        tab.set_input_files('#desk-file', large)
        tab.wait_for_selector('desk-open .said.bad')
        # Who does not use the page is not let through either.
        status = tab.evaluate(
            "fetch('/desk/upload?name=a.mkv', {method: 'PUT', body: "
            'new Uint8Array(300000)}).then(a => a.text())')
        self.assertIn('this desk takes', status)
        visitor.open(self.film)
        tab.set_input_files('#desk-file', self.film)
        tab.wait_for_selector('text=No more than 1 of your films')

  def test_a_port_in_use_and_ctrl_c(self):
    """One sentence, exit code 2; and 130 for who is stopped."""
    with browsing.served(self.folder / 'desk') as desk:
      port = re.search(r':(\d+)/', desk.address)[1]
      found = subprocess.run(
          [sys.executable, '-m', 'revive_jax.main', '--mode=ui',
           f'--config.ui.port={port}'], capture_output=True, text=True,
          timeout=120, cwd=pathlib.Path(__file__).parents[1])
      self.assertEqual(found.returncode, 2)
      self.assertIn(f'port {port}', found.stderr)
      self.assertEqual(found.stderr.count('\n'), 1)
      self.assertEqual(desk.stop(), 130)


if __name__ == '__main__':
  absltest.main()
