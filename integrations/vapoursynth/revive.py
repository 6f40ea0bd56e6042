"""revive: damaged film restored in VapourSynth, by revive_jax.

  import revive
  clip = revive.restore(clip)
  clip, damage = revive.restore(clip, mode='repair', with_mask=True)

See README.md beside this file.
"""

from collections.abc import Mapping
from concurrent import futures
import weakref

import numpy as np
import vapoursynth as vs

from revive_jax import frames, types
from revive_jax.video import color, formats, reader

_RATE = 24.0  # Of clips that do not say theirs.
_workers = weakref.WeakSet()  # Of the clips that there are.


def restore(
    clip: vs.VideoNode, *, weights: str = 'restorer', mode: str = 'full',
    strength: float | Mapping[str, float] = 1.0, with_mask: bool = False,
    config: str = 'restore', **values,
) -> vs.VideoNode | tuple[vs.VideoNode, vs.VideoNode]:
  """A clip, restored, of the same format and length.

  It is read through when its first frame is asked for, and measured.

  Args:
    clip: of whole frames (not fields): YUV or grey of 8 to 16 bits, RGB of 8 to
      16 bits or of single precision, of one format and size.
    weights: of the network: a name that ships, a folder, a file, or a hub id;
      '': none.
    mode: 'full', or 'repair', which leaves every sample outside the damage.
    strength: how much is done, in [0, 1]: one number, or upper limits by kind
      (scratch, dust, noise, flicker, blur, tone).
    with_mask: whether a second clip is wanted, GRAY8, 255 where damage was.
    config: of the settings that ship, such as presets/film.
    **values: of other settings of configs/restore.py.

  Raises:
    vs.Error: the clip or the settings cannot be, in one sentence.
  """
  _check(clip)
  rate = float(clip.fps) or _RATE
  try:
    c = frames.settings(config, weights=weights, composite=mode,
                        strength=_plain(strength), **values)
    film = frames.Film(c, lambda t: _read(clip, t), clip.num_frames,
                       frame_rate=rate)
  except types.BadInput as error:
    raise vs.Error(f'revive: {error}') from error
  # VapourSynth's own threads must not ask for frames: another one does.
  worker = futures.ThreadPoolExecutor(1, thread_name_prefix='revive')
  _workers.add(worker)
  # Two of them may wait for each of ours, and one must make the frames.
  vs.core.num_threads = max(vs.core.num_threads, 2 * len(_workers) + 1)
  restored = clip.std.ModifyFrame(clip, lambda n, f: _written(
      f, *worker.submit(film.frame, n).result()))
  if not with_mask:
    return restored
  empty = clip.std.BlankClip(format=vs.GRAY8, color=0, keep=True)
  return restored, empty.std.ModifyFrame(empty, lambda n, f: _filled(
      f, worker.submit(film.frame, n).result()[1]))


def _plain(strength):
  return dict(strength) if isinstance(strength, Mapping) else strength


def _check(clip) -> None:
  """Refuses clips that cannot be restored."""
  form = clip.format
  if form is None or not clip.width or form.id == 0:
    raise vs.Error('revive: the clip changes its format or its size; bring all '
                   'frames to one with resize.')
  is_single = (form.sample_type, form.color_family, form.bits_per_sample) == (
      vs.FLOAT, vs.RGB, 32)
  if form.bits_per_sample > 16 and not is_single or (
      form.sample_type == vs.FLOAT and not is_single):
    raise vs.Error(f'revive: {form.name} is not restored; convert it with '
                   'resize to YUV or RGB of 8 to 16 bits, or to RGBS.')


def _read(clip, number) -> reader.SourceFrame:
  """A frame as the program has them. Not in a thread of VapourSynth."""
  with clip.get_frame(number) as frame:
    if frame.props.get('_FieldBased', 0):
      raise types.BadInput(
          f'Frame {number} is interlaced (_FieldBased); deinterlace before, or '
          'if it is not call std.SetFieldBased(0).')
    planes = tuple(np.array(frame[i]) for i in range(frame.format.num_planes))
    if frame.format.sample_type == vs.FLOAT:
      rgb = np.rint(np.clip(np.stack(planes, -1), 0, 1) * 65535).astype(
          np.uint16)
      return reader.SourceFrame(number, number, rgb, ())
    layout = _layout(frame)
  if layout.kind == 'rgb':
    planes = np.stack(planes, -1),
  return reader.SourceFrame(
      number, number, color.to_rgb(planes, layout), planes, layout)


def _layout(frame) -> formats.Layout:
  """What the samples of a frame mean, by its format and properties."""
  form, props = frame.format, frame.props
  end = '' if form.bits_per_sample == 8 else f'{form.bits_per_sample}le'
  if form.color_family == vs.RGB:
    name = 'rgb24' if not end else f'gbrp{end}'
  elif form.color_family == vs.GRAY:
    name = f'gray{end}'
  else:
    width, height = 1 << form.subsampling_w, 1 << form.subsampling_h
    chroma = {(1, 1): '444', (2, 1): '422', (2, 2): '420', (1, 2): '440',
              (4, 1): '411', (4, 4): '410'}.get((width, height))
    if chroma is None:
      raise types.BadInput(f'{form.name} is not restored; convert it with '
                           'resize to 4:2:0, 4:2:2 or 4:4:4.')
    name = f'yuv{chroma}p{end}'
  # H.273 counts ranges upwards; VapourSynth did so the other way before R74.
  full = props['_Range'] == 1 if '_Range' in props else (
      props.get('_ColorRange', 1) == 0)
  return formats.layout(
      name, props.get('_Matrix', 2), 1 + full, frame.height,
      props.get('_ChromaLocation', -1) + 1)


def _written(frame, restored, damaged) -> vs.VideoFrame:
  """A copy of VapourSynth's frame with the restored samples."""
  result = frame.copy()
  result.props['ReviveDamaged'] = float(damaged.mean())
  if frame.format.sample_type == vs.FLOAT:
    changed = restored.rgb != restored.source.rgb
    for i in range(3):
      np.copyto(np.asarray(result[i]), restored.rgb[..., i] / np.float32(65535),
                where=changed[..., i])
    return result
  planes = frames.planes(restored)
  if frame.format.color_family == vs.RGB:
    planes = tuple(planes[0][..., i] for i in range(3))
  for i, plane in enumerate(planes):
    np.asarray(result[i])[:] = plane
  return result


def _filled(frame, damaged) -> vs.VideoFrame:
  """A copy of a grey frame, white where there was damage."""
  result = frame.copy()
  np.asarray(result[0])[:] = 255 * damaged.astype(np.uint8)
  return result
