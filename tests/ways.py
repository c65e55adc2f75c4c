"""Where `benchmarks/ulp.py` imports from until it names `tests.backends`."""

from tests.backends import jax_jit

__all__ = ["jax_jit"]
