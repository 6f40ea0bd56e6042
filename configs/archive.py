"""Restore many films on many machines: --config=archive --input=reels/."""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny' (fast, no network)."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restore.get_config(size)
  c.mode = 'archive'

  # address: '' starts Ray on this machine alone; 'auto', or HOST:PORT, is a
  # cluster that runs (launch/ray_cluster.yaml); 'none': without Ray.
  # share: 'I/N', with 'none' alone: this process takes every N-th film from the
  # I-th on, I from 0 on, as in an array job (launch/slurm_archive.sbatch).
  # processes: of one machine, with '' and 'none'; 0: one for each processor.
  # gpus: that a task asks for which restores, part of one, too; -1: one, if the
  # cluster has any. cpus: that each task asks for. memory: GB that it asks for.
  # frames: a longer film is cut at shots into tasks of so many, or more.
  # tries: how often a film may end its worker before it is given up.
  # patience: seconds until a cluster must have answered.
  # size: of the presets that a manifest names.
  c.archive = dict(
      address='', share='', processes=0, gpus=-1.0, cpus=1.0, memory=0.0,
      frames=200 if tiny else 1500, tries=3, patience=30.0, size=size)
  return c
