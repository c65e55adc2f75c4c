"""Which array namespace a call uses, and what goes in and out of it."""

import numbers
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from lrsched._arrays.scalars import is_scalar

MAX_COUNT = 2**31 - 1  # the largest int32, where optax's counters saturate


def is_array(x: object) -> bool:
    """Whether `x` is a tensor of torch or TensorFlow, or an array that names its namespace."""
    if type(x) is float or type(x) is int:  # torch.compile cannot ask its integers for more
        return False
    return (
        hasattr(x, "__array_namespace__") or _is_tensor("torch", x) or _is_tensor("tensorflow", x)
    )


def _is_tensor(library: str, x: object) -> bool:
    """Whether `x` is a tensor of that library, which is loaded then."""
    tensor = getattr(sys.modules.get(library), "Tensor", None)
    return tensor is not None and isinstance(x, tensor)


def namespace_of(arrays: Iterable[Any]) -> Any:
    """The array namespace of the first that is not NumPy's, of NumPy where all are."""
    numpy = None
    for array in arrays:
        if _is_tensor("torch", array):
            from lrsched._arrays import _torch

            return _torch
        if _is_tensor("tensorflow", array):
            from lrsched._arrays import _tensorflow

            return _tensorflow
        xp = array.__array_namespace__()
        if xp.__name__ != "numpy":
            return xp
        numpy = xp
    return numpy


def default_dtype(xp: Any, kind: str) -> Any:
    """The namespace's default dtype of a kind, "real floating" or "integral"."""
    return xp.__array_namespace_info__().default_dtypes()[kind]


def as_count(xp: Any, count: Any, like: Any) -> Any:
    """`count` as an array of the default integer or a real type, from 0 to the largest count.

    Narrow integers are widened, so that `steps - count` cannot overflow in them.
    """
    if not is_array(count):
        count = as_python(count)
        dtype = default_dtype(xp, "integral" if type(count) is int else "real floating")
        return xp.asarray(count, dtype=dtype, device=device_of(like))
    if xp.isdtype(count.dtype, "real floating"):
        count = xp.astype(count, default_dtype(xp, "real floating"), copy=False)
        return xp.clip(count, 0.0, float(MAX_COUNT))
    if not xp.isdtype(count.dtype, "integral"):
        raise TypeError(f"count must be a number or an array of numbers, got dtype {count.dtype}")
    wide = xp.iinfo(count.dtype).max > MAX_COUNT
    count = xp.clip(count, 0, MAX_COUNT) if wide else xp.maximum(count, 0)
    return xp.astype(count, default_dtype(xp, "integral"), copy=False)


def as_python(count: Any) -> int | float:
    """A count that is no array as an int or a float, from 0 to the largest count."""
    if not isinstance(count, numbers.Real) or isinstance(count, bool):
        raise TypeError(f"count must be a number or an array of numbers, got {count!r}")
    if count != count:
        raise ValueError(f"count must be a number of steps, got {count!r}")
    count = int(count) if isinstance(count, numbers.Integral) else float(count)
    return 0 if count < 0 else MAX_COUNT if count > MAX_COUNT else count


def as_result(xp: Any, value: Any, count: Any) -> Any:
    """`value` in the default real dtype (strong, in JAX), with the shape of `count`."""
    dtype = default_dtype(xp, "real floating")
    if not is_array(value):
        return xp.full(count.shape, value, dtype=dtype, device=device_of(count))
    value = xp.astype(value, dtype, copy=False)
    return value if value.ndim >= count.ndim else xp.broadcast_to(value, count.shape)


def real(xp: Any, x: Any) -> Any:
    """`x`, an integer array made real; Python numbers join any dtype as they are."""
    if is_scalar(xp) or not is_array(x) or not is_integral(xp, x):
        return x
    return xp.astype(x, default_dtype(xp, "real floating"))


def whole(xp: Any, x: Any) -> Any:
    """`x` without its fraction, as an integer."""
    if is_scalar(xp):
        return xp.trunc(x)
    if is_integral(xp, x):
        return x
    return xp.astype(xp.floor(x), default_dtype(xp, "integral"))


def table(xp: Any, values: Sequence[Any], dtype: Any, like: Any) -> Any:
    """Python numbers or scalar arrays as one array, where `like` is."""
    if any(map(is_array, values)):
        return xp.stack([xp.asarray(value, dtype=dtype) for value in values], axis=-1)
    device = device_of(like)
    if values and device is not None and device.type != "cpu":
        # To copy a list would wait for the device, which a CUDA graph cannot do: a number goes
        # there as the argument of a kernel.
        return xp.stack([xp.full((), value, dtype=dtype, device=device) for value in values])
    return xp.asarray(values, dtype=dtype, device=device)


def look_up(xp: Any, table: Any, index: Any) -> Any:
    """The entries of a table at an integer index of any shape, none of it outside."""
    if xp.__name__ == "jax.numpy":  # it checks what is not promised
        return table.at[index].get(mode="promise_in_bounds")
    return xp.reshape(xp.take(table, xp.reshape(index, (-1,))), index.shape)


def is_integral(xp: Any, x: Any) -> bool:
    """Whether an array holds integers."""
    return bool(xp.isdtype(x.dtype, "integral"))


def is_single(xp: Any, x: Any) -> bool:
    """Whether an array, made real, has the precision of float32 and not of float64."""
    dtype = default_dtype(xp, "real floating") if is_integral(xp, x) else x.dtype
    return int(xp.finfo(dtype).bits) < 64


def device_of(array: Any) -> Any:
    """The device of a tensor, None for what has no say in it."""
    # JAX's tracers have no device to name: under a trace the compiler places the arrays.
    return array.device if _is_tensor("torch", array) else None
