"""The names of what formulas are written in."""

from typing import Any, TypeAlias

# A Python number, or an array or tensor of any library, of real numbers or of integers. Its
# operators and its functions are those of the array API standard, which has no static types yet.
Array: TypeAlias = Any

# A namespace of the array API standard (`jax.numpy`, `array_api_compat.torch`, ...), or that of
# Python numbers.
Namespace: TypeAlias = Any

DType: TypeAlias = Any
Device: TypeAlias = Any
