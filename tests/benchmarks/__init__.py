"""Tests of what measures; its scripts import each other by their bare names."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[2] / 'benchmarks'))
