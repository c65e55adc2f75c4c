"""JAX's strict promotion of types and ranks, with every schedule, in every transformation.

Nothing is run: what JAX refuses, it refuses while it traces. The backends of all other tests run
in these modes too, so that the values are right as well.
"""

from typing import Any

from tests.optional import needs

needs("jax")

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched import Schedule
from tests.backends import jax_x64, strict_jax
from tests.strategies import BY_NAME, NAMES, schedules

struct: Any = jax.ShapeDtypeStruct
COUNTS = [
    struct(shape, dtype)
    for shape in ((), (3,), (2, 3))
    for dtype in (jnp.int32, jnp.float32, jnp.int8, jnp.bfloat16)
]


def arrays(schedule: Schedule, real: Any) -> Any:
    """The schedule with arrays for hyperparameters, without the weak types of Python numbers."""

    def array(leaf: Any) -> Any:
        return struct((), real if isinstance(leaf, float) else jnp.int32)

    return jax.tree.map(array, schedule)


def check(schedule: Schedule, count: Any, real: Any) -> None:
    batch = jax.tree.map(lambda x: struct((2,), x.dtype), arrays(schedule, real))
    one = struct((), jnp.int32)
    with strict_jax():
        for value in (
            jax.eval_shape(schedule, count),
            jax.eval_shape(_value, schedule, count),
            jax.eval_shape(_value, arrays(schedule, real), count),
        ):
            assert (value.dtype, value.shape) == (jnp.result_type(float), count.shape)
        assert jax.eval_shape(lambda s: s(3), schedule).shape == ()
        if jax.tree.leaves(batch):
            mapped = jax.eval_shape(jax.vmap(_value, (0, None)), batch, count)
            assert mapped.shape == (2, *count.shape)
        jax.eval_shape(jax.grad(_value, allow_int=True), schedule, one)


def _value(schedule: Schedule, count: Any) -> Any:
    return schedule(count)


@pytest.mark.parametrize("name", NAMES)
def test_jax_7208_and_7368_every_schedule_is_accepted(name: str) -> None:
    @settings(max_examples=1)
    @given(BY_NAME[name], st.sampled_from(COUNTS), st.sampled_from([jnp.float32, jnp.float16]))
    def accepted(schedule: Schedule, count: Any, real: Any) -> None:
        for x64 in (False, True):
            with jax_x64(x64):
                check(schedule, count, real)

    accepted()


@settings(max_examples=15)
@given(
    schedules, st.sampled_from(COUNTS), st.sampled_from([jnp.float32, jnp.bfloat16]), st.booleans()
)
def test_nested_schedules_are_accepted(
    schedule: Schedule, count: Any, real: Any, x64: bool
) -> None:
    with jax_x64(x64):
        check(schedule, count, real)
