"""Tests of what sliders and boxes mean, on a film of three shots."""

from unittest import mock

from absl.testing import absltest

from configs import restore as config
from revive_jax.desk import decided
from revive_jax.desk import film as film_lib
from revive_jax.desk.page import decide

_EMPTY = {'sample': 0, 'strength': {}, 'stages': {}, 'note': ''}
_ALL, _COUNT = None, 3


class _Rows(dict):
  """Rows as desk/decided.py keeps them, in memory."""

  def of(self, place, shot):
    del place
    return {**_EMPTY, **self.get(shot, {})}

  def change(self, place, shot, **changed):
    row = self.of(place, shot)
    for name in ('strength', 'stages'):
      row[name] = {**row[name], **changed.pop(name, {})}
    self[shot] = row | changed

  def clear(self, place, shot):
    del place
    self.pop(shot, None)


class DecideTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.rows = _Rows()
    for name in ('of', 'change', 'clear'):
      self.enter_context(
          mock.patch.object(decided, name, getattr(self.rows, name)))
    self.place = mock.Mock()
    self.place.desk.c = config.get_config('tiny')

  def _noise(self, shot):
    return decide.effective(self.place, shot)['strength']['noise']

  def _set(self, shot, for_all, noise):
    decide.change(self.place, shot, for_all, _COUNT,
                  strength={'noise': noise})

  def test_nothing_was_decided(self):
    self.assertEqual(decide.effective(self.place, 0)['strength'],
                     self.place.desk.c.strength.to_dict())

  def test_for_one_shot(self):
    self._set(1, False, 0.2)
    self.assertEqual([self._noise(n) for n in range(3)], [0.8, 0.2, 0.8])

  def test_for_all_is_for_every_shot(self):
    """Also for those with something of their own, which keep the rest of it."""
    decide.change(self.place, 1, False, _COUNT, strength={'noise': 0.2},
                  stages={'optimise': False})
    self._set(0, True, 0.5)
    self.assertEqual([self._noise(n) for n in range(3)], [0.5] * 3)
    self.assertEqual(decide.effective(self.place, 1)['stages'],
                     {'optimise': False})

  def test_a_shot_keeps_what_holds_for_all(self):
    """A row of its own takes the place of that of all, whole."""
    decide.change(self.place, 0, True, _COUNT, strength={'dust': 0.1},
                  stages={'detect': False}, sample=2)
    self._set(1, False, 0.3)
    found = decide.effective(self.place, 1)
    self.assertEqual((found['strength']['dust'], found['strength']['noise'],
                      found['stages'], found['sample']),
                     (0.1, 0.3, {'detect': False}, 2))
    self.assertEqual(self._noise(0), 0.8)

  def test_back_to_what_was_proposed(self):
    self._set(0, True, 0.5)
    self._set(1, False, 0.3)
    decide.forget(self.place, 1, True, _COUNT)
    self.assertEqual([self._noise(n) for n in range(3)], [0.8] * 3)

  def test_switches(self):
    shot = film_lib.Shot(0, 0, 6, 0, '', {}, [], [
        {'stage': s} for s in ('match', 'detect', 'restore', 'output')])
    can, on = decide.stages(shot)
    self.assertEqual(on, ['detect', 'restore'])
    self.assertIn('optimise', can)  # It was not chosen, and can be.
    self.assertNotIn('match', can)
    self.assertEqual(decide.switched(shot, ['restore', 'optimise']),
                     {'detect': False, 'optimise': True})
    self.assertEqual(decide.switched(shot, on), {})


if __name__ == '__main__':
  absltest.main()
