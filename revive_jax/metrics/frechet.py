"""Fréchet distance of two sets of features, from their running moments."""

from typing import NamedTuple

import numpy as np
from scipy import linalg


class Moments(NamedTuple):
  """Number, mean [D] and scatter [D, D] of features, float64."""

  count: int
  mean: np.ndarray
  scatter: np.ndarray  # Sum of the outer products of what is off the mean.

  @classmethod
  def of(cls, features: np.ndarray) -> 'Moments':
    """Of features [N, D]."""
    features = np.asarray(features, np.float64)
    mean = features.mean(0)
    off = features - mean
    return cls(len(features), mean, off.T @ off)

  def merge(self, other: 'Moments') -> 'Moments':
    """Of both sets together (Chan et al. 1983, doi:10.2307/2683386)."""
    count = self.count + other.count
    apart = other.mean - self.mean
    return Moments(
        count, self.mean + apart * other.count / count,
        self.scatter + other.scatter
        + np.outer(apart, apart) * self.count * other.count / count)

  @property
  def covariance(self) -> np.ndarray:
    """[D, D], of samples: divided by count - 1."""
    return self.scatter / (self.count - 1)


def distance(a: Moments, b: Moments) -> float:
  """Squared distance of the normal distributions with these moments.

  |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)): Fréchet 1957; of network
  features, Heusel et al. 2017, arXiv:1706.08500, equation 6. It is biased up
  where there are few samples: compare sets of the same size.
  """
  # tr (C_a C_b)^(1/2) = sum of the singular values of C_a^(1/2) C_b^(1/2).
  roots = [_root(m.covariance) for m in (a, b)]
  cross = linalg.svdvals(roots[0] @ roots[1]).sum()
  apart = ((a.mean - b.mean) ** 2).sum()
  return float(
      apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)


def _root(covariance):
  """The symmetric square root of a symmetric, nonnegative matrix."""
  values, vectors = linalg.eigh(covariance)
  return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
