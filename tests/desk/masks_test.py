"""Tests of desk/masks.py."""

from concurrent import futures
import fcntl
import pathlib
import shutil
from unittest import mock

from absl.testing import absltest
import numpy as np
import pytest

from revive_jax import types
from revive_jax.desk import (
    downloads,
    film,
    masks,
    preview,
    settings,
    visitors,
)
from revive_jax.video import masks as masks_lib
from revive_jax.video import probe
from tests.desk import desks


class MasksTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.place = desks.measured(self.dir / 'desk', 6, 6)
    self.none = np.zeros((32, 48), bool)
    self.here, self.there = self.none.copy(), self.none.copy()
    self.here[4:9, 10:20], self.there[20:30, 2:5] = True, True

  def test_a_frame_and_a_whole_shot(self):
    masks.paint(self.place, shot=1, painted=self.here, erased=self.none)
    masks.paint(self.place, frame=8, painted=self.none, erased=self.there)
    self.assertEqual(masks.listed(self.place), {'frames': [8], 'shots': [1]})
    painted, erased = masks.painted(self.place, shot=1)
    np.testing.assert_array_equal(painted, self.here)
    self.assertFalse(erased.any())
    np.testing.assert_array_equal(
        masks.effective(self.place, 8), self.here.astype(int) - self.there)
    np.testing.assert_array_equal(
        masks.effective(self.place, 7), self.here.astype(int))
    self.assertFalse(masks.effective(self.place, 0).any())

  def test_a_frame_has_the_last_word_over_its_shot(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    masks.paint(self.place, frame=2, painted=self.none, erased=self.here)
    np.testing.assert_array_equal(
        masks.effective(self.place, 2), -self.here.astype(int))

  def _composed(self, place):
    masks.compose(place)
    path = place.path(settings.mask_name(place))
    info = probe.probe(path)
    self.assertEqual((info.width, info.height), (48, 32))
    return [*masks_lib.read_masks(
        path, film.known.opened(place).film.info, 12, overrides=True)]

  def test_a_restore_reads_the_same(self):
    masks.paint(self.place, shot=1, painted=self.here, erased=self.there)
    masks.paint(self.place, frame=3, painted=self.there, erased=self.none)
    found = self._composed(self.place)
    self.assertLen(found, 12)
    for t, mask in enumerate(found):
      np.testing.assert_array_equal(
          mask, masks.effective(self.place, t), str(t))

  def test_painting_restores_and_erasing_leaves(self):
    settings.change(self.place, format='mkv', composite='repair')
    masks.paint(self.place, shot=0, painted=self.here, erased=~self.here)
    desks.restored(self.place)
    for t in range(6):
      before, after = (film.frame(self.place, t, w)
                       for w in ('before', 'after'))
      differs = (before != after).any(-1)
      self.assertTrue(differs[self.here].any())
      # Composing feathers by a few pixels; further out nothing changes.
      self.assertFalse(differs[16:].any())

  def test_a_preview_follows_at_once(self):
    before = preview.preview(self.place, 2).layers['damage']
    self.assertLess((before[self.here] > 128).mean(), 1)
    masks.paint(self.place, frame=2, painted=self.here, erased=self.there)
    after = preview.preview(self.place, 2).layers['damage']
    self.assertTrue((after[self.here] == 255).all())
    self.assertTrue((after[self.there] == 0).all())

  def test_what_is_forgotten_is_gone(self):
    masks.paint(self.place, frame=2, painted=self.here, erased=self.none)
    masks.compose(self.place)
    masks.paint(self.place, frame=2, painted=self.none, erased=self.none)
    self.assertIsNone(masks.effective(self.place, 2))
    self.assertEqual(settings.config(self.place).mask, '')
    masks.compose(self.place)  # Of nothing.

  def test_the_same_mask_is_the_same_file(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    masks.compose(self.place)
    first = (self.place.folder / 'mask.mkv').stat()
    masks.compose(self.place)
    self.assertEqual((self.place.folder / 'mask.mkv').stat(), first)

  @pytest.mark.slow
  def test_only_shots_that_are_painted_otherwise_are_made_anew(self):
    settings.change(self.place, format='mkv')
    notes = [self.place.folder / f'work/segments/00000{n}.nut' for n in (0, 1)]
    times = lambda: [p.stat().st_mtime_ns for p in notes]
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    desks.restored(self.place)
    before = times()
    masks.paint(self.place, frame=8, painted=self.there, erased=self.none)
    desks.restored(self.place)
    now = times()
    self.assertEqual(now[0], before[0])
    self.assertNotEqual(now[1], before[1])
    carried = [film.frame(self.place, t, 'after') for t in range(12)]
    # As if nothing had been there before.
    shutil.rmtree(self.place.folder / 'work')
    desks.restored(self.place)
    for t, picture in enumerate(carried):
      np.testing.assert_array_equal(
          film.frame(self.place, t, 'after'), picture)
    desks.restored(self.place)  # Nothing is left to do.

  def test_a_restore_that_runs_keeps_the_masks_it_reads(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    masks.compose(self.place)
    with open(self.place.folder / 'mask.mkv', 'rb') as reading:
      masks.paint(self.place, shot=0, painted=self.there, erased=self.none)
      self.assertTrue((self.place.folder / 'mask.mkv').exists())
      before = reading.read()
      masks.compose(self.place)
      reading.seek(0)
      self.assertEqual(reading.read(), before)
    np.testing.assert_array_equal(
        self._composed(self.place)[0], self.there.astype(int))

  def test_two_at_once_make_one_mask(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    with mock.patch.object(masks, '_write', side_effect=masks._write) as writes:
      with futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(masks.compose, self.place) for _ in range(4)]:
          done.result(60)
    writes.assert_called_once()
    np.testing.assert_array_equal(
        self._composed(self.place)[0], self.here.astype(int))
    self.assertEqual([*self.place.folder.glob('.part*')], [])

  def test_nobody_paints_between_the_masks_and_what_is_noted_of_them(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    with futures.ThreadPoolExecutor(1) as pool, masks.composed(
        self.place) as first:
      painting = pool.submit(masks.paint, self.place, shot=0,
                             painted=self.there, erased=self.none)
      with self.assertRaises(futures.TimeoutError):
        painting.result(0.2)
      again = [*masks_lib.read_masks(
          self.place.folder / 'mask.mkv',
          film.known.opened(self.place).film.info, 12, overrides=True)]
    painting.result(60)
    np.testing.assert_array_equal(again[0], self.here.astype(int))
    with masks.composed(self.place) as second:
      self.assertNotEqual(first['0'], second['0'])
      self.assertEqual(first['1'], second['1'])

  def test_what_is_broken_off_leaves_nothing(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    (self.place.folder / '.part.0.mask.mkv').touch()  # Of who was killed.
    with mock.patch.object(masks, '_write', side_effect=ZeroDivisionError):
      with self.assertRaises(ZeroDivisionError):
        masks.compose(self.place)
    self.assertEqual([*self.place.folder.glob('.part*')], [])
    self.assertFalse((self.place.folder / 'mask.mkv').exists())

  def test_a_download_leaves_a_job_the_masks_it_reads(self):
    masks.paint(self.place, shot=0, painted=self.here, erased=self.none)
    masks.compose(self.place)
    before = (self.place.folder / 'mask.mkv').read_bytes()
    masks.paint(self.place, shot=0, painted=self.there, erased=self.none)
    taken = lambda: b''.join(downloads.stream(self.place, 'mask'))
    with open(self.place.folder / visitors.LOCK, 'w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      downloads.item(self.place, 'mask')
      self.assertEqual(taken(), before)
    downloads.item(self.place, 'original')  # Is about something else.
    downloads.listed(self.place)
    self.assertEqual(taken(), before)
    downloads.item(self.place, 'mask')
    self.assertNotEqual(taken(), before)

  def test_refuses(self):
    with self.assertRaisesRegex(types.BadInput, 'of \\(47, 32\\) pixels'):
      masks.paint(self.place, frame=0, painted=self.none[:, :47],
                  erased=self.none)
    with self.assertRaisesRegex(types.BadInput, 'no frame 12'):
      masks.paint(self.place, frame=12, painted=self.here, erased=self.none)
    with self.assertRaisesRegex(types.BadInput, 'no shot 2'):
      masks.paint(self.place, shot=2, painted=self.here, erased=self.none)
    with self.assertRaises(ValueError):
      masks.paint(self.place, painted=self.here, erased=self.none)
    self.assertFalse(masks.is_marked(self.place))

  def test_nothing_painted_lies_plain_when_sealed(self):
    place = desks.measured(self.dir / 'sealed', 6, 6, sealed=True)
    masks.paint(place, shot=0, painted=self.here, erased=self.there)
    found = self._composed(place)
    np.testing.assert_array_equal(found[0], masks.effective(place, 0))
    for path in (self.dir / 'sealed').rglob('*'):
      data = path.read_bytes() if path.is_file() else b''
      for pattern in (b'\x89PNG', b'IHDR', b'\x1aE\xdf\xa3', b'FFV1'):
        self.assertNotIn(pattern, data, path)


if __name__ == '__main__':
  absltest.main()
