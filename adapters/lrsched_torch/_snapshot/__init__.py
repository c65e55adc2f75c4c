"""Save the state of a training run, and restore it."""
