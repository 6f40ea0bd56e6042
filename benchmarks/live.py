"""Live: frames per second and latency of a pipe, decoding and coding included.

python benchmarks/live.py [--weights=live,restorer --size=320x240 --seconds=10
    --rates=0,15,25 --output=TABLE.md]

A film with grain, dust and a scratch is coded and written into the standard
input of `revive_jax.main --input=-`, once as fast as it is taken (rate 0), and
at its own pace at each other rate, where frames may get cheaper settings (its
first six seconds come at once, while the network is compiled). The
output is a file. Prints a table in Markdown.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import av
import jax
import pan
import refusing

from revive_jax.models import weights

_ROOT = pathlib.Path(__file__).parents[1]


@refusing.bad_input()
def main():
  """Runs all, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--weights', default='live,restorer')
  parser.add_argument('--size', default='320x240')
  parser.add_argument('--seconds', type=float, default=10)
  parser.add_argument('--rates', default='0,15,25')
  parser.add_argument('--output', default='')
  args = parser.parse_args()
  width, height = map(int, args.size.split('x'))
  for name in {*args.weights.split(',')} - {'', 'auto'}:
    weights.read_weights(name)  # Refused here, and not below a pipe.
  load = os.getloadavg()[0]
  lines = ['| weights | source | frames/s | latency, ms: 50 % | 95 % | 99 % | '
           'full size | half size | as it is |', '|---' * 9 + '|']
  for name in args.weights.split(','):
    for rate in map(float, args.rates.split(',')):
      found = measure(name, width, height, rate, args.seconds)
      source = f'{rate:g} frames/s' if rate else 'as fast as it is taken'
      lines.append(
          f'| {name} | {source} | {found["frames_per_second"]:.1f} | ' +
          ' | '.join(f'{x:.0f}' for x in found['latency_ms'].values()) + ' | ' +
          ' | '.join(map(str, found['frames_by_setting'].values())) + ' |')
      print(lines[-1], flush=True)
  device = jax.devices()[0]
  text = (f'{datetime.date.today()}; {device.device_kind}, {os.cpu_count()} '
          f'CPU cores; Python {platform.python_version()}, jax '
          f'{jax.__version__}; load before {load:.1f}. {args.size}, '
          f'{args.seconds:g} s of each; '
          'H.264 in, H.264 out.\n\n' + '\n'.join(lines) + '\n')
  print('\n' + text)
  if args.output:
    pathlib.Path(args.output).write_text(text)


def measure(name, width, height, rate, seconds) -> dict:
  """Of the report of one run: 'live'. rate 0: 25, as fast as it is taken."""
  with tempfile.TemporaryDirectory() as folder:
    live = subprocess.Popen(
        [sys.executable, '-m', 'revive_jax.main', '--input=-',
         f'--output={folder}/out.mkv', f'--workdir={folder}/work',
         f'--config.live.weights={name}', '--config.live.format=mpegts',
         f'--config.live.keep_up={int(rate > 0)}'],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT)
    _feed(live.stdin, width, height, rate, seconds)
    _, said = live.communicate()
    if live.returncode:
      sys.exit(said.decode())
    return json.loads(
        pathlib.Path(folder, 'work', 'report.json').read_text())['live']


def _feed(pipe, width, height, rate, seconds) -> None:
  """Codes a film into a pipe: at its pace, once the first frames are taken."""
  with av.open(pipe, 'w', format='mpegts',
               options={'fflags': '+flush_packets'}) as container:
    stream = container.add_stream('libx264', rate=round(rate or 25), options={
        'preset': 'ultrafast', 'tune': 'zerolatency', 'crf': '14'})
    stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
    start = None
    whole = seconds + (_WARM_UP if rate else 0)
    for t, rgb in enumerate(pan.frames(
        height, width, round(whole * (rate or 25)))):
      if rate and start is not None:
        time.sleep(max(0, start + t / rate - time.monotonic()))
      container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, 'rgb24')))
      if rate and t == round(rate * _WARM_UP):
        # The reader wants some seconds of a stream to know what it is; then the
        # network is compiled.
        time.sleep(_COMPILING)
        start = time.monotonic() - t / rate
    container.mux(stream.encode(None))


_WARM_UP, _COMPILING = 6.0, 60.0  # Seconds of film, and of waiting.


if __name__ == '__main__':
  main()
