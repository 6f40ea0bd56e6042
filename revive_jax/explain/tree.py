"""Trees: small decision trees that say in rules which repairs are chosen.

Fitted by benchmarks/stage_tree.py to what pipeline.choose decides on damaged
clips that were measured; explain/rules.json is what it found. The trees see the
numbers of the record (report['measured']) and nothing else.
"""

from collections.abc import Mapping, Sequence
import itertools
import json
import math
import pathlib
from typing import Any, NamedTuple

import numpy as np

REPAIRS = ('flicker', 'noise', 'dust', 'scratch', 'crack', 'blur')
_RULES = pathlib.Path(__file__).parent / 'rules.json'


class Feature(NamedTuple):
  """What a tree may look at."""

  words: str
  unit: str


# Where two say the same, the first is taken.
FEATURES = {
    'frames': Feature('length', 'frames'),
    'noise_sigma_of_255': Feature('noise', 'of 255'),
    'flicker_percent': Feature('flicker', '%'),
    'dust_per_10000_pixels': Feature('dust', 'of 10,000 pixels'),
    'scratches_per_10000_pixels': Feature('scratches', 'of 10,000 pixels'),
    'cracks_percent': Feature('cracks', '% of the picture'),
    'edge_width_pixels': Feature('width of edges', 'pixels'),
    'level_range': Feature('range of levels', 'of 1'),
}


def features(measured: Mapping[str, Any]) -> list[float]:
  """FEATURES of a shot's entry in report['measured'].

  What could not be measured is 0: no edges, so none that are wide.
  """
  known = dict(measured)
  known['level_range'] = measured['levels'][1] - measured['levels'][0]
  known['frames'] = measured['end'] - measured['start']
  values = [known.get(name) for name in FEATURES]
  return [float(v) if v is not None and math.isfinite(v) else 0.0
          for v in values]


def fit(
    rows: Sequence[Sequence[float]], verdicts: Sequence[bool], *,
    depth: int = 3, least: int = 4
) -> dict[str, Any]:
  """A tree of features to verdicts, in JSON's types.

  Of as few features as agree with as many verdicts as all do. A leaf is
  {'verdict', 'samples', 'agree'} (how many of the samples have it); a fork
  {'feature', 'threshold', 'below', 'above'}.

  Args:
    rows: [N, F], see features.
    verdicts: [N].
    depth: forks one after the other, at most.
    least: samples in a leaf.
  """
  from sklearn import tree  # Slow to import, and only for this.

  rows, verdicts = np.asarray(rows, np.float64), np.asarray(verdicts, bool)
  names, trees = list(FEATURES), []
  sizes = (1, 2, len(names))
  for chosen in itertools.chain(*(
      itertools.combinations(range(len(names)), n) for n in sizes)):
    found = tree.DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=least, random_state=0)
    found.fit(rows[:, chosen], verdicts)
    trees.append((found.score(rows[:, chosen], verdicts), found, chosen))
  best = max(score for score, *_ in trees)
  _, found, chosen = next(t for t in trees if t[0] >= best - 1e-9)
  return _pruned(_nodes(found, [names[i] for i in chosen]))


def _nodes(found, names, i=0):
  """Node i of a tree of scikit-learn, and those under it."""
  structure = found.tree_
  below, above = structure.children_left[i], structure.children_right[i]
  if below == above:
    count = int(structure.n_node_samples[i])
    shares = structure.value[i][0] / structure.value[i][0].sum()
    best = int(shares.argmax())
    return {'verdict': bool(found.classes_[best]), 'samples': count,
            'agree': round(count * float(shares[best]))}
  return {'feature': names[structure.feature[i]],
          'threshold': float(f'{structure.threshold[i]:.3g}'),
          'below': _nodes(found, names, below),
          'above': _nodes(found, names, above)}


def _pruned(tree):
  """Without forks whose both sides say the same."""
  if 'verdict' in tree:
    return tree
  below, above = _pruned(tree['below']), _pruned(tree['above'])
  if below.get('verdict', 0) is above.get('verdict', 1):
    return {'verdict': below['verdict'], **{
        k: below[k] + above[k] for k in ('samples', 'agree')}}
  return tree | {'below': below, 'above': above}


def decide(
    tree: Mapping[str, Any], row: Sequence[float]
) -> tuple[bool, list[str]]:
  """The verdict on features, and the rules on the way, as sentences."""
  values, rules = dict(zip(FEATURES, row, strict=True)), []
  while 'verdict' not in tree:
    name = tree['feature']
    value, limit, feature = values[name], tree['threshold'], FEATURES[name]
    is_above = value > limit
    rules.append(f'{feature.words} of {_short(value)} '
                 f'{">" if is_above else "≤"} {_short(limit)} {feature.unit}')
    tree = tree['above' if is_above else 'below']
  return tree['verdict'], rules


def _short(value: float) -> str:
  return f'{value:.3g}' if value < 1000 else f'{value:.0f}'


def fidelity(
    tree: Mapping[str, Any], rows: Sequence[Sequence[float]],
    verdicts: Sequence[bool]
) -> float:
  """How often the tree says what was decided, of 1."""
  return float(np.mean([decide(tree, row)[0] == bool(v)
                        for row, v in zip(rows, verdicts, strict=True)]))


def printed(tree: Mapping[str, Any], repair: str, way: str = '') -> list[str]:
  """All rules of a tree, a line for each leaf."""
  if 'verdict' in tree:
    what = repair if tree['verdict'] else f'no {repair}'
    return [f'{way or "always"} -> {what} '
            f'({tree["agree"]} of {tree["samples"]} cases)']
  feature, limit = FEATURES[tree['feature']], _short(tree['threshold'])
  join = f'{way} and ' if way else ''
  return [line for side, sign in (('below', '≤'), ('above', '>'))
          for line in printed(
              tree[side], repair,
              f'{join}{feature.words} {sign} {limit} {feature.unit}')]


def shipped() -> dict[str, Any]:
  """rules.json: 'trees' by repair, 'fidelity' by repair, 'clips', ..."""
  return json.loads(_RULES.read_text())
