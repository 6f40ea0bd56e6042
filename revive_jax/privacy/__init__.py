"""Privacy: what must not be learnt of the clips that a network has seen."""
