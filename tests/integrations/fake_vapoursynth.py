"""A stand-in for VapourSynth, for where it is not installed.

Its wheels are for Python 3.12 and newer, and the program runs on 3.11, too. As
the real one (R81, API 4): frames are made by a pool of threads, as many as the
core says, and may not be asked for with get_frame() by one of those; frames
that a filter is given are read-only, copies are not; planes come one by one.
"""

from concurrent import futures
import threading
import types

import numpy as np


class Error(Exception):
  pass


INTEGER, FLOAT = 0, 1
GRAY, RGB, YUV = 1, 2, 3
_here = threading.local()


class _Format(types.SimpleNamespace):
  pass


def _format(name, family, bits, sub_w=0, sub_h=0, kind=INTEGER):
  return _Format(
      id=hash(name) | 1, name=name, color_family=family, bits_per_sample=bits,
      subsampling_w=sub_w, subsampling_h=sub_h, sample_type=kind,
      num_planes=1 if family == GRAY else 3)


GRAY8 = _format('Gray8', GRAY, 8)
RGB24 = _format('RGB24', RGB, 8)
RGB48 = _format('RGB48', RGB, 16)
RGBH = _format('RGBH', RGB, 16, kind=FLOAT)
RGBS = _format('RGBS', RGB, 32, kind=FLOAT)
YUV420P8 = _format('YUV420P8', YUV, 8, 1, 1)
YUV420P10 = _format('YUV420P10', YUV, 10, 1, 1)


def _dtype(form):
  if form.sample_type == FLOAT:
    return np.float32 if form.bits_per_sample == 32 else np.float16
  return np.uint8 if form.bits_per_sample == 8 else np.uint16


class VideoFrame:

  def __init__(self, form, planes, props):
    self.format, self.props, self._planes = form, props, planes
    self.height, self.width = planes[0].shape

  def __getitem__(self, plane):
    return self._planes[plane]

  def copy(self):
    return VideoFrame(
        self.format, [p.copy() for p in self._planes], dict(self.props))

  def locked(self):
    for plane in self._planes:
      plane.flags.writeable = False
    return self

  def __enter__(self):
    return self

  def __exit__(self, *_):
    pass


class _Core:

  def __init__(self):
    self._num, self._pool = 2, futures.ThreadPoolExecutor(2)

  @property
  def num_threads(self):
    return self._num

  @num_threads.setter
  def num_threads(self, count):
    self._num, self._pool = count, futures.ThreadPoolExecutor(count)

  @property
  def std(self):
    return _Std(None)

  def made(self, node, number):
    def work():
      _here.works = True
      try:
        return node.make(number)
      finally:
        _here.works = False
    # The real one would wait forever.
    return self._pool.submit(work).result(timeout=60)


core = _Core()


class VideoNode:

  def __init__(self, form, width, height, num_frames, make, fps=24):
    self.format, self.width, self.height = form, width, height
    self.num_frames, self.fps, self.make = num_frames, fps, make

  @property
  def std(self):
    return _Std(self)

  def get_frame(self, number):
    if getattr(_here, 'works', False):
      raise Error('get_frame() within a thread of the core: a deadlock')
    return core.made(self, number)

  def frames(self):
    return map(self.get_frame, range(self.num_frames))


class _Std:

  def __init__(self, node):
    self._node = node

  def BlankClip(self, width=0, height=0, format=None, length=0, color=None,  # noqa: A002, N802
                keep=False):
    like = self._node
    if like is not None:
      width, height = width or like.width, height or like.height
      length, format = length or like.num_frames, format or like.format  # noqa: A001
    small = (-(-height >> format.subsampling_h),
             -(-width >> format.subsampling_w))
    shapes = [(height, width), small, small][:format.num_planes]
    return VideoNode(format, width, height, length, lambda n: VideoFrame(
        format, [np.zeros(s, _dtype(format)) for s in shapes], {}).locked())

  def ModifyFrame(self, clips, selector):  # noqa: N802
    lock = threading.Lock()  # One frame at a time.

    def make(number):
      frame = clips.make(number)
      with lock:
        return selector(n=number, f=frame).locked()

    node = self._node
    return VideoNode(
        node.format, node.width, node.height, node.num_frames, make)

  def SetFrameProps(self, **props):  # noqa: N802
    def put(n, f):
      result = f.copy()
      result.props.update(props)
      return result

    return self.ModifyFrame(self._node, put)
