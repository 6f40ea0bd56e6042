"""Settings of a live restore: what cannot be, what is ignored, its network."""

import ml_collections

from revive_jax import settings, types
from revive_jax.models import weights
from revive_jax.pipeline import upscale
from revive_jax.video import y4m

_AUTO, _USUAL, _FAST = 'auto', 'restorer', 'live'
# What is not done live: the key, the values that ask for nothing, and what is
# said of others.
_IGNORED = (
    ('stabilise.strength', (0,), 'are not stabilised'),
    ('repeats', ('leave',), 'keep their repeats and gaps'),
    ('interlace', ('auto', 'off', 'same'),
     'give a frame for each of theirs, also where they are interlaced'),
    ('output.codec', ('auto', 'h264'), 'are coded as H.264'),
    ('output.bits', (0, 8), 'have 8 bits'),
    ('output.layers', ('auto', 'none'), 'get no layers'),
    ('output.checksums', (False,), 'get no checksums'),
    ('output.grain', (-1, 0), 'get no grain back'),
    ('faces.detector', ('',), 'are not searched for faces'),
    ('faces.embedder', ('',), 'are not searched for faces'),
    ('keep_segments', (False,), 'are not kept in segments'),
    ('provenance.key', ('',), 'are not signed'),
)
# What somebody relies on, and would not get.
_REFUSED = (
    ('mask', '', 'what is marked by hand'),
    ('decisions', '', 'what a person decided'),
    ('fills', '', 'several answers'),
    ('num_samples', 1, 'several answers'),
    ('output.keep_original', False, 'the original'),
)


def check(c: ml_collections.ConfigDict) -> list[str]:
  """Refuses what cannot be; returns a sentence for each setting without use.

  Raises:
    types.BadInput: a setting does not exist, or asks for what live films
      cannot have.
  """
  upscale.refuse(c.output.upscale,
                 'What runs by itself (a camera, a stream, a pipe)')
  if c.redact.faces != 'none':
    raise types.BadInput(
        '--config.redact.faces is for films: in what runs by itself a face '
        'could not be hidden before it is found; restore a recording.')
  if c.live.lookahead < 0:
    raise types.BadInput(
        f'--config.live.lookahead={c.live.lookahead} is negative.')
  types.check_choice('live.sends', c.live.sends, y4m.FORMS)
  if c.interlace == 'keep':
    raise types.BadInput(
        '--config.interlace=keep is for films: live, fields cannot be restored '
        'apart; leave it out, or restore a recording.')
  settings.check_provenance(c)
  if c.mark.visible or c.mark.invisible:
    raise types.BadInput(
        'Live films are not marked; leave out --config.mark.')
  settings.check(c)
  values = c.to_dict()
  for key, usual, what in _REFUSED:
    if _at(values, key) != usual:
      raise types.BadInput(
          f'Live films have no place for {what}; leave out --config.{key}, or '
          'restore a recording.')
  if tuple(c.stages) != (_AUTO,):
    raise types.BadInput(
        'Live films go through the network alone; leave out --config.stages, '
        'or restore a recording.')
  return _ignored(values)


def _ignored(values):
  told = [f'Live films {what}: --config.{key}={_at(values, key)} is ignored.'
          for key, harmless, what in _IGNORED
          if _at(values, key) not in harmless]
  # A repair that is left to the measurement is not one that was asked for.
  sound = [key for key, value in values['audio'].items() if value > 0]
  if sound:
    told.append(f'Live films have no sound: --config.audio.{sound[0]}='
                f'{values["audio"][sound[0]]} is ignored.')
  return told


def _at(values, key):
  for part in key.split('.'):
    values = values[part]
  return values


def unguarded(c: ml_collections.ConfigDict) -> list[str]:
  """A sentence where a network may change faces, and nobody looks."""
  if c.faces.policy != 'protect':
    return []
  return ['Live films are not searched for faces: the network may change one, '
          'and --config.faces.policy=protect is for films; restore a recording '
          'where a person must stay that person (policy=off: no warning).']


def network(c: ml_collections.ConfigDict) -> weights.Weights | None:
  """The weights that frames are restored with; None: a mean of the last ones.

  Raises:
    types.BadInput: there are no such weights, or there have to be some.
  """
  name = c.live.weights
  if name == _AUTO:
    name = c.weights
    if name == _USUAL and _FAST in weights.shipped():
      name = _FAST
  if name:
    return weights.read_weights(name)
  if c.composite == 'repair':
    raise types.BadInput(
        'Live restoring needs a network to repair without a look at the whole '
        'film; name its weights with --config.weights (shipped: '
        f'{", ".join(weights.shipped())}).')
  return None
