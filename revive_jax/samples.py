"""Samples: a damaged film for each preset, made here, restored and compared.

Each is a clip whose undamaged state is known, as the demo's is, in the kind of
file that the preset is for.
"""

import fractions
import pathlib
from typing import NamedTuple

import av
import cv2
import ml_collections
import numpy as np

from revive_jax import demo, restore, types
from revive_jax import workdir as workdir_lib
from revive_jax.metrics import fidelity
from revive_jax.pipeline import upscale
from revive_jax.video import dicom, probe, reader, sheet, writer

_SOUND_RATE = 48_000  # Hz.
_RATE = 25  # Frames per second.
_PHOTONS = 400  # That make full white in the dark.


class Sample(NamedTuple):
  """A damaged film on the disk, and what it was."""

  path: str
  clean: np.ndarray  # [T, H, W, 3] float32 in [0, 1].
  mask: np.ndarray | None = None  # [H, W] bool: marked as damaged by hand.


def restore_sample(c: ml_collections.ConfigDict, workdir: str) -> dict:
  """Makes the sample of a preset, restores it; returns the report.

  Writes outputs/damaged.*, restored.* and contact_sheet.png, for a marked
  sample mask.png, and report.json, into workdir, and prints where they are.

  Args:
    c: one of configs/presets/.
    workdir: the folder of the run.
  """
  types.check_choice('sample.name', c.sample.name, tuple(SAMPLES))
  if c.sample.num_frames < 6 or min(c.sample.width, c.sample.height) < 32:
    raise types.BadInput(
        f'A sample of {c.sample.num_frames} frames of {c.sample.width}x'
        f'{c.sample.height} is too small; it takes 6 frames of 32x32.')
  upscale.refuse(c.output.upscale,
                 'A sample, which is compared with its undamaged state,')
  outputs = pathlib.Path(workdir) / 'outputs'
  with workdir_lib.opened(workdir):
    outputs.mkdir(parents=True, exist_ok=True)
    sample = SAMPLES[c.sample.name](c.sample, c.seed, outputs)
    settings = ml_collections.ConfigDict(c.to_dict())
    if sample.mask is not None:
      settings.mask = str(outputs / 'mask.png')
      sheet.write_png(settings.mask, sample.mask[..., None].astype('u1') * 255)
  target = outputs / f'restored{pathlib.Path(sample.path).suffix}'
  report = restore.restore(settings, workdir, sample.path, str(target))
  damaged, restored = _read(sample.path), _read(target)
  report['quality'] = quality(sample, damaged, restored)
  _write_sheet(outputs / 'contact_sheet.png', sample, damaged, restored)
  names = ('damaged' + target.suffix, 'contact_sheet.png')
  report['outputs'] += [{'path': str(outputs / n)} for n in names]
  workdir_lib.write_json(pathlib.Path(workdir) / 'report.json', report)
  _print(report, pathlib.Path(workdir))
  return report


def quality(sample: Sample, damaged: np.ndarray, restored: np.ndarray) -> dict:
  """PSNR of both against the clean film; of a marked one, inside and outside.

  Args:
    sample: with the clean film.
    damaged: [T, H, W, 3] float32 in [0, 1], as decoded.
    restored: the same, of T frames or a multiple (fields made frames).
  """
  restored = restored[::max(1, len(restored) // len(damaged))]
  result = {}
  for name, clip in (('damaged', damaged), ('restored', restored)):
    result[name] = {
        'psnr_db': float(fidelity.psnr(clip, sample.clean).mean())}
  if sample.mask is not None:
    changed = (damaged != restored).any(-1)
    result['share_of_marked_pixels_changed'] = float(
        changed[:, sample.mask].mean())
    result['pixels_changed_away_from_marks'] = int(
        changed[:, ~_grown(sample.mask)].sum())
  return result


def _grown(mask: np.ndarray) -> np.ndarray:
  """The mask [H, W] bool and the pixels that touch it."""
  wide = np.pad(mask, 1)
  height, width = mask.shape
  return np.logical_or.reduce([
      wide[y:y + height, x:x + width] for y in range(3) for x in range(3)])


def _read(path) -> np.ndarray:
  """All frames of a film, [T, H, W, 3] float32 in [0, 1]."""
  if dicom.is_dicom(path):  # As stored: not stretched to what is in the file.
    coding = dicom.read_coding(path)
    values = [dicom.to_values(w, coding) for w in dicom.read_words(coding)]
    grey = np.stack(values).astype(np.float32) / coding.limits[1]
    return np.repeat(grey[..., None], 3, -1)
  frames = [f.rgb for f in reader.read_frames(probe.probe(str(path)))]
  return np.stack(frames).astype(np.float32) / np.iinfo(frames[0].dtype).max


def _film(size, seed, folder) -> Sample:
  """A print: dust, scratches, flicker, grain. FFV1."""
  rng = np.random.default_rng(seed)
  clean = _pan(size.num_frames, size.height, size.width)
  clip = clean + 0.03 * rng.standard_normal((*clean.shape[:3], 1))
  clip *= np.exp(0.06 * rng.standard_normal((len(clip), 1, 1, 1)))
  scratch = rng.uniform(0.2, 0.8) * size.width
  for frame in clip:
    scratch += rng.normal(0, 0.3)
    cv2.line(frame, (round(scratch), 0), (round(scratch + 1), size.height),
             (0.1, 0.1, 0.1), 1 + size.width // 320)
    for _ in range(rng.poisson(3)):
      place = rng.integers(0, (size.width, size.height)).tolist()
      axes = (rng.uniform(1, 3, 2) * max(1, size.width / 320)).astype(int)
      cv2.ellipse(frame, place, axes.tolist(), rng.uniform(0, 180), 0, 360,
                  (float(rng.choice([0.03, 0.97])),) * 3, -1)
  path = folder / 'damaged.mkv'
  writer.write_rgb(path, _codes(clip), frame_rate=24)
  return Sample(str(path), clean)


def _home_video(size, seed, folder) -> Sample:
  """A tape: interlaced, noisy, colours at half width, H.264; a noisy sound."""
  rng = np.random.default_rng(seed)
  fields = _pan(2 * size.num_frames, size.height, size.width)
  clean = fields[::2]
  clip = clean.copy()
  clip[:, 1::2] = fields[1::2, 1::2]  # The lower lines are a field later.
  grey = clip.mean(-1, keepdims=True)
  colour = clip - grey
  colour = (colour + np.roll(colour, 2, 2) + np.roll(colour, 4, 2)) / 3
  shape = (*clip.shape[:3], 1)
  clip = grey + colour + 0.02 * rng.standard_normal(shape) + (
      0.015 * rng.standard_normal(clip.shape))
  path = folder / 'damaged.mkv'
  _write_coded(path, _codes(clip), crf=26, interlaced=True,
               sound=_noisy_sound(size.num_frames / _RATE, rng))
  return Sample(str(path), clean)


def _surveillance(size, seed, folder) -> Sample:
  """A dark yard: a quarter of the light, photon noise, strong compression."""
  rng = np.random.default_rng(seed)
  clean = 0.25 * _pan(size.num_frames, size.height, size.width, reach=0)
  y, x = np.mgrid[:size.height, :size.width]
  for t, frame in enumerate(clean):  # Somebody walks by.
    across = size.width * (0.2 + 0.6 * t / len(clean))
    frame[np.hypot((x - across) * 2.5, y - size.height * 0.6)
          < size.height * 0.3] = (0.05, 0.04, 0.06)
  clip = rng.poisson(clean * _PHOTONS) / _PHOTONS
  clip = clip + 0.01 * rng.standard_normal(clip.shape)
  path = folder / 'damaged.mp4'
  _write_coded(path, _codes(clip), crf=16)
  return Sample(str(path), clean)


def _medical(size, seed, folder) -> Sample:
  """A phantom of 12 bits: moving ellipses; dead pixels, a dead row, a column.
  """
  rng = np.random.default_rng(seed)
  values = _phantom(size.num_frames, size.height, size.width)
  values = np.round(values + 12 * rng.standard_normal(values.shape))
  values = np.clip(values, 0, 4000)
  mask = np.zeros((size.height, size.width), bool)
  mask[size.height // 3, :size.width // 2] = True
  mask[:, size.width * 2 // 3] = True
  mask.ravel()[rng.choice(mask.size, mask.size // 400, replace=False)] = True
  stuck = rng.choice([0, 4095], (size.height, size.width))
  path = folder / 'damaged.dcm'
  _write_dicom(path, np.where(mask, stuck, values).astype('<u2'))
  grey = (values / 4095).astype(np.float32)
  return Sample(str(path), np.repeat(grey[..., None], 3, -1), mask)


SAMPLES = {'film': _film, 'home_video': _home_video, 'medical': _medical,
           'surveillance': _surveillance}


def _pan(count: int, height: int, width: int, *, reach=12.0) -> np.ndarray:
  """A photograph under a calm hand, [T, H, W, 3] float32; reach in px."""
  photo = demo.make_clip(6, height + 32, width + 32)[0]
  frames = []
  for angle in np.arange(count) / 50:
    place = (16 + reach * np.sin(2 * angle), 16 + reach * np.sin(3 * angle))
    moved = np.float32([[1, 0, -place[0]], [0, 1, -place[1]]])
    frames.append(cv2.warpAffine(
        photo, moved, (width, height), flags=cv2.INTER_CUBIC))
  return np.clip(np.stack(frames), 0, 1)


def _phantom(num_frames: int, height: int, width: int) -> np.ndarray:
  """A body with two organs, one of which beats, [T, H, W] in 0 to 4000."""
  y, x = np.mgrid[:height, :width].astype(np.float64)
  x, y = 2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1
  frames = []
  for t in range(num_frames):
    beat = 1 + 0.12 * np.sin(2 * np.pi * t / 8)
    frame = np.full((height, width), 150.0)
    for value, cx, cy, rx, ry in (
        (900, 0, 0, 0.9, 0.85), (1500, -0.35, 0.1, 0.25, 0.4),
        (2600, 0.3, -0.1, 0.28 * beat, 0.3 * beat), (3400, 0.1, 0.6, 0.1, .1)):
      # Over a few pixels from inside to outside, as a detector blurs it.
      inside = 1 - np.hypot((x - cx) / rx, (y - cy) / ry)
      share = np.clip(0.5 + inside * min(rx, ry) * width / 6, 0, 1)
      frame += share * (value - frame)
    frames.append(frame)
  return np.stack(frames)


def _write_dicom(path, words: np.ndarray) -> None:
  """Writes [T, H, W] uint16 of 12 bits as a multi-frame secondary capture."""
  try:
    from pydicom import dataset, uid
  except ImportError:
    raise types.BadInput(
        'DICOM needs pydicom; run: pip install revive-jax[medical].') from None
  data, meta = dataset.Dataset(), dataset.FileMetaDataset()
  meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
  data.file_meta = meta
  data.SOPClassUID = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage
  meta.MediaStorageSOPClassUID = data.SOPClassUID
  data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = '2.25.1'
  data.StudyInstanceUID, data.SeriesInstanceUID = '2.25.2', '2.25.3'
  data.PatientName, data.PatientID = 'Phantom', 'PHANTOM'
  data.Modality, data.ConversionType = 'OT', 'SYN'
  data.ImageType = ['ORIGINAL', 'PRIMARY']
  data.BurnedInAnnotation = 'NO'
  data.NumberOfFrames, data.Rows, data.Columns = words.shape
  data.SamplesPerPixel, data.PhotometricInterpretation = 1, 'MONOCHROME2'
  data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
  data.PixelRepresentation = 0
  data.RescaleIntercept, data.RescaleSlope = '-1024', '1'
  data.FrameTime, data.FrameIncrementPointer = '40', 0x00181063
  data.PixelData = words.astype('<u2').tobytes()
  data.save_as(path, enforce_file_format=True)


def _codes(clip: np.ndarray) -> np.ndarray:
  return np.round(255 * np.clip(clip, 0, 1)).astype(np.uint8)


def _write_coded(path, frames, *, crf, interlaced=False, sound=None) -> None:
  """Writes [T, H, W, 3] uint8 as H.264, and a sound [n] int16 as PCM."""
  with av.open(str(path), 'w') as file:
    options = {'crf': str(crf), 'preset': 'veryfast'}
    if interlaced:
      options['x264-params'] = 'tff=1'
    video = file.add_stream('libx264', rate=_RATE, options=options)
    video.height, video.width = frames.shape[1:3]
    video.pix_fmt = 'yuv420p'
    track = None
    if sound is not None:
      track = file.add_stream('pcm_s16le', rate=_SOUND_RATE)
      track.codec_context.layout = 'mono'
    for picture in frames:
      frame = av.VideoFrame.from_ndarray(picture, 'rgb24')
      file.mux(video.encode(frame.reformat(format='yuv420p')))
    file.mux(video.encode(None))
    if track:
      frame = av.AudioFrame.from_ndarray(sound[None], 's16', 'mono')
      frame.sample_rate, frame.pts = _SOUND_RATE, 0
      frame.time_base = fractions.Fraction(1, _SOUND_RATE)
      file.mux(track.encode(frame))
      file.mux(track.encode(None))


def _noisy_sound(seconds: float, rng) -> np.ndarray:
  """A chord with mains hum, hiss and clicks, int16."""
  time = np.arange(round(seconds * _SOUND_RATE)) / _SOUND_RATE
  wave = sum(np.sin(2 * np.pi * f * time) for f in (261.6, 329.6, 392.0)) / 12
  wave += 0.03 * np.sin(2 * np.pi * 50 * time)
  wave += 0.01 * rng.standard_normal(len(time))
  wave[rng.choice(len(time), max(1, len(time) // 9600), replace=False)] = 0.9
  return np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)


def _write_sheet(path, sample, damaged, restored) -> None:
  """A row of damaged, restored and clean for three frames."""
  step = max(1, len(restored) // len(damaged))
  rows = []
  for t in np.linspace(0, len(damaged) - 1, 5).astype(int)[1:-1]:
    row = {'damaged': damaged[t], 'restored': restored[step * t],
           'clean': sample.clean[t]}
    rows.append({title: _codes(frame) for title, frame in row.items()})
  sheet.write_sheet(path, rows)


def _print(report, workdir) -> None:
  """Says how close it came, and where everything is."""
  q = report['quality']
  lines = [f'{name:<9} {q[name]["psnr_db"]:>6.2f} dB'
            for name in ('damaged', 'restored')]
  if 'pixels_changed_away_from_marks' in q:
    lines.append(f'{q["pixels_changed_away_from_marks"]} pixels changed that '
                  'were not marked and touch no mark')
  lines += [item['path'] for item in report['outputs']]
  lines.append(str(workdir / 'report.json'))
  print('\n'.join(lines))
