"""The array namespace of TensorFlow tensors: the part of the standard that schedules use."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from lrsched._arrays.types import Array, Device, DType

_math = tf.math
abs, ceil, floor, round = _math.abs, _math.ceil, _math.floor, _math.round
exp, expm1, log, log1p = _math.exp, _math.expm1, _math.log, _math.log1p
sin, cos, tan, atan = _math.sin, _math.cos, _math.tan, _math.atan
sinh, cosh, tanh = _math.sinh, _math.cosh, _math.tanh
sqrt, square, pow = _math.sqrt, _math.square, _math.pow
minimum, maximum, where = _math.minimum, _math.maximum, tf.where
logical_and, logical_or, logical_not = _math.logical_and, _math.logical_or, _math.logical_not
_numpy = tf.experimental.numpy
log2, hypot, trunc = _numpy.log2, _numpy.hypot, _numpy.fix
bitwise_left_shift, bitwise_right_shift = tf.bitwise.left_shift, tf.bitwise.right_shift
ones_like, stack, take, reshape = tf.ones_like, tf.stack, tf.gather, tf.reshape
expand_dims = tf.expand_dims
broadcast_to, clip = tf.broadcast_to, tf.clip_by_value
pi, e, inf = np.pi, np.e, np.inf

_DEFAULTS = {"real floating": tf.float32, "integral": tf.int64}


def __array_namespace_info__() -> SimpleNamespace:  # noqa: N807  # the standard's name
    return SimpleNamespace(default_dtypes=lambda: _DEFAULTS)


def isdtype(dtype: DType, kind: str) -> bool:
    return bool(dtype.is_floating if kind == "real floating" else dtype.is_integer)


def finfo(dtype: DType) -> np.finfo[Any]:
    return np.finfo(dtype.as_numpy_dtype)


def iinfo(dtype: DType) -> np.iinfo[Any]:
    return np.iinfo(dtype.as_numpy_dtype)


def asarray(values: Array, dtype: DType = None, device: Device = None) -> Array:
    return tf.cast(values, dtype) if tf.is_tensor(values) else tf.constant(values, dtype)


def full(shape: Sequence[int], value: Array, dtype: DType = None, device: Device = None) -> Array:
    return tf.fill(shape, tf.constant(value, dtype))


def astype(x: Array, dtype: DType, *, copy: bool = True) -> Array:
    return tf.cast(x, dtype)  # tensors are immutable: `copy` makes no difference


def sum(x: Array, axis: int, dtype: DType = None) -> Array:
    return tf.reduce_sum(x if dtype is None else tf.cast(x, dtype), axis)
