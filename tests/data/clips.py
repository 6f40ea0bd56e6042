"""Small folders of videos and pictures for the tests of data."""

import os
import subprocess
import sys

import cv2
import numpy as np


def numbered(count, height=96, width=128, first=0):
  """Returns frames with their number in the first row of 8 x 8 blocks.

  They can be told from each other after lossy coding; see number_of.
  """
  frames = []
  rng = np.random.default_rng(7)
  ground = cv2.resize(rng.integers(60, 180, (5, 8, 3), dtype=np.uint8),
                      (width, height), interpolation=cv2.INTER_CUBIC)
  for t in range(first, first + count):
    frame = np.roll(ground, 2 * t, axis=1)
    for bit in range(8):
      frame[:8, 8 * bit:8 * bit + 8] = 96 + 64 * (t >> bit & 1)
    frames.append(frame)
  return frames


def number_of(frame):
  """Returns the number that numbered wrote into a frame."""
  return sum(int(frame[2:6, 8 * b + 2:8 * b + 6].mean() > 128) << b
             for b in range(8))


def shots(lengths, height=72, width=96, seed=0):
  """Returns frames of several shots of moving noise, and their firsts."""
  rng = np.random.default_rng(seed)
  frames, firsts = [], []
  for length in lengths:
    firsts.append(len(frames))
    ground = cv2.resize(rng.integers(0, 256, (7, 11, 3), dtype=np.uint8),
                        (width, height), interpolation=cv2.INTER_CUBIC)
    for t in range(length):
      frames.append(np.roll(ground, 2 * t, axis=1))
  return frames, firsts


def write_pictures(folder, count, height=60, width=80, seed=0):
  """Writes count pictures, p000.png and so on; returns their arrays, RGB."""
  os.makedirs(folder, exist_ok=True)
  rng = np.random.default_rng(seed)
  pictures = []
  for i in range(count):
    coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(os.path.join(folder, f'p{i:03d}.png'), picture[..., ::-1])
    pictures.append(picture)
  return pictures


def run_alone(code):
  """Runs code in a Python of its own; returns what it prints."""
  done = subprocess.run([sys.executable, '-c', code], capture_output=True,
                        text=True, check=True)
  return done.stdout.strip()
