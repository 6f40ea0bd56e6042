"""The desk, in a browser on this computer: --config=ui."""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny', without the network.

  The rest of them are what the desk begins with; each film's own are chosen on
  the page.
  """
  c = restore.get_config(size)
  c.mode = 'ui'
  # host: where it listens; anything but this computer (127.0.0.1) asks for a
  # token, of yours or '', a new one at each start. port 0: one that is free.
  # open: whether a browser is opened, where there is a screen.
  c.ui = dict(host='127.0.0.1', port=7861, token='', open=size == 'base')
  # What the desk takes on: a film's size and length, films of a visitor, films
  # that are restored at once, altogether and of a visitor; and how many hours
  # after somebody's last visit, or the end of a job since, all is deleted.
  c.desk = dict(gigabytes=4.0, minutes=30.0, films=8, jobs=1,
                jobs_of_visitor=1, hours=24.0)
  return c
