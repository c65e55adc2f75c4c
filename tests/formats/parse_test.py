"""Recipes read from their `repr`, and what is no recipe refused with its place."""

import builtins
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched.formats.names import known_names
from lrsched.formats.parse import from_repr
from tests.strategies import BY_NAME, schedules


@given(schedules)
def test_a_repr_reads_back(schedule: Schedule) -> None:
    assert from_repr(repr(schedule)) == schedule


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_repr_of_every_schedule_reads_back(name: str) -> None:
    @settings(max_examples=20)
    @given(BY_NAME[name])
    def reads_back(schedule: Schedule) -> None:
        assert from_repr(repr(schedule)) == schedule

    reads_back()


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("cyclic(0.1, 1)", lrsched.cyclic(0.1, 1)),
        (" \n lrsched.cyclic(.1, +1, up_steps=5,)\r\n", lrsched.cyclic(0.1, 1, up_steps=5)),
        ("0.5 * cyclic(-1e-3, 1)", 0.5 * lrsched.cyclic(-1e-3, 1)),
        ("cyclic(0, 1) * 2", lrsched.cyclic(0, 1) * 2),
        ("constant(1) * (constant(2))", lrsched.constant(1) * lrsched.constant(2)),
        ("constant(1) + constant(2)", lrsched.constant(1) + lrsched.constant(2)),
        ("piecewise_constant([1, 2], (3,))", lrsched.piecewise_constant((1, 2), (3,))),
        ("cyclic(0, 1, down_steps=None)", lrsched.cyclic(0, 1)),
        (
            "linear(1, 0, lrsched.run_fraction(fraction=1) - (epochs(.5) + 5))",
            lrsched.linear(1, 0, lrsched.run_fraction(1) - lrsched.epochs(0.5) - 5),
        ),
        ("linear(1, 0, 500 - tokens(2e9))", lrsched.linear(1, 0, 500 - lrsched.tokens(2e9))),
        (
            "multi_step_decay(1, 0.5, [examples(1_000), 90])",
            lrsched.multi_step_decay(1, 0.5, (lrsched.examples(1000), 90)),
        ),
        (
            "exponential_decay(1, 0.5, staircase=True)",
            lrsched.exponential_decay(1, 0.5, staircase=True),
        ),
        (
            "join([\n    constant(1),\n    linear(1, 0, 5),  # down\n], [1])",
            lrsched.join([lrsched.constant(1), lrsched.linear(1, 0, 5)], [1]),
        ),
    ],
)
def test_recipes_as_one_writes_them(text: str, schedule: Schedule) -> None:
    assert from_repr(text) == schedule


KNOWN = "<the known names>"  # which other tests add to
VALUE = (
    "a value must be a schedule, a duration, a number, a string, True, False, None, a tuple or a"
    " list"
)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "warmup(cosin_decay(0.1, 9), 1)",
            ValueError,
            f"column 8: did you mean 'cosine_decay'? schedule must be one of {KNOWN}, "
            "got 'cosin_decay'",
        ),
        ("qqq(1)", ValueError, f"column 1: schedule must be one of {KNOWN}, got 'qqq'"),
        (
            "0.5 * linear(1, 0, 0)",
            ValueError,
            "column 7: linear: steps must be a number >= 1 (steps), got 0",
        ),
        (
            "join([constant(1),\n  constant('1')], [5])",
            TypeError,
            "line 2, column 3: constant: value must be a finite number, got '1'",
        ),
        (
            "constant(0.1, gamma=1)",
            TypeError,
            "column 1: constant: got an unexpected keyword argument 'gamma' "
            "(its parameters: value)",
        ),
        ("constant(nan)", ValueError, f"column 10: {VALUE}, got nan"),
        ("constant('é' if x else 1)", ValueError, f"column 10: {VALUE}, got 'é' if x else 1"),
        ("cyclic('é', y)", ValueError, f"column 13: {VALUE}, got y"),
        ("constant(-True)", ValueError, f"column 10: {VALUE}, got -True"),
        ("constant(1j)", ValueError, f"column 10: {VALUE}, got 1j"),
        ("constant(*[1])", ValueError, f"column 10: {VALUE}, got *[1]"),
        (
            "constant(**{'value': 1})",
            ValueError,
            "column 10: a parameter must be named once, got **{'value': 1}",
        ),
        (
            "constant(value=1, value=2)",
            ValueError,
            "column 19: a parameter must be named once, got value=2",
        ),
        (
            "2 * True * constant(1)",
            ValueError,
            "column 1: a product must be of schedules and numbers, got 2 * True",
        ),
        (
            "constant(1) + True",
            ValueError,
            "column 1: a sum must be of schedules and numbers, or of durations and numbers, got"
            " constant(1) + True",
        ),
        (
            "constant(1) / 0",
            ValueError,
            "column 1: a quotient must be of a schedule and a number but 0, got constant(1) / 0",
        ),
        (
            "constant(1) + run_fraction(0.1)",
            ValueError,
            "column 1: a sum must be of schedules and numbers, or of durations and numbers, got"
            " constant(1) + run_fraction(0.1)",
        ),
        (
            "linear(1, 0, 5 - 3)",
            ValueError,
            "column 14: a difference must be of schedules and numbers, or of durations and "
            "numbers, got 5 - 3",
        ),
        (
            "linear(1, 0, epochs(5) - True)",
            ValueError,
            "column 14: a difference must be of schedules and numbers, or of durations and "
            "numbers, got epochs(5) - True",
        ),
        (
            "run_fraction(1.0) - 5",
            ValueError,
            "column 1: the recipe must be a schedule, got run_fraction(1.0) - 5",
        ),
        (
            "linear(1, 0, run_fraction(-1))",
            ValueError,
            "column 14: run_fraction: fraction must be a number >= 0, got -1",
        ),
        (
            "linear(1, 0, epochs('1'))",
            TypeError,
            "column 14: epochs: number must be a number >= 0, got '1'",
        ),
        (
            "linear(1, 0, run_fraction())",
            TypeError,
            "column 14: run_fraction() missing 1 required positional argument: 'fraction'",
        ),
        (
            "linear(1, 0, runfraction(1))",
            ValueError,
            f"column 14: did you mean 'run_fraction'? schedule must be one of {KNOWN}, "
            "got 'runfraction'",
        ),
        (
            "constant(run_fraction(1))",
            TypeError,
            "column 1: constant: value must be a finite number, got run_fraction(1)",
        ),
        ("0.1", ValueError, "column 1: the recipe must be a schedule, got 0.1"),
        (
            "  constant(0.1",
            ValueError,
            "column 11: the recipe must be a call: '(' was never closed",
        ),
        ("", ValueError, "column 1: the recipe must be a call: invalid syntax"),
    ],
)
def test_the_error_names_the_place(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        from_repr(text)
    known = ", ".join(sorted(known_names()))
    assert str(caught.value) == f"from_repr: {message.replace(KNOWN, known)}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["-" * 100_000 + "1", "*".join(["constant(1)"] * 5_000)])
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="from_repr: the recipe must not be nested this deeply"):
        from_repr(text)


def test_what_is_no_text_is_refused() -> None:
    wrong: Any = 3
    with pytest.raises(TypeError, match="from_repr: the recipe must be a string, got 3"):
        from_repr(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "constant(__import__('os').system('x'))",
        "constant(value=__import__('os').system('x'))",
        "__import__('os').system('x') * constant(1)",
        "(lambda: constant(1))()",
        "constant(1).__class__",
        "constant(1).plot(5)",
        "constant([x for x in (1,)][0])",
        "constant(f'{1}')",
        "constant((x := 1))",
        "eval('constant(1)')",
    ],
)
def test_nothing_is_evaluated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: Any) -> None:
        raise AssertionError("evaluated")

    monkeypatch.setattr(os, "system", forbidden)
    monkeypatch.setattr(builtins, "eval", forbidden)
    monkeypatch.setattr(Schedule, "plot", forbidden)
    with pytest.raises(ValueError, match=r"^from_repr: column "):
        from_repr(text)


@settings(max_examples=300)
@given(st.text() | st.text("constantliner(),.=*+-[]{}'\"\\ 0123456789e\n\r\t#é"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        schedule = from_repr(text)
    except (TypeError, ValueError) as refused:
        assert str(refused).startswith("from_repr: ")  # noqa: PT017  # most text is refused
    else:
        assert isinstance(schedule, Schedule)
