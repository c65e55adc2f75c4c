"""Every schedule of the registry, in every way to evaluate it."""

from collections.abc import Iterator
from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._core.definition import REGISTRY
from tests import backends
from tests.backends import SINGLE, WAYS
from tests.oracles import ORACLES, exact
from tests.strategies import BY_NAME, LAST, counts, schedules
from tests.ulp import telling_counts, worst

NAMES = [name for name in REGISTRY if REGISTRY[name].body.__module__.startswith("lrsched.")]
# Compiling takes most of the time of an example: as many as fit.
EXAMPLES = {"torch-compile": 8, "jax-jit": 25, "jax-traced": 25, "jax": 60, "jax-vmap": 60}
FEW = {"torch-compile": 3, "tensorflow": 3, "jax": 4, "jax-jit": 6, "torch": 8}  # of each schedule
FLOAT32 = {way: WAYS[way] for way in ("jax", "jax-jit", "torch", "torch-compile")} | SINGLE


@pytest.fixture
def double() -> Iterator[None]:
    """JAX and torch compute in float64."""
    torch.set_default_dtype(torch.float64)
    with jax.enable_x64(True):
        yield
    torch.set_default_dtype(torch.float32)


def test_every_schedule_has_a_strategy_and_an_oracle() -> None:
    assert set(NAMES) == set(BY_NAME) == set(ORACLES)
    assert set(NAMES) <= set(lrsched.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_python_value_is_exact(name: str) -> None:
    @settings(max_examples=100)
    @given(BY_NAME[name], st.lists(counts, min_size=1, max_size=8))
    def check(schedule: Schedule, at: list[int]) -> None:
        for count in at:
            wanted = exact(schedule, count)
            # The exponent of a power is rounded once: it may be in the hundreds.
            assert schedule(count) == pytest.approx(float(wanted), rel=1e-12, abs=1e-290)

    check()


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("way", WAYS)
def test_all_ways_agree_in_float64(way: str) -> None:
    """To a few units in the last place of float64."""
    last = LAST - 1 if way == "jax-traced" else LAST  # traced restarts stop one short of it

    @settings(max_examples=EXAMPLES.get(way, 200))
    @given(schedules, st.lists(counts, min_size=3, max_size=3))
    def check(schedule: Schedule, at: list[int]) -> None:
        at = [min(count, last) for count in at]
        np.testing.assert_allclose(
            WAYS[way](schedule, at), backends.python(schedule, at), rtol=3e-15, atol=1e-300
        )

    check()


@pytest.mark.parametrize("way", FLOAT32)
@pytest.mark.parametrize("name", NAMES)
def test_float32_value_is_within_8_ulp(name: str, way: str) -> None:
    generator = np.random.default_rng(0)

    @settings(max_examples=FEW.get(way, 12))
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        error, count = worst(schedule, telling_counts(schedule, generator, 24), FLOAT32[way])
        assert error <= 8, (schedule, count)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_trace_with_finite_gradients(name: str) -> None:
    """One trace serves every value of the hyperparameters, and no masked branch is NaN."""
    traces = 0

    @jax.jit
    def value_and_gradient(schedule: Schedule, count: jax.Array) -> tuple[jax.Array, Schedule]:
        nonlocal traces
        traces += 1
        gradient = jax.grad(lambda s: s(count), allow_int=True)(schedule)
        return schedule(count), gradient

    structures = set()

    @settings(max_examples=5)
    @given(BY_NAME[name], st.lists(counts, min_size=1, max_size=4))
    def check(schedule: Schedule, at: list[int]) -> None:
        structures.add(jax.tree.structure(schedule))
        for count in at:
            value, gradient = value_and_gradient(schedule, jnp.int32(count))
            leaves = [x for x in jax.tree.leaves(gradient) if x.dtype != jax.dtypes.float0]
            assert np.isfinite(value)
            assert all(np.isfinite(leaf) for leaf in leaves), (schedule, count, gradient)

    check()
    assert traces == len(structures)


@pytest.mark.parametrize("name", NAMES)
def test_counts_outside_the_domain_mean_its_ends(name: str) -> None:
    @settings(max_examples=20)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        for outside, end in ((-1, 0), (-(2**40), 0), (2**31, LAST), (2**60, LAST)):
            assert schedule(outside) == schedule(end) == schedule(float(outside))
            assert schedule(np.asarray([outside])) == schedule(np.asarray([end]))
        assert schedule(jnp.int32(-5)) == schedule(jnp.int32(0))
        assert schedule(torch.asarray(-(2**40))) == schedule(torch.asarray(0))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_counts_of_every_type_and_shape_mean_the_same(name: str) -> None:
    """Narrow types do not overflow, signed ones may be negative, and the shape is kept."""
    block = [[200, 3, 0], [77, 1, 100]]
    kinds = [
        *(np.dtype(kind) for kind in ("uint8", "int16", "uint32", "int64", "uint64", "float32")),
        *(jnp.uint8, jnp.int16, jnp.uint32, jnp.int32, jnp.bfloat16, jnp.float32),
        *(torch.uint8, torch.int16, torch.int32, torch.int64, torch.float32, torch.float64),
    ]

    def array(kind: Any, values: Any) -> Any:
        if isinstance(kind, torch.dtype):
            return torch.asarray(values, dtype=kind)
        return np.asarray(values, kind) if isinstance(kind, np.dtype) else jnp.asarray(values, kind)

    @settings(max_examples=2)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        wanted = [[schedule(float(count)) for count in row] for row in block]
        whole = [n for n in schedule.leaves() if type(n) is int]
        for kind in kinds:
            if "float" in str(kind) and max(whole, default=0) > 2**22:
                continue  # a count that large has no float32
            precision = 1e-13 if isinstance(kind, np.dtype) else 2e-5
            found = np.asarray(schedule(array(kind, block)), np.float64)
            np.testing.assert_allclose(found, wanted, rtol=precision, atol=1e-36)
            single = schedule(array(kind, 200))
            assert single.shape == ()
            np.testing.assert_allclose(float(single), wanted[0][0], rtol=precision, atol=1e-36)
            if "u" not in str(kind):
                assert schedule(array(kind, [-3]))[0] == schedule(array(kind, [0]))[0]

    check()


@pytest.mark.parametrize("count", [True, "3", None, [1, 2], 1j, np.asarray([True]), np.asarray(1j)])
def test_what_is_no_count_is_refused(count: object) -> None:
    with pytest.raises(TypeError, match="count must be a number or an array of numbers, got"):
        lrsched.linear(1.0, 0.0, 10)(count)


def test_nan_is_no_count() -> None:
    with pytest.raises(ValueError, match="count must be a number of steps, got nan"):
        lrsched.linear(1.0, 0.0, 10)(float("nan"))
    assert lrsched.linear(1.0, 0.0, 10)(float("inf")) == 0.0


@pytest.mark.usefixtures("double")
def test_cosine_decay_at_known_points() -> None:
    """In float64: some of these digits are closer to a half than float32 can tell."""
    schedule = lrsched.cosine_decay(0.01, 10)
    wanted = (
        "0.00975528 0.00904508 0.00793893 0.00654508 0.00500000 "
        "0.00345492 0.00206107 0.00095492 0.00024472 0.00000000"
    )
    for way in WAYS.values():
        assert " ".join(f"{value:.8f}" for value in way(schedule, range(1, 11))) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_fractional_counts_agree_everywhere(name: str) -> None:
    """The last half step included, where what is left is below 1."""

    @settings(max_examples=8)
    @given(BY_NAME[name], st.integers(0, 40))
    def check(schedule: Schedule, whole: int) -> None:
        whole_numbers = [n for n in schedule.leaves() if type(n) is int]
        marks = [n for n in whole_numbers if 1 <= n <= 10**4]
        at = np.asarray([whole + 0.5, *(mark - 0.5 for mark in marks)])
        wanted = np.asarray([schedule(float(n)) for n in at])
        np.testing.assert_allclose(schedule(at), wanted, rtol=1e-13, atol=1e-300)
        strict = schedule(array_api_strict.asarray(at))
        np.testing.assert_allclose(np.asarray(strict), wanted, rtol=1e-13, atol=1e-300)
        single = [schedule(jnp.asarray(at)), schedule(torch.asarray(at))]
        if max(whole_numbers, default=0) <= 2**22:  # above, a float32 has no half steps
            for value in single:
                np.testing.assert_allclose(np.asarray(value), wanted, rtol=2e-3, atol=1e-30)

    check()


def test_fractional_counts() -> None:
    schedule = lrsched.warmup(lrsched.cosine_restarts(1.0, 10, 2), 5)
    for count in (0.5, 4.75, 5.25, 20.5):
        expected = schedule(count)
        assert schedule(np.asarray(count)) == pytest.approx(expected, rel=1e-14)
        assert schedule(jnp.asarray(count)) == pytest.approx(expected, rel=1e-5)
        assert schedule(torch.asarray(count)) == pytest.approx(expected, rel=1e-5)
    assert schedule(2.5) == 0.5


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # from its own modules
def test_torch_compile_with_the_default_backend() -> None:
    """Machine code of torch's own compiler keeps the exact float32 arithmetic."""
    schedule = lrsched.exponential_decay(0.3, 0.999999)
    at = telling_counts(schedule, np.random.default_rng(0), 50)

    def inductor(schedule: Schedule, counts: object) -> backends.Values:
        compiled = torch.compile(lambda count: schedule(count), fullgraph=True)
        return np.asarray(compiled(torch.asarray(counts)), np.float64)

    assert worst(schedule, at, inductor)[0] <= 8
