"""Tests of pipeline/upscale.py, alone and through whole films."""

import dataclasses
import fractions
import functools
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import cv2
import jax
import numpy as np

from configs import demo as demo_config
from configs import restore as config
from configs.presets import medical, surveillance
from revive_jax import (
    demo,
    films,
    identity,
    live,
    restore,
    samples,
    settings,
    types,
)
from revive_jax.models import upscaler, weights
from revive_jax.pipeline import tally, upscale
from revive_jax.provenance import verify
from revive_jax.video import probe, reader
from tests import compiling
from tests.models import params as params_lib
from tests.video import clips

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_TAGS = 'colorspace', 'color_range', 'color_primaries', 'color_trc'
_SETTINGS = dict(features=8, num_blocks=1)


@functools.cache
def _weights(seed=0):
  """A network of random weights; its folder."""
  folder = f'{absltest.TEST_TMPDIR.value}/upscaler_{seed}'
  drawn = params_lib.draw(
      upscaler.Upscaler(**_SETTINGS), np.zeros((1, 8, 8, 3), np.float32),
      seed=seed)
  weights.save_weights(
      pathlib.Path(folder), jax.tree.map(np.asarray, drawn), model='upscaler',
      settings=_SETTINGS, steps=7, card='Random.')
  return folder


@functools.cache
def _enlarger():
  return upscale.load(2, _weights())


def _rgb(height, width, dtype=np.uint8, seed=0):
  peak = np.iinfo(dtype).max
  values = np.random.default_rng(seed).normal(0.5, 0.5, (height, width, 3))
  return np.round(peak * np.clip(values, 0, 1)).astype(dtype)


def _means(codes):
  """Means over 2 x 2, in float64."""
  height, width = codes.shape[:2]
  return codes.astype(np.float64).reshape(
      height // 2, 2, width // 2, 2, -1).mean((1, 3))


def _frames(path):
  return list(reader.read_frames(probe.probe(str(path))))


class EnlargeTest(parameterized.TestCase):

  @parameterized.product(
      dtype=(np.uint8, np.uint16), size=((1, 1), (5, 8), (31, 18)))
  def test_the_mean_of_four_codes_is_that_of_the_source(self, dtype, size):
    rgb = _rgb(*size, dtype)
    codes = upscale.enlarge(rgb, _enlarger())
    self.assertEqual((codes.shape, codes.dtype),
                     ((2 * size[0], 2 * size[1], 3), dtype))
    np.testing.assert_array_equal(_means(codes), rgb)
    # OpenCV sees the same.
    np.testing.assert_array_equal(
        cv2.resize(codes, size[::-1], interpolation=cv2.INTER_AREA), rgb)

  def test_what_rounding_takes_goes_on_to_the_next(self):
    """By hand: 1.4 is 1; 1.4 + 0.4, 2; below, 1.6 - 0.2, 1; 3.6 + 0.4, 4."""
    values = np.float32([[1.4, 1.4], [3.6, 1.6]])[..., None] / 255
    values = values.repeat(3, -1)
    codes = upscale.to_codes(values, np.full((1, 1, 3), 2, np.uint8))
    np.testing.assert_array_equal(codes[..., 0], [[1, 2], [4, 1]])

  def test_tiles_do_not_show(self):
    rgb = _rgb(70, 53)
    whole = upscale.enlarge(rgb, _enlarger())
    seen = []

    def network(part):
      seen.append(part.shape)
      return _enlarger().network(part)

    # Smaller than 4 * reach they would hardly have a middle.
    tiled = upscale.enlarge(rgb, _enlarger()._replace(network=network), tile=1)
    self.assertEqual(set(seen), {(20, 20, 3)})
    apart = np.abs(tiled.astype(int) - whole)
    self.assertLessEqual(apart.max(), 1)
    self.assertLess((apart > 0).mean(), 1e-3)  # Sums in another order.

  def test_info(self):
    info = probe.VideoInfo(
        path='', kind='video', width=33, height=7, frame_rate=25, time_base=1,
        frame_count=1, duration=1, codec='', pix_fmt='yuv420p', bit_depth=8,
        colorspace=2, color_range=0, color_primaries=2, color_trc=2,
        sample_aspect_ratio=2, rotation=90, interlaced=False, audio=(),
        container='')
    self.assertIs(upscale.enlarged(info, 1), info)
    larger = upscale.enlarged(info, 2)
    self.assertEqual((larger.width, larger.height), (66, 14))
    self.assertEqual((larger.sample_aspect_ratio, larger.rotation), (2, 90))
    # Without a tag, 720 lines and more are taken for BT.709; these are not.
    self.assertEqual(larger.colorspace, 2)
    larger = upscale.enlarged(dataclasses.replace(info, height=400), 2)
    self.assertEqual(larger.colorspace, 6)
    self.assertIsNone(upscale.load(1, 'there are none'))


class FilmTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _config(self, **values):
    """All stages off: what comes out is the source, enlarged."""
    c = config.get_config('tiny')
    c.upscaler, c.output.upscale = _weights(), 2
    for kind in c.strength:
      c.strength[kind] = 0.0
    c.update_from_flattened_dict(values)
    return c

  def _restore(self, path, output, **values):
    report = restore.restore(self._config(**values), str(self.dir / 'work'),
                             str(path), str(self.dir / output))
    return report, _frames(self.dir / output)

  def _assert_kept(self, before, after):
    for a, b in zip(before, after, strict=True):
      self.assertEqual(b.rgb.dtype, a.rgb.dtype)
      np.testing.assert_array_equal(_means(b.rgb), a.rgb)
      self.assertGreater(
          abs(b.rgb.astype(int) - a.rgb.repeat(2, 0).repeat(2, 1)).max(), 2)

  def test_a_film_and_its_report(self):
    path = clips.write(self.dir / 'film.mkv', clips.pictures(4, 21, 33),
                       codec='ffv1', pix_fmt='bgr0', pts=(0, 1, 4, 5))
    report, out = self._restore(path, 'out.mkv')
    before = _frames(path)
    self._assert_kept(before, out)
    self.assertEqual([f.pts for f in out], [f.pts for f in before])
    stage = report['shots'][0]['stages'][-1]
    self.assertEqual(stage['name'], 'upscale')
    self.assertIn('invented', stage['why'])
    self.assertIn('7 steps, sha256', report['upscale']['weights'])
    self.assertEqual(
        (report['upscale']['width'], report['upscale']['height']), (66, 42))
    self.assertEqual(report['outputs'][0]['share_of_samples_kept'], 0)
    stated = verify.verify(self.dir / 'out.mkv').restoration
    self.assertEqual(stated['stages'][-1]['name'], 'upscale')

  @parameterized.parameters(
      ('film.mp4', 'out.mp4', 'libx264', 'yuv420p'),
      ('film.mkv', 'out.mkv', 'ffv1', 'yuv422p10le'),
      ('film.mov', 'out.mov', 'prores_ks', 'yuv422p10le'))
  def test_all_else_stays(self, name, output, codec, pix_fmt):
    """Shape of pixels, rotation, bits, sound, samples of colour; smooth values.
    """
    path = clips.write(
        self.dir / name, clips.pictures(3, 32, 48), codec=codec,
        pix_fmt=pix_fmt, rotation=90,
        sample_aspect_ratio=fractions.Fraction(16, 15),
        sounds=('aac',), tags=dict.fromkeys(_TAGS, 1))
    self._restore(path, output)
    before, after = (probe.probe(str(p)) for p in (path, self.dir / output))
    self.assertEqual((after.width, after.height), (96, 64))
    for key in ('sample_aspect_ratio', 'rotation', 'pix_fmt', 'frame_rate',
                'bit_depth', 'audio', *_TAGS):
      self.assertEqual(getattr(after, key), getattr(before, key), key)
    self.assertEqual(clips.packets(path, 'audio')[0],
                     clips.packets(self.dir / output, 'audio')[0])
    for a, b in zip(_frames(path), _frames(self.dir / output), strict=True):
      peak = np.iinfo(a.rgb.dtype).max
      error = np.sqrt(np.mean((_means(b.rgb) / peak - a.rgb / peak) ** 2))
      self.assertLess(error, 0.03)  # Of 4:2:2 and of coding alone.

  @parameterized.parameters(
      ('film.mkv', 'out.mkv', 'ffv1', 'gray', 'gray'),
      ('film.mkv', 'out.mp4', 'ffv1', 'gray', 'yuv420p'))
  def test_grey_stays_grey(self, name, output, codec, pix_fmt, wanted):
    path = clips.write(self.dir / name, clips.pictures(3, 32, 48), codec=codec,
                       pix_fmt=pix_fmt)
    report, out = self._restore(path, output)
    self.assertEqual(report['outputs'][0]['pixel_format'], wanted)
    for frame in out:
      for plane in frame.planes[1:]:
        np.testing.assert_array_equal(plane, 128)

  def test_pictures_and_folders_of_them(self):
    folder = self.dir / 'in'
    folder.mkdir()
    for i in range(2):
      cv2.imwrite(str(folder / f'{i}.png'), _rgb(9, 12, np.uint16, i))
    self._restore(folder, 'out')
    self._assert_kept(_frames(folder), _frames(self.dir / 'out'))
    self._restore(folder / '1.png', 'one.png')
    self._assert_kept(_frames(folder / '1.png'), _frames(self.dir / 'one.png'))
    cv2.imwrite(str(self.dir / 'grey.png'), _rgb(8, 8)[..., 0])
    self._restore(self.dir / 'grey.png', 'grey_out.png')
    grey = cv2.imread(str(self.dir / 'grey_out.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(
        _means(grey)[..., 0],
        cv2.imread(str(self.dir / 'grey.png'), cv2.IMREAD_UNCHANGED))

  def test_many_films(self):
    for i in range(2):
      clips.write(self.dir / f'{i}.mkv', clips.pictures(2, 16, 24, seed=i),
                  codec='ffv1', pix_fmt='bgr0')
    for state in ('restored', 'done before'):
      rows = films.restore_all(self._config(), str(self.dir / 'work'),
                               str(self.dir), str(self.dir / 'out'))
      self.assertEqual([r.state for r in rows], [state] * 2)
    self.assertEqual(_frames(self.dir / 'out/1.mkv')[0].rgb.shape, (32, 48, 3))

  def test_a_stopped_run_goes_on(self):
    path = clips.write(self.dir / 'film.mkv', clips.pictures(12, 16, 24),
                       codec='ffv1', pix_fmt='bgr0')
    values, seen = dict(window=4, lookahead=1), []

    def stop(clip):
      seen.append(clip)
      if len(seen) > 1:
        raise KeyboardInterrupt

    with mock.patch.object(tally, 'SEGMENT', 4):
      with self.assertRaises(KeyboardInterrupt):
        restore.restore(self._config(**values), str(self.dir / 'work'),
                        str(path), str(self.dir / 'out.mkv'), see=stop)
      with self.assertRaisesRegex(types.BadInput, 'upscaler'):
        self._restore(path, 'out.mkv', upscaler=_weights(1), **values)
      with self.assertLogs(level='WARNING') as logged:
        _, out = self._restore(path, 'out.mkv', **values)
      restore.restore(self._config(**values), str(self.dir / 'other'),
                      str(path), str(self.dir / 'whole.mkv'))
    self.assertIn('Going on after 4 of 12', '\n'.join(logged.output))
    self._assert_kept(_frames(path), out)
    for a, b in zip(_frames(self.dir / 'whole.mkv'), out, strict=True):
      self.assertEqual(a.pts, b.pts)
      np.testing.assert_array_equal(a.rgb, b.rgb)

  def test_a_film_too_large_for_its_file(self):
    path = clips.write(self.dir / 'film.mkv', clips.pictures(1, 16, 9000),
                       codec='ffv1', pix_fmt='yuv420p')
    with self.assertRaisesRegex(types.BadInput, 'cannot hold 18000x32'):
      self._restore(path, 'out.mp4')

  def test_where_it_goes_by_itself_there_is_room_for_its_size(self):
    """H.264 holds 16384 px: half of that, enlarged."""
    for width, suffix in ((8192, '.mp4'), (8194, '.mkv')):
      folder = self.dir / str(width)
      folder.mkdir()
      clips.write(folder / 'film.avi', clips.pictures(1, 16, width),
                  codec='ffv1', pix_fmt='yuv420p')
      with mock.patch.object(
          identity, 'of', side_effect=types.BadInput('so far')) as asked:
        with self.assertRaisesRegex(types.BadInput, 'so far'):
          restore.restore(self._config(), str(self.dir / 'work'),
                          str(folder / 'film.avi'))
        films.restore_all(self._config(), str(self.dir / 'many'), str(folder),
                          str(self.dir / 'out'))
      self.assertEqual([pathlib.Path(call.args[2]).suffix for call in
                        asked.call_args_list], [suffix] * 2)


class RefusalsTest(parameterized.TestCase):

  @parameterized.parameters(
      ({'output.upscale': 3}, 'upscale=3 is not known; choose 1 or 2'),
      ({'composite': 'repair'}, 'cannot keep the samples of the source'),
      ({'interlace': 'keep'}, 'makes whole frames'),
      ({'upscaler': ''}, 'needs a network'))
  def test_settings(self, values, sentence):
    c = config.get_config('tiny')
    c.output.upscale = 2
    c.update_from_flattened_dict(values)
    with self.assertRaisesRegex(types.BadInput, sentence):
      settings.check(c)

  def test_dicom_live_and_what_is_compared(self):
    folder = self.create_tempdir().full_path
    for run, module in (
        (lambda c: restore.restore(c, folder, 'scan.dcm'), medical),
        (lambda c: live.restore(c, folder, '-', 'out.mkv'), surveillance),
        (lambda c: samples.restore_sample(c, folder), surveillance),
        (lambda c: demo.demo(c, folder), demo_config)):
      c = module.get_config('tiny')
      c.output.upscale = 2
      with self.assertRaisesRegex(
          types.BadInput, 'DICOM|(camera|sample|demo).* keeps its size'):
        run(c)

  def test_weights_of_another_kind(self):
    with self.assertRaisesRegex(types.BadInput, 'does not enlarge frames'):
      upscale.load(2, 'restorer')


if __name__ == '__main__':
  absltest.main()
