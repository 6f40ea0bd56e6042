"""models/restorer.py in PyTorch, both directions: for torch_build.py only.

Function by function as there, frame by frame. What is compiled is one frame's
encoder, step and heads; the loop over time is Python's. Features are
[N, H, W, C], which PyTorch calls channels_last.
"""

import numpy as np
import torch
from torch.nn import functional
import torch_motion as motion

_FADING, _LEAST = 0.75, 1e-3
_FEW = 32  # Channels of descriptors.


def convert(params):
  """Params of models/weights.py as tensors; convolutions as PyTorch has them.
  """
  if isinstance(params, dict):
    # In order, or torch.compile makes a program for each direction.
    return {key: convert(params[key]) for key in sorted(params)}
  x = torch.from_numpy(np.array(params, np.float32))
  if x.ndim == 4:
    return x.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
  return x


def restore(params, frames, wrap=lambda step: step):
  """Restores frames [B, T, H, W, 3] without cuts; H, W multiples of 16.

  Args:
    params: of convert.
    frames: float32 in [0, 1].
    wrap: what encoder, step and heads go through: torch.compile, or nothing.

  Returns:
    output, damage and log_variance, [B, T, H, W, C].
  """
  encode_, step, heads_ = map(wrap, (_encode, _step, _heads))
  time = frames.shape[1]
  pictures = [frames[:, t].contiguous() for t in range(time)]
  mask = torch.zeros_like(pictures[0][..., :1])
  encoded = [encode_(params['encoder'], x, mask) for x in pictures]

  def pass_(name, order):
    state, found = None, [None] * time
    keep = torch.zeros(len(frames), 1, 1, 1)
    state = _initial(pictures[0], encoded[0][0].shape[-1])
    for t in order:
      state, *found[t] = step(
          params[f'{name}_cell'], params[f'{name}_update'], params['matcher'],
          state, pictures[t], mask, *encoded[t], keep)
      keep = torch.ones_like(keep)
    return found

  past = pass_('forward', range(time))
  future = pass_('backward', reversed(range(time)))
  outputs = [heads_(params['heads'], encoded[t][0], past[t][0], future[t][0],
                    pictures[t], mask, past[t][1:], future[t][1:])
             for t in range(time)]
  return tuple(torch.stack(x, 1) for x in zip(*outputs, strict=True))


def _initial(frame, features):
  n, height, width, _ = frame.shape
  zeros = lambda k, c: torch.zeros(n, height // k, width // k, c)
  return zeros(1, 3), zeros(1, 1), zeros(2, features), zeros(8, _FEW)


def _dense(p, x):
  return functional.linear(x, p['kernel'].T, p['bias'])


def _joint(p, *inputs):
  return _dense(p, torch.cat(inputs, -1))


def _block(p, x):
  return x + motion.conv(p['Conv_1'], motion.leaky(motion.conv(p['Conv_0'], x)))


def _down(p, x):
  return motion.leaky(_dense(p['Dense_0'], motion.space_to_depth(x)))


def _encode(p, frame, mask):
  """Features and descriptors of a frame."""
  x = torch.cat([*_bands(frame), motion.space_to_depth(mask)], -1)
  for name in ('Conv_0', 'Conv_1'):
    x = motion.leaky(motion.conv(p[name], x))
  p = p['Descriptors_0']
  few = motion.leaky(motion.conv(p['Conv_0'], _down(p['Down_0'], x)))
  few = motion.leaky(motion.conv(p['Conv_1'], _down(p['Down_1'], few)))
  return x, _dense(p['coarse'], few)


def _bands(frame):
  mean = motion.mean_pool(frame)
  detail = motion.space_to_depth(frame) - mean.repeat(1, 1, 1, 4)
  height, width = mean.shape[1:3]
  padded = functional.pad(
      mean.permute(0, 3, 1, 2), (1, 1, 1, 1), mode='replicate').permute(
          0, 2, 3, 1)
  around = sum(padded[:, i:i + height, j:j + width]
               for i in range(3) for j in range(3)) / 9
  return 6 * detail, 4 * (mean - around), 2 * (mean - 0.5)


def _step(cell, update, matcher, state, frame, mask, encoded, descriptors,
          keep):
  """One step of a direction: state, hidden, picture and support before."""
  picture, support, hidden, others = state
  *_, flow = motion.match(matcher, descriptors, others, frame, picture, mask)
  before = _follow(picture, support, 2 * motion.double(flow), keep)
  hidden = motion.by_flow(hidden, flow) * keep
  hidden = _cell(cell, encoded, hidden, _difference(frame, *before))
  after = _update(update, hidden, frame, mask, *before)
  return (*after, hidden, descriptors), hidden, *before


def _cell(p, encoded, hidden, difference):
  x = motion.leaky(_joint(p['Joint_0'], encoded, hidden, difference))
  deep = _down(p['Down_0'], x)
  blocks = sorted(key for key in p if key.startswith('ResBlock'))
  for name in blocks[:-1]:
    deep = _block(p[name], deep)
  x = x + motion.depth_to_space(_dense(p['Up_0']['Dense_0'], deep))
  x = _block(p[blocks[-1]], x)
  return x * torch.rsqrt(1 + x.square().mean(-1, keepdim=True) / 16)


def _follow(picture, support, flow, keep):
  """models.estimate.follow."""
  weight = support.clamp(max=1)
  picture, weight, support = motion.by_flow(
      torch.cat([picture * weight, weight, support], -1), flow).split(
          (3, 1, 1), -1)
  known = (support > _LEAST).float()
  picture = picture / weight.clamp(min=_LEAST)
  picture = picture - _softening(picture, known, flow)
  return picture, _FADING * support * keep * motion.inside(flow)


def _softening(picture, known, flow):
  result = 0.0
  for axis, shift in ((2, flow[..., :1]), (1, flow[..., 1:])):
    fraction = shift - shift.floor()
    before, after = (_neighbour(picture, s, axis) for s in (-1, 1))
    both = known * _neighbour(known, -1, axis) * _neighbour(known, 1, axis)
    bend = both * (before + after - 2 * picture)
    result = result + 0.5 * fraction * (1 - fraction) * bend
  return result


def _neighbour(x, step, axis):
  size = x.shape[axis]
  none = torch.zeros_like(x.narrow(axis, 0, 1))
  return torch.cat([x.narrow(axis, 1, size - 1), none] if step > 0 else
                   [none, x.narrow(axis, 0, size - 1)], axis)


def _difference(frame, picture, support):
  apart = 6 * (picture - frame) * support.clamp(max=1)
  return torch.cat([motion.space_to_depth(apart),
                    motion.mean_pool(torch.log2(1 + support))], -1)


def _update(p, hidden, frame, mask, picture, support):
  """models.estimate.Update."""
  trust = motion.depth_to_space(_dense(p['out'], hidden))
  of_frame, of_before = torch.sigmoid(
      4 * trust + torch.tensor([3.0, 1.0])).split(1, -1)
  new, old = of_frame * (1 - mask), of_before * support
  total = new + old
  mean = (frame * new + picture * old) / total.clamp(min=_LEAST)
  return torch.where(total > _LEAST, mean, frame), total


def _heads(p, encoded, forward, backward, frame, mask, previous, next_):
  """models.heads.Heads: output, damage, log-variance."""
  x = motion.leaky(_joint(
      p['Joint_0'], encoded, forward, backward, _difference(frame, *previous),
      _difference(frame, *next_)))
  x = motion.depth_to_space(_dense(p['out'], _block(p['ResBlock_0'], x)))
  change, made_up, damage, log_variance, sharp, sources = x.split(
      (3, 3, 1, 1, 1, 6), -1)
  weight = _weights(sources, mask, previous[1], next_[1])
  soft = _softened(frame, 1)
  pictures = (frame, soft, _softened(soft, 2), previous[0], next_[0],
              0.5 + made_up)
  mean = sum(weight[..., i:i + 1] * x for i, x in enumerate(pictures))
  output = mean + 2 * sharp * (mean - _softened(mean, 1)) + 0.3 * change
  damage = torch.maximum(torch.sigmoid(4 * damage - 2), mask)
  return (output.clamp(0, 1), damage,
          6 * torch.tanh(log_variance / 1.5) - 5)


def _softened(x, step):
  """models.heads.softened."""
  _, height, width, _ = x.shape
  pad = lambda x, pads: functional.pad(
      x.permute(0, 3, 1, 2), pads, mode='replicate').permute(0, 2, 3, 1)
  rows = pad(x, (step, step, 0, 0))
  rows = (0.25 * (rows[:, :, :width] + rows[:, :, 2 * step:])
          + 0.5 * rows[:, :, step:step + width])
  rows = pad(rows, (0, 0, step, step))
  return (0.25 * (rows[:, :height] + rows[:, 2 * step:])
          + 0.5 * rows[:, step:step + height])


def _weights(sources, mask, *supports):
  number = [torch.where(s > _LEAST, s.clamp(min=1e-6).log(), -1e4)
            for s in supports]
  given = torch.cat([3 - 1e4 * mask, -1e4 * mask, -1e4 * mask, *number,
                     torch.zeros_like(mask)], -1)
  return (4 * sources + given).softmax(-1)
