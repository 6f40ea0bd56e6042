"""The page of the desk: what is shown, and who may look at it."""
