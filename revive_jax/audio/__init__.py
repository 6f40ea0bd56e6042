"""The sound track: what is wrong with it is measured, then repaired."""
