"""Formulas compiled for Python numbers, beside the same formulas run as they are."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._arrays.compiler import TRACING, Expr, compiled, defer
from lrsched._arrays.scalars import SCALARS
from lrsched._core.recipe import MAX_DEPTH
from tests.strategies import BY_NAME, LAST, NAMES, counts

real_counts = st.floats(0, LAST) | st.floats(0, 100)


def value_of(body: Any, count: float) -> Any:
    function = compiled(body, ())
    assert function is not None
    return function(count)


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_formula_is_the_formula_to_the_last_bit(name: str) -> None:
    @settings(max_examples=60)
    @given(BY_NAME[name], st.lists(counts | real_counts, min_size=1, max_size=8))
    def check(schedule: Schedule, at: list[float]) -> None:
        formula = schedule.expand()
        body, values = formula._definition.body, formula._values
        ours = compiled(body, values)
        assert ours is not None
        assert ours.__code__.co_filename == f"<lrsched.{formula.name}>"
        for count in at:
            value = ours(count)
            assert (value, type(value)) == (body(SCALARS, count, *values), float)

    check()


def test_a_schedule_is_compiled_when_it_is_called_again() -> None:
    schedule = lrsched.cosine_decay(0.1, 100)
    first = schedule(30)
    assert schedule._compiled is None
    assert schedule(30) == first
    assert schedule._compiled is not None
    assert schedule(30) == first


def test_a_pickle_begins_anew_and_a_copy_is_the_schedule_itself() -> None:
    schedule = lrsched.warmup(lrsched.cosine_decay(0.1, 100), 10)
    values = [schedule(count) for count in range(3)]
    other = pickle.loads(pickle.dumps(schedule))
    assert other == schedule
    assert other._compiled is None
    assert [other(count) for count in range(3)] == values
    assert copy.copy(schedule) is copy.deepcopy(schedule) is schedule


def test_the_formulas_of_others_may_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrsched._core.decorator.REGISTRY", {})  # which other tests print

    @lrsched.schedule
    def branching(xp: Any, count: Any, value: lrsched.Value) -> Any:
        return value if isinstance(count, int) and count < 5 else value / 2

    alone, inside = branching(1.0), lrsched.warmup(branching(1.0), 2)
    for _ in range(3):
        assert [alone(count) for count in (4, 5, 4.0)] == [1.0, 0.5, 0.5]
        assert [inside(count) for count in (1, 6, 7)] == [0.5, 1.0, 0.5]


def test_a_branch_cannot_be_compiled() -> None:
    assert compiled(lambda xp, count: 1.0 if count < 5 else 2.0, ()) is None
    assert compiled(lambda xp, count: xp.sqrt(float(count)), ()) is None


def test_an_error_in_a_formula_is_no_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised where the formula is compiled: only what cannot be recorded is run as it is."""
    with pytest.raises(TypeError, match="has no len"):
        compiled(lambda xp, count: count + len(7), ())  # type: ignore[arg-type]
    schedule = lrsched.cosine_decay(0.1, 100)

    def broken(xp: Any, *arguments: Any) -> Any:
        if xp is TRACING:
            raise TypeError("planted")
        return original(xp, *arguments)

    original = schedule._definition.body.__globals__["progress"]
    monkeypatch.setitem(schedule._definition.body.__globals__, "progress", broken)
    assert schedule(5) == lrsched.cosine_decay(0.1, 100)(5)
    with pytest.raises(TypeError, match="planted"):
        schedule(5)


def test_what_is_not_chosen_is_not_evaluated() -> None:
    seen = []

    def costly(count: Any) -> float:
        seen.append(count)
        return 1.0

    def body(xp: Any, count: Any) -> Any:
        return xp.where(count < 5, defer(costly, count), 2.0)

    assert [value_of(body, count) for count in (4, 5, 6)] == [1.0, 2.0, 2.0]
    assert seen == [4]


@pytest.mark.parametrize("value", [-1.5, -0.0, 2.0**-1074, float("inf"), -3, 10**30, True])
def test_constants_keep_their_value(value: Any) -> None:
    assert repr(value_of(lambda xp, n: value + 0 * n, 7)) == repr(value + 0 * 7)
    assert repr(value_of(lambda xp, n: value**n, 2)) == repr(value**2)


@given(
    st.sampled_from(["minimum", "maximum"]),
    st.integers(-3, 3) | st.floats(-3, 3),
    st.integers(-3, 3) | st.floats(-3, 3),
)
def test_ties_are_pythons(name: str, x: Any, y: Any) -> None:
    """min(1, 1.0) is the first of the two, and -0.0 is no less than 0.0."""
    plain = getattr(SCALARS, name)
    assert repr(value_of(lambda xp, n: getattr(xp, name)(n, y), x)) == repr(plain(x, y))
    assert repr(value_of(lambda xp, n: getattr(xp, name)(y, n), x)) == repr(plain(y, x))


def test_an_expression_is_as_deep_as_it_has_to_be() -> None:
    def body(xp: Any, count: Any) -> Any:
        for _ in range(5000):
            count = count + 1
        return count

    assert value_of(body, 7) == 5007


def test_schedules_too_deep_to_record_are_run_as_they_are() -> None:
    schedule = lrsched.constant(1.0)
    for _ in range(MAX_DEPTH - 1):
        schedule = lrsched.delay(schedule, 0)
    assert [schedule(count) for count in range(3)] == [1.0] * 3


def test_both_namespaces_have_the_same_functions() -> None:
    assert vars(SCALARS).keys() == vars(TRACING).keys()
    term = Expr("count", ())
    for name in sorted(vars(SCALARS)):
        if callable(getattr(SCALARS, name)):
            numbers = {"where": 3, "clip": 3, "minimum": 2, "maximum": 2, "pow": 2, "hypot": 2}
            arguments = [term, 0.25, 0.75][: numbers.get(name, 2 if "and" in name else 1)]
            if name == "logical_or":
                arguments = [term, True]
            assert isinstance(getattr(TRACING, name)(*arguments), Expr), name
