"""A scratch that stays for ten seconds, and a pole that does not; lines.py.

The clip is made here: 240 frames, 24 a second, of a scene that a camera pans
over and that people walk through, with grain. One scratch stays at its column
all the time; the pole is as thin and as dark, and part of the scene.
"""

from absl.testing import absltest
import cv2
import numpy as np
import pytest

from revive_jax import types
from revive_jax.pipeline import classical, detect, match
from tests.pipeline import clips

_COUNT = 240
_HEIGHT, _WIDTH = 192, 256
_SCRATCH = 110  # Its left column; two wide.
_SPEED = 0.9  # px a frame, of the pan.
_SKY = 32  # px above the pole.
_WINDOW = 24
_REACH = 6  # Frames around a window that are looked at.


def _pole_at(t):
  """The pole's left column, px; it crosses most of the frame."""
  return 240 - _SPEED * t


def _film(start, stop, *, scratch=True, pole=False):
  """Frames [start, stop), [T, H, W, 3], and those without scratch."""
  wide = clips.texture(_HEIGHT, _WIDTH + int(_COUNT * _SPEED) + 8)
  rng = np.random.default_rng(start)
  walker = 1 - clips.texture(80, 28, 7)
  film = []
  for t in range(start, stop):
    frame = cv2.warpAffine(
        wide, np.float32([[1, 0, -_SPEED * t], [0, 1, 0]]), (_WIDTH, _HEIGHT),
        flags=cv2.INTER_CUBIC)
    x = int(2.3 * t) % (_WIDTH + 28) - 28
    left, right = max(x, 0), min(x + 28, _WIDTH)
    if left < right:
      frame[100:180, left:right] = walker[:, left - x:right - x]
    if pole:
      _draw_line(frame[_SKY:], _pole_at(t))
    film.append(frame)
  clean = np.stack(film) + 0.01 * rng.standard_normal(
      (stop - start, _HEIGHT, _WIDTH, 1)).astype(np.float32)
  marked = clean.copy()
  if scratch:
    for frame in marked:
      _draw_line(frame, _SCRATCH)
  return np.clip(marked, 0, 1), np.clip(clean, 0, 1)


def _draw_line(frame, x):
  """A dark line of two columns from x on, at a part of a pixel, in place."""
  columns = np.arange(frame.shape[1])
  cover = np.clip(2 - np.abs(columns - (x + 0.5)) - 0.5, 0, 1)
  frame *= (1 - 0.75 * cover[None, :, None]).astype(np.float32)


def _repaired(start, length, **options):
  """(clip of frames start to start + length, found and filled; clean ones)."""
  first, last = max(0, start - _REACH), min(start + length + _REACH, _COUNT)
  film, clean = _film(first, last, **options)
  clip = match.match(clips.clip(film))
  clip = detect.detect(clip, sigma=0.01, dust=False)
  core = slice(start - first, start - first + length)
  clip = classical.classical(clip)
  cut = {name: getattr(clip, name)[core]
         for name in ('frames', 'damage', 'damage_kind', 'restored')}
  return clip.replace(**cut), clean[core]


class PersistentScratchTest(absltest.TestCase):

  def _check_scratch(self, starts, length):
    line = (slice(None), slice(None), slice(_SCRATCH, _SCRATCH + 2))
    found, errors, before = [], [], []
    for start in starts:
      clip, clean = _repaired(start, length)
      kinds = clip.damage_kind[..., 0] == types.DamageKind.SCRATCH
      found.extend(kinds[line].mean((1, 2)) > 0.9)
      kinds[:, :, _SCRATCH - 3:_SCRATCH + 5] = False
      self.assertLess(kinds.mean(), 0.002)  # Of what is no scratch.
      errors.append(((clip.restored - clean)[line] ** 2).mean())
      before.append(((clip.frames - clean)[line] ** 2).mean())
    self.assertGreater(np.mean(found), 0.9)
    # 10 dB nearer to what is behind it.
    self.assertLess(np.mean(errors), 0.1 * np.mean(before))

  def _check_pole(self, starts, length):
    taken = []
    for start in starts:
      clip, _ = _repaired(start, length, scratch=False, pole=True)
      for t, kinds in enumerate(clip.damage_kind[..., 0]):
        x = int(round(_pole_at(start + t)))
        if 8 < x < _WIDTH - 8:
          taken.append((kinds[_SKY:, x:x + 2] > 0).mean() > 0.2)
    self.assertNotEmpty(taken)
    self.assertLess(np.mean(taken), 0.02)

  def test_the_scratch_is_found_and_filled(self):
    self._check_scratch([0, 120], 8)

  def test_a_pole_of_the_scene_is_left(self):
    self._check_pole([24, 120], 8)

  @pytest.mark.slow
  def test_all_ten_seconds(self):
    self._check_scratch(range(0, _COUNT, _WINDOW), _WINDOW)


if __name__ == '__main__':
  absltest.main()
