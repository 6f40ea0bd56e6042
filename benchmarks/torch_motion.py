"""ops/lucas_kanade.py, ops/warp.py and models/matcher.py in PyTorch.

As there, function by function: only for benchmarks/torch_build.py. Features are
[N, H, W, C], which PyTorch calls channels_last; planes are [N, H, W].
"""

import torch
from torch.nn import functional

_ROBUST, _STIFFNESS, _FARTHEST = 0.2, 1e-2, 1.0
_STEPS = {8: 3, 4: 3, 2: 2}


def conv(p, x):
  """A 3x3 convolution of x [N, H, W, C]; p: kernel [F, C, 3, 3] and bias."""
  x = functional.conv2d(
      x.permute(0, 3, 1, 2), p['kernel'], p['bias'], padding=1)
  return x.permute(0, 2, 3, 1)


def leaky(x):
  """Leaky ReLU of slope 0.1."""
  return functional.leaky_relu(x, 0.1)


def space_to_depth(x):
  """[N, H, W, C] to [N, H / 2, W / 2, 4 C], rows first."""
  n, h, w, c = x.shape
  x = x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5)
  return x.reshape(n, h // 2, w // 2, 4 * c)


def depth_to_space(x):
  """The inverse of space_to_depth."""
  n, h, w, c = x.shape
  x = x.reshape(n, h, w, 2, 2, c // 4).permute(0, 1, 3, 2, 4, 5)
  return x.reshape(n, 2 * h, 2 * w, c // 4)


def mean_pool(x):
  """Means of 2 x 2 px."""
  n, h, w, c = x.shape
  return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def double(x):
  """[N, H, W, C] to [N, 2 H, 2 W, C], linear."""
  for axis in (1, 2):
    size = x.shape[axis]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, size - 1, 1)
    before = torch.cat([first, x.narrow(axis, 0, size - 1)], axis)
    after = torch.cat([x.narrow(axis, 1, size - 1), last], axis)
    pair = torch.stack(
        [0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
    shape = list(x.shape)
    shape[axis] *= 2
    x = pair.reshape(shape)
  return x


def by_flow(x, flow):
  """x [N, H, W, C] along flow [N, H, W, 2] px, bilinearly."""
  n, height, width, channels = x.shape
  column = torch.arange(width, dtype=torch.float32)[None, None, :]
  row = torch.arange(height, dtype=torch.float32)[None, :, None]
  across = (column + flow[..., 0]).clamp(0, width - 1)
  down = (row + flow[..., 1]).clamp(0, height - 1)
  left, top = across.floor(), down.floor()
  across, down = (across - left)[..., None], (down - top)[..., None]
  left, top = left.long(), top.long()
  right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(
      max=height - 1)
  pixels = x.reshape(n * height * width, channels)
  first = (torch.arange(n) * height * width)[:, None, None]
  at = lambda i, j: pixels[first + i * width + j]
  upper = at(top, left) * (1 - across) + at(top, right) * across
  lower = at(bottom, left) * (1 - across) + at(bottom, right) * across
  return upper * (1 - down) + lower * down


def inside(flow):
  """1 where flow stays in the picture, [N, H, W, 1]."""
  _, height, width, _ = flow.shape
  x = torch.arange(width, dtype=torch.float32)[None, None, :] + flow[..., 0]
  y = torch.arange(height, dtype=torch.float32)[None, :, None] + flow[..., 1]
  good = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
  return good[..., None].float()


def match(p, this, other, frame, neighbour, mask):
  """models.matcher.Matcher: flows at 1/16, 1/8 and 1/2."""
  a, b = _unit(mean_pool(this)), _unit(mean_pool(other))
  sharp = p['sharpness']
  scores = sharp[0] * _correlation(a, b, 4)
  sixteenth = _expected(scores + _beyond(*a.shape[1:3], 4), 4)
  flow = 2 * double(sixteenth)
  moved_ = by_flow(other, flow)
  scores = sharp[1] * _correlation(_unit(this), _unit(moved_), 3)
  flow = flow + _expected(scores + _beyond(*this.shape[1:3], 3), 3)
  x = torch.cat([0.1 * scores, this, moved_, 0.1 * flow], -1)
  x = leaky(conv(p['coarse_1'], leaky(conv(p['coarse_0'], x))))
  eighth = flow + conv(p['coarse_out'], x)
  return sixteenth, eighth, _exact(eighth, frame, neighbour, mask)


def _unit(x):
  return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-4)


def _correlation(a, b, radius):
  """models.matcher.correlation, by shifted products: one sum per shift."""
  height, width = a.shape[1:3]
  padded = functional.pad(b, (0, 0, radius, radius, radius, radius))
  side = range(2 * radius + 1)
  return torch.stack([
      (a * padded[:, i:i + height, j:j + width]).sum(-1)
      for i in side for j in side], -1)


def _expected(scores, radius):
  weight = scores.softmax(-1)
  steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
  dy, dx = torch.meshgrid(steps, steps, indexing='ij')
  return weight @ torch.stack([dx.ravel(), dy.ravel()], -1)


def _beyond(height, width, radius):
  steps = torch.arange(-radius, radius + 1)
  rows = torch.arange(height)[:, None] + steps
  columns = torch.arange(width)[:, None] + steps
  y, x = ((i >= 0) & (i < n) for i, n in ((rows, height), (columns, width)))
  both = y[:, None, :, None] & x[None, :, None, :]
  return torch.where(both, 0.0, -30.0).reshape(1, height, width, -1)


def _exact(guess, frame, neighbour, mask):
  """models.matcher.exact."""
  this, other = (mean_pool(x.mean(-1, keepdim=True))
                 for x in (frame, neighbour))
  planes = {2: (this, other, mean_pool(1 - mask))}
  shift = _pan(*(x[..., 0] for x in planes[2]))
  for block in (4, 8):
    planes[block] = tuple(map(mean_pool, planes[block // 2]))
  flow = guess
  for block, steps in _STEPS.items():
    if block < 8:
      flow = 2 * double(flow)
    this, other, unmarked = (x[..., 0] for x in planes[block])
    guesses = [flow, (2 / block * shift)[:, None, None].expand_as(flow)]
    if block == 8:
      guesses.append(torch.zeros_like(flow))
    flow = _refine(this, other, guesses, (unmarked > 0.999).float(), steps)
    shift = block / 2 * _median(flow.flatten(1, 2))
  return flow


def _median(x):
  """Over axis 1, between the two middle values, which torch.median is not."""
  x, count = x.sort(1).values, x.shape[1]
  return (x[:, (count - 1) // 2] + x[:, count // 2]) / 2


def _pan(this, other, unmarked):
  good = (unmarked > 0.999).float()
  mean = (this * good).sum((1, 2)) / good.sum((1, 2)).clamp(min=1)
  this = torch.where(good > 0, this, mean[:, None, None])
  return _refine_shift(this, other, _phase(this, other), good, 4)


def _phase(this, other):
  """ops.spectrum.phase_correlation."""
  n, height, width = this.shape
  hanning = lambda size: torch.hann_window(size, periodic=False)
  window = (hanning(height)[:, None] * hanning(width)[None])[None]
  spectrum = lambda x: torch.fft.rfft2(
      (x - x.mean((1, 2), keepdim=True)) * window)
  cross = spectrum(other) * spectrum(this).conj()
  cross = cross / (cross.abs() + 1e-6)
  found = torch.fft.irfft2(cross, s=(height, width)).reshape(n, -1).argmax(-1)
  signed = lambda i, size: torch.where(i > size // 2, i - size, i)
  return torch.stack(
      [signed(found % width, width), signed(found // width, height)],
      -1).float()


def _refine(this, other, guesses, visible, steps):
  """ops.lucas_kanade.refine."""
  slope, visible = _slope(this), _inner(visible)
  best = None
  for guess in guesses:
    flow = guess.movedim(-1, 0)
    error = _moved(other, flow) - this
    new = flow, error, _cost(error, visible)
    best = new if best is None else _better(best, new)
  for _ in range(steps):
    flow, error, _ = best
    tried = flow + _step(slope, error, flow, visible)
    there = _moved(other, tried) - this
    best = _better((tried, there, _cost(there, visible)), best)
  return best[0].movedim(0, -1)


def _refine_shift(this, other, shift, visible, steps):
  dx, dy = _slope(this)
  for _ in range(steps):
    flow = shift.movedim(-1, 0)[..., None, None].expand(2, *this.shape)
    error = _moved(other, flow) - this
    weight = visible * inside(flow.movedim(0, -1))[..., 0] / (
        1 + (error / _ROBUST).square())
    mean = lambda x, weight=weight: (weight * x).mean((1, 2))
    xx, xy, yy = mean(dx * dx) + 1e-8, mean(dx * dy), mean(dy * dy) + 1e-8
    xe, ye = mean(dx * error), mean(dy * error)
    step = torch.stack([xy * ye - yy * xe, xy * xe - xx * ye], -1)
    step = step / (xx * yy - xy * xy)[:, None]
    shift = shift + step.clamp(-_FARTHEST, _FARTHEST)
  return shift


def _better(a, b):
  taken = b[-1] < a[-1] - 1e-6
  return tuple(torch.where(taken, y, x) for x, y in zip(a, b, strict=True))


def _step(slope, error, flow, visible):
  dx, dy = slope
  weight = visible / (1 + (error / _ROBUST).square())
  wx, wy = weight * dx, weight * dy
  xx, xy, yy, xe, ye = _box(
      torch.stack([wx * dx, wx * dy, wy * dy, wx * error, wy * error])).unbind()
  xx, yy = xx + _STIFFNESS, yy + _STIFFNESS
  wanted = _STIFFNESS * (_smooth(_smooth(flow)) - flow)
  right_x, right_y = wanted[0] - xe, wanted[1] - ye
  step = torch.stack([yy * right_x - xy * right_y,
                      xx * right_y - xy * right_x]) / (xx * yy - xy * xy)
  return step.clamp(-_FARTHEST, _FARTHEST)


def _cost(error, visible):
  square = (error / _ROBUST).square()
  return _box(visible * square / (1 + square))


def _slope(x):
  across, down = _padded(x, -1, 1), _padded(x, -2, 1)
  return ((across[..., 2:] - across[..., :-2]) / 2,
          (down[..., 2:, :] - down[..., :-2, :]) / 2)


def _inner(visible):
  across, down = _padded(visible, -1, 1), _padded(visible, -2, 1)
  return (visible * across[..., 2:] * across[..., :-2]
          * down[..., 2:, :] * down[..., :-2, :])


def _box(x, radius=2):
  count = 2 * radius + 1
  height, width = x.shape[-2:]
  rows = _padded(x, -2, radius)
  rows = sum(rows[..., i:i + height, :] for i in range(count))
  rows = _padded(rows, -1, radius)
  return sum(rows[..., i:i + width] for i in range(count)) / count**2


def _smooth(x):
  rows = _padded(x, -2, 1)
  rows = rows[..., :-2, :] + 2 * x + rows[..., 2:, :]
  across = _padded(rows, -1, 1)
  return (across[..., :-2] + 2 * rows + across[..., 2:]) / 16


def _padded(x, axis, size):
  """x with its border repeated along the last axis, or the one before."""
  pads = (size, size, 0, 0) if axis == -1 else (0, 0, size, size)
  flat = x.reshape(1, -1, *x.shape[-2:])
  result = functional.pad(flat, pads, mode='replicate')
  return result.reshape(*x.shape[:-2], *result.shape[-2:])


def _moved(x, flow):
  return by_flow(x[..., None], flow.movedim(0, -1))[..., 0]
