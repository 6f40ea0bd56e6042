"""Tests of explain/record.py."""

import fractions
from types import SimpleNamespace

from absl.testing import absltest
import numpy as np

from revive_jax.explain import record
from revive_jax.video import reader


class RecordTest(absltest.TestCase):

  def test_times_count_from_the_first_frame(self):
    """A transport stream begins anywhere: 10 s in, 90,000 ticks a second."""
    frame = reader.SourceFrame(
        7, 900_000 + 45_000, np.zeros((1, 1, 3), np.uint8), (),
        concealed='repeated')
    info = SimpleNamespace(time_base=fractions.Fraction(1, 90_000))
    self.assertEqual(
        record.concealed_frame(frame, info, 900_000),
        {'frame': 7, 'how': 'repeated', 'time': '00:00:00.500'})

  def test_events_by_hand(self):
    """25 frames a second; frame 3 comes late, for one is missing before it."""
    info = SimpleNamespace(time_base=fractions.Fraction(1, 25))
    lost = SimpleNamespace(
        event=SimpleNamespace(
            kind=SimpleNamespace(value='lost'), start=3, stop=3, count=1),
        done='made', made=1, why='')
    self.assertEqual(
        record.event(lost, info, [100, 101, 102, 104]),
        {'kind': 'lost', 'frame': 3, 'count': 1, 'time': '00:00:00.160',
         'done': 'made', 'made': 1, 'why': ''})


if __name__ == '__main__':
  absltest.main()
