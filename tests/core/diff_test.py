"""Curves compared: planted differences found."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from lrsched.diff import Diff, diff
from tests.optional import needing, needs
from tests.strategies import schedules

COSINE = lrsched.cosine_decay(0.1, 90, 0.01)
values = st.lists(st.floats(0.1, 10.0), min_size=1, max_size=40)


@given(schedules, st.integers(1, 50))
def test_a_schedule_is_the_same_as_its_function_and_its_values(schedule: Any, steps: int) -> None:
    curve = [schedule(count) for count in range(steps)]
    for other in (lambda count: schedule(count), curve, np.asarray(curve)):
        found = diff(schedule, other, steps, rtol=1e-6, atol=1e-30)
        assert found.same, str(found)
        assert (found.first, found.number) == (None, 0)


@given(values, st.data())
def test_a_planted_difference_is_found(curve: list[float], data: Any) -> None:
    step = data.draw(st.integers(0, len(curve) - 1))
    away = data.draw(st.floats(1e-4, 1.0))
    planted = curve.copy()
    planted[step] *= 1 + away
    found = diff(planted, lambda count: curve[count], len(curve))
    assert (found.first, found.number, found.same) == (step, 1, False)
    assert found.largest_absolute[0] == found.largest_relative[0] == step
    assert found.largest_absolute[1] == pytest.approx(away * curve[step])
    assert found.largest_relative[1] == pytest.approx(away / (1 + away))
    assert f"differ at 1 of {len(curve)} step" in str(found)
    assert f"first at step {step} " in str(found)


@given(st.lists(st.floats(0.1, 10.0), min_size=3, max_size=40), st.floats(0.01, 0.99))
def test_a_factor_is_found(curve: list[float], factor: float) -> None:
    found = diff([factor * value for value in curve], curve, len(curve))
    assert found.factor == pytest.approx(factor)
    assert "a is a constant factor of b: a(n) = " in str(found)
    back = diff(curve, [value / factor for value in curve], len(curve))
    assert back.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("a", "b", "shift", "text"),
    [
        (lambda n: COSINE(n - 1), COSINE, 1, "a is b one step later: a(n) = b(n - 1)"),
        (COSINE, lambda n: COSINE(n - 1), -1, "a is b one step earlier: a(n) = b(n + 1)"),
    ],
)
def test_one_step_off_is_said(a: Any, b: Any, shift: int, text: str) -> None:
    found = diff(a, b, 100)
    assert found.shift == shift
    assert text in str(found).splitlines()
    assert found.factor is None


@given(values.filter(lambda curve: len(set(curve)) > 1), st.floats(0.1, 10.0))
def test_any_curve_one_step_later_is_seen(curve: list[float], before: float) -> None:
    found = diff([before, *curve], [*curve, 1.0], len(curve) + 1, rtol=0.0)
    assert found.same or found.shift == 1


def test_a_shift_or_a_factor_needs_evidence() -> None:
    assert diff([1.0, 2.0, 2.0], [2.0, 2.0, 2.0], 3).shift == 0
    assert diff([1.0], [2.0], 1).factor is None
    assert diff([1.0, 2.0, 3.0], [2.0, 3.0, 1.0], 3).factor is None
    assert diff([0.0, 0.0], [2.0, 3.0], 2).factor is None
    assert diff(COSINE, COSINE, 50).shift == 0


def test_the_report() -> None:
    found = diff(lrsched.step_decay(0.1, 0.5, 30), lrsched.step_decay(0.1, 0.5, 31), 100)
    assert str(found) == repr(found)
    assert str(found).splitlines() == [
        "a and b differ at 6 of 100 steps, first at step 30 (rtol 1e-06)",
        "step     a     b  a - b  relative",
        "  28   0.1   0.1      0         0",
        "  29   0.1   0.1      0         0",
        "  30  0.05   0.1  -0.05       0.5  "
        "<- first, largest difference, largest relative difference",
        "  31  0.05  0.05      0         0",
        "  32  0.05  0.05      0         0",
    ]
    shown = str(diff([9.0, *[0.0] * 9], [9.0 + 5e-6, *[0.0] * 8, 1e-9], 10)).splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["step", "0", "...", "7", "8", "9"]
    assert str(diff(COSINE, COSINE, 1)) == "a and b are the same at 1 step (rtol 1e-06)"
    near = diff([1.0, 1.0], [1.0, 1.0 + 1e-9], 2)
    assert str(near).endswith("largest relative difference 1e-09, at step 1")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_differs(bad: float) -> None:
    found = diff([1.0, bad, 3.0], [1.0, bad, 3.0], 3)
    assert (found.first, found.number) == (1, 1)
    assert found.largest_absolute == found.largest_relative == (1, math.inf)
    assert found.factor is None
    assert "a is not finite at 1 of 3 steps, first at step 1" in str(found)
    assert "b is not finite at 1 of 3 steps, first at step 1" in str(found)


def test_what_is_not_finite_is_drawn() -> None:
    pyplot = needs("matplotlib.pyplot")
    for bad in (math.nan, math.inf, -math.inf):
        found = diff([1.0, bad, 3.0], [1.0, bad, 3.0], 3)
        pyplot.close(found.plot()[0].figure)


def test_zero_is_no_difference_from_zero() -> None:
    assert diff([0.0, -0.0], [0.0, 0.0], 2, rtol=0.0).same
    assert not diff([0.0], [1e-17], 1).same
    assert diff([0.0], [1e-17], 1, atol=1e-16).same


def test_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match=r"diff: use \.same"):
        bool(diff(COSINE, COSINE, 3))


@pytest.mark.parametrize("module", [needing("jax", "jax.numpy"), needing("torch", "torch")])
def test_a_schedule_with_parameters_of_an_array_library(module: str) -> None:
    rate = needs(module).asarray(0.5)
    assert diff(lrsched.constant(rate), lrsched.constant(0.5), 2).same


def _raises(count: int) -> float:
    return 1.0 / (3 - count)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: diff(COSINE, COSINE, 0),
            ValueError,
            "steps must be an integer >= 1 (steps), got 0",
        ),
        (
            lambda: diff(COSINE, COSINE, 1.5),  # type: ignore[arg-type]
            TypeError,
            "steps must be an integer >= 1 (steps), got 1.5",
        ),
        (lambda: diff(COSINE, COSINE, 5, -1.0), ValueError, "rtol must be a number >= 0, got -1.0"),
        (
            lambda: diff(COSINE, COSINE, 5, atol=math.nan),
            ValueError,
            "atol must be a number >= 0, got nan",
        ),
        (
            lambda: diff(3, COSINE, 5),
            TypeError,
            "a must be a function of the step, a torch scheduler or a sequence of values, got 3",
        ),
        (
            lambda: diff(COSINE, "0.1", 5),
            TypeError,
            "b must be a function of the step, a torch scheduler or a sequence of values, "
            "got '0.1'",
        ),
        (
            lambda: diff(COSINE, np.float64(1.0), 5),
            TypeError,
            "b must be a function of the step, a torch scheduler or a sequence of values, "
            "got np.float64(1.0)",
        ),
        (
            lambda: diff(COSINE, _raises, 5),
            ValueError,
            "b at step 3 must not raise, got ZeroDivisionError: float division by zero",
        ),
        (lambda: diff(COSINE, [1.0, 2.0], 5), ValueError, "b must have at least 5 values, got 2"),
        (lambda: diff([1.0, None], COSINE, 2), TypeError, "a at step 1 must be a number, got None"),
        (lambda: diff(["1"], COSINE, 1), TypeError, "a at step 0 must be a number, got '1'"),
        (
            lambda: diff(np.ones((2, 2)), COSINE, 2),
            TypeError,
            "a at step 0 must be a number, got [1.0, 1.0]",
        ),
        (
            lambda: diff(lambda n: True, COSINE, 1),
            TypeError,
            "a at step 0 must be a number, got True",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    make: Callable[[], Diff], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == f"diff: {message}"


def test_plot_draws_the_curves_over_their_difference() -> None:
    pyplot = needs("matplotlib.pyplot")
    found = diff(COSINE, lambda n: COSINE(n - 1), 100)
    curves, below = found.plot()
    assert [line.get_label() for line in curves.get_lines()] == ["a", "b"]
    assert list(curves.get_lines()[0].get_ydata()) == found.a.tolist()
    assert (below.get_xlabel(), below.get_ylabel()) == ("step", "relative difference")
    figure, axes = pyplot.subplots(2)
    assert found.plot(axes) == tuple(axes)
    ramp = diff(lrsched.exponential_ramp(1e-7, 1.0, 100), lrsched.constant(1.0), 100)
    assert ramp.plot()[0].get_yscale() == "log"
    assert diff(COSINE, COSINE, 5).plot()[1].get_yscale() == "linear"
    with pytest.raises(TypeError, match=r"plot: ax must be two axes .* or None, got <Axes"):
        found.plot(figure.axes[0])
    pyplot.close("all")


def exact(count: int) -> float:
    return 0.05 * (1 + math.cos(math.pi * count / 500))


def in_float32(count: int) -> Any:
    """The cosine with all of its steps rounded."""
    one, angle = np.float32(1), np.float32(math.pi) * np.float32(count / 500)
    return np.float32(0.05) * (one + np.cos(angle, dtype=np.float32))


def test_rounding_to_float32_is_said_and_the_tolerance_decides() -> None:
    found = diff(in_float32, exact, 500)
    assert found.dtype == "float32"
    assert not found.same
    assert found.same_to_rounding
    lines = str(found).splitlines()
    assert lines[0] == "a and b are equal to within float32 rounding at 500 steps"
    assert lines[1] == (
        f"{found.number} of 500 steps differ by more than rtol 1e-06, "
        f"the first at step {found.first}"
    )
    assert lines[2].startswith("largest difference ")
    assert lines[3].startswith("largest relative difference ")
    assert len(lines) == 4
    assert diff(in_float32, exact, 500, atol=1e-7).same


def test_python_numbers_have_no_rounding_to_explain() -> None:
    found = diff(lambda count: float(in_float32(count)), exact, 500)
    assert found.dtype == "float64"
    assert not found.same_to_rounding
    assert "a and b differ at " in str(found)


@pytest.mark.parametrize(
    ("dtype", "unit"), [("float32", 2.0**-24), ("float16", 2.0**-11), ("float64", 0.0)]
)
def test_the_bound_is_what_the_documentation_says(dtype: str, unit: float) -> None:
    """Of what is just within, and just beyond; the peak is at another step."""
    bound = unit + 8 * 2.0**-24 * 4.0 if unit else 1e-15
    for part, within in ((0.99, True), (1.01, False)):
        far = 1.0 + part * bound
        found = Diff(np.asarray([far, 4.0]), np.asarray([1.0, 4.0]), 0.0, 0.0, dtype)
        assert not found.same
        assert found.same_to_rounding == (within and unit > 0)


def test_what_rounding_does_not_explain_is_not_hidden() -> None:
    wrong = [in_float32(count) for count in range(500)]
    wrong[300] *= np.float32(1 + 1e-4)
    found = diff(wrong, exact, 500)
    assert not found.same_to_rounding
    lines = str(found).splitlines()
    assert lines[0].startswith(f"a and b differ at {found.number} of 500 steps")
    noise = found.number - 1
    assert lines[1] == f"float32 rounding explains {noise} of these, but not step 300"
    wrong[0] = np.float32(math.nan)
    assert not diff(wrong, exact, 9).same_to_rounding


def test_a_shift_and_a_factor_are_seen_through_rounding() -> None:
    assert diff(lambda n: in_float32(n + 1), exact, 500).shift == -1
    assert diff(lambda n: in_float32(n) * np.float32(3), exact, 500).factor == pytest.approx(3)


@pytest.mark.parametrize(
    ("module", "make"),
    [
        ("numpy", lambda np: np.float32([0.1, 0.2])),
        needing("jax", "jax.numpy", lambda jnp: jnp.float32([0.1, 0.2])),
        needing("jax", "jax.numpy", lambda jnp: lambda n: jnp.float32([0.1, 0.2])[n]),
        needing("torch", "torch", lambda torch: torch.tensor([0.1, 0.2])),
        needing("torch", "torch", lambda torch: lambda n: torch.tensor([0.1, 0.2])[n]),
    ],
)
def test_the_type_of_any_library_is_seen(module: str, make: Any) -> None:
    found = diff(make(needs(module)), [0.1, 0.2], 2, rtol=0.0)
    assert found.dtype == "float32"
    assert found.same_to_rounding
    assert not found.same
