"""Which array namespace a call uses, and what goes in and out of it."""

import numbers
import sys
from collections.abc import Iterable, Sequence

from lrsched._arrays.scalars import is_scalar
from lrsched._arrays.types import Array, Device, DType, Namespace

MAX_COUNT = 2**31 - 1  # the largest int32, where optax's counters saturate


def is_array(x: object) -> bool:
    """Whether `x` is a tensor of torch or TensorFlow, or an array that names its namespace."""
    if type(x) is float or type(x) is int:  # torch.compile cannot ask its integers for more
        return False
    return (
        hasattr(x, "__array_namespace__") or _is_tensor("torch", x) or _is_tensor("tensorflow", x)
    )


def _is_tensor(library: str, x: object) -> bool:
    """Whether `x` is a tensor of that library; where it is not loaded, nothing is."""
    tensor = getattr(sys.modules.get(library), "Tensor", None)
    return tensor is not None and isinstance(x, tensor)


def namespace_of(arrays: Sequence[Array]) -> Namespace:
    """The namespace of the first array that is not NumPy's, or NumPy's."""
    numpy = None
    for array in arrays:
        if _is_tensor("torch", array):
            return _torch_namespace(arrays)
        if _is_tensor("tensorflow", array):
            from lrsched._arrays import _tensorflow

            return _tensorflow
        xp = array.__array_namespace__()
        if xp.__name__ != "numpy":
            return xp
        numpy = xp
    return numpy


def _torch_namespace(arrays: Iterable[Array]) -> Namespace:
    """The namespace that computes in float64 if a tensor or torch's default dtype has it."""
    import torch

    from lrsched._arrays import _torch, _torch_double

    dtypes = [x.dtype for x in arrays if isinstance(x, torch.Tensor)]
    return _torch_double if torch.float64 in (*dtypes, torch.get_default_dtype()) else _torch


def default_dtype(xp: Namespace, kind: str) -> DType:
    """The namespace's default dtype of a kind, "real floating" or "integral"."""
    return xp.__array_namespace_info__().default_dtypes()[kind]


def as_known(xp: Namespace, values: tuple[Array, ...]) -> tuple[Array, ...]:
    """Hyperparameters as numbers that are constants of the graph, where torch.compile makes one.

    It takes a number that has changed since it last compiled the code as unknown: some operations
    refuse that, and to the others digits are lost, as it simplifies what is computed.
    """
    if (
        "lrsched._arrays._torch" not in xp.__name__
        or not sys.modules["torch"].compiler.is_compiling()
    ):
        return values
    return tuple(as_known(xp, value) if type(value) is tuple else _known(value) for value in values)


def _known(value: Array) -> Array:
    if type(value) is int or type(value) is float:
        (value,) = {1 * value}  # the member of a set must be known
    return value


def as_count(xp: Namespace, count: Array, like: Array) -> Array:
    """`count` as an array of the default integer or real dtype, clipped to 0 and `MAX_COUNT`.

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


def as_python(count: object) -> int | float:
    """A count that is not an array as an int or a float, clipped to 0 and `MAX_COUNT`."""
    if not isinstance(count, numbers.Real) or isinstance(count, bool):
        raise TypeError(f"count must be a number or an array of numbers, got {count!r}")
    if count != count:
        raise ValueError(f"count must be a number of steps, got {count!r}")
    number = int(count) if isinstance(count, numbers.Integral) else float(count)
    return 0 if number < 0 else MAX_COUNT if number > MAX_COUNT else number


def as_result(xp: Namespace, value: Array, count: Array) -> Array:
    """`value` in the default real dtype, with a weak type in JAX, and with the shape of `count`."""
    dtype = default_dtype(xp, "real floating")
    if not is_array(value):
        value = xp.full(count.shape, value, dtype=dtype, device=device_of(count))
    if xp.__name__ == "jax.numpy":
        value = _as_python_number(real(xp, value))
    else:
        value = xp.astype(value, dtype, copy=False)
    return value if value.ndim >= count.ndim else xp.broadcast_to(value, count.shape)


def _as_python_number(x: Array) -> Array:
    """An array of JAX with a weak type, which it may have already."""
    if getattr(x, "weak_type", False):
        return x
    from lrsched._arrays import _jax

    return _jax.as_python_number(x)


def in_default_dtypes(xp: Namespace, values: tuple[Array, ...]) -> tuple[Array, ...]:
    """The values with their arrays, also those in tuples, in the default dtype of their kind.

    Formulas then compute in it. In JAX the arrays get weak types, as traced Python numbers have, so
    that strict promotion of types lets them meet any count.
    """
    return tuple(
        in_default_dtypes(xp, value) if type(value) is tuple else _in_default_dtype(xp, value)
        for value in values
    )


def _in_default_dtype(xp: Namespace, value: Array) -> Array:
    if not is_array(value):
        return value
    if xp.__name__ == "jax.numpy":
        return _as_python_number(value)
    for kind in ("real floating", "integral"):
        if xp.isdtype(value.dtype, kind):
            return xp.astype(value, default_dtype(xp, kind), copy=False)
    return value


def real(xp: Namespace, x: Array) -> Array:
    """`x`, an integer array made real; Python numbers join any dtype as they are."""
    if is_scalar(xp) or not is_array(x) or not is_integral(xp, x):
        return x
    return xp.astype(x, default_dtype(xp, "real floating"))


def promoted(*numbers: Array) -> tuple[Array, ...]:
    """The numbers without integer arrays beside float arrays, which JAX may be told not to mix."""
    arrays = [number for number in numbers if is_array(number)]
    if not arrays:
        return numbers
    xp = namespace_of(arrays)
    floats = [array.dtype for array in arrays if not is_integral(xp, array)]
    if not floats:
        return numbers
    return tuple(xp.astype(x, floats[0]) if is_array(x) else x for x in numbers)


def table(xp: Namespace, values: Sequence[Array], dtype: DType, like: Array) -> Array:
    """Python numbers or scalar arrays stacked into one array, on the device of `like`."""
    if any(map(is_array, values)):
        return xp.stack([xp.asarray(value, dtype=dtype) for value in values], axis=-1)
    device = device_of(like)
    if values and device is not None and device.type != "cpu":
        # To copy a list would wait for the device, which a CUDA graph cannot do: a number goes
        # there as the argument of a kernel.
        return xp.stack([xp.full((), value, dtype=dtype, device=device) for value in values])
    return xp.asarray(values, dtype=dtype, device=device)


def take(xp: Namespace, values: Sequence[Array], index: Array, dtype: DType = None) -> Array:
    """The values at an integer index of any shape, which must be inside.

    The result is an array of `dtype`, by default the default real one; a Python number where the
    index is one.
    """
    if is_scalar(xp):
        return xp.take(values, index)
    if dtype is None:
        dtype = default_dtype(xp, "real floating")
    array = table(xp, values, dtype, like=index)
    if xp.__name__ == "jax.numpy":  # it checks an index that it is not promised to be inside
        return array.at[index].get(mode="promise_in_bounds")
    return xp.reshape(xp.take(array, xp.reshape(index, (-1,))), index.shape)


def is_integral(xp: Namespace, x: Array) -> bool:
    """Whether an array holds integers."""
    return bool(xp.isdtype(x.dtype, "integral"))


def is_single(xp: Namespace, x: Array) -> bool:
    """Whether an array, made real, has the precision of float32 and not of float64."""
    dtype = default_dtype(xp, "real floating") if is_integral(xp, x) else x.dtype
    return int(xp.finfo(dtype).bits) < 64


def device_of(array: Array) -> Device:
    """The device of a torch tensor; None for other arrays, which are placed by their library."""
    # JAX's tracers have no device to name: under a trace the compiler places the arrays.
    return array.device if _is_tensor("torch", array) else None
