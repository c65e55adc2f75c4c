"""Range tests of torch training steps and models."""
