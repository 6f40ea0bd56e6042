"""The stages of restoring; each maps a Clip to a Clip and fills one field.

STAGES is the whole list of them, in the order in which they run; `restore`
(learned) or `detect` and `classical`. `restore` also hands a memory from
window to window.
"""

from revive_jax.pipeline import (
    classical,
    composite,
    detect,
    faces,
    interpolate,
    match,
    moving,
    optimise,
    output,
    preprocess,
    restore,
    stabilise,
)
from revive_jax.privacy import redact

STAGES = {
    'preprocess': preprocess.preprocess,
    'match': match.match,
    'detect': detect.detect,
    'restore': restore.restore,
    'classical': classical.classical,
    'moving': moving.moving,
    'composite': composite.composite,
    'faces': faces.faces,
    'optimise': optimise.optimise,
    'interpolate': interpolate.interpolate,
    'redact': redact.redact,
    'output': output.output,
    'stabilise': stabilise.stabilise,
}
