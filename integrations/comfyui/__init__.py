"""A ComfyUI node: a batch of images as a film, restored by revive_jax.

Put this folder, or a link to it, into ComfyUI/custom_nodes. See README.md.
"""

import os

import numpy as np

# Memory of a GPU is shared with ComfyUI; JAX would take most of it at once.
os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')

_NONE = 'none'  # The classical stages, without a network.


class ReviveFilm:
  """Restores frames: dust, scratches, flicker, grain; and says where."""

  CATEGORY = 'image/restoration'
  DESCRIPTION = ('Restores the frames of damaged film, in order; the mask '
                 'shows where damage was found.')
  RETURN_TYPES = ('IMAGE', 'MASK')
  RETURN_NAMES = ('images', 'damage')
  FUNCTION = 'restore'

  @classmethod
  def INPUT_TYPES(cls) -> dict:  # noqa: N802
    """What the node has, as ComfyUI asks for it."""
    from revive_jax.models import weights  # Here: ComfyUI is to start quickly.

    return {
        'required': {
            'images': ('IMAGE', {'tooltip': 'The frames of a film, in order.'}),
            'weights': ([*weights.shipped(), _NONE], {
                'default': 'restorer', 'tooltip': (
                    f'The network; {_NONE}: the classical stages alone.')}),
            'mode': (['full', 'repair'], {'tooltip': (
                'repair fills damage, and leaves all other pixels alone.')}),
            'strength': ('FLOAT', {
                'default': 1.0, 'min': 0.0, 'max': 1.0, 'step': 0.05,
                'tooltip': 'How much is done, at most.'})},
        'optional': {
            'mask': ('MASK', {'tooltip': 'Damage that you painted; it is added '
                                         'to what is found.'}),
            'own_weights': ('STRING', {'default': '', 'tooltip': (
                'A folder, a file, or user/name on the Hugging Face hub, '
                'instead of weights.')})}}

  def restore(self, images, weights, mode, strength, mask=None, own_weights=''):
    """The frames, restored, and where there was damage.

    Args:
      images: [B, H, W, C] torch floats in [0, 1]; channels beyond three are
        handed on.
      weights: of INPUT_TYPES, as are mode, strength and own_weights.
      mode: as above.
      strength: as above.
      mask: [B, H, W] or [1, H, W]; above a half is damaged.
      own_weights: as above.

    Raises:
      types.BadInput: what is wrong, in one sentence.
    """
    import torch

    from revive_jax import frames

    name = own_weights.strip() or ('' if weights == _NONE else weights)
    film = np.clip(images.detach().cpu().numpy().astype(np.float32), 0, 1)
    found = frames.restore_frames(
        frames.settings(weights=name, composite=mode, strength=strength),
        film[..., :3], told=_progress(len(film)),
        mask=_painted(mask))
    restored = np.concatenate([found.frames, film[..., 3:]], -1)
    return (torch.from_numpy(restored),
            torch.from_numpy(found.mask.astype(np.float32)))


def _painted(mask):
  """What was painted, [B, H, W] bool; None: nothing.

  For a picture without alpha ComfyUI loads zeros, of another size.
  """
  if mask is None:
    return None
  painted = mask.detach().cpu().numpy() > 0.5
  return painted if painted.any() else None


def _progress(count):
  """What tells ComfyUI how many frames are done, and stops when it says so."""
  from comfy import model_management, utils

  bar = utils.ProgressBar(count)

  def told(done):
    model_management.throw_exception_if_processing_interrupted()
    bar.update_absolute(done)

  return told


NODE_CLASS_MAPPINGS = {'ReviveFilm': ReviveFilm}
NODE_DISPLAY_NAME_MAPPINGS = {'ReviveFilm': 'Restore film (revive_jax)'}
