"""Audit: can the losses of a network tell which clips it was trained on?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from revive_jax import types


class Attack(NamedTuple):
  """How well a threshold on the loss tells members from others."""

  auc: float  # Area under the ROC curve: 0.5 is chance, 1 is certainty.
  low: float  # The auc's 95 % interval, by bootstrap.
  high: float
  advantage: float  # Greatest true less false positive rate of any threshold.


def attack(
    members: Sequence[float] | np.ndarray,
    others: Sequence[float] | np.ndarray,
    *, resamples: int = 1000, seed: int = 0,
) -> Attack:
  """Membership inference by a threshold on the loss.

  Members are taken to have the smaller losses (Yeom et al. 2018,
  arXiv:1709.01604). (epsilon, delta)-differential privacy bounds the advantage
  by (e^epsilon - 1 + 2 delta) / (e^epsilon + 1); an attack that fails proves
  nothing of the kind.

  Args:
    members: [N] losses of examples that were trained on.
    others: [M] losses of examples like them that were not.
    resamples: draws of the bootstrap, of members and others each.
    seed: of them.

  Raises:
    types.BadInput: there are none, or not all of them are finite.
  """
  members, others = (np.asarray(x, np.float64) for x in (members, others))
  for name, losses in (('members', members), ('others', others)):
    if losses.ndim != 1 or not losses.size or not np.isfinite(losses).all():
      raise types.BadInput(
          f'Audit: the losses of {name}, {losses.shape}, must be a list of '
          'finite numbers; leave out what has none.')
  rng = np.random.default_rng(seed)
  again = [_auc(rng.choice(members, members.size),
                rng.choice(others, others.size)) for _ in range(resamples)]
  advantage = stats.ks_2samp(members, others, 'greater', 'asymp').statistic
  return Attack(_auc(members, others),
                *np.quantile(again, (0.025, 0.975)).tolist(), float(advantage))


def _auc(members: np.ndarray, others: np.ndarray) -> float:
  """How often a member has the smaller loss than another; ties count half."""
  others = np.sort(others)
  not_below = len(others) - np.searchsorted(others, members, 'left')
  above = len(others) - np.searchsorted(others, members, 'right')
  return float((not_below + above).mean() / (2 * len(others)))
