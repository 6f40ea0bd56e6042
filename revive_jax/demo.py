"""Demo: make a clip, damage it, restore it twice, report how close it came.

Once by the classical stages, once by the network.

The input is made: photographs that ship with scikit-image (all public domain
or CC0; no model is ever trained on them), set in motion, and damaged by our
own film degradations.
"""

import pathlib

import cv2
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import skimage

from revive_jax import networks, restore, types
from revive_jax import workdir as workdir_lib
from revive_jax.degradations import chain
from revive_jax.explain import report as report_lib
from revive_jax.metrics import detection, fidelity, temporal
from revive_jax.pipeline import composite, upscale
from revive_jax.video import probe, reader, writer

# Photograph, and camera path over it from first to last frame: centre (x, y)
# as shares of the picture, width of the view as a share, degrees of rotation,
# and parallax, px of a 480 px frame by which near things move further.
_SHOTS = (
    ('astronaut', ((0.47, 0.30), (0.53, 0.38)), (0.80, 0.70), (-1.0, 1.5), 5.0),
    ('rocket', ((0.42, 0.62), (0.56, 0.52)), (0.62, 0.70), (1.0, -1.0), 0.0),
    ('coffee', ((0.45, 0.50), (0.58, 0.48)), (0.75, 0.66), (0.0, 3.0), 3.0),
)


def demo(c: ml_collections.ConfigDict, workdir: str) -> dict:
  """Runs the demo and returns the report; see configs/demo.py.

  Writes outputs/damaged.mkv, classical.mkv, restored.mkv, side_by_side.mp4
  and contact_sheet.png, and report.json, into workdir, and prints where they
  are. classical.mkv is left out where c has no weights: then restored is.
  """
  if c.severity not in chain.SEVERITY:
    raise types.BadInput(
        f'--config.severity={c.severity!r} is not known; choose one of '
        f'{", ".join(chain.SEVERITY)}.')
  if c.num_frames < 2 * len(_SHOTS) or min(c.width, c.height) < 32:
    raise types.BadInput(
        f'A demo of {c.num_frames} frames of {c.width}x{c.height} is too '
        f'small; it takes {2 * len(_SHOTS)} frames of 32x32.')
  upscale.refuse(c.output.upscale,
                 'The demo, which compares its film with the clean one,')
  c = networks.with_fills(c)
  clean = make_clip(c.num_frames, c.height, c.width)
  key = jax.random.key(c.seed)
  degrade = jax.jit(chain.degrade, static_argnames='mix')
  damaged, damage, record = degrade(
      key, jnp.asarray(clean), chain.SEVERITY[c.severity], mix='film')
  clean = np.asarray(chain.reference(jnp.asarray(clean), record))
  codes = np.round(np.clip(np.asarray(damaged), 0, 1) * 255).astype(np.uint8)
  outputs = pathlib.Path(workdir) / 'outputs'
  with workdir_lib.opened(workdir):
    writer.write_rgb(outputs / 'damaged.mkv', codes, frame_rate=c.frame_rate)
  versions = {'damaged': codes}
  if c.weights:
    classical = ml_collections.ConfigDict(c.to_dict())
    classical.weights = ''
    _restored(classical, workdir, outputs, 'classical')
    versions['classical'] = _read(outputs / 'classical.mkv')
  report, detected = _restored(c, workdir, outputs, 'restored')
  versions['restored'] = restored = _read(outputs / 'restored.mkv')
  report['quality'] = quality(
      clean, versions, damage, detected, _ends(c.num_frames)[1:-1])
  report['quality']['severity'] = c.severity
  frames = np.round(clean * 255).astype(np.uint8)
  writer.write_rgb(
      outputs / 'side_by_side.mp4',
      (np.hstack(pair) for pair in zip(codes, restored, strict=True)),
      frame_rate=c.frame_rate, crf=20)
  _write_sheet(outputs / 'contact_sheet.png', versions, detected, frames)
  names = ('side_by_side.mp4', 'contact_sheet.png', 'damaged.mkv')
  report['outputs'] += [{'path': str(outputs / n)} for n in names]
  workdir_lib.write_json(pathlib.Path(workdir) / 'report.json', report)
  report_lib.add_quality(pathlib.Path(workdir) / 'report.html', report)
  _print(report, pathlib.Path(workdir))
  return report


def _restored(c, workdir, outputs, name):
  """Restores damaged.mkv to name.mkv; the report, and the mask it found."""
  masks = []
  report = restore.restore(
      c, workdir, str(outputs / 'damaged.mkv'), str(outputs / f'{name}.mkv'),
      see=lambda clip: masks.append(composite.damage_mask(clip, radius=0)))
  return report, np.concatenate(masks)


def make_clip(num_frames: int, height: int, width: int) -> np.ndarray:
  """Photographs in motion, [T, H, W, 3] float32 in [0, 1]; a shot each."""
  ends = _ends(num_frames)
  shots = [
      _moving(*shot, stop - start, height, width)
      for shot, start, stop in zip(_SHOTS, ends[:-1], ends[1:], strict=True)]
  return np.concatenate(shots)


def _ends(num_frames: int) -> list[int]:
  """First frames of the shots, and the number of frames."""
  return np.linspace(0, num_frames, len(_SHOTS) + 1).astype(int).tolist()


def _moving(name, path, view, angle, parallax, num_frames, height, width):
  """One photograph under a moving camera, sampled at sub-pixel places."""
  photo = getattr(skimage.data, name)().astype(np.float32) / 255
  size = np.array([photo.shape[1], photo.shape[0]], np.float32)
  y, x = np.mgrid[:height, :width].astype(np.float32)
  x, y = (x - (width - 1) / 2) / width, (y - (height - 1) / 2) / width
  # The middle of the picture is nearer than its border.
  near = np.exp(-6 * (x**2 + y**2)) * parallax / 480
  frames = []
  for s in np.linspace(0, 1, num_frames, dtype=np.float32):
    s = s * s * (3 - 2 * s)  # A hand starts and stops softly.
    centre = (1 - s) * np.array(path[0]) + s * np.array(path[1])
    turn = np.deg2rad((1 - s) * angle[0] + s * angle[1])
    wide = ((1 - s) * view[0] + s * view[1]) * size[0]
    wide = min(wide, size[1] * width / height * 0.98)
    shifted = x + near * (2 * s - 1)
    across = np.cos(turn) * shifted - np.sin(turn) * y
    down = np.sin(turn) * shifted + np.cos(turn) * y
    frames.append(cv2.remap(
        photo, (centre[0] * size[0] + wide * across).astype(np.float32),
        (centre[1] * size[1] + wide * down).astype(np.float32),
        cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))
  return np.clip(np.stack(frames), 0, 1)


def _read(path) -> np.ndarray:
  """All frames of a film, [T, H, W, 3] uint8."""
  return np.stack([f.rgb for f in reader.read_frames(probe.probe(str(path)))])


def quality(clean, versions, damage, detected, cuts) -> dict:
  """PSNR, SSIM, flicker of each version, and how well damage was found.

  Args:
    clean: [T, H, W, 3] float32 in [0, 1].
    versions: clips by name, uint8.
    damage: the true mask, [T, H, W, 1].
    detected: the mask that was found, [T, H, W] bool.
    cuts: first frames of the shots but the first.
  """
  ssim = jax.jit(fidelity.ssim)
  result = {}
  for name, clip in versions.items():
    clip = clip.astype(np.float32) / 255
    result[name] = {
        'psnr_db': float(fidelity.psnr(clip, clean).mean()),
        'ssim': float(np.mean([
            ssim(a[None], b[None])[0]
            for a, b in zip(clip, clean, strict=True)])),
        # Shot by shot: the light of two shots cannot be compared.
        'flicker_percent': 100 * float(np.mean([
            temporal.flicker(a[None], b[None])[0]
            for a, b in zip(np.split(clip, cuts), np.split(clean, cuts),
                            strict=True)]))}
  scores = detection.precision_recall(
      detection.counts(detected[None], np.asarray(damage)[None, ..., 0] > 0))
  result['damage'] = {k: float(v[0]) for k, v in scores.items()}
  return result


def _write_sheet(path, versions, detected, clean) -> None:
  """Rows of damaged, damage found, versions, clean: one row for each shot."""
  count = len(clean)
  titles = ['damaged', 'damage found', *list(versions)[1:], 'clean']
  rows = []
  for i in range(len(_SHOTS)):
    t = (2 * i + 1) * count // (2 * len(_SHOTS))
    mask = np.repeat(detected[t][..., None], 3, -1).astype(np.uint8) * 255
    damaged, *others = (clip[t].copy() for clip in versions.values())
    row = [damaged, mask, *others, clean[t]]
    for frame, title in zip(row, titles, strict=True):
      if not i and frame.shape[1] > 200:
        for colour, thick in (((0, 0, 0), 4), ((255, 255, 255), 1)):
          cv2.putText(frame, title, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7,
                      colour, thick, cv2.LINE_AA)
    rows.append(np.hstack(row))
  sheet = np.vstack(rows)
  good, data = cv2.imencode('.png', sheet[..., ::-1])
  assert good
  part = path.with_name(f'.{path.name}.part')
  part.write_bytes(data.tobytes())
  part.replace(path)


def _print(report, workdir) -> None:
  """Says where everything is, and how close it came."""
  q = report['quality']
  lines = [f'          {"PSNR":>9} {"SSIM":>7} {"flicker":>9}']
  for name in ('damaged', 'classical', 'restored'):
    if name not in q:
      continue
    v = q[name]
    lines.append(f'{name:<9} {v["psnr_db"]:>6.2f} dB {v["ssim"]:>7.4f} '
                 f'{v["flicker_percent"]:>7.2f} %')
  lines.append(f'{report["speed"]["frames"]} frames at '
               f'{report["speed"]["frames_per_second"]:.1f} frames/s')
  lines += [item['path'] for item in report['outputs']]
  lines.append(str(workdir / 'report.json'))
  print('\n'.join(lines))
