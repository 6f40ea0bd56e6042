"""Tests of desk/preview.py and layers.py."""

from concurrent import futures
import pathlib
import threading
import time
from unittest import mock

from absl.testing import absltest
import numpy as np
import pytest

from revive_jax import networks, types
from revive_jax.desk import (
    decided,
    film,
    known,
    layers,
    pictures,
    preview,
    settings,
    turns,
)
from revive_jax.models import restorer, weights
from revive_jax.types import Origin
from revive_jax.video import probe, reader
from tests.desk import desks

_BOX = np.s_[8:13, 20:25]


class _Counting:
  """A network that fills a box with how many frames of a shot it has seen."""

  def __init__(self):
    self.calls = 0

  def __call__(self, frames, *, mask, cuts, state, carry_after, sample=0,
               count=None):
    del mask, cuts
    self.calls += 1
    seen = 0.0 if state is None else float(np.asarray(state.hidden)[0, 0])
    output, damage = np.array(frames), np.zeros((*frames.shape[:-1], 1), 'f4')
    for t in range(frames.shape[1]):
      output[(0, t, *_BOX)] = 0.02 * (seen + t + 1) + 0.1 * sample
      damage[(0, t, *_BOX)] = 1
    flow = np.zeros((*frames.shape[:2], 2, frames.shape[2] // 2,
                     frames.shape[3] // 2, 2), np.float32)
    del count
    zero = np.zeros((1, 1), np.float32)
    return restorer.Restored(output, damage, np.full_like(damage, -6), flow), (
        restorer.State(zero, zero, np.full(
            (1, 1), seen + carry_after, np.float32), zero))


def _grey(picture):
  return int(np.median(picture[_BOX]))


class PreviewTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _place(self, *lengths, answers=1, **changed):
    place = desks.measured(
        self.dir / 'desk', *lengths, window=4, lookahead=2, **changed)
    settings.change(place, format='mkv', answers=answers)
    return place

  def _learned(self, *lengths, **options):
    """A film that is restored by _Counting, and that network."""
    network = _Counting()
    self.enter_context(mock.patch.object(
        networks, 'make_network', lambda *_: network))
    self.enter_context(mock.patch.object(known, '_network', lambda *_: network))
    strength = dict(scratch=1.0, dust=1.0, noise=0.0, flicker=0.0, blur=0.0,
                    tone=0.0)
    return self._place(*lengths, weights='restorer', strength=strength,
                       moving='ignore', **options), network

  def _film(self, place):
    desks.restored(place)
    return [f.rgb for f in reader.read_frames(
        probe.probe(str(settings.output(place))))]

  def test_exactly_as_the_film(self):
    place = self._place(9, 3)
    decided.change(place, 0, strength={'noise': 0.5})
    restored = self._film(place)
    for t in (3, 4, 8, 10):  # Of all windows.
      found = preview.preview(place, t, exact=True)
      self.assertTrue(found.is_exact)
      np.testing.assert_array_equal(found.after, restored[t], str(t))
      np.testing.assert_array_equal(found.before, film.frame(place, t))

  def test_exactly_with_what_the_network_remembers(self):
    place, _ = self._learned(11, 3)
    restored = self._film(place)
    for t in (0, 5, 10, 12):
      found = preview.preview(place, t, exact=True)
      np.testing.assert_array_equal(found.after, restored[t], str(t))
      seen = t + 1 if t < 11 else t - 10
      self.assertEqual(_grey(found.after), round(255 * 0.02 * seen))

  def test_quickly_it_sees_less_and_says_so(self):
    place, _ = self._learned(11, 3)
    with mock.patch.object(preview, '_WORK', 5 * 32 * 48):  # Five frames.
      found = preview.preview(place, 8)
      short = preview.preview(place, 12)  # The whole shot is no more.
    self.assertFalse(found.is_exact)
    self.assertIn('may differ a little', found.sentences[0])
    # It is the third of five that the network sees, not the ninth of eleven.
    self.assertEqual(_grey(found.after), round(255 * 0.02 * 3))
    self.assertTrue(short.is_exact)
    self.assertEqual(short.sentences, [])

  def test_reads_only_what_the_frame_needs(self):
    place = self._place(40)
    preview._Steady._results.clear()
    pictures._frames.clear()
    read = []
    around = pictures.around

    def watched(found, start, stop):
      read.append((start, stop))
      return around(found, start, stop)

    with mock.patch.object(pictures, 'around', watched), mock.patch.object(
        preview, '_WORK', 5 * 32 * 48):
      preview.preview(place, 30)
    self.assertEqual(read, [(28, 33), (30, 31)])

  def test_another_strength_needs_no_network_again(self):
    place, network = self._learned(11)
    preview.preview(place, 5)
    before = network.calls
    decided.change(place, 0, strength={'noise': 1.0})
    decided.change(place, None, strength={'flicker': 0.0})
    preview.preview(place, 5)
    self.assertEqual(network.calls, before)
    preview.preview(place, 6)
    self.assertEqual(network.calls, before + 1)

  def test_each_answer(self):
    place, _ = self._learned(6, answers=3)
    greys = [_grey(p.after) for p in preview.answers(place, 0)]
    self.assertEqual(greys, [round(255 * g) for g in (0.02, 0.12, 0.22)])
    decided.change(place, 0, sample=2)
    self.assertEqual(_grey(preview.preview(place, 0).after), greys[2])
    self.assertEqual(_grey(preview.preview(place, 0, sample=1).after), greys[1])
    with self.assertRaisesRegex(types.BadInput, 'no answer 3'):
      preview.preview(place, 0, sample=3)

  def test_layers_as_pictures(self):
    place, _ = self._learned(6)
    found = preview.preview(place, 2)
    self.assertLessEqual(set(found.layers), set(layers.NAMES))
    damage = found.layers['damage']
    self.assertTrue((damage[_BOX] == 255).all())
    self.assertFalse(damage[20:].any())
    over = layers.overlay(found, 'damage', strength=0.5)
    np.testing.assert_array_equal(over[20:], found.after[20:])
    np.testing.assert_allclose(
        over[10, 22], (found.after[10, 22] + np.array([255, 60, 40])) / 2,
        atol=1)
    origin = found.layers['origin']
    self.assertEqual(origin[10, 22], 85 * Origin.INVENTED)
    self.assertEqual(layers.picture('origin', origin)[10, 22].tolist(),
                     [230, 60, 50])
    for name, layer in found.layers.items():
      self.assertEqual(layers.picture(name, layer).shape, (32, 48, 3))
      self.assertEqual(layers.legend(name, layer, 200).shape[1:], (200, 3))
      self.assertEqual(layers.overlay(found, name).dtype, np.uint8)

  def test_of_faces_it_says_what_was_done(self):
    rows = np.full((1, 2, 7), np.nan, np.float32)
    rows[0, 1] = (4, 0.9, 0.6, 1, 0, 0, 0)
    window = mock.Mock(clip=mock.Mock(faces=rows))
    told, = preview._people(window, 0)
    self.assertEqual((told['track'], told['done'], told['is_warning']),
                     (4, 'half strength', True))
    self.assertIn('another person', told['sentence'])

  def test_one_film_waits_and_another_is_read(self):
    """What is slow to read keeps nobody else waiting."""
    place = self._place(3)
    other = desks.put(place.desk, pathlib.Path(place.source).read_bytes())
    film.measure(other)
    pictures._frames.clear()
    read, begun, free = pictures._read, threading.Event(), threading.Event()

    def slow(found, start, stop):
      if str(place.folder) in str(found.film.source.path):
        begun.set()
        self.assertTrue(free.wait(60))
      return read(found, start, stop)

    with mock.patch.object(pictures, '_read', slow), (
        futures.ThreadPoolExecutor(1)) as pool:
      waiting = pool.submit(film.frame, place, 0)
      begun.wait(60)
      np.testing.assert_array_equal(film.frame(other, 1)[0, 0].shape, (3,))
      self.assertFalse(waiting.done())
      free.set()
      self.assertEqual(waiting.result(60).shape, (32, 48, 3))

  def test_of_previews_that_wait_the_newest_is_made(self):
    place = self._place(6)
    with futures.ThreadPoolExecutor(2) as pool, preview._turns.turn(
        'another film'):
      asked = []
      for t in (1, 2):
        asked.append(pool.submit(preview.preview, place, t, kind='preview'))
        while not asked[0].done() and place.folder not in (
            preview._turns._waiting):
          time.sleep(0.001)
      with self.assertRaises(turns.SupersededError):
        asked[0].result(60)
    self.assertEqual(asked[1].result(60).frame, 2)

  def test_refuses_frames_that_are_too_large(self):
    place = self._place(3)
    with mock.patch.object(preview, '_MOST', 3 * 32 * 48 - 1):
      with self.assertRaisesRegex(
          types.BadInput, '^tape.mkv: its frames of 48 by 32 pixels are too'):
        preview.preview(place, 1)
    preview.preview(place, 1)

  def test_what_was_deleted_meanwhile_is_not_kept(self):
    def network(frames, **options):
      preview._Steady.forget(self.dir)
      return 'made'

    frames = np.zeros((1, 2, 16, 16, 3), np.float32)
    kept = len(preview._Steady._results)
    steady = preview._Steady(network, 2)
    made = steady(frames, mask=frames[..., :1], cuts=np.zeros((1, 2), bool),
                  state=None, carry_after=2)
    self.assertEqual(made, 'made')
    self.assertLessEqual(len(preview._Steady._results), kept)
    self.assertEmpty(preview._Steady._results)

  def test_refuses_frames_that_are_not_there(self):
    place = self._place(3)
    with self.assertRaisesRegex(types.BadInput, 'from 0 to 2'):
      preview.preview(place, 3)

  @pytest.mark.slow
  def test_with_the_network_that_ships(self):
    clip = desks.clip(40, height=96, width=128)
    place = desks.put(desks.opened(
        self.dir / 'desk', weights='restorer', fill='temporal_median'),
                      desks.film_bytes(self.dir, clip))
    settings.change(place, format='mkv')
    film.measure(place)
    restored = self._film(place)
    for t in (0, 20, 30):
      exact = preview.preview(place, t, exact=True).after
      np.testing.assert_array_equal(exact, restored[t])
      with mock.patch.object(preview, '_WORK', 5 * 96 * 128):
        quick = preview.preview(place, t).after
      error = np.mean((quick.astype(float) - restored[t]) ** 2)
      self.assertGreater(10 * np.log10(255**2 / error), 32)
    self.assertTrue(weights.shipped())


if __name__ == '__main__':
  absltest.main()
