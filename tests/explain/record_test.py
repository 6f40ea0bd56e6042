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


if __name__ == '__main__':
  absltest.main()
