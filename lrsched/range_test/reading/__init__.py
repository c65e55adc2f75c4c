"""What losses say: whether a test has diverged, and which learning rates they suggest."""
