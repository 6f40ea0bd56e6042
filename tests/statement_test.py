"""Tests of statement.py: what of a run is stated, by whole runs."""

import hashlib
import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from configs import restore as config
from revive_jax import (
    explain_frame,
    live,
    networks,
    restore,
    settings,
    statement,
    types,
)
from revive_jax.explain import sentences
from revive_jax.models import weights
from revive_jax.provenance import credential, manifest, verify, watermark
from revive_jax.video import layers, probe, reader, writer
from tests.pipeline import run_test
from tests.provenance import consent_test, films


class StatementTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.enter_context(mock.patch.dict(
        os.environ, {'XDG_CONFIG_HOME': str(self.dir / 'home')}))
    self.film = self.dir / 'film.mkv'
    writer.write_rgb(self.film, run_test._film(4), frame_rate=24)

  def _restore(self, output, **changes):
    c = config.get_config('tiny')
    for key, value in changes.items():
      if isinstance(value, dict):
        c[key].update(value)
      else:
        c[key] = value
    return restore.restore(c, str(self.dir / 'work'), str(self.film),
                           str(self.dir / output))

  def _consent(self, **changes):
    path = self.dir / 'consent.json'
    path.write_text(json.dumps(consent_test.record(**changes)))
    return str(path)

  @parameterized.parameters('out.mp4', 'out')
  def test_what_is_stated(self, output):
    report = self._restore(output, consent=dict(file=self._consent()))
    found = verify.verify(self.dir / output)
    self.assertTrue(found.is_valid, found.reasons)
    stated, said = found.restoration, report['provenance']
    self.assertEqual(said['manifest'], found.where)
    for file in said['files']:
      self.assertTrue(os.path.exists(file))
    self.assertEqual(stated['mode'], 'full')
    self.assertEqual([s['name'] for s in stated['stages']],
                     [s['name'] for s in report['shots'][0]['stages']])
    for name, share in stated['share'].items():
      self.assertAlmostEqual(report['shots'][0]['share'][name], share)
    self.assertEqual(stated['source']['sha256'],
                     manifest.hash_file(self.film))
    self.assertIsNone(stated['weights'])
    self.assertEqual(stated['consent']['sha256'],
                     manifest.hash_file(self.dir / 'consent.json'))
    self.assertIn('untrusted', stated['signer'])

  @parameterized.parameters('out.mp4', 'out.mkv')
  def test_what_a_person_decided_is_stated(self, output):
    mask = np.zeros(run_test._film(1).shape[1:3], np.uint8)
    mask[4:8, 4:8] = 255
    cv2.imwrite(str(self.dir / 'mask.png'), mask)
    (self.dir / 'mine.json').write_text(json.dumps({
        'schema': 1, 'all': {'strength': {'noise': 0.25}, 'note': 'for Anna'}}))
    report = self._restore(
        output, mask=str(self.dir / 'mask.png'), mask_overrides=True,
        decisions=str(self.dir / 'mine.json'))
    stated = verify.verify(self.dir / output).restoration
    self.assertEqual(stated['mask'], {
        'sha256': manifest.hash_file(self.dir / 'mask.png'),
        'overrides': True})
    self.assertEqual(stated['decisions'], [
        {'shot': 0, 'start': 0, 'end': 4, 'strength': {'noise': 0.25}}])
    self.assertEqual(report['decisions'][0]['note'], 'for Anna')

  @parameterized.parameters(True, False)
  def test_hashes_are_in_the_report(self, signs):
    report = self._restore('out.mkv', provenance=dict(sign=signs), report=True)
    hashes = report['hashes']
    self.assertEqual(hashes['source'], manifest.hash_file(self.film))
    told = json.dumps(report['settings'], sort_keys=True).encode()
    self.assertEqual(hashes['settings'], hashlib.sha256(told).hexdigest())
    self.assertIsNone(hashes['weights'])
    self.assertIn(hashes['source'],
                  (self.dir / 'work/report.html').read_text())
    stated = statement._described('restorer')
    self.assertIn(stated['sha256'], networks.described(
        weights.read_weights('restorer')))

  @parameterized.parameters(
      ({}, 1), (dict(keep_private_metadata=True), 2),
      (dict(keep_private_metadata=True, redact=dict(faces='blur')), 1),
      (dict(keep_private_metadata=True, sandbox='on'), 1))
  def test_the_manifest_of_the_source(self, changes, count):
    source = films.write(self.dir / 'film.mp4')
    manifest.embed(source, films.FACTS | {'gps': '48.8577 N'}, films.signer())
    self.film = source
    self._restore('out.mp4', **changes)
    _, report = manifest.read(self.dir / 'out.mp4')
    self.assertLen(report['manifests'], count)
    self.assertEqual(
        b'48.8577 N' in (self.dir / 'out.mp4').read_bytes(), count == 2)
    parent, = report['manifests'][report['active_manifest']]['ingredients']
    self.assertEqual(parent['instance_id'],
                     f'sha256:{manifest.hash_file(source)}')

  def test_nothing_is_done_without_consent(self):
    with self.assertRaisesRegex(types.BadInput, 'none is stated'):
      self._restore('out.mkv', consent=dict(required=True))
    for changes, words in ((dict(scope=['repair']), 'does not cover full'),
                           (dict(until='2001-01-01'), 'has expired')):
      with self.assertRaisesRegex(types.BadInput, words):
        self._restore('out.mkv', consent=dict(file=self._consent(**changes)))
    self.assertEqual({p.name for p in self.dir.iterdir()},
                     {'film.mkv', 'consent.json'})

  def test_the_consent_is_that_of_the_beginning(self):
    """Neither midnight nor an edited file spoils what was restored by then."""
    path, say = pathlib.Path(self._consent()), statement.Statement.say
    before = manifest.hash_file(path)
    def edited(*arguments):
      self._consent(until='2001-01-01')
      say(*arguments)
    with mock.patch.object(statement.Statement, 'say', edited):
      report = self._restore('out.mkv', consent=dict(file=str(path)))
    self.assertNotEqual(manifest.hash_file(path), before)
    self.assertEqual(report['provenance']['consent']['sha256'], before)
    stated = verify.verify(self.dir / 'out.mkv').restoration['consent']
    self.assertEqual(stated['sha256'], before)

  def test_what_is_asked_of_a_consent(self):
    c = config.get_config()
    c.consent.file = self._consent(scope=['full'])
    self.assertEqual(settings.check_provenance(c).scope, ('full',))
    c.output.upscale = 2
    with self.assertRaisesRegex(types.BadInput, 'does not cover upscaling'):
      settings.check_provenance(c)

  def test_sound_that_was_repaired_is_stated(self):
    done = {'hum': {'strength': 0.5, 'why': 'a hum of 50 Hz'},
            'hiss': {'strength': 0.0, 'why': 'none'}}
    self.assertEqual(
        statement._sound_stages([
            {'track': 0, 'state': 'repaired', 'done': done},
            {'track': 1, 'state': 'left as it is', 'done': done},
            {'track': 2, 'state': 'could not be repaired'}]),
        [{'name': 'sound: hum', 'why': 'a hum of 50 Hz', 'tracks': 1,
          'strength': {'least': 0.5, 'greatest': 0.5}}])

  def test_the_id_of_a_run_is_that_of_its_key(self):
    ids = []
    for text in ('{"a": 1}', '{"a": 1}', '{"a": 2}'):
      (self.dir / 'segments').mkdir(exist_ok=True)
      (self.dir / 'segments/key.json').write_text(text)
      ids.append(statement.run_id(self.dir))
    self.assertEqual(ids[0], ids[1])
    self.assertNotEqual(ids[0], ids[2])
    self.assertLess(max(ids), 2**40)

  def test_hidden_faces_and_enlarging_are_said(self):
    said = lambda **facts: verify._what(verify.Verdict(
        'film.mp4', 'embedded', True, False, False, False, '', (),
        films.FACTS | facts, ''))
    self.assertIn('invented), consent', said())
    self.assertIn('faces hidden (blur)', said(faces_hidden='blur'))
    self.assertIn('without a network', said(weights=None))
    self.assertIn('by AI', said(weights=None, upscaler={'name': 'upscaler'}))
    self.assertIn('given until 2030-01-01', said(
        consent={'until': '2030-01-01', 'sha256': '', 'scope': ['full']}))

  def test_live(self):
    for changes, words in ((dict(consent=dict(required=True)), 'none is'),
                           (dict(mark=dict(visible=True)), 'are not marked')):
      c = config.get_config()
      c.update(changes)
      with self.assertRaisesRegex(types.BadInput, words):
        live.restore(c, str(self.dir / 'work'), '-', 'out.mkv')

  def test_a_useless_credential(self):
    (self.dir / 'key.pem').write_bytes(films.signer().key)
    (self.dir / 'key.pem').chmod(0o600)
    (self.dir / 'chain.pem').write_text('nothing')
    with self.assertRaisesRegex(types.BadInput, 'no certificate'):
      self._restore('out.mkv', provenance=dict(
          key=str(self.dir / 'key.pem'),
          certificate=str(self.dir / 'chain.pem')))
    with self.assertRaisesRegex(types.BadInput, 'belong together'):
      self._restore('out.mkv', provenance=dict(key='key.pem'))
    self.assertFalse((self.dir / 'out.mkv').exists())

  def test_the_users_credential(self):
    (self.dir / 'key.pem').write_bytes(films.signer().key)
    (self.dir / 'key.pem').chmod(0o600)
    (self.dir / 'chain.pem').write_bytes(films.signer().chain)
    self._restore('out.mp4', provenance=dict(
        key=str(self.dir / 'key.pem'),
        certificate=str(self.dir / 'chain.pem')))
    found = verify.verify(self.dir / 'out.mp4', anchors=films.anchor())
    self.assertTrue(found.is_trusted)
    self.assertEqual(found.restoration['signer'], 'named by the user')
    self.assertFalse((self.dir / 'home').exists())

  def test_without_the_libraries(self):
    with mock.patch.object(credential, 'is_installed', lambda: False):
      report = self._restore('out.mkv')
    self.assertIsNone(report['provenance']['manifest'])
    self.assertIn('revive-jax[provenance]', ' '.join(report['warnings']))
    self.assertFalse((self.dir / 'out.mkv.c2pa').exists())

  def test_marks(self):
    report = self._restore(
        'out.mkv', strength=dict.fromkeys(config.get_config().strength, 0.0),
        mark=dict(visible=True, invisible=True))
    frames = [f.rgb for f in reader.read_frames(
        probe.probe(str(self.dir / 'out.mkv')))]
    self.assertTrue(verify.verify(self.dir / 'out.mkv').is_valid)
    stated = report['provenance']['marks']
    self.assertEqual(f'{watermark.read(frames):010x}', stated['invisible'])
    self.assertTrue(stated['visible'])
    source = [f.rgb for f in reader.read_frames(probe.probe(str(self.film)))]
    change = np.abs(frames[0].astype(int) - source[0]).max(-1)
    self.assertGreater(change[-16:, 64:].max(), 30)  # The word.
    self.assertLess(change[:-16].max(), 20)

  def test_the_invisible_mark_is_a_change_that_is_told(self):
    """It is in the map of changes and in the shares; it invents nothing."""
    report = self._restore(
        'out.mkv', mark=dict(invisible=True), interlace='off',
        strength=dict.fromkeys(config.get_config().strength, 0.0))
    read = lambda path: [f.rgb.astype(int) for f in reader.read_frames(
        probe.probe(str(path)))]
    share = []
    for t, (before, after) in enumerate(zip(
        read(self.film), read(self.dir / 'out.mkv'), strict=True)):
      change = np.abs(after - before).max(-1)
      found = layers.read(self.dir / 'out.mkv', t, t / 24)
      np.testing.assert_array_equal(found['change'], change)
      self.assertEqual(found['origin'].max(), 0)  # All of it is kept.
      share.append((change > 0).mean())
    self.assertGreater(np.mean(share), 0.3)
    self.assertAlmostEqual(
        report['shots'][0]['share']['changed'], np.mean(share))
    self.assertEqual(report['shots'][0]['share']['invented'], 0)
    told = ' '.join(sentences.summary(report))
    self.assertNotIn('No pixel was changed', told)
    self.assertIn('invisible mark makes a few steps lighter', told)
    said = explain_frame.explain(
        str(self.dir / 'work'), str(self.dir / 'out.mkv'))
    self.assertIn('by the invisible mark', said)

  def test_marks_in_mode_repair(self):
    for key in ('visible', 'invisible'):
      with self.assertRaisesRegex(types.BadInput, 'outside the damage'):
        self._restore('out.mkv', composite='repair', mark={key: True})
    c = config.get_config()
    c.mark.invisible = True
    settings.check(c)

  def test_photographs_signed_and_not(self):
    cv2.imwrite(str(self.dir / 'photo.png'), run_test._film(1)[0])
    self.film = self.dir / 'photo.png'
    self._restore('fixed.png', provenance=dict(sign=False))
    self.assertEqual(verify.verify(self.dir / 'fixed.png').where, 'none')
    self._restore('fixed.tif')
    self.assertTrue(verify.verify(self.dir / 'fixed.tif').is_valid)


if __name__ == '__main__':
  absltest.main()
