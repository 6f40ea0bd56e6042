"""One of FFmpeg's filters over decoded frames."""

from collections.abc import Iterator
import fractions

import av


def build(frame: av.VideoFrame, name: str, options: str | None = None):
  """Returns (graph, source, sink) of a filter for frames like frame.

  Push frames to the source, and None at the end; keep the graph alive.
  """
  graph = av.filter.Graph()
  source = graph.add_buffer(
      width=frame.width, height=frame.height, format=frame.format.name,
      time_base=frame.time_base or fractions.Fraction(1, 25))
  node, sink = graph.add(name, options), graph.add('buffersink')
  source.link_to(node)
  node.link_to(sink)
  graph.configure()
  return graph, source, sink


def pulled(sink) -> Iterator[av.VideoFrame]:
  """Yields the frames that a filter graph has ready."""
  while True:
    try:
      yield sink.pull()
    except (av.BlockingIOError, av.EOFError):
      return
