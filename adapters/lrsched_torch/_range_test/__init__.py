"""The range test of a torch training step."""
