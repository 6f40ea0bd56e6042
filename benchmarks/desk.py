"""What a preview on the desk takes, and how near it comes to the film.

  python benchmarks/desk.py film.mkv [FRAME...]

Seconds by the clock and of the processor, for a quick preview, and again after
a change of strength. With FRAMEs the film is restored, too, and
their previews are compared with it: PSNR, dB, of the preview and of the source.
"""

import pathlib
import sys
import tempfile
import time

import numpy as np
from revive_jax.configs import restore as config

from revive_jax import restore
from revive_jax.desk import (
  decided,
  film,
  known,
  preview,
  settings,
  upload,
  visitors,
)
from revive_jax.desk import desk as desk_lib


def _timed(name, function):
  start, clock = time.process_time(), time.monotonic()
  result = function()
  print(f'{name:<34} {time.monotonic() - clock:6.2f} s, of the processor '
        f'{time.process_time() - start:.2f} s', flush=True)
  return result


def _psnr(a, b) -> float:
  error = np.mean((a.astype(float) - b) ** 2)
  return 10 * np.log10(255**2 / max(error, 1e-9))


def _place(root, path):
  desk = desk_lib.opened(config.get_config(), root)
  visitor = visitors.new(desk)
  with upload.receive(desk, visitor, path.name) as receiver, open(
      path, 'rb') as file:
    while piece := file.read(1 << 20):
      receiver.write(piece)
    return film.place(desk, visitor, receiver.close())


def main() -> None:
  """Prints a table."""
  path, frames = pathlib.Path(sys.argv[1]), [int(n) for n in sys.argv[2:]]
  with tempfile.TemporaryDirectory() as root:
    place = _place(root, path)
    settings.change(place, format='mkv')
    _timed('measuring', lambda: film.measure(place))
    info = film.opened(place).info
    count = info['frames']
    print(f'{info["width"]}x{info["height"]}, {count} frames')
    _timed('the first preview (its program)',
           lambda: preview.preview(place, count // 2))
    _timed('a preview', lambda: preview.preview(place, count // 3))
    decided.change(place, None, strength={'noise': 0.3})
    _timed('again, after a change of strength',
           lambda: preview.preview(place, count // 3))
    decided.clear(place, None)
    if frames:
      known.hand_over(place)
      c = settings.config(place)
      c.progress = 'none'
      _timed('the film', lambda: restore.restore(
          c, str(place.folder / 'work'), str(place.source),
          str(settings.output(place))))
    for t in frames:
      restored = film.frame(place, t, 'after')
      shown = preview.preview(place, t)
      print(f'frame {t}: preview {_psnr(shown.after, restored):.1f} dB, source '
            f'{_psnr(shown.before, restored):.1f} dB from the film', flush=True)


if __name__ == '__main__':
  main()
