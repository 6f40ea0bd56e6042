"""All measures of a restored clip, as sums that can be merged."""

from collections.abc import Iterable, Mapping

import jax
import numpy as np

from revive_jax.metrics import detection, fidelity, temporal

# By name, a sum and how many it sums up. A clip counts as one, however long;
# pixels of damage and seconds are added up over clips.
Sums = dict[str, tuple[float, float]]

_ssim, _ms_ssim = jax.jit(fidelity.ssim), jax.jit(fidelity.ms_ssim)
_warping_error = jax.jit(temporal.warping_error)
_COUNTS = ('true_positive', 'false_positive', 'false_negative')


def of_clip(
    restored: np.ndarray, target: np.ndarray, damage: np.ndarray,
    flow: jax.Array, visible: jax.Array,
) -> Sums:
  """psnr, psnr_damage (dB), ssim, ms_ssim, warping_error, flicker of a clip.

  PSNR, SSIM and MS-SSIM are means over frames; psnr_damage is of all replaced
  pixels of the clip together, and missing if there are none.

  Args:
    restored: [T, H, W, 3] uint8.
    target: [T, H, W, 3] float32 in [0, 1].
    damage: [T, H, W] bool, replaced pixels.
    flow: of the target, see temporal.warping_error, [T - 1, H, W, 2].
    visible: [T - 1, H, W, 1].
  """
  frames = restored.astype(np.float32) / 255
  error = _warping_error(frames[None], flow[None], visible[None])
  similar = np.array([
      (_ssim(a[None], b[None])[0], _ms_ssim(a[None], b[None])[0])
      for a, b in zip(frames, target, strict=True)])
  values = {
      'psnr': fidelity.psnr(frames, target).mean(),
      'ssim': similar[:, 0].mean(), 'ms_ssim': similar[:, 1].mean(),
      'warping_error': error[0],
      'flicker': temporal.flicker(frames[None], target[None])[0]}
  if damage.any():
    values['psnr_damage'] = fidelity.psnr(
        frames[damage][None], target[damage][None])[0]
  return {name: (float(value), 1.0) for name, value in values.items()}


def of_damage(found: np.ndarray, damage: np.ndarray) -> Sums:
  """The counts of detection.counts, of masks [T, H, W] bool."""
  counted = detection.counts(found[None], damage[None])
  return {name: (float(value[0]), 1.0) for name, value in counted.items()}


def of_undamaged(
    restored: np.ndarray, clean: np.ndarray, found: np.ndarray
) -> Sums:
  """psnr to the clean input, dB, and false_share, pixels called damaged.

  Args:
    restored: [T, H, W, 3] uint8.
    clean: [T, H, W, 3] uint8, what went in.
    found: [T, H, W] bool.
  """
  frames = [x.astype(np.float32) / 255 for x in (restored, clean)]
  return {'psnr': (float(fidelity.psnr(*frames).mean()), 1.0),
          'false_share': (float(found.mean()), 1.0)}


def merge(many: Iterable[Sums]) -> Sums:
  """Adds up."""
  merged = {}
  for sums in many:
    for name, (total, count) in sums.items():
      before = merged.get(name, (0.0, 0.0))
      merged[name] = (before[0] + total, before[1] + count)
  return merged


def values(sums: Mapping[str, tuple[float, float]]) -> dict[str, float]:
  """The means; precision, recall and f1 from the counts of damage."""
  result = {name: total / count for name, (total, count) in sums.items()
            if name not in _COUNTS}
  if all(name in sums for name in _COUNTS):
    scored = detection.precision_recall(
        {name: np.float32(sums[name][0]) for name in _COUNTS})
    result |= {name: float(value) for name, value in scored.items()}
  return result
