"""Tests that a run survives what ends it, as processes of its own."""

import json
import pathlib
import random
import time

from absl.testing import absltest
import chex
import pytest

from revive_jax.models import weights
from tests import processes

_EVERY, _STEPS, _KILLS = 40, 6000, 20


def _last_step(folder):
  """The last step that the run has told of; 0: none."""
  path = folder / 'metrics.jsonl'
  lines = path.read_text().splitlines() if path.exists() else []
  for line in reversed(lines):
    try:
      return json.loads(line)['step']
    except ValueError:  # Half a line: it was killed just then.
      continue
  return 0


class SurvivalTest(absltest.TestCase):

  @pytest.mark.slow
  def test_twenty_kills_in_a_row(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    words = (f'--config.num_steps={_STEPS}',
             f'--config.checkpoint_every={_EVERY}')
    rng, before, lost = random.Random(0), 0, []
    for number in range(_KILLS):
      run = processes.start(folder / 'killed', *words)
      # It is killed at any time: while it starts, reads, steps or writes.
      if number % 4:
        processes.wait_for(
            folder / 'killed/metrics.jsonl', run, _lines(folder) + 1)
        time.sleep(rng.uniform(0, 2))
      else:
        time.sleep(rng.uniform(0, 8))
      run.kill()
      run.communicate()
      told = _last_step(folder / 'killed')
      self.assertGreaterEqual(told, before)
      kept = _resumes_at(folder / 'killed')
      lost.append(told - kept)
      self.assertLessEqual(told - kept, _EVERY, f'kill {number}')
      before = kept
    self.assertGreater(max(lost), 0)
    self.assertEmpty(list((folder / 'killed/checkpoints').glob('*.damaged')))
    for name in ('killed', 'whole'):
      run = processes.start(folder / name, *words)
      said, = processes.finish(run, seconds=400)
      self.assertEqual(run.returncode, 0, said)
      self.assertNotIn('is damaged', said)
    chex.assert_trees_all_equal(*(
        weights.read_weights(f'{folder}/{name}/weights').params
        for name in ('killed', 'whole')))
    steps = [json.loads(line)['step'] for line in (
        folder / 'killed/metrics.jsonl').read_text().splitlines()]
    self.assertEqual(steps, list(range(1, _STEPS + 1)))


def _lines(folder):
  path = folder / 'killed/metrics.jsonl'
  return path.read_text().count('\n') if path.exists() else 0


def _resumes_at(folder):
  """The step of the newest checkpoint that is finished, by its name."""
  steps = [int(p.name) for p in (folder / 'checkpoints').glob('*')
           if p.name.isdigit()] if (folder / 'checkpoints').exists() else []
  return max(steps, default=0)


if __name__ == '__main__':
  absltest.main()
