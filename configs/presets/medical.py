"""DICOM: --config=presets/medical --input=film.dcm --config.mask=marks.png.

Only what a person has marked is changed: nothing is found on its own, since a
bright dot may be a finding. Marked pixels are interpolated from around them in
the same frame; no network runs, and nothing comes from another time. All else
stays bit for bit, and so do the tags, to which a notice is added: the pixels
were restored, and are not for diagnosis.
"""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny' (small sample)."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restore.get_config(size)
  c.weights = ''
  c.composite = 'repair'
  c.fill = 'inpaint'
  c.inpaint = 'bicubic'  # Of all 16 bits; those of OpenCV work in 8.
  c.denoiser = 'none'
  c.strength.update(dict.fromkeys(c.strength, 0.0))
  c.output.grain = 0.0  # A fill is not to look like a measurement.
  c.interlace = 'off'
  c.audio.update(dict.fromkeys(c.audio, 0.0))
  c.notice = 'tag'  # 'burn': also written into the foot of the picture.
  c.sample = dict(name='medical', width=96 if tiny else 512,
                  height=80 if tiny else 512, num_frames=8 if tiny else 30)
  return c
