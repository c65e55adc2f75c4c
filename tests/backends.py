"""Every backend that evaluates schedules, as a function from a schedule and counts to values.

Each imports its library when it is called. Parametrise tests by `params(BACKENDS)`, which skips the
backends whose library is not installed.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched import Schedule
from tests.optional import needing, needs

Values = npt.NDArray[np.float64]
Backend = Callable[[Schedule, Sequence[int]], Values]


def python(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = [schedule(count) for count in counts]
    assert all(type(value) is float for value in values)
    return np.asarray(values)


def numpy(schedule: Schedule, counts: Sequence[int]) -> Values:
    values = schedule(np.asarray(counts))
    assert values.dtype == np.float64
    return np.asarray(values)


def strict(schedule: Schedule, counts: Sequence[int]) -> Values:
    array_api_strict = needs("array_api_strict")
    values = schedule(array_api_strict.asarray(list(counts)))
    assert values.dtype == array_api_strict.float64
    return np.asarray(values)


def torch_dtype() -> Any:
    """The type of values from counts that are integers: torch's default one, or float32."""
    torch = needs("torch")
    return torch.promote_types(torch.get_default_dtype(), torch.float32)


def torch_eager(schedule: Schedule, counts: Sequence[int]) -> Values:
    torch = needs("torch")
    values = schedule(torch.asarray(list(counts)))
    assert values.dtype == torch_dtype()
    return np.asarray(values, np.float64)


def torch_compiled(schedule: Schedule, counts: Sequence[int]) -> Values:
    torch = needs("torch")
    torch.compiler.reset()
    compiled = torch.compile(lambda count: schedule(count), fullgraph=True, backend="eager")
    return np.asarray(compiled(torch.asarray(list(counts))), np.float64)


def torch_compiled_together(
    schedules: Sequence[Schedule], counts: Sequence[Sequence[int]]
) -> list[Values]:
    """The curves of several schedules from one compiled function, which takes half the time."""
    torch = needs("torch")
    torch.compiler.reset()

    def curves(*counts: Any) -> list[Any]:
        return [schedule(at) for schedule, at in zip(schedules, counts, strict=True)]

    compiled = torch.compile(curves, fullgraph=True, backend="eager")
    return [np.asarray(x, np.float64) for x in compiled(*map(torch.asarray, counts))]


def tensorflow_eager(schedule: Schedule, counts: Sequence[int]) -> Values:
    tf = needs("tensorflow")
    values = schedule(tf.constant(list(counts), tf.int64))
    assert values.dtype == tf.float32
    return np.asarray(values, np.float64)


@contextlib.contextmanager
def strict_jax() -> Iterator[None]:
    """JAX combines neither two types nor two ranks unless it is asked to.

    All backends of JAX run so: what these modes accept has the same values without them.
    """
    jax = needs("jax")
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


def _jax_counts(counts: Sequence[int]) -> Any:
    jnp = needs("jax.numpy")
    return jnp.asarray(counts, jnp.int32)


def _checked(values: Any) -> Values:
    jnp = needs("jax.numpy")
    assert values.dtype == jnp.asarray(0.0).dtype
    assert values.weak_type  # of a Python number: it leaves updates their type
    return np.asarray(values, np.float64)


@strict_jax()
def jax_eager(schedule: Schedule, counts: Sequence[int]) -> Values:
    return _checked(schedule(_jax_counts(counts)))


@strict_jax()
def jax_jit(schedule: Schedule, counts: Sequence[int]) -> Values:
    return _checked(needs("jax").jit(schedule)(_jax_counts(counts)))


@strict_jax()
def jax_jit_together(
    schedules: Sequence[Schedule], counts: Sequence[Sequence[int]]
) -> list[Values]:
    """The curves of several schedules from one compiled function, which takes less time."""

    def curves(*counts: Any) -> list[Any]:
        return [schedule(at) for schedule, at in zip(schedules, counts, strict=True)]

    return [_checked(x) for x in needs("jax").jit(curves)(*map(_jax_counts, counts))]


@strict_jax()
def jax_vmap(schedule: Schedule, counts: Sequence[int]) -> Values:
    return _checked(needs("jax").vmap(schedule)(_jax_counts(counts)))


@functools.cache
def _apply() -> Any:
    return needs("jax").jit(lambda schedule, count: schedule(count))


@strict_jax()
def jax_traced(schedule: Schedule, counts: Sequence[int]) -> Values:
    """With every numeric hyperparameter traced."""
    return _checked(_apply()(schedule, _jax_counts(counts)))


BACKENDS: dict[str, Backend] = {
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

# Compiling takes most of the time: these compile several schedules at once.
TOGETHER: dict[str, Callable[..., list[Values]]] = {
    "torch-compile": torch_compiled_together,
    "jax-jit": jax_jit_together,
}

TORCH_COMPILES = "torch>=2.10"  # torch.compile of a schedule; torch is enough for all else

# TensorFlow has no default of float64 to compare in.
SINGLE: dict[str, Backend] = {"tensorflow": tensorflow_eager}


def library_of(backend: str) -> str:
    """The library that a backend imports."""
    if backend == "python":
        return "numpy"  # for the array of values
    return backend.replace("array-api-strict", "array_api_strict").partition("-")[0]


def params(backends: Iterable[str]) -> list[Any]:
    """Parameters of a test: the names of backends."""
    libraries = {name: library_of(name) for name in backends} | {"torch-compile": TORCH_COMPILES}
    return [needing(libraries[name], name, id=name) for name in backends]


def jax_x64(enabled: bool = True) -> contextlib.AbstractContextManager[None]:
    """JAX computes in float64."""
    jax = needs("jax")
    namespace = jax if hasattr(jax, "enable_x64") else needs("jax.experimental")  # before 0.8
    context: contextlib.AbstractContextManager[None] = namespace.enable_x64(enabled)
    return context


@contextlib.contextmanager
def double_precision(backend: str) -> Iterator[None]:
    """The backend computes in float64."""
    library = library_of(backend)
    if library == "jax":
        with jax_x64():
            yield
    elif library == "torch":
        torch = needs("torch")
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(torch.float32)
    else:
        yield
