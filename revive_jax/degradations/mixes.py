"""Which operators a clip may suffer, and how: the mixes by name."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from revive_jax import types


class Mix(NamedTuple):
  """What a chain draws from.

  operators: name -> probability that it acts on a clip. options: name ->
  keyword arguments of the operator. shuffled: the probability that a call
  draws the order anew, else it is as listed. spread: the severity of each
  operator is that of the clip times a factor drawn from this range.
  """

  operators: Mapping[str, float]
  options: Mapping[str, Mapping[str, Any]] = {}
  shuffled: float = 0.0
  spread: tuple[float, float] = (1.0, 1.0)


MIXES = {
    # The medium severity that bars speak of: lens, stock, print, projector.
    'film': Mix(
        operators={
            'blur': 1.0,
            'monochrome': 0.5,
            'grain': 1.0,
            'scratches': 1.0,
            'dust': 1.0,
            'hairs': 1.0,
            'flicker': 1.0,
        }
    ),
    # Far wider than any test: variety decides what a network learns.
    'training': Mix(
        operators={
            'blur': 0.4,
            'anisotropic_blur': 0.2,
            'monochrome': 0.4,
            'grain': 0.6,
            'white_noise': 0.3,
            'poisson_noise': 0.2,
            'scratches': 0.7,
            'dust': 0.7,
            'hairs': 0.5,
            'stains': 0.3,
            'flicker': 0.5,
            'weave': 0.3,
            'fading': 0.3,
            'colour_cast': 0.3,
            'rescale': 0.2,
            'block_compression': 0.3,
            'lost_blocks': 0.15,
            'lost_frames': 0.1,
        },
        options={
            'blur': {'sigma': (0.3, 1.6), 'jitter': 0.1},
            'grain': {'sigma': 12 / 255, 'size': (0.3, 1.2), 'jitter': 0.1},
            'white_noise': {'sigma': (2 / 255, 20 / 255)},
            'scratches': {
                'width': (0.8, 8.0),
                'opacity': (0.15, 1.0),
                'partial': 0.3,
                'broken': 0.3,
                'additive': 0.3,
            },
            'dust': {'radius': (0.7, 10.0), 'opacity': (0.3, 1.0)},
            'hairs': {'opacity': (0.3, 1.0), 'width': (0.7, 3.0)},
            'flicker': {'gamma': 0.08, 'local': 0.04},
            'rescale': {'factor': (1.2, 3.0)},
            'block_compression': {'strength': (0.3, 2.0)},
        },
        shuffled=1.0,
        spread=(0.3, 1.3),
    ),
    # What the default restorer learns from: film damage first, in its physical
    # order half of the time; flicker is what the explicit estimate leaves. No
    # fading, no cast: tone cannot be told from the scene's own within the
    # network's reach, and a network that was asked to changed good pictures.
    'restoration': Mix(
        operators={
            'blur': 0.8,
            'monochrome': 0.5,
            'grain': 0.8,
            'white_noise': 0.1,
            'stains': 0.2,
            'scratches': 0.7,
            'dust': 0.75,
            'hairs': 0.6,
            'textures': 0.4,
            'weave': 0.1,
            'flicker': 0.4,
            'block_compression': 0.15,
            'lost_blocks': 0.08,
        },
        options={
            'blur': {'sigma': (0.3, 1.2), 'jitter': 0.1},
            'grain': {'sigma': 11 / 255, 'size': (0.35, 1.0), 'jitter': 0.1},
            'white_noise': {'sigma': (2 / 255, 16 / 255)},
            'scratches': {
                'count': 2.0,
                'width': (1.0, 6.0),
                'opacity': (0.3, 1.0),
                'partial': 0.2,
                'broken': 0.2,
                'additive': 0.2,
            },
            'dust': {'radius': (0.8, 8.0), 'opacity': (0.4, 1.0)},
            'hairs': {'opacity': (0.4, 1.0), 'width': (0.7, 2.5)},
            'flicker': {'gain': 0.02, 'gamma': 0.02, 'local': 0.02},
            'block_compression': {'strength': (0.3, 1.5)},
        },
        shuffled=0.5,
        spread=(0.5, 1.4),
    ),
    # A cassette as it is played: camera, record, wear, player.
    'tape': Mix(
        operators={
            'interlace': 0.3,
            'blur': 1.0,
            'monochrome': 0.2,
            'chroma_bleed': 1.0,
            'white_noise': 1.0,
            'line_jitter': 1.0,
            'mistracking': 0.6,
            'dropouts': 1.0,
            'head_switching': 0.7,
        },
        options={
            'blur': {'sigma': (0.6, 1.0)},
            'white_noise': {'sigma': (4 / 255, 10 / 255)},
        },
    ),
    # What denoisers are compared by: white noise, and nothing else.
    'noise': Mix(
        operators={
            'white_noise': 1.0,
            'poisson_noise': 0.1,
            'monochrome': 0.15,
        },
        options={
            'white_noise': {
                'sigma': (12 / 255, 36 / 255),
                'jitter': 0.0,
                'grey': 0.15,
                'unclipped': 0.5,
            },
        },
    ),
    # A telephone or a watching camera: too little light, then too few bits.
    'camera': Mix(
        operators={
            'motion_blur': 0.4,
            'defocus': 0.3,
            'low_light': 0.8,
            'rescale': 0.2,
            'banding': 0.2,
            'block_compression': 0.8,
            'lost_blocks': 0.4,
            'lost_frames': 0.1,
        },
        options={
            'rescale': {'factor': (1.2, 2.0)},
            'block_compression': {'strength': (0.5, 1.5)},
        },
    ),
}
# Film, tape and camera: `restoration`, and more rarely what the others have.
MIXES['footage'] = Mix(
    operators=MIXES['restoration'].operators
    | {
        'motion_blur': 0.1,
        'defocus': 0.1,
        'low_light': 0.15,
        'banding': 0.08,
        'interlace': 0.1,
        'chroma_bleed': 0.25,
        'line_jitter': 0.2,
        'mistracking': 0.15,
        'dropouts': 0.3,
        'head_switching': 0.1,
    },
    options=MIXES['restoration'].options
    | {
        'dropouts': {'opacity': (0.4, 1.0)},
        'interlace': {'chance': 1.0},
    },
    shuffled=0.5,
    spread=(0.5, 1.4),
)


def parse(text: str) -> tuple[tuple[Mix, float], ...]:
  """Mixes and their shares of a batch, which add up to 1, of a text.

  text: names in MIXES, as 'footage:0.6,noise:0.2,tape:0.2'; without a colon
  the share is 1. 'film-flicker' is film without flicker.

  Raises:
    types.BadInput: a mix or an operator that there is not, a share that is no
      positive number.
  """
  found = []
  for part in text.split(','):
    names, _, share = part.partition(':')
    name, *without = names.strip().split('-')
    types.check_choice('damage.mix', name, tuple(MIXES))
    mix = MIXES[name]
    for operator in without:
      types.check_choice(
          f'damage.mix: {name}-', operator, tuple(mix.operators))
    found.append((mix._replace(operators={
        k: p for k, p in mix.operators.items() if k not in without}),
        _share(text, share)))
  total = sum(share for _, share in found)
  return tuple((mix, share / total) for mix, share in found)


def _share(text, share) -> float:
  try:
    value = float(share or 1)
  except ValueError:
    value = -1.0
  if not 0 < value < float('inf'):
    raise types.BadInput(
        f'--config.damage.mix={text}: the share {share!r} is not a positive '
        'number; write for example footage:0.7,noise:0.3.')
  return value


def counts(shares: Sequence[float], total: int) -> list[int]:
  """total shared out by shares, which add up to 1; at least 0 each.

  By the edges of the shares on a line of `total` clips.
  """
  edges, position = [0], 0.0
  for share in shares:
    position += share
    edges.append(round(position * total))
  edges[-1] = total
  return [b - a for a, b in zip(edges, edges[1:], strict=False)]
