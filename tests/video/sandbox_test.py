"""Tests of films that are opened in a process without rights."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from configs import restore as config
from revive_jax import films, types
from revive_jax.audio import decode
from revive_jax.privacy import encryption
from revive_jax.privacy import vault as vault_lib
from revive_jax.video import confine, extras, images, probe, reader, sandbox
from tests.video import clips, confine_test, workers


def _below(process):
  """The processes that one made, and those that they made."""
  text = pathlib.Path(f'/proc/{process}/task/{process}/children').read_text()
  return [p for c in map(int, text.split()) for p in (c, *_below(c))]


def _is_running(process):
  try:
    text = pathlib.Path(f'/proc/{process}/stat').read_text()
  except OSError:
    return False
  return text.rpartition(')')[2].split()[0] != 'Z'  # Nobody waits for orphans.


class SandboxTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.film = self.dir / 'film.mkv'
    clips.write(self.film, clips.pictures(6), sounds=('flac',), seconds=0.3,
                codec='ffv1')
    self.path = sandbox.guarded(str(self.film), 'on')

  def _died(self, function, limits=None):
    with mock.patch.object(sandbox, 'LIMITS', limits or sandbox.LIMITS):
      with self.assertRaises(types.BadInput) as caught:
        sandbox.call(function, self.path, self.path)
    self.assertNotIn('\n', str(caught.exception))
    self.assertIn(str(self.film), str(caught.exception))
    return str(caught.exception)

  def test_death_is_one_sentence(self):
    self.assertRegex(self._died(workers.crash), 'died of this file .SIGSEGV.')
    self.assertRegex(self._died(workers.leave), 'file .it ended without a word')
    self.assertRegex(self._died(workers.babble), 'what is no frame')
    self.assertLen(list(reader.read_frames(probe.probe(self.path))), 6)

  def test_who_is_killed_from_outside_says_nothing_of_its_film(self):
    with mock.patch.object(
        sandbox._Worker, '_say', return_value=-signal.SIGKILL):
      with self.assertRaisesRegex(
          sandbox.KilledError, 'was killed.*try it again'):
        sandbox.call(workers.leave, self.path, self.path)

  def test_time(self):
    limits = sandbox.LIMITS
    self.assertRegex(
        self._died(workers.hang, limits._replace(processor=0.3)),
        'more than 0.3 seconds of the processor, so it was stopped')
    self.assertRegex(
        self._died(workers.sleep, limits._replace(patience=0.6)),
        'more than 0.6 seconds, so it was stopped')

  def test_memory(self):
    self.assertRegex(
        self._died(workers.eat, sandbox.LIMITS._replace(memory=1 << 28)),
        'more than 0.25 GiB of memory')
    # A decoder that gets none is not taken for a damaged film. (With 32 MiB
    # what starts its threads crashed now and then.)
    clips.write(self.film, clips.pictures(3, 720, 1280))
    info = probe.probe(self.path)
    with mock.patch.object(
        sandbox, 'LIMITS', sandbox.LIMITS._replace(memory=1 << 22)):
      with self.assertRaisesRegex(types.BadInput, 'GiB of memory'):
        list(reader.read_frames(info))

  def test_a_bug_is_no_fault_of_the_film(self):
    with self.assertRaisesRegex(RuntimeError, 'KeyError'):
      sandbox.call(workers.bug, self.path, self.path)

  def test_rights(self):
    if len(confine_test.holds()) < 2:
      self.skipTest('This kernel cannot take all rights away.')
    other = self.dir / 'other.txt'
    other.write_text('private')
    os.environ['REVIVE_JAX_PASSPHRASE'] = 'secret'
    self.addCleanup(os.environ.pop, 'REVIVE_JAX_PASSPHRASE')
    found = sandbox.call(
        workers.tried, self.path, self.path, str(other), str(self.dir))
    self.assertNotIn('REVIVE_JAX_PASSPHRASE', found.pop('environment'))
    self.assertLen(found.pop('files'), 2)  # The sockets of frames and films.
    self.assertEqual(found.pop('read the film'), '')
    self.assertEqual([k for k, v in found.items() if not v], [])
    self.assertEqual(other.read_text(), 'private')
    self.assertEqual(sorted(os.listdir(self.dir)), ['film.mkv', 'other.txt'])

  def test_the_same_film(self):
    plain = probe.probe(str(self.film))
    info = probe.probe(self.path)
    self.assertEqual(info, plain)
    self.assertTrue(sandbox.covers(info.path))
    self.assertEqual(extras.read(self.path).metadata,
                     extras.read(str(self.film)).metadata)
    self._assert_same_frames(info, plain)

  def _assert_same_frames(self, info, plain):
    shown = []
    decision = reader.decide_interlace(
        info, 'auto', shown=lambda frames: (shown.append(f) for f in frames))
    self.assertEqual(decision, reader.decide_interlace(plain, 'auto'))
    said, told = [], []
    frames, wanted = (
        list(reader.read_frames(i, decision=decision, warn=notes.append))
        for i, notes in ((info, said), (plain, told)))
    self.assertEqual(said, told)
    self.assertEqual(len(frames), len(wanted))
    for frame, other in zip(frames, wanted, strict=True):
      for name in ('index', 'pts', 'layout', 'concealed', 'by_field'):
        self.assertEqual(getattr(frame, name), getattr(other, name))
      for a, b in zip((frame.rgb, *frame.planes), (other.rgb, *other.planes),
                      strict=True):
        self.assertEqual(a.dtype, b.dtype)
        np.testing.assert_array_equal(a, b)
    return said

  def test_damaged(self):
    film = self.dir / 'damaged.mkv'
    clips.write(film, clips.pictures(8, 64, 96), codec='ffv1',
                options={'g': '1', 'slicecrc': '1'})
    data = bytearray(film.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 2000, 400):
      data[place] ^= 0x55
    film.write_bytes(data)
    self.assertNotEqual(self._assert_same_frames(
        probe.probe(sandbox.guarded(str(film), 'on')), probe.probe(str(film))),
                        [])

  def test_pictures(self):
    folder = self.dir / 'frames'
    folder.mkdir()
    for number, picture in enumerate(clips.pictures(3)):
      images.write_picture(folder / f'{number}.png', picture)
    images.write_picture(self.dir / 'elsewhere.png', picture)
    (folder / '3.png').symlink_to(self.dir / 'elsewhere.png')
    self._assert_same_frames(
        probe.probe(sandbox.guarded(str(folder), 'on')),
        probe.probe(str(folder)))

  def test_sound(self):
    def read(path):
      with decode.Track(path, 0) as track:
        blocks = list(track.blocks())
        return (track.rate, track.layout, track.channels, track.bits,
                track.stamps, track.errors, [len(b) for b in blocks],
                np.concatenate(blocks).tolist())

    self.assertEqual(read(self.path), read(str(self.film)))

  def test_refusals_are_the_same(self):
    film = self.dir / 'none.mp4'
    film.write_bytes(b'no film at all')
    with self.assertRaises(types.BadInput) as plain:
      probe.probe(str(film))
    with self.assertRaises(types.BadInput) as apart:
      probe.probe(sandbox.guarded(str(film), 'on'))
    self.assertEqual(str(apart.exception), str(plain.exception))

  def test_sealed(self):
    vault = vault_lib.Vault(encryption.MasterKey(bytes(range(32))))
    place = vault.path(self.dir / 'film.mkv.sealed')
    place.write_bytes(self.film.read_bytes())
    path = sandbox.guarded(place, 'on')
    info = probe.probe(path)
    self.assertTrue(sandbox.covers(info.path))
    self._assert_same_frames(info, probe.probe(place))
    data = bytearray(pathlib.Path(str(place)).read_bytes())
    data[len(data) // 2] ^= 1
    pathlib.Path(str(place)).write_bytes(data)
    with self.assertRaises(types.BadInput) as plain:
      probe.probe(place)
    with self.assertRaises(types.BadInput) as apart:
      probe.probe(path)
    self.assertEqual(str(apart.exception), str(plain.exception))

  def test_closed_early(self):
    info = probe.probe(self.path)
    frames = reader.read_frames(info)
    next(frames)
    frames.close()
    server = sandbox._server()._process.pid
    children = pathlib.Path(f'/proc/{server}/task/{server}/children')
    for _ in range(200):
      if not children.read_text().strip():
        break
      time.sleep(0.05)
    self.assertEqual(children.read_text().strip(), '')

  @pytest.mark.slow
  def test_killed(self):
    code = ('from revive_jax.video import sandbox\n'
            'from tests.video import workers\n'
            'sandbox._server()\n'
            'print(sandbox._server()._process.pid, flush=True)\n'
            f'path = sandbox.guarded({str(self.film)!r}, "on")\n'
            'sandbox.call(workers.sleep, path, path)\n')
    with subprocess.Popen([sys.executable, '-c', code], text=True,
                          stdout=subprocess.PIPE) as run:
      server = int(run.stdout.readline())
      while len(below := _below(server)) < 2:  # A worker, and its watcher.
        time.sleep(0.05)
      run.kill()
    for _ in range(400):
      left = [p for p in (server, *below) if _is_running(p)]
      if not left:
        break
      time.sleep(0.05)
    self.assertEqual(left, [])

  def test_use(self):
    self.assertFalse(sandbox.covers(sandbox.guarded('a.mkv', 'auto')))
    self.assertFalse(
        sandbox.covers(sandbox.guarded('a.mkv', 'off', many=True)))
    path = sandbox.guarded('a.mkv', 'auto', many=True)
    self.assertTrue(sandbox.covers(path))
    self.assertIs(sandbox.guarded(path, 'auto'), path)
    with mock.patch.object(sandbox, '_is_possible', return_value=False):
      self.assertEqual(sandbox.guarded('a.mkv', 'auto', many=True), 'a.mkv')
      with self.assertRaisesRegex(types.BadInput, 'on Linux only'):
        sandbox.guarded('a.mkv', 'on')
    sandbox.refuse('auto', '-')
    with self.assertRaisesRegex(types.BadInput, '-: what runs by itself'):
      sandbox.refuse('on', '-')

  def test_limits_that_cannot_be_kept(self):
    if confine_test.holds() != ('files', 'calls'):
      self.skipTest('This kernel lacks others.')
    loose = sandbox.guarded(str(self.film), 'auto', many=True)
    with mock.patch.dict(confine.ALL, {'light': 'the light'}):
      with self.assertLogs(level='WARNING') as logged:
        self.assertEqual(probe.probe(loose), probe.probe(str(self.film)))
        probe.probe(loose)
      with self.assertRaisesRegex(
          types.BadInput, 'cannot limit the light of what decodes films, so it '
          'is not opened; leave out --config.sandbox.'):
        probe.probe(self.path)
      place = vault_lib.Vault(encryption.MasterKey(bytes(32))).path(
          self.dir / 'film.mkv.sealed')
      place.write_bytes(self.film.read_bytes())
      with self.assertRaisesRegex(types.BadInput, 'cannot limit the light'):
        probe.probe(sandbox.guarded(place, 'on'))
    self.assertLen(logged.output, 1)

  @pytest.mark.slow
  def test_a_kernel_that_lacks_what_limits(self):
    """Without Landlock: a filter, passed on to all, says that it is not there.

    'auto' says so once, 'on' does not open the film.
    """
    if confine_test.holds() != ('files', 'calls'):
      self.skipTest('This kernel is one.')
    code = ('import ctypes, sys\n'
            'from revive_jax import types\n'
            'from revive_jax.video import confine, probe, sandbox\n'
            'step = confine._Step\n'
            'steps = [step(0x20, 0, 0, 0), step(0x15, 0, 1, 444),\n'
            '         step(6, 0, 0, 0x50000 | 38), step(6, 0, 0, 0x7fff0000)]\n'
            'program = confine._Program(4, (step * 4)(*steps))\n'
            'confine._prctl(38, 1)\n'
            'assert not confine._libc().prctl(\n'
            '    22, ctypes.c_ulong(2), ctypes.byref(program),\n'
            '    ctypes.c_ulong(0), ctypes.c_ulong(0))\n'
            'film = sys.argv[1]\n'
            'for _ in range(2):\n'
            '  path = sandbox.guarded(film, "auto", many=True)\n'
            '  print(probe.probe(path).frame_count)\n'
            'try:\n'
            '  probe.probe(sandbox.guarded(film, "on"))\n'
            'except types.BadInput as error:\n'
            '  print(error)\n')
    done = subprocess.run(
        [sys.executable, '-c', code, str(self.film)], text=True, check=False,
        capture_output=True)
    self.assertEqual(done.returncode, 0, done.stderr)
    frames = str(probe.probe(str(self.film)).frame_count)
    first, second, refusal = done.stdout.splitlines()
    self.assertEqual((first, second), (frames, frames))
    self.assertRegex(
        refusal, 'film.mkv: this kernel cannot limit the files .Landlock, from '
        'Linux 5.13 on. of what decodes films, so it is not opened')
    self.assertEqual(done.stderr.count('this kernel cannot limit the files'), 1)

  def test_a_folder_goes_on(self):
    folder = self.dir / 'in'
    folder.mkdir()
    for name in ('a.mkv', 'bad.mkv', 'c.mkv'):
      clips.write(folder / name, clips.pictures(3), codec='ffv1')
    c = config.get_config('tiny')
    c.provenance.sign = False
    with mock.patch.object(reader, '_read', workers.segfault):
      rows = films.restore_all(
          c, str(self.dir / 'work'), str(folder), str(self.dir / 'out'))
    self.assertEqual([r.state for r in rows],
                     ['restored', 'refused', 'restored'])
    self.assertRegex(rows[1].what, 'bad.mkv: the decoder died .*SIGSEGV')


if __name__ == '__main__':
  absltest.main()
