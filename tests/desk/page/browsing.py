"""A desk as a process of its own, and visitors with real browsers before it."""

import base64
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any, NamedTuple

from absl.testing import parameterized
import cv2
import numpy as np

from tests.desk import desks
from tests.explain import browser_test

LENGTHS, HEIGHT, WIDTH = (6, 6), 48, 64  # Of the film of the tests.
_ROOT = pathlib.Path(__file__).parents[3]
_PATIENCE = 60_000  # Milliseconds: the machine may have other work.


class Served(NamedTuple):
  """A desk that runs."""

  process: subprocess.Popen
  address: str
  said: list[str]

  def stop(self, sign=signal.SIGINT) -> int:
    """Ends it; its exit code."""
    self.process.send_signal(sign)
    return self.process.wait(30)


def serve(workdir, *words: str, port: int = 0, **environment: str) -> Served:
  """Starts a desk of the cheapest settings, and waits until it answers."""
  process = subprocess.Popen(
      [sys.executable, '-m', 'revive_jax.main', '--mode=ui',
       '--config=ui:tiny', f'--workdir={workdir}', f'--config.ui.port={port}',
       '--config.sandbox=off', *words], cwd=_ROOT,
      env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'} | environment,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
  said = []
  for line in process.stdout:
    said.append(line)
    if found := re.search(r'The desk is open: (\S+)', line):
      break
  else:
    raise AssertionError(f'The desk did not open: {"".join(said)}')
  threading.Thread(target=lambda: said.extend(process.stdout),
                   daemon=True).start()
  return Served(process, found[1], said)


@contextlib.contextmanager
def served(workdir, *words: str, **options):
  """The same, and ends it."""
  desk = serve(workdir, *words, **options)
  try:
    yield desk
  finally:
    if desk.process.poll() is None:
      desk.stop()


class Visitor(NamedTuple):
  """Somebody who looks at a page."""

  tab: Any
  asked: list[str]  # Addresses that were asked for.
  said: list[str]  # Errors of the page.

  def open(self, path) -> None:
    """Gives a film to the desk, and waits until it is shown."""
    self.tab.set_input_files('#desk-file', path)
    self.wait_for_film()

  def wait_for_film(self) -> None:
    """Waits until a frame is restored."""
    self.tab.wait_for_selector('desk-view .after[src]')
    self.wait_for_preview()

  def wait_for_preview(self) -> None:
    """Waits until nothing is being worked on."""
    self.tab.wait_for_timeout(500)  # Until it begins.
    self.tab.wait_for_function(
        "document.querySelector('desk-view .busy').hidden")

  def wait_for_job(self, *states: str) -> str:
    """Waits until a job is in one of these states; what is said of it."""
    self.tab.wait_for_function(
        "names => names.includes(document.querySelector('desk-job')"
        '?.dataset.state)', arg=[*states])
    return self.tab.inner_text('desk-job .said')

  def pixels(self, url: str) -> np.ndarray:
    """A picture of the desk as the page gets it, [H, W, C] int."""
    data = self.tab.evaluate("""async url => {
      const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
      let text = '';
      for (const byte of bytes) text += String.fromCharCode(byte);
      return btoa(text); }""", url)
    return cv2.imdecode(np.frombuffer(base64.b64decode(
        data), np.uint8), cv2.IMREAD_UNCHANGED).astype(int)

  def after(self) -> str:
    """Which picture is shown as restored."""
    return self.tab.get_attribute('desk-view .after', 'src')


@contextlib.contextmanager
def visiting(address: str, *, locale='en-US', width=1280, height=900,
             expected=(), **options):
  """A visitor; fails if the page erred or asked anybody else for anything.

  Args:
    address: of the desk.
    locale: of the browser.
    width: of its window, px.
    height: the same.
    expected: parts of messages that are no errors here.
    **options: of the browser's context.
  """
  from playwright import sync_api

  with sync_api.sync_playwright() as play:
    browser = play.chromium.launch(
        executable_path=browser_test.browser_path(), args=['--no-sandbox'])
    context = browser.new_context(
        viewport={'width': width, 'height': height}, locale=locale, **options)
    visitor = newcomer(context, address)
    try:
      yield visitor
    finally:
      browser.close()
  check(visitor, address, expected)


def newcomer(context, address: str) -> Visitor:
  """Somebody in a browser's context, at the desk."""
  tab = context.new_page()
  tab.set_default_timeout(_PATIENCE)
  visitor = Visitor(tab, [], [])
  tab.on('request', lambda request: visitor.asked.append(request.url))
  tab.on('pageerror', lambda error: visitor.said.append(str(error)))
  tab.on('console', lambda message: visitor.said.append(message.text)
         if message.type == 'error' else None)
  tab.goto(address)
  return visitor


def check(visitor: Visitor, address: str, expected=()) -> None:
  """Fails if a page erred, or asked anybody but the desk for anything."""
  home = re.match(r'http://[^/]+/', address)[0]
  outside = [url for url in visitor.asked
             if not url.startswith((home, 'data:', 'blob:'))]
  if outside:
    raise AssertionError(f'The page asked for {outside}.')
  if len(visitor.asked) < 5:
    raise AssertionError('Nobody watched what the page asks for.')
  erred = [text for text in visitor.said
           if not any(part in text for part in expected)]
  if erred:
    raise AssertionError(f'The page said {erred}.')


def film(folder, name='tape.mkv', lengths=LENGTHS) -> pathlib.Path:
  """A film of two shots, losslessly."""
  path = pathlib.Path(folder) / name
  frames = desks.clip(*lengths, height=HEIGHT, width=WIDTH)
  frames[lengths[0]:] = 255 - frames[lengths[0]:]  # A cut that none misses.
  path.write_bytes(desks.film_bytes(folder, frames))
  return path


# How files of pictures and films that anybody can open begin.
_MAGIC = (b'\xff\xd8\xff', b'\x89PNG', b'ftyp', b'\x1aE\xdf\xa3')


def secret(path) -> bytes:
  """Bytes of a film, that are in nothing else."""
  return path.read_bytes()[2000:2064]


def lying_open(known, *folders) -> list[pathlib.Path]:
  """Files with these bytes, and pictures and films that anybody can open."""
  found, count = [], 0
  for folder in folders:
    for path in folder.rglob('*'):
      if path.is_file():
        data, count = path.read_bytes(), count + 1
        if known in data or any(m in data[:12] for m in _MAGIC):
          found.append(path)
  assert count > 5, 'Nothing was looked at.'
  return found


class DeskTestCase(parameterized.TestCase):
  """Tests of one desk, and of those who visit it."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.own = tempfile.TemporaryDirectory()
    cls.folder = pathlib.Path(cls.own.name)
    cls.film = film(cls.folder)
    cls.desk = serve(cls.folder / 'desk', '--config.desk.jobs=2',
                              '--config.report')
    cls.address = cls.desk.address

  @classmethod
  def tearDownClass(cls):
    cls.desk.stop()
    cls.own.cleanup()
    super().tearDownClass()


def drag(tab, start, stop):
  """Paints from one place of the picture to another, as shares of it."""
  canvas = tab.locator('desk-view canvas')
  canvas.scroll_into_view_if_needed()
  box = canvas.bounding_box()
  at = lambda point: (box['x'] + point[0] * box['width'],
                      box['y'] + point[1] * box['height'])
  tab.mouse.move(*at(start))
  tab.mouse.down()
  tab.mouse.move(*at(stop), steps=8)
  tab.mouse.up()


# How many pixels are painted.
ALPHA = ("(() => { const c = document.querySelector('desk-view canvas'); "
          "return c.getContext('2d').getImageData(0, 0, c.width, c.height)"
          '.data.filter((x, i) => i % 4 === 3 && x > 127).length; })()')
