"""Whether a predicted uncertainty says where the errors are, and how large.

In histograms that can be merged over clips: pixels are too many to be sorted.
"""

from typing import NamedTuple

import numpy as np

_EDGES = np.geomspace(1e-4, 1.0, 241)  # Of standard deviations and errors.


class Calibration(NamedTuple):
  """Sums over pixels, [242] each: by predicted deviation, and by error."""

  count: np.ndarray  # Pixels, by predicted deviation.
  error: np.ndarray  # Sum of their squared errors,
  variance: np.ndarray  # of their predicted variances,
  ratio: np.ndarray  # and of squared error over variance.
  error_count: np.ndarray  # Pixels, by error.
  error_sum: np.ndarray  # Sum of their squared errors.

  @classmethod
  def of(
      cls, error: np.ndarray, sigma: np.ndarray,
      mask: np.ndarray | None = None,
  ) -> 'Calibration':
    """Of errors, and the standard deviations predicted for them, of one shape.

    mask: where to look, of the same shape; elsewhere sigma may be anything.
    """
    error = np.abs(np.asarray(error, np.float64)).ravel()
    sigma = np.asarray(sigma, np.float64).ravel()
    if error.shape != sigma.shape:
      raise ValueError(f'{error.size} errors, {sigma.size} deviations.')
    if mask is not None:
      chosen = np.asarray(mask, bool).ravel()
      error, sigma = error[chosen], sigma[chosen]
    if not (sigma > 0).all() or not np.isfinite(sigma).all():
      raise ValueError('A predicted deviation is not above 0; give a mask.')
    size = len(_EDGES) + 1
    by_sigma = np.searchsorted(_EDGES, sigma)
    by_error = np.searchsorted(_EDGES, error)
    add = lambda bins, x=None: np.bincount(bins, x, size).astype(np.float64)
    square, variance = error**2, sigma**2
    return cls(add(by_sigma), add(by_sigma, square), add(by_sigma, variance),
               add(by_sigma, square / variance), add(by_error),
               add(by_error, square))

  def merge(self, other: 'Calibration') -> 'Calibration':
    """Of both sets of pixels together."""
    return Calibration(*(a + b for a, b in zip(self, other, strict=True)))

  @property
  def temperature(self) -> float:
    """What sigma must be multiplied by for errors of its size: >1 too sure.

    The most likely one: the root of the mean of (error / sigma)^2. Fit it on
    other clips than those it is judged on (Guo et al. 2017, arXiv:1706.04599;
    for regression Levi et al. 2022, arXiv:1905.11659).
    """
    return float(np.sqrt(self.ratio.sum() / self.count.sum()))


class Risk(NamedTuple):
  """Risk-coverage curves: the mean squared error of what is kept."""

  coverage: np.ndarray  # Shares of pixels that are kept, up to 1.
  predicted: np.ndarray  # Where the least sure by prediction are withheld;
  oracle: np.ndarray  # where those of the largest errors are.
  area: float  # Under predicted, over coverage: El-Yaniv and Wiener 2010.
  oracle_area: float
  random_area: float  # Where pixels are withheld at random: the mean error.

  @property
  def gained(self) -> float:
    """Of the way from random to oracle, how much; 1 is perfect."""
    return (self.random_area - self.area) / max(
        self.random_area - self.oracle_area, 1e-12)


def risk(found: Calibration, points: int = 100) -> Risk:
  """Risk-coverage curves at so many coverages."""
  coverage = np.arange(1, points + 1) / points
  predicted = _kept(found.count, found.error, coverage)
  oracle = _kept(found.error_count, found.error_sum, coverage)
  mean = found.error.sum() / found.count.sum()
  return Risk(coverage, predicted, oracle, float(predicted.mean()),
              float(oracle.mean()), float(mean))


def _kept(count, total, coverage):
  """The mean of the first share of pixels; a bin is shared out evenly."""
  pixels = np.concatenate([[0], np.cumsum(count)])
  sums = np.concatenate([[0], np.cumsum(total)])
  wanted = coverage * pixels[-1]
  return np.interp(wanted, pixels, sums) / wanted


class Reliability(NamedTuple):
  """Predicted deviations against those of the errors, by bin."""

  predicted: np.ndarray  # Root mean predicted variance.
  observed: np.ndarray  # Root mean squared error.
  share: np.ndarray  # Of the pixels; sums to 1.
  error: float  # Mean |observed - predicted| over pixels.
  relative_error: float  # The same, over predicted: ENCE, arXiv:1905.11659.


def reliability(
    found: Calibration, *, temperature: float = 1.0, bins: int = 15
) -> Reliability:
  """In bins of as many pixels each, by predicted deviation times temperature.

  A bin of the histogram that is larger than that stays whole.
  """
  ends = np.cumsum(found.count) / found.count.sum()
  label = np.minimum((ends * bins - 1e-9).astype(int), bins - 1)
  add = lambda x: np.bincount(label, x, bins)
  count = add(found.count)
  used = count > 0
  predicted = temperature * np.sqrt(add(found.variance)[used] / count[used])
  observed = np.sqrt(add(found.error)[used] / count[used])
  share = count[used] / count.sum()
  apart = np.abs(observed - predicted)
  return Reliability(predicted, observed, share, float((share * apart).sum()),
                     float((share * apart / predicted).sum()))
