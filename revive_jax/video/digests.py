"""Digests: SHA-256 of the packets of a stream, and of what they decode to."""

import hashlib
import os

import av

from revive_jax.video import probe, sandbox


def add(digest, packet: av.Packet) -> None:
  """Adds a packet to a digest, with its length."""
  digest.update(packet.size.to_bytes(8, 'little'))
  digest.update(packet)


def packets(path: str | os.PathLike, index: int) -> str:
  """Of all packets of the stream of that number."""
  digest = hashlib.sha256()
  with probe.open_video(path) as container:
    for packet in container.demux(container.streams[index]):
      if packet.size:
        add(digest, packet)
  return digest.hexdigest()


def samples(path: str | os.PathLike, index: int) -> str:
  """Of all samples of a stream of sound; what does not decode counts, too."""
  if sandbox.covers(path):
    return sandbox.call(samples, path, path, index)
  digest = hashlib.sha256()
  with probe.open_video(path) as container:
    for packet in container.demux(container.streams[index]):
      try:
        for frame in packet.decode():
          digest.update(frame.to_ndarray().tobytes())
      except av.FFmpegError:
        digest.update(b'error')
  return digest.hexdigest()
