"""Restore: a film in, a repaired film out."""

from collections.abc import Callable, Iterator
import functools
import pathlib
import resource
import time

from absl import logging
import jax
import ml_collections
import numpy as np

from revive_jax import pipeline, progress, types
from revive_jax import workdir as workdir_lib
from revive_jax.models import inference, weights
from revive_jax.pipeline import choose, composite, measure, run, spatial
from revive_jax.video import masks, probe, reader, writer

SCHEMA = 1


def restore(
    c: ml_collections.ConfigDict, workdir: str, source: str,
    destination: str | None = None,
    *, see: Callable[[types.Clip], None] | None = None,
) -> dict:
  """Restores the film at source, and returns the report.

  Args:
    c: configs/restore.py.
    workdir: gets config.json and report.json, and the film if destination is
      None.
    source: a video, a folder of pictures, or a picture.
    destination: where the film goes: .mp4, .mkv, a folder, or, for a picture,
      a picture.
    see: is given each window when it is finished, in order.

  Raises:
    types.BadInput: anything the user can set right.
  """
  check_settings(c)
  if not source:
    raise types.BadInput('There is no input; name a film with --input.')
  info = probe.probe(source, frame_rate=c.frame_rate)
  if destination is None:
    destination = default_output(workdir, info)
  writer.check_output(destination, info, codec=c.output.codec)
  found = weights.read_weights(c.weights) if c.weights else None
  network = make_network(found) if found else None
  with workdir_lib.opened(workdir) as folder:
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    report = _restore(c, info, str(destination), see, network)
    if found and any(stage['name'] == 'restore' for shot in report['shots']
                     for stage in shot['stages']):
      report['weights'] = described(found)
    workdir_lib.write_json(folder / 'report.json', report)
  return report


def check_settings(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that do not exist, each in one sentence."""
  one_of = types.check_choice
  one_of('composite', c.composite, composite.MODES)
  one_of('fill', c.fill, ('temporal_median', 'inpaint'))
  one_of('inpaint', c.inpaint, tuple(spatial.INPAINT))
  one_of('denoiser', c.denoiser, ('auto', 'temporal', 'nlm', 'none'))
  if tuple(c.stages) != ('auto',):
    for name in c.stages:
      one_of('stages', name, tuple(pipeline.STAGES))
  if 'restore' in c.stages and not c.weights:
    raise types.BadInput(
        'The stage restore needs a network; name its weights with '
        f'--config.weights (shipped: {", ".join(weights.shipped())}).')
  for kind, value in c.strength.items():
    if not 0 <= value <= 1:
      raise types.BadInput(
          f'--config.strength.{kind}={value} is not between 0 and 1.')
  for key, least in (('window', 1), ('lookahead', 0), ('tile', 64),
                     ('overlap', 0), ('frame_rate', 0.01)):
    if c[key] < least:
      raise types.BadInput(f'--config.{key}={c[key]} is less than {least}.')
  if c.overlap >= c.tile:
    raise types.BadInput(
        f'--config.overlap={c.overlap} is not less than '
        f'--config.tile={c.tile}.')


def make_network(found: weights.Weights):
  """What the learned stage runs (pipeline.restore.Network), of weights."""
  model, params = inference.build(found)
  params = jax.device_put(params)  # Once, not with every window.
  return functools.partial(inference.restore_frames, params, model=model)


def described(found: weights.Weights) -> str:
  """Which weights these are, for the report: name, steps, hash."""
  return (f'{found.name}, {found.config.get("steps", 0)} steps, sha256 '
          f'{found.config["sha256"]}')


def default_output(workdir: str, info: probe.VideoInfo) -> str:
  """workdir/outputs/<name>_restored, in the input's container if it can be."""
  path = pathlib.Path(info.path)
  suffix = {'images': '', 'image': '.png'}.get(info.kind, '.mp4')
  if info.kind == 'video' and path.suffix.lower() in ('.mkv', '.mp4'):
    suffix = path.suffix.lower()
  name = path.name if info.kind == 'images' else path.stem
  return str(pathlib.Path(workdir) / 'outputs' / f'{name}_restored{suffix}')


def fit_window(window: int, info: probe.VideoInfo) -> int:
  """Frames of a window: fewer where frames are larger than 640x480, down to 6.

  It depends on the film alone, so every run of it cuts the same windows.
  """
  return min(window, max(6, window * 640 * 480 // (info.width * info.height)))


def _restore(c, info, destination, see, network) -> dict:
  """Both passes; returns the report."""
  start, warnings = time.monotonic(), []
  logging.info('Measuring %s.', info.path)
  frames = progress.show(reader.read_frames(info, warn=warnings.append),
                         total=info.frame_count, label='Measuring')
  shots, num_frames = measure.measure(
      (f.rgb for f in frames), frame_rate=float(info.frame_rate))
  if not num_frames:
    raise types.BadInput(f'{info.path!r} holds no picture that can be decoded.')
  measured = time.monotonic() - start
  settings = c.to_dict()
  plans = [choose.choose(
      s, mode=c.composite, strength=settings['strength'],
      stages=tuple(c.stages), output=dict(
          bits=8 if info.bit_depth <= 8 else 16, grain=c.output.grain),
      fill=c.fill, inpaint=c.inpaint, denoiser=c.denoiser, seed=c.seed,
      marked=bool(c.mask), learned=network is not None) for s in shots]
  marks = masks.read_masks(c.mask, info, num_frames) if c.mask else None
  tallies = [dict(pixels=0, changed=0, damaged=0, moved=0, invented=0)
             for _ in shots]
  clips = run.run(
      reader.read_frames(info), shots, plans,
      window=fit_window(c.window, info),
      context=c.lookahead, tile=c.tile, overlap=c.overlap, masks=marks,
      network=network)
  written = writer.write_video(
      destination, progress.show(
          _outputs(clips, tallies, see), total=num_frames, label='Restoring'),
      info, codec=c.output.codec, crf=c.output.crf, expected_frames=num_frames)
  seconds = time.monotonic() - start
  return _report(c, info, shots, plans, tallies, written,
                 dict(frames=num_frames, seconds=round(seconds, 2),
                      measuring_seconds=round(measured, 2),
                      frames_per_second=round(num_frames / seconds, 3),
                      peak_memory_mb=peak_memory()),
                 [*dict.fromkeys([*warnings, *written.warnings])])


def _outputs(clips, tallies, see) -> Iterator[writer.OutputFrame]:
  """Turns clips into frames for the writer, and counts what was done."""
  for number, clip, group, _ in clips:
    tally = tallies[number]
    if see is not None:
      see(clip)
    for t, source in enumerate(group):
      peak = np.iinfo(source.rgb.dtype).max
      rgb = np.round(clip.output[t] * peak).astype(source.rgb.dtype)
      tally['pixels'] += rgb[..., 0].size
      tally['changed'] += int((rgb != source.rgb).any(-1).sum())
      if clip.damage is not None:
        tally['damaged'] += int((clip.damage[t] > 0.5).sum())
      if clip.origin is not None:
        for name in ('moved', 'invented'):
          value = types.Origin[name.upper()]
          tally[name] += int((clip.origin[t] == value).sum())
      yield writer.OutputFrame(source, rgb)


def _report(c, info, shots, plans, tallies, written, speed, warnings) -> dict:
  """The report; its keys are explained in docs/formats.md."""
  def share(tally, name):
    return tally[name] / max(tally['pixels'], 1)
  return {
      'schema': SCHEMA,
      'input': {
          'path': info.path, 'kind': info.kind, 'width': info.width,
          'height': info.height, 'frames': speed['frames'],
          'frame_rate': float(info.frame_rate), 'codec': info.codec,
          'pixel_format': info.pix_fmt,
          'audio': [f'{a.codec} {a.sample_rate} Hz' for a in info.audio]},
      'measured': [_measured(s) for s in shots],
      'shots': [{
          'start': s.start, 'end': s.stop, 'key_frame': s.key_frame,
          'stages': [{'name': x.name, 'why': x.why, 'strength': x.strength}
                     for x in p.stages],
          'share': {n: share(t, n) for n in ('changed', 'damaged', 'moved',
                                             'invented')},
      } for s, p, t in zip(shots, plans, tallies, strict=True)],
      'quality': {},
      'speed': speed,
      'outputs': [{
          'path': written.path, 'frames': written.num_frames,
          'codec': written.codec, 'pixel_format': written.pix_fmt,
          'share_of_samples_kept': written.kept_fraction,
          'largest_timestamp_error_seconds': written.max_timestamp_error,
          'audio_tracks_copied': written.audio_tracks}],
      'weights': None,
      'settings': c.to_dict(),
      'warnings': warnings,
  }


def _measured(shot: measure.Shot) -> dict:
  """One shot's measurements, in the report's units."""
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


def peak_memory() -> float:
  """Largest resident memory of this process so far, MB."""
  return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
