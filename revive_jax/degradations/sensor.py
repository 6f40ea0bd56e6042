"""What lens and sensor do to the picture: blur, noise, few pixels."""

import math

import jax
import jax.numpy as jnp

from revive_jax.degradations import geometry, per_frame, walk
from revive_jax.ops import filters


def blur(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    sigma: tuple[float, float] = (0.8, 0.8),
    jitter: float = 0.0,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Isotropic Gaussian blur of sigma * severity px; edges are mirrored.

  sigma is drawn within its range and walks by `jitter` of itself.

  Record: sigma [T] px.
  """
  keys = jax.random.split(rng, 2)
  drawn = jax.random.uniform(keys[0], minval=sigma[0], maxval=sigma[1])
  wobble = walk.ornstein_uhlenbeck(
      keys[1], clip.shape[0], correlation=0.9, deviation=jitter
  )
  width = drawn * severity * geometry.scale(clip.shape, diagonal)
  width = width * jnp.exp(wobble)

  def one_frame(inputs):
    frame, s = inputs
    rows = filters.gaussian_matrix(frame.shape[0], s)
    columns = filters.gaussian_matrix(frame.shape[1], s)
    return jnp.clip(filters.apply_separable(frame, rows, columns), 0, 1)

  damaged = per_frame.each(one_frame, (clip, width))
  return damaged, jnp.zeros_like(clip[..., :1]), {'sigma': width}


def anisotropic_blur(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    sigma: tuple[float, float] = (0.5, 2.0),
    jitter: float = 0.05,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Gaussian blur of two widths along turned axes; edges are replicated.

  Widths (times severity, px) and the angle walk through time, by `jitter` of
  themselves and 2 * jitter radians. Applied in the spectrum, where the kernel
  is exp(-k Sigma k / 2): exact for any angle and no loop over taps.

  Record: sigma_long, sigma_short [T] px; angle [T], radians from the x axis
  towards y, of the long axis.
  """
  frames, height, width = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  keys = jax.random.split(rng, 3)
  drawn = jax.random.uniform(keys[0], (2,), minval=sigma[0], maxval=sigma[1])
  wobble = walk.ornstein_uhlenbeck(
      keys[1], frames, (3,), correlation=0.9, deviation=jitter
  )
  angle = math.pi * jax.random.uniform(keys[2]) + 2 * wobble[:, 2]
  short = jnp.min(drawn) * jnp.exp(wobble[:, 0]) * severity * scale
  long = jnp.max(drawn) * jnp.exp(wobble[:, 1]) * severity * scale
  short = jnp.minimum(short, long)
  record = {'sigma_long': long, 'sigma_short': short, 'angle': angle}
  margin = math.ceil(6 * sigma[1] * scale)  # 3 sigma at severity 2.
  ky = 2 * math.pi * jnp.fft.fftfreq(height + 2 * margin)[:, None, None]
  kx = 2 * math.pi * jnp.fft.rfftfreq(width + 2 * margin)[None, :, None]

  def one_frame(inputs):
    frame, item = inputs
    cos, sin = jnp.cos(item['angle']), jnp.sin(item['angle'])
    along = item['sigma_long'] * (cos * kx + sin * ky)
    across = item['sigma_short'] * (cos * ky - sin * kx)
    transfer = jnp.exp(-0.5 * (along**2 + across**2))
    return _in_spectrum(frame, transfer, margin)

  damaged = per_frame.each(one_frame, (clip, record))
  return damaged, jnp.zeros_like(clip[..., :1]), record


def motion_blur(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    length: tuple[float, float] = (2.0, 8.0),
    jitter: float = 0.2,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Blur along a line: the camera moved while the shutter was open.

  The line has length * severity px; length and angle walk through time, by
  `jitter` of the length and 2 * jitter radians. Edges are replicated.

  Record: length [T] px; angle [T], radians from the x axis towards y.
  """
  frames, height, width = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  keys = jax.random.split(rng, 3)
  drawn = jax.random.uniform(keys[0], minval=length[0], maxval=length[1])
  wobble = walk.ornstein_uhlenbeck(
      keys[1], frames, (2,), correlation=0.8, deviation=jitter
  )
  extent = drawn * severity * scale * jnp.exp(wobble[:, 0])
  angle = math.pi * jax.random.uniform(keys[2]) + 2 * wobble[:, 1]
  record = {'length': extent, 'angle': angle}
  margin = math.ceil(1.5 * length[1] * scale)  # Half of three times it.
  fy = jnp.fft.fftfreq(height + 2 * margin)[:, None, None]
  fx = jnp.fft.rfftfreq(width + 2 * margin)[None, :, None]

  def one_frame(inputs):
    frame, item = inputs
    along = jnp.cos(item['angle']) * fx + jnp.sin(item['angle']) * fy
    # A line without a width rings where it lies between pixels: sigma 0.4 px.
    width = 0.4 * jnp.minimum(item['length'], 1.0)
    pixel = jnp.exp(-2 * (math.pi * width) ** 2 * (fx**2 + fy**2))
    transfer = jnp.sinc(item['length'] * along) * pixel
    blurred = _in_spectrum(frame, transfer, margin)
    return jnp.where(item['length'] > 0, blurred, frame)

  damaged = per_frame.each(one_frame, (clip, record))
  return damaged, jnp.zeros_like(clip[..., :1]), record


def defocus(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    radius: tuple[float, float] = (1.0, 3.0),
    jitter: float = 0.1,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Blur by a disc of radius * severity px: the lens was not in focus.

  The radius walks by `jitter` of itself. Edges are replicated.

  Record: radius [T] px.
  """
  frames, height, width = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  keys = jax.random.split(rng, 2)
  drawn = jax.random.uniform(keys[0], minval=radius[0], maxval=radius[1])
  wobble = walk.ornstein_uhlenbeck(
      keys[1], frames, correlation=0.9, deviation=jitter
  )
  extent = drawn * severity * scale * jnp.exp(wobble)
  margin = math.ceil(3 * radius[1] * scale)
  # Distance from pixel (0, 0) of a picture without borders.
  dy, dx = (
      size * jnp.fft.fftfreq(size)
      for size in (height + 2 * margin, width + 2 * margin)
  )
  distance = jnp.sqrt(dy[:, None] ** 2 + dx[None, :] ** 2)

  def one_frame(inputs):
    frame, r = inputs
    disc = jnp.clip(r + 0.5 - distance, 0, 1)
    transfer = jnp.fft.rfft2(disc / disc.sum())[..., None]
    blurred = _in_spectrum(frame, transfer, margin)
    return jnp.where(r > 0, blurred, frame)

  damaged = per_frame.each(one_frame, (clip, extent))
  return damaged, jnp.zeros_like(clip[..., :1]), {'radius': extent}


def low_light(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    photons: float = 250.0,
    read: float = 0.01,
    columns: float = 0.003,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Little light, amplified by the camera: noise, most of all in the dark.

  In linear light a pixel x gets shot noise of deviation sqrt(x / photons), and
  noise of the readout of `read`, and of whole columns, which stays, of
  `columns`; all times severity. Encoding with gamma 1 / 2.2 lifts it in the
  shadows. The brightness stays: the camera has lifted it already.

  Record: photons [], of white; read [], columns []; pattern [W], linear.
  """
  del diagonal
  keys = jax.random.split(rng, 3)
  full = photons / jnp.maximum(severity, 1e-3) ** 2
  pattern = columns * severity * jax.random.normal(keys[0], (clip.shape[2],))
  grey = jnp.max(jnp.max(clip, -1) - jnp.min(clip, -1)) < 1e-3

  def one_frame(inputs):
    key, frame = inputs
    light = frame**2.2
    z = jax.random.normal(key, (2, *frame.shape))
    z = jnp.where(grey, z[..., :1], z)
    # The root is steep at 0: gradients must stay finite there.
    noise = jnp.sqrt((light + 1e-4) / full) * z[0] + read * severity * z[1]
    noisy = jnp.maximum(light + noise + pattern[None, :, None], 0)
    encode = lambda x: (x + 2e-3) ** (1 / 2.2)
    # As a change of the frame, so that without noise nothing is rounded.
    change = encode(noisy) - encode(light)
    return jnp.where(severity > 0, jnp.clip(frame + change, 0, 1), frame)

  damaged = per_frame.each(
      one_frame, (jax.random.split(keys[1], clip.shape[0]), clip)
  )
  record = {
      'photons': full, 'read': jnp.float32(read) * severity,
      'columns': jnp.float32(columns) * severity, 'pattern': pattern,
  }
  return damaged, jnp.zeros_like(clip[..., :1]), record


def white_noise(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    sigma: tuple[float, float] = (10 / 255, 10 / 255),
    jitter: float = 0.05,
    grey: float = 0.4,
    unclipped: float = 0.0,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """White Gaussian noise of sigma * severity, new for each pixel and frame.

  sigma walks by `jitter` of itself; with probability `grey` the channels have
  the same noise. With probability `unclipped` it may leave [0, 1], as in the
  tests of the field (DVDnet, arXiv:1906.11890), though in no film.

  Record: sigma [T]; grey [].
  """
  del diagonal
  keys = jax.random.split(rng, 4)
  drawn = jax.random.uniform(keys[0], minval=sigma[0], maxval=sigma[1])
  wobble = walk.ornstein_uhlenbeck(
      keys[1], clip.shape[0], correlation=0.9, deviation=jitter
  )
  deviation = drawn * severity * jnp.exp(wobble)
  is_grey = jax.random.bernoulli(keys[2], grey)
  beyond = jax.random.bernoulli(jax.random.fold_in(rng, 4), unclipped)

  def one_frame(inputs):
    key, frame, amount = inputs
    noise = jax.random.normal(key, frame.shape)
    noise = jnp.where(is_grey, noise[..., :1], noise)
    noisy = frame + amount * noise
    return jnp.where(beyond, noisy, jnp.clip(noisy, 0, 1))

  damaged = per_frame.each(
      one_frame, (jax.random.split(keys[3], clip.shape[0]), clip, deviation)
  )
  record = {'sigma': deviation, 'grey': is_grey}
  return damaged, jnp.zeros_like(clip[..., :1]), record


def poisson_noise(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    photons: float = 400.0,
    jitter: float = 0.05,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Shot noise: a pixel x counts Poisson(x * photons / severity^2) photons.

  So the deviation, sqrt(x severity^2 / photons), goes with severity. Counts
  come from a normal deviate z by the Cornish-Fisher expansion to second order,
  n = m + sqrt(m) z + (z^2 - 1) / 6: mean, variance and skewness of Poisson
  for m above about 3, differentiable, and without the loop of a sampler.

  Record: photons [T], of white.
  """
  del diagonal
  frames = clip.shape[0]
  keys = jax.random.split(rng, 2)
  wobble = walk.ornstein_uhlenbeck(
      keys[0], frames, correlation=0.9, deviation=jitter
  )
  white = photons / jnp.maximum(severity, 1e-3) ** 2 * jnp.exp(2 * wobble)

  def one_frame(inputs):
    key, frame, full = inputs
    mean = frame * full
    z = jax.random.normal(key, frame.shape)
    skew = jnp.minimum(mean, 1.0) * (z**2 - 1) / 6  # None in black.
    count = mean + jnp.sqrt(jnp.maximum(mean, 1e-6)) * z + skew
    return jnp.clip(count / full, 0, 1)

  damaged = per_frame.each(
      one_frame, (jax.random.split(keys[1], frames), clip, white)
  )
  return damaged, jnp.zeros_like(clip[..., :1]), {'photons': white}


def rescale(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    factor: tuple[float, float] = (2.0, 2.0),
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Down- and upscaling: the picture has passed through fewer pixels.

  The factor is 1 + (drawn - 1) * severity, the same for all frames; enlarged
  by nearest, linear or cubic interpolation, drawn evenly. Factors do not
  scale with the diagonal: a ratio has no length.

  Record: factor [], kernel [] (0 nearest, 1 linear, 2 cubic).
  """
  del diagonal
  keys = jax.random.split(rng, 2)
  drawn = jax.random.uniform(keys[0], minval=factor[0], maxval=factor[1])
  ratio = 1 + (drawn - 1) * severity
  kernel = jax.random.randint(keys[1], (), 0, 3)
  rows = filters.resize_matrix(clip.shape[1], ratio, kernel)
  columns = filters.resize_matrix(clip.shape[2], ratio, kernel)
  damaged = per_frame.each(
      lambda x: jnp.clip(filters.apply_separable(x, rows, columns), 0, 1), clip
  )
  record = {'factor': ratio, 'kernel': kernel}
  return damaged, jnp.zeros_like(clip[..., :1]), record


def _in_spectrum(frame, transfer, margin):
  """Filters frame [H, W, 3], with edges repeated over a margin, px.

  transfer: of the padded frame, as of jnp.fft.rfft2 over the first two axes.
  """
  height, width, _ = frame.shape
  padding = ((margin, margin), (margin, margin), (0, 0))
  padded = jnp.pad(frame, padding, mode='edge')
  spectrum = jnp.fft.rfft2(padded, axes=(0, 1)) * transfer
  result = jnp.fft.irfft2(spectrum, padded.shape[:2], axes=(0, 1))
  result = result[margin : margin + height, margin : margin + width]
  return jnp.clip(result, 0, 1)
