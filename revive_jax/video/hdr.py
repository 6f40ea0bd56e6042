"""High dynamic range: what a film says of it, and what an encoder is told."""

import dataclasses
import fractions
import struct

_PQ, _HLG = 16, 18  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67.
_NAMES = {_PQ: 'PQ', _HLG: 'HLG'}


@dataclasses.dataclass(frozen=True)
class Static:
  """The display a film was mastered on, and the brightest of its pictures."""

  primaries: tuple[float, ...] = ()  # x, y of red, green, blue and white.
  luminance: tuple[float, ...] = ()  # Least and most, candela per m^2.
  light: tuple[int, ...] = ()  # MaxCLL and MaxFALL, candela per m^2.

  def __bool__(self):
    return bool(self.primaries or self.luminance or self.light)


def name(color_trc: int) -> str | None:
  """Returns 'PQ' or 'HLG' where the transfer is one of them, else None."""
  return _NAMES.get(color_trc)


def static(mastering: bytes | None, light: bytes | None) -> Static:
  """Reads AVMasteringDisplayMetadata and AVContentLightMetadata."""
  primaries = luminance = levels = ()
  if mastering:
    *numbers, has_primaries, has_luminance = struct.unpack(
        '22i', mastering[:88])
    values = [float(fractions.Fraction(a, b or 1))
              for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    primaries = tuple(values[:8]) if has_primaries else ()
    luminance = tuple(values[8:]) if has_luminance else ()
  if light:
    levels = struct.unpack('2I', light[:8])
  return Static(primaries, luminance, levels)


def _points(primaries, scale, form) -> str:
  red, green, blue, white = zip(primaries[::2], primaries[1::2], strict=True)
  return ''.join(
      f'{key}({form(x * scale)},{form(y * scale)})' for key, (x, y) in (
          ('G', green), ('B', blue), ('R', red), ('WP', white)))


def x26x_parameters(data: Static, *, light: str) -> list[str]:
  """Returns the parameters of x264 ('cll') and x265 ('max-cll')."""
  key = 'mastering-display' if light == 'cll' else 'master-display'
  parts = []
  if data.primaries and data.luminance:
    least, most = data.luminance
    parts.append(f'{key}={_points(data.primaries, 50000, round)}'
                 f'L({round(most * 10000)},{round(least * 10000)})')
  if data.light:
    parts.append(f'{light}={data.light[0]},{data.light[1]}')
  return parts


def svt_parameters(data: Static) -> list[str]:
  """Returns the parameters of SVT-AV1."""
  parts = []
  if data.primaries and data.luminance:
    least, most = data.luminance
    parts.append('mastering-display='
                 f'{_points(data.primaries, 1, "{:.6g}".format)}'
                 f'L({most:.6g},{least:.6g})')
  if data.light:
    parts.append(f'content-light={data.light[0]},{data.light[1]}')
  return parts
