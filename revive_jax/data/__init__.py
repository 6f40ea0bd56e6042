"""Clean clips to train on: sources by index, and the pipeline over them."""
