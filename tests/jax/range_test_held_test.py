"""Pytrees with leaves that are not trained: they are held, and the rest is trained as if alone."""

import dataclasses
import functools
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched_jax import range_test, sweep

BATCHES = list(np.linspace(1.0, 2.0, 7, dtype=np.float32))
RAMP = lrsched.exponential_ramp(1e-3, 0.3, 5)


def run(loss_fn: Any, params: Any, **options: Any) -> Any:
    usual: dict[str, Any] = {"optimizer": optax.adam, "schedule": RAMP, "steps": 6}
    usual["divergence"] = None
    return range_test(loss_fn, params, BATCHES, progress=False, **(usual | options))


TRAINED = st.sampled_from([np.ones(3, np.float32), jnp.full((2,), 0.5), np.float32(0.1), 0.7])
ARRAYS: list[Any] = [
    np.arange(3),
    jnp.arange(2),
    jnp.int32(1),
    np.array([True, False]),
    np.array([7], np.uint8),
    jax.random.key(3),
]
OBJECTS: list[Any] = [
    jnp.tanh,
    "gelu",
    3,
    True,
    object(),
    {1, 2},
    np.array(["a"]),
    np.array([None]),
    np.array(["2020-01-01"], "M8[D]"),
    np.array([1], "m8[s]"),
    np.int64(4),
    functools.partial(jnp.sum, axis=0),
]
LEAVES = st.one_of(
    TRAINED,
    st.sampled_from([None, *ARRAYS]),
    st.sampled_from(OBJECTS),
)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["first", "second"], meta_fields=["name"]
)
@dataclasses.dataclass
class Pair:
    first: Any
    second: Any
    name: str = "pair"


def inner(children: Any) -> Any:
    return st.one_of(
        st.lists(children, max_size=3),
        st.tuples(children, children),
        st.dictionaries(st.sampled_from("abc"), children, max_size=3),
        st.builds(Pair, children, children),
    )


TREES = st.tuples(TRAINED, st.recursive(LEAVES, inner, max_leaves=8))


def is_trained(leaf: Any) -> bool:
    return type(leaf) is float or (
        isinstance(leaf, (jax.Array, np.ndarray, np.generic)) and str(leaf.dtype) == "float32"
    )


def squares(leaves: list[Any], batch: Any) -> Any:
    return sum(jnp.sum((leaf - batch) ** 2) for leaf in leaves)


@given(TREES, st.booleans())
@settings(max_examples=25, derandomize=True)
def test_what_is_trained_is_trained_as_if_alone(tree: Any, compiled: bool) -> None:
    given = jax.tree.leaves(tree)
    trained = [index for index, leaf in enumerate(given) if is_trained(leaf)]
    arrays = [
        index
        for index, leaf in enumerate(given)
        if index not in trained and any(leaf is array for array in ARRAYS)
    ]
    static = [index for index in range(len(given)) if index not in trained + arrays]

    def whole(tree: Any, batch: Any) -> Any:
        leaves, structure = jax.tree.flatten(tree)
        assert structure == whole_structure
        assert all(leaves[index] is given[index] for index in static)
        assert all(leaves[index].shape == np.shape(given[index]) for index in arrays)
        return squares([leaves[index] for index in trained], batch)

    def metrics(tree: Any) -> dict[str, Any]:
        leaves = jax.tree.leaves(tree)
        assert all(leaves[index] is given[index] for index in static + arrays)
        return {"first": jnp.sum(leaves[trained[0]])}

    whole_structure: Any = jax.tree.structure(tree)
    options = {"compiled": True} if compiled else {"metrics": metrics, "every": 2}
    found = run(whole, tree, **options)
    alone = run(squares, [given[index] for index in trained], compiled=compiled)
    assert found.losses.tolist() == alone.losses.tolist()
    assert len(found.losses) == 6
    assert compiled or len(set(found.metrics["first"][:, 1])) == 3


def activated(tree: Any, batch: Any) -> Any:
    return jnp.sum((tree["activation"](tree["w"]) * tree["scale"] - batch) ** 2)


def tree_of(activation: Any, scale: Any = 2) -> dict[str, Any]:
    return {"w": np.full(3, 0.5, np.float32), "activation": activation, "scale": scale}


class Power:
    """A function that equals others of the same power."""

    def __init__(self, power: int) -> None:
        self.power = power

    def __call__(self, x: Any) -> Any:
        return x**self.power

    def __hash__(self) -> int:
        return self.power

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Power) and self.power == other.power


@pytest.mark.parametrize("compiled", [False, True])
def test_equal_held_values_share_compiled_code(compiled: bool) -> None:
    traces = 0

    def counted(tree: Any, batch: Any) -> Any:
        nonlocal traces
        traces += 1
        return activated(tree, batch)

    curves: dict[Any, list[float]] = {}

    def traced(activation: Any, scale: Any = 2) -> int:
        before = traces
        found = run(counted, tree_of(activation, scale), compiled=compiled)
        curves[activation, str(scale)] = found.losses.tolist()
        return traces - before

    assert traced(jnp.tanh) == 1
    assert traced(jnp.tanh) == 0
    assert traced(jnp.sin) == 1
    assert traced(Power(2)) == 1
    assert traced(Power(2)) == 0
    assert traced(Power(3)) == 1
    assert traced(Power(3), np.arange(3)) == 1
    assert traced(Power(3), np.arange(1, 4)) == 0  # an array is no constant
    assert traced(Power(3), True) == 1  # 1 and True are equal
    assert traced(Power(3), 1) == 1
    assert len({tuple(curve) for curve in curves.values()}) == len(curves) - 1  # but not those two


def test_held_arrays_are_no_constants_of_the_program() -> None:
    def looked_up(tree: Any, batch: Any) -> Any:
        assert isinstance(tree["table"], jax.core.Tracer)
        return jnp.sum((tree["w"] - tree["table"]) ** 2)

    for compiled in (False, True):
        first, second = (
            run(
                looked_up, {"w": 0.0, "table": np.int32(level) * np.ones(2, int)}, compiled=compiled
            )
            for level in (1, 2)
        )
        assert first.losses[0] == 2.0
        assert second.losses[0] == 8.0


def test_a_sweep_returns_the_tree_with_an_axis_for_the_copies() -> None:
    tree = tree_of(jnp.tanh) | {"table": np.arange(2), "key": jax.random.key(0)}
    found = sweep(activated, tree, BATCHES, [0.01, 0.1, 0.2], optax.adam, 6, keep_params=True)
    alone = sweep(
        lambda w, batch: activated(tree | {"w": w}, batch),
        *(tree["w"], BATCHES, [0.01, 0.1, 0.2], optax.adam, 6),
        keep_params=True,
    )
    np.testing.assert_array_equal(found.losses, alone.losses)
    np.testing.assert_array_equal(found.params["w"], alone.params)
    assert found.params["activation"] is jnp.tanh
    assert found.params["scale"] == 2
    assert found.params["table"].tolist() == [[0, 1]] * 3
    assert found.params["key"].shape == (3,)


def made(key: Any) -> Any:
    return {
        "w": jax.random.normal(key, (3,)),
        "table": jax.random.randint(key, (3,), 0, 9),
        "activation": jnp.sin,
    }


def in_table(tree: Any, batch: Any) -> Any:
    return jnp.sum((tree["activation"](tree["w"]) - tree["table"] * batch) ** 2)


def test_each_copy_has_its_own_held_arrays() -> None:
    found = sweep(in_table, made, BATCHES, [0.1, 0.1], optax.adam, 6, keep_params=True)
    options = {"repeats": 2, "schedule": lrsched.constant(0.1)}
    loop = run(in_table, made, **options)
    vmapped = run(in_table, made, compiled=True, vmap=True, **options)
    for repeat in range(2):
        tree = made(jax.random.key(repeat))
        alone = run(in_table, tree, schedule=lrsched.constant(0.1))
        np.testing.assert_array_equal(loop.losses[repeat], alone.losses)
        np.testing.assert_allclose(vmapped.losses[repeat], alone.losses, rtol=1e-5)
        np.testing.assert_allclose(found.losses[repeat], alone.losses, rtol=1e-5)
        np.testing.assert_array_equal(found.params["table"][repeat], tree["table"])


def test_a_mask_by_name_sees_the_names() -> None:
    def label(path: Any, leaf: Any) -> str:
        del leaf
        return "still" if path[-1].key == "b" else "moving"

    def labels(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(label, params)

    def grouped(schedule: Any) -> Any:
        transforms = {"moving": optax.sgd(schedule), "still": optax.set_to_zero()}
        return optax.multi_transform(transforms, labels)

    def loss(tree: Any, batch: Any) -> Any:
        return tree["f"](tree["a"] + tree["b"] - batch)

    tree = {"a": 0.0, "b": 0.0, "f": jnp.square, "name": "x"}
    metrics = lambda tree: {"a": tree["a"], "b": tree["b"]}  # noqa: E731
    test = run(loss, tree, optimizer=grouped, metrics=metrics, every=5)
    assert set(test.metrics["b"][:, 1]) == {0.0}
    assert test.metrics["a"][-1, 1] > 0
