"""Counts of every kind, type and shape, in every array library."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests.optional import needing, needs
from tests.strategies import BY_NAME, LAST, NAMES

ARRAYS = {"numpy": "numpy", "jax": "jax.numpy", "torch": "torch"}  # the module of each library
LIBRARIES = [needing(library, library, id=library) for library in ARRAYS]


ENDS = [(-1, 0), (-(2**40), 0), (2**31, LAST), (2**60, LAST)]  # a count outside, and its end


@pytest.mark.parametrize("name", NAMES)
def test_counts_outside_the_domain_mean_its_ends(name: str) -> None:
    @settings(max_examples=20)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        for outside, end in ENDS:
            assert schedule(outside) == schedule(end) == schedule(float(outside))
            assert schedule(np.asarray([outside])) == schedule(np.asarray([end]))

    check()


@pytest.mark.parametrize("library", [x for x in LIBRARIES if x.values != ("numpy",)])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_counts_below_the_domain_mean_its_start(name: str, library: str) -> None:
    xp, below = needs(ARRAYS[library]), -5 if library == "jax" else -(2**40)

    @settings(max_examples=20)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        assert schedule(xp.asarray(below)) == schedule(xp.asarray(0))

    check()


KINDS = {
    "numpy": ("uint8", "int16", "uint32", "int64", "uint64", "float32"),
    "jax": ("uint8", "int16", "uint32", "int32", "bfloat16", "float32"),
    "torch": ("uint8", "int16", "int32", "int64", "float32", "float64"),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
def test_counts_of_every_type_and_shape_mean_the_same(name: str, library: str) -> None:
    """Narrow types do not overflow, signed ones may be negative, and the shape is kept."""
    block = [[200, 3, 0], [77, 1, 100]]
    xp = needs(ARRAYS[library])
    precision = 1e-13 if library == "numpy" else 2e-5

    @settings(max_examples=2)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        wanted = [[schedule(float(count)) for count in row] for row in block]
        whole = [n for n in schedule.leaves() if type(n) is int]
        for kind in KINDS[library]:
            if "float" in kind and max(whole, default=0) > 2**22:
                continue  # a count that large has no float32
            dtype = getattr(xp, kind)
            found = np.asarray(schedule(xp.asarray(block, dtype=dtype)), np.float64)
            np.testing.assert_allclose(found, wanted, rtol=precision, atol=1e-36)
            single = schedule(xp.asarray(200, dtype=dtype))
            assert single.shape == ()
            np.testing.assert_allclose(float(single), wanted[0][0], rtol=precision, atol=1e-36)
            if "u" not in kind:
                below, first = (xp.asarray([count], dtype=dtype) for count in (-3, 0))
                assert schedule(below)[0] == schedule(first)[0]

    check()


@pytest.mark.parametrize("count", [True, "3", None, [1, 2], 1j, np.asarray([True]), np.asarray(1j)])
def test_what_is_no_count_is_refused(count: object) -> None:
    with pytest.raises(TypeError, match="count must be a number or an array of numbers, got"):
        lrsched.linear(1.0, 0.0, 10)(count)


def test_nan_is_no_count() -> None:
    with pytest.raises(ValueError, match="count must be a number of steps, got nan"):
        lrsched.linear(1.0, 0.0, 10)(float("nan"))
    assert lrsched.linear(1.0, 0.0, 10)(float("inf")) == 0.0


# Relative tolerances of fractional counts.
PRECISION = {"numpy": 1e-13, "array_api_strict": 1e-13, "jax.numpy": 2e-3, "torch": 2e-3}


@pytest.mark.parametrize("module", [needing(m.partition(".")[0], m, id=m) for m in PRECISION])
@pytest.mark.parametrize("name", NAMES)
def test_fractional_counts_agree_everywhere(name: str, module: str) -> None:
    """The last half step included, where what is left is below 1."""
    xp, precision = needs(module), PRECISION[module]

    @settings(max_examples=8)
    @given(BY_NAME[name], st.integers(0, 40))
    def check(schedule: Schedule, whole: int) -> None:
        whole_numbers = [n for n in schedule.leaves() if type(n) is int]
        marks = [n for n in whole_numbers if 1 <= n <= 10**4]
        drawn = [whole + 0.5, *(mark - 0.5 for mark in marks)]
        # Of few lengths: JAX compiles for each.
        at = np.resize(drawn, 16 * math.ceil(len(drawn) / 16))
        wanted = np.asarray([schedule(float(n)) for n in at])
        if precision < 1e-6 or max(whole_numbers, default=0) <= 2**22:  # above, no half steps
            found = np.asarray(schedule(xp.asarray(at)))
            floor = 1e-300 if precision < 1e-6 else 1e-30
            np.testing.assert_allclose(found, wanted, rtol=precision, atol=floor)

    check()


@pytest.mark.parametrize("library", LIBRARIES)
def test_fractional_counts(library: str) -> None:
    xp, precision = needs(ARRAYS[library]), 1e-14 if library == "numpy" else 1e-5
    schedule = lrsched.warmup(lrsched.cosine_restarts(1.0, 10, 2), 5)
    for count in (0.5, 4.75, 5.25, 20.5):
        assert schedule(xp.asarray(count)) == pytest.approx(schedule(count), rel=precision)
    assert schedule(2.5) == 0.5
