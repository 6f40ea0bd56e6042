"""Provenance: who agreed, what was done, and how anyone can check it."""
