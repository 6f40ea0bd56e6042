"""Training: arrays to better arrays, one file per algorithm."""
