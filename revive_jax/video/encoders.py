"""What the encoders are called and told."""

import os

import cv2

from revive_jax.video import hdr

NAMES = {'h264': 'libx264', 'h265': 'libx265', 'av1': 'libsvtav1',
         'ffv1': 'ffv1', 'prores': 'prores_ks'}
_AVX_512 = 13  # OpenCV's number of it (CV_CPU_AVX_512F).
_SVT_PRESETS = {
    'ultrafast': 12, 'superfast': 11, 'veryfast': 10, 'faster': 9, 'fast': 8,
    'medium': 6, 'slow': 5, 'slower': 4, 'veryslow': 2, 'placebo': 0}
_SITINGS = ('unknown', 'left', 'center', 'topleft', 'top', 'bottomleft',
            'bottom')


def _ffv1(info):
  options = {'level': '3', 'slicecrc': '1', 'g': '1'}
  if min(info.width, info.height) < 16:  # Too small for several slices.
    options['slices'] = '1'
  return options


def _x264(crf, preset, static):
  options = {'crf': str(crf), 'preset': preset}
  extra = hdr.x26x_parameters(static, light='cll')
  if cv2.checkHardwareSupport(_AVX_512):
    # Some AVX-512 routines of x264 read beyond the picture, and so the same
    # frames do not always give the same file.
    extra.insert(0, 'asm=AVX2')
  if extra:
    options['x264-params'] = ':'.join(extra)
  return options


def _x265(crf, preset, static):
  extra = ['log-level=error', *hdr.x26x_parameters(static, light='max-cll')]
  if static:
    extra.append('hdr10=1')
  return {'crf': str(crf), 'preset': preset, 'x265-params': ':'.join(extra)}


def _svt(crf, preset, static):
  os.environ.setdefault('SVT_LOG', '1')  # Errors only; it has no other switch.
  options = {'crf': str(min(63, round(crf * 63 / 51))),
             'preset': str(_SVT_PRESETS.get(preset, preset))}
  extra = hdr.svt_parameters(static)
  if extra:
    options['svtav1-params'] = ':'.join(extra)
  return options


def options(
    codec: str,
    info,
    *,
    crf: float,
    preset: str,
    layout=None,
    siting: int = 0,
    static: hdr.Static | None = None,
) -> dict[str, str]:
  """What the encoder of a codec (a key of NAMES) is told.

  crf, preset: as x264 counts them. layout: of the planes; siting: of chroma;
  static: of HDR, for the codecs that have a place for it.
  """
  static = static or hdr.Static()
  if codec == 'ffv1':
    chosen = _ffv1(info)
  elif codec == 'h264':
    chosen = _x264(crf, preset, static)
  elif codec == 'h265':
    chosen = _x265(crf, preset, static)
  elif codec == 'av1':
    chosen = _svt(crf, preset, static)
  else:
    chosen = {'profile': '4444' if layout and layout.sub_x == 1 else 'hq',
              'vendor': 'apl0'}
  if siting:
    chosen['chroma_sample_location'] = _SITINGS[siting]
  return chosen
