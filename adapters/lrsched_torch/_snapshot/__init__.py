"""A training run kept and restored."""
