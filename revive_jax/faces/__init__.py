"""Faces: found, followed, and compared before and after a restore."""
