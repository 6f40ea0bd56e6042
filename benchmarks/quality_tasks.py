"""What the quality benchmark damages clips by, and how cases are made."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
import zlib

import numpy as np

from revive_jax.comparison import cases
from revive_jax.data import held_out
from revive_jax.degradations import chain, mixes

SIGMAS = (10, 20, 30, 40, 50)  # Of 255.


class Task(NamedTuple):
  """A kind of damage: the name of a mix, and what baselines are told of it."""

  mix: str
  sigma: float = 0.0  # Noise at medium severity, of full scale 1.
  flickers: bool = False
  blurs: bool = False
  whole: bool = True  # What is not damage is not as it was.
  repeats: bool = False  # Frames stand in for lost ones.


# Mixes of the chain, and parts of them: added to it under these names.
_OWN = {
    'quality codec': mixes.Mix(
        {'block_compression': 1.0, 'banding': 0.5, 'lost_blocks': 0.5}),
    'quality blur': mixes.Mix(
        {'blur': 1.0}, options={'blur': {'sigma': (1.2, 2.0)}}),
    'quality motion blur': mixes.Mix({'motion_blur': 1.0}),
    'quality defocus': mixes.Mix({'defocus': 1.0}),
    'quality flicker': mixes.Mix({'flicker': 1.0}),
    'quality objects': mixes.Mix(
        {'scratches': 1.0, 'dust': 1.0, 'hairs': 1.0}),
    'quality blocks': mixes.Mix({'lost_blocks': 1.0}, options={
        'lost_blocks': {'rate': 0.5}}),
    'quality frames': mixes.Mix({'lost_frames': 1.0}, options={
        'lost_frames': {'rate': 0.1}}),
    'quality scratches': mixes.Mix(
        {'grain': 1.0, 'scratches': 1.0},
        options={'scratches': {'speed': 0.1, 'broken': 0.05}}),
    'quality nothing': mixes.Mix({}),
}
chain.MIXES.update(_OWN)

FAMILIES = {
    'film': Task('film', 10 / 255, flickers=True),
    'tape': Task('tape', 7 / 255),
    'sensor': Task('camera', 8 / 255),
    'codec': Task('quality codec', 4 / 255),
}
SINGLE = {
    'blur': Task('quality blur', blurs=True),
    'motion blur': Task('quality motion blur', blurs=True),
    'defocus': Task('quality defocus', blurs=True),
    'flicker': Task('quality flicker', flickers=True),
    'scratches, dust, hairs': Task('quality objects'),
    'missing blocks': Task('quality blocks', whole=False),
    'missing frames': Task('quality frames', whole=False, repeats=True),
}
SCRATCHES = Task('quality scratches', 10 / 255)


def damaged(
    clips: Sequence[held_out.Clean], task: Task, severity: str, seed: int,
    textures: np.ndarray | None = None,
) -> Iterator[cases.Case]:
  """Yields clips damaged by a task; severity is a name of chain.SEVERITY."""
  for clip in clips:
    yield cases.make_case(
        clip, textures, seed=seed, mix=task.mix,
        severity=chain.SEVERITY[severity])


def noisy(
    clips: Sequence[held_out.Clean], sigma: float, seed: int
) -> Iterator[cases.Case]:
  """Yields clips with white noise that is not clipped; codes are fractions.

  Denoisers of video are compared by it (DVDnet, arXiv:1906.11890): independent
  Gaussian noise of sigma on each channel of RGB in [0, 255], not rounded.
  """
  for clip in clips:
    case = cases.make_case(
        clip, None, seed=seed, mix='quality nothing', severity=1.0)
    rng = np.random.default_rng(
        (seed, int(sigma), zlib.crc32(clip.name.encode())))
    noise = rng.standard_normal(clip.frames.shape, np.float32)
    yield case._replace(damaged=clip.frames + np.float32(sigma) * noise)
