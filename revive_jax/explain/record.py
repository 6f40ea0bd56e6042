"""The record of a run, report.json: what docs/formats.md describes."""

from collections.abc import Mapping, Sequence
from typing import Any

from revive_jax.video import conceal, probe, reader, writer

SCHEMA = 1
_SHARES = ('changed', 'damaged', 'moved', 'invented', 'spared')
_STILL = {'jitter_pixels': None, 'lost_share': 0.0}


def record(
    info: probe.VideoInfo, *, shots: Sequence[Any], plans: Sequence[Any],
    tallies: Sequence[Mapping[str, int]], written: writer.Written,
    speed: Mapping[str, float], settings: Mapping[str, Any],
    warnings: Sequence[str], concealed: Sequence[Mapping[str, Any]] = (),
    motion: Sequence[Mapping[str, float | None]] = (),
    events: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
  """The record, in JSON's types but for numbers that are not finite.

  Args:
    info: of the source.
    shots: of pipeline.measure, in order.
    plans: of pipeline.choose, one for each shot.
    tallies: counted pixels of each shot: 'pixels', and those of the shares.
    written: the output.
    speed: 'frames', 'seconds', ...
    settings: of the run.
    warnings: sentences.
    concealed: frames that the source does not hold, see concealed_frame.
    motion: of each shot, see pipeline.motion; (): it was not measured.
    events: repeats and losses, see event.
  """
  motion = motion or [_STILL] * len(shots)
  return {
      'schema': SCHEMA,
      'input': {
          'path': info.path, 'kind': info.kind, 'width': info.width,
          'height': info.height, 'frames': speed['frames'],
          'frame_rate': float(info.frame_rate), 'codec': info.codec,
          'pixel_format': info.pix_fmt,
          'audio': [f'{a.codec} {a.sample_rate} Hz' for a in info.audio]},
      'measured': [measured(s) | {'jitter_pixels': m['jitter_pixels']}
                   for s, m in zip(shots, motion, strict=True)],
      'shots': [{
          'start': s.start, 'end': s.stop, 'key_frame': s.key_frame,
          'stages': [{'name': x.name, 'why': x.why, 'strength': x.strength}
                     for x in p.stages],
          'share': {n: t[n] / max(t['pixels'], 1) for n in _SHARES} | {
              'lost': m['lost_share']},
      } for s, p, t, m in zip(shots, plans, tallies, motion, strict=True)],
      'quality': {},
      'speed': dict(speed),
      'outputs': [{
          'path': written.path, 'frames': written.num_frames,
          'codec': written.codec, 'pixel_format': written.pix_fmt,
          'share_of_samples_kept': written.kept_fraction,
          'largest_timestamp_error_seconds': written.max_timestamp_error,
          'audio_tracks_copied': written.audio_tracks}],
      'weights': None,
      'settings': dict(settings),
      'warnings': list(warnings),
      'concealed': list(concealed),
      'events': list(events),
  }


def measured(shot) -> dict[str, Any]:
  """One shot's measurements, in the record's units."""
  return {
      'start': shot.start, 'end': shot.stop,
      'noise_sigma_of_255': round(255 * shot.noise, 2),
      'flicker_percent': round(100 * shot.flicker, 2),
      'dust_per_10000_pixels': round(1e4 * shot.spots, 2),
      'scratches_per_10000_pixels': round(1e4 * shot.scratches, 2),
      'cracks_percent': round(100 * shot.cracks, 2),
      'edge_width_pixels': round(shot.edge_width, 2),
      'levels': [round(shot.low, 3), round(shot.high, 3)],
      'grey': shot.grey}


def event(
    found: Any, info: probe.VideoInfo, stamps: Sequence[int]
) -> dict[str, Any]:
  """What is said of frames shown twice, or missing.

  Args:
    found: of pipeline.timeline.done.
    info: of the film as it was read.
    stamps: timestamps of its frames.
  """
  what = found.event
  return {
      'kind': what.kind.value, 'frame': what.start, 'count': what.count,
      'time': conceal.clock(
          float((stamps[what.start] - stamps[0]) * info.time_base)),
      'done': found.done, 'made': found.made, 'why': found.why}


def concealed_frame(
    frame: reader.SourceFrame, info: probe.VideoInfo, first: int
) -> dict[str, Any]:
  """What is said of a frame that could not be decoded as it was.

  first: the timestamp of the film's first frame.
  """
  return {'frame': frame.index, 'how': frame.concealed,
          'time': conceal.clock(
              float((frame.pts - first) * info.time_base))}
