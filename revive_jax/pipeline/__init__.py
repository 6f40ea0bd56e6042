"""The stages of restoring; each maps a Clip to a Clip and fills one field.

STAGES is the whole list of them, in the order in which they run.
"""

from revive_jax.pipeline import classical
from revive_jax.pipeline import composite
from revive_jax.pipeline import detect
from revive_jax.pipeline import match
from revive_jax.pipeline import optimise
from revive_jax.pipeline import output
from revive_jax.pipeline import preprocess

STAGES = {
    'preprocess': preprocess.preprocess,
    'match': match.match,
    'detect': detect.detect,
    'classical': classical.classical,
    'composite': composite.composite,
    'optimise': optimise.optimise,
    'output': output.output,
}
