"""Model cards: the front matter that the hub sorts and finds models by."""

_LIBRARY = 'revive_jax'
# What the hub calls the task of a model, and words to find it by.
_TASKS = {
    'restorer': ('video-to-video', (
        'video-restoration', 'film', 'denoising', 'inpainting')),
    'latent_restorer': ('video-to-video', ('video-restoration', 'inpainting')),
    'fill_vae': ('video-to-video', ('inpainting',)),
    'upscaler': ('image-to-image', ('super-resolution',)),
    'face': ('image-feature-extraction', ('face-similarity',)),
}
_OTHER = 'other', ('video-restoration',)


def front(model: str, license_: str = '') -> str:
  """The front matter of a card, with the line after it.

  Args:
    model: its name, of config.json.
    license_: as the hub writes it, such as apache-2.0; '': nothing is said,
      since it is for whoever owns the weights to say.
  """
  task, words = _TASKS.get(model, _OTHER)
  lines = [f'license: {license_}'] if license_ else []
  lines += [f'library_name: {_LIBRARY}', f'pipeline_tag: {task}', 'tags:',
            *(f'- {word}' for word in ('jax', 'flax', *words))]
  return '\n'.join(['---', *lines, '---', '', ''])
