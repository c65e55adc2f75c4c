"""The range test inside Lightning's own loop."""
