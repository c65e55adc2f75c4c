"""Every way to evaluate a schedule, as a function from a schedule and counts to float64 values."""

from collections.abc import Callable, Sequence
from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import torch

from lrsched import Schedule

Values = npt.NDArray[np.float64]
Way = Callable[[Schedule, Sequence[int]], Values]


def python(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = [schedule(count) for count in counts]
    assert all(type(value) is float for value in values)
    return np.asarray(values)


def numpy(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = schedule(np.asarray(counts))
    assert values.dtype == np.float64
    return np.asarray(values)


def strict(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = schedule(array_api_strict.asarray(list(counts)))
    assert values.dtype == array_api_strict.float64
    return np.asarray(values)


def torch_eager(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = schedule(torch.asarray(list(counts)))
    assert values.dtype == torch.get_default_dtype()
    return np.asarray(values, np.float64)


def torch_compiled(schedule: Schedule, counts: Sequence[int]) -> Values:
    torch.compiler.reset()
    compiled = torch.compile(lambda count: schedule(count), fullgraph=True, backend="eager")
    return np.asarray(compiled(torch.asarray(list(counts))), np.float64)


def tensorflow_eager(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = schedule(tf.constant(list(counts), tf.int64))
    assert values.dtype == tf.float32
    return np.asarray(values, np.float64)


def _counts(counts: Sequence[int]) -> jax.Array:
    return jnp.asarray(counts, jnp.int32)


def _checked(values: Any) -> Values:
    assert values.dtype == jnp.asarray(0.0).dtype
    assert not values.weak_type
    return np.asarray(values, np.float64)


def jax_eager(schedule: Schedule, counts: Sequence[int]) -> Values:
    return _checked(schedule(_counts(counts)))


def jax_jit(schedule: Schedule, counts: Sequence[int]) -> Values:
    return _checked(jax.jit(schedule)(_counts(counts)))


def jax_vmap(schedule: Schedule, counts: Sequence[int]) -> Values:
    return _checked(jax.vmap(schedule)(_counts(counts)))


_apply = jax.jit(lambda schedule, count: schedule(count))


def jax_traced(schedule: Schedule, counts: Sequence[int]) -> Values:
    """With every numeric hyperparameter traced."""
    return _checked(_apply(schedule, _counts(counts)))


WAYS: dict[str, Way] = {
    "python": python,
    "numpy": numpy,
    "array-api-strict": strict,
    "torch": torch_eager,
    "torch-compile": torch_compiled,
    "jax": jax_eager,
    "jax-jit": jax_jit,
    "jax-vmap": jax_vmap,
    "jax-traced": jax_traced,
}

# TensorFlow has no default of float64 to compare in.
SINGLE: dict[str, Way] = {"tensorflow": tensorflow_eager}
