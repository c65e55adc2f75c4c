"""Joins of many schedules of one structure, which arrays evaluate as one."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched.schedules._grouped_join import MIN_GROUP, group_by_structure
from tests import backends
from tests.optional import needing, needs
from tests.strategies import BY_NAME, LAST, ascending
from tests.ulp import ulps

NAMES = [name for name in BY_NAME if name not in ("join", "noise")]
CHANGED = {"init_value": 0.37, "end_value": 0.021, "peak_value": 1.7, "factor": 0.3}


def cosines(number: int) -> Schedule:
    pieces = [lrsched.cosine_decay(0.1 / (1 + n), 10 + n) for n in range(number)]
    return lrsched.join(pieces, [12 * n for n in range(1, number)])


def near(boundaries: Sequence[int]) -> list[int]:
    """Counts at and around the boundaries."""
    found = {0, 1, LAST, *(b + n for b in boundaries for n in (-1, 0, 1, 5))}
    return sorted(count for count in found if 0 <= count <= LAST)


@st.composite
def joins_of_one_structure(draw: Any, name: str) -> Schedule:
    """A join of one schedule with other whole numbers and values, and one of another kind."""
    boundaries = draw(ascending(1, st.just(MIN_GROUP + 1), whole=True))
    first = draw(BY_NAME[name])
    pieces = [first]
    for factor in range(2, MIN_GROUP + 2):
        kinds = first.params
        changes: dict[str, Any] = {
            key: CHANGED[key] * factor
            for key in kinds
            if key in CHANGED and type(kinds[key]) is float
        }
        if name in ("linear", "cosine_decay", "exponential_decay", "warmup", "cosine_restarts"):
            changes |= {
                key: min(value * factor, LAST)
                for key, value in kinds.items()
                if key.endswith("steps") and type(value) is int
            }
        pieces.append(first.replace(**changes))
    pieces.insert(draw(st.integers(0, len(pieces))), lrsched.inverse_sqrt(0.1, 100))
    return lrsched.join(pieces, boundaries)


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_as_exact_as_each_piece_alone(name: str) -> None:
    """Within the 8 units in the last place that hold for every schedule."""
    jax = needs("jax")
    drawn: list[Schedule] = []

    @settings(max_examples=2)
    @given(joins_of_one_structure(name))
    def draw(schedule: Schedule) -> None:
        drawn.append(schedule)

    draw()
    at = [near(schedule.params["boundaries"]) for schedule in drawn]
    one_by_one: list[Any] = [functools.partial(jax.lax.map, schedule) for schedule in drawn]
    curves = backends.jax_jit_together(one_by_one, at)
    for schedule, counts, values in zip(drawn, at, curves, strict=True):
        wanted = backends.python(schedule, counts)
        for count, value, exact in zip(counts, values, wanted, strict=True):
            assert ulps(float(value), float(exact)) <= 8, (schedule, count)


@pytest.mark.parametrize("name", NAMES)
def test_single_counts_agree_with_curves_in_float64(name: str) -> None:
    """A boundary of a length in a table is a product, off by half an ulp of the count."""

    @settings(max_examples=2)
    @given(joins_of_one_structure(name))
    def check(schedule: Schedule) -> None:
        for count in near(schedule.params["boundaries"]):
            mine = float(schedule(np.asarray(count)))
            assert mine == pytest.approx(schedule(count), rel=1e-12, abs=1e-300)

    check()


def test_a_hundred_pieces_are_no_larger_a_program_than_ten() -> None:
    jax, jnp = needs("jax"), needs("jax.numpy")

    def size(number: int) -> int:
        program = jax.jit(cosines(number)).lower(jnp.int32(0)).compile().as_text()
        assert program is not None
        return str(program).count(" = ")

    assert size(100) < 1.1 * size(10) < 1.1 * size(MIN_GROUP - 1)


@pytest.mark.parametrize("library", [needing("jax", "jax"), needing("torch", "torch")])
def test_pieces_of_several_kinds_are_evaluated_where_they_are(library: str) -> None:
    recipe = lrsched.with_restarts(
        lrsched.cosine_decay(1.0, 20), 20, cycles=7, period_mult=1.5, peak_mult=0.7, warmup_steps=5
    )
    mixed = lrsched.join([lrsched.linear(0.0, 1.0, 9), recipe, lrsched.constant(0.3)], [9, 800])
    for schedule in (recipe, mixed, lrsched.warmup(recipe, 10)):
        counts = range(0, 1000, 3)
        wanted = backends.python(schedule, counts)
        if library == "jax":
            found = backends.jax_vmap(schedule, counts)
        else:
            found = np.asarray([schedule(needs("torch").tensor(count)) for count in counts])
        np.testing.assert_allclose(found, wanted, rtol=2e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: lrsched.exponential_decay(1.0, 0.9 + n / 100, 10),  # its logarithm on the host
        lambda n: lrsched.anneal(1.0, 0.0, 10, ["linear", "cosine", "1-square", "1-sqrt"][n % 4]),
        lambda n: lrsched.multi_step_decay(1.0, 0.5, [n + 1]),
    ],
)
def test_what_cannot_be_gathered_is_no_group(change: Any) -> None:
    assert group_by_structure([change(n) for n in range(MIN_GROUP)]) is None
    assert group_by_structure([change(0) for _ in range(MIN_GROUP)]) == [list(range(MIN_GROUP))]


def test_traced_numbers_are_gathered_with_their_gradients() -> None:
    jax, jnp = needs("jax"), needs("jax.numpy")
    schedule = cosines(6)
    gradient = jax.jit(jax.grad(lambda s, count: s(count), allow_int=True))
    for count in near(schedule.params["boundaries"]):
        found = gradient(schedule, jnp.int32(count)).params["schedules"]
        peaks = np.asarray([each.params["init_value"] for each in found])
        chosen = sum(b <= count for b in schedule.params["boundaries"])
        one = schedule.params["schedules"][chosen]
        wanted = np.zeros(6)
        elapsed = count - (0, *schedule.params["boundaries"])[chosen]
        wanted[chosen] = one.replace(init_value=1.0)(elapsed)
        np.testing.assert_allclose(peaks, wanted, rtol=2e-6, atol=1e-7)


# Curves in NumPy


@settings(max_examples=100)
@given(st.lists(st.integers(0, 200), max_size=12), st.integers(1, 12))
def test_in_numpy_each_piece_is_evaluated_at_its_own_counts_alone(at: list[int], k: int) -> None:
    seen: list[Any] = []

    @lrsched.schedule
    def watched(xp: Any, count: Any, place: lrsched.Value) -> Any:
        seen.extend(np.reshape(count, -1))
        return 1.0 * count + 1000.0 * place

    boundaries = [10 * n for n in range(1, k)]
    joined = lrsched.join([watched(place) for place in range(k)], boundaries)
    wanted = [joined(count) for count in at]
    seen.clear()
    for shape in ((-1,), (1, -1), (-1, 1)):
        found = joined(np.asarray(at, np.int64).reshape(shape))
        assert found.shape == np.asarray(at).reshape(shape).shape
        assert found.reshape(-1).tolist() == wanted
    assert len(seen) == 3 * len(at)
    assert all(joined(np.int64(count)) == value for count, value in zip(at, wanted, strict=True))


@pytest.mark.parametrize("number", [2, 5])
def test_a_batch_of_boundaries(number: int) -> None:
    """Hyperparameters that are arrays go beside the counts, as everywhere."""
    jax = needs("jax")
    stairs = [lrsched.multi_step_decay(1.0, 0.5, [n, 3 * n, 7 * n]) for n in (2, 3)]
    joins = [
        lrsched.join([lrsched.linear(1.0 + k, 0.0, 9) for k in range(number)], boundaries)
        for boundaries in ([n * k for k in range(1, number)] for n in (4, 5))
    ]
    for each in (stairs, joins):
        batch = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
        for count in (0, 5, 8, 13, 40):
            wanted = [schedule(count) for schedule in each]
            np.testing.assert_allclose(batch(np.asarray(count)), wanted, rtol=1e-15)
        at = np.asarray([[0], [5], [13]])
        rows = [[schedule(int(count)) for schedule in each] for count in at[:, 0]]
        np.testing.assert_allclose(batch(at), rows, rtol=1e-15)
