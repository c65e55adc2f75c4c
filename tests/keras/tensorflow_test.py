"""Schedules of TensorFlow tensors, in what only TensorFlow has."""

from typing import Any

from tests.optional import needs

needs("tensorflow")

import numpy as np
import pytest
import tensorflow as tf

import lrsched
from lrsched import Schedule
from lrsched._arrays import _tensorflow
from lrsched._arrays.scalars import SCALARS
from tests.ulp import telling_counts, worst

SEVERAL = [
    lrsched.warmup(lrsched.cosine_decay(0.1, 10**6, 1e-4), 1000),
    lrsched.cyclic(0.01, 0.1, 2000, mode="triangular2"),
    lrsched.one_cycle(0.1, 2**31 - 1),
    lrsched.cosine_restarts(0.1, 100, period_mult=2),
    lrsched.exponential_decay(0.1, 0.999, 10),
    lrsched.noise(lrsched.inverse_sqrt(0.1, 1000), 0.1, key=3),
]


@pytest.mark.parametrize("recipe", SEVERAL, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("xla", [False, True])
def test_in_a_function_and_compiled_by_xla(recipe: Schedule, xla: bool) -> None:
    compiled = tf.function(lambda count: recipe(count), jit_compile=xla)

    def curve(recipe: Schedule, counts: Any) -> Any:
        return np.asarray(compiled(tf.constant(list(counts), tf.int64)), np.float64)

    error, count = worst(recipe, telling_counts(recipe, np.random.default_rng(0), 24), curve)
    assert error <= 8, count


@pytest.mark.parametrize("dtype", [tf.int8, tf.uint8, tf.int32, tf.uint32, tf.int64, tf.float32])
def test_counts_of_every_dtype(dtype: Any) -> None:
    recipe = lrsched.cosine_decay(0.1, 100)
    found = recipe(tf.constant([[0], [50], [127]], dtype))
    assert found.dtype == tf.float32
    assert found.shape == (3, 1)
    np.testing.assert_allclose(found[:, 0], [0.1, 0.05, 0.0], rtol=1e-6)


def test_a_symbolic_count() -> None:
    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])  # type: ignore[untyped-decorator]
    def rate(count: Any) -> Any:
        return SEVERAL[0](count)

    assert float(rate(500)) == pytest.approx(SEVERAL[0](500))


def test_a_variable_is_no_count() -> None:
    with pytest.raises(TypeError, match="count must be a number or an array of numbers"):
        SEVERAL[0](tf.Variable(1))


@pytest.mark.parametrize("name", sorted(vars(SCALARS)))
def test_the_namespace_has_what_plain_numbers_have(name: str) -> None:
    ours, wanted = getattr(_tensorflow, name), getattr(SCALARS, name)
    if not callable(wanted):
        assert ours == wanted
        return
    several = {"where": (True, 0.4, 0.7), "clip": (0.4, 0.5, 0.7), "take": ((0.4, 0.7), 1)}
    arguments: tuple[Any, ...] = several.get(name, ())
    if not arguments:
        arguments = (True, False) if "logical" in name else (0.4, 0.7)
        if name not in {"pow", "hypot", "minimum", "maximum", "logical_and", "logical_or"}:
            arguments = arguments[:1]
    tensors = [tf.constant(x) for x in arguments]
    found = ours(*tensors)
    assert tf.is_tensor(found)
    assert found.numpy() == pytest.approx(float(wanted(*arguments)), rel=1e-6)
