"""Where the samples of chroma lie among those of luma."""

import io

import av

from revive_jax.video import matroska


def of_stream(stream: av.VideoStream) -> int:
  """Returns the AVChromaLocation of a stream, 0 if it is not known.

  PyAV has no name for it; so the stream is described in a Matroska header,
  which is in memory and holds nothing else, and that is read.
  """
  memory = io.BytesIO()
  try:
    with av.open(memory, 'w', format='matroska') as output:
      output.add_stream_from_template(stream, opaque=True)
      output.start_encoding()
    return matroska.chroma_siting(memory.getvalue())
  except (av.FFmpegError, ValueError, IndexError):
    return 0  # Matroska has no place for this codec.
