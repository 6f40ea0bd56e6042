"""Fit: how many frames are worked on at once, so that memory is bounded.

It depends on the film alone: every run of a film cuts the same windows.
"""

# px; up to here windows are as long as was asked for.
_SMALL = 1024 * 480
# The same where no window more is in memory: 16 frames of 1280x720, which take
# as much as 8 did when the network kept more of them (docs/performance.md).
_ALONE = 1280 * 480
_LARGE = 1920 * 1088  # px; beyond, fewer frames around them are looked at, too.
_WINDOW, _CONTEXT = 6, 3  # The least.
_STANDARD = 1024 * 576  # px; up to here there is memory to spare.
_LENGTHS = (1, 8, 16)  # For which there are programs, and the longest there is.


def window(frames: int, *, height: int, width: int) -> int:
  """Frames of a window: fewer where they are large, down to 6.

  Those around it are restored with it: a short window costs much of that.
  """
  most = _SMALL if spares_memory(height=height, width=width) else _ALONE
  return min(frames, max(_WINDOW, frames * most // (height * width)))


def context(frames: int, *, height: int, width: int) -> int:
  """Frames around a window: fewer beyond full HD, down to 3.

  At 3840x2160 a frame takes 0.5 GB with all that is known of it: of ten on both
  sides of a window of six there would be 13 GB.
  """
  return min(frames, max(_CONTEXT, frames * _LARGE // (height * width)))


def spares_memory(*, height: int, width: int) -> bool:
  """Whether frames are so small that there may be a window more in memory."""
  return height * width <= _STANDARD


def length(longest: int, *, most: int) -> int:
  """Frames that all windows of a film are made up to for the network.

  One length, for which one program is compiled; what makes up a shorter window
  is not gone through (models/inference.py), but it takes memory.

  Args:
    longest: frames of its longest window, or of the film.
    most: frames of the longest window that films of this size can have.
  """
  return next((n for n in _LENGTHS if longest <= n <= most), most)
