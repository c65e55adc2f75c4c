"""lrsched schedules in JAX training loops: what a schedule cannot do by itself as a function."""

from lrsched_jax._range_test import range_test

__all__ = ["range_test"]
