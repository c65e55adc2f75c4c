"""Curves compared: planted differences found, and every kind of curve left as it was."""

import copy
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from torch.optim import lr_scheduler

import lrsched
from lrsched.diff import Diff, diff
from tests.strategies import schedules

COSINE = lrsched.cosine_decay(0.1, 90, 0.01)
values = st.lists(st.floats(0.1, 10.0), min_size=1, max_size=40)


@given(schedules, st.integers(1, 50))
def test_a_schedule_is_the_same_as_its_function_and_its_values(schedule: Any, steps: int) -> None:
    curve = [schedule(count) for count in range(steps)]
    for other in (lambda count: schedule(count), curve, np.asarray(curve), torch.tensor(curve)):
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
    pyplot.close(found.plot()[0].figure)


def test_zero_is_no_difference_from_zero() -> None:
    assert diff([0.0, -0.0], [0.0, 0.0], 2, rtol=0.0).same
    assert not diff([0.0], [1e-17], 1).same
    assert diff([0.0], [1e-17], 1, atol=1e-16).same


def test_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match=r"diff: use \.same"):
        bool(diff(COSINE, COSINE, 3))


@pytest.mark.parametrize(
    "schedule",
    [
        optax.cosine_decay_schedule(0.1, 90, alpha=0.1),
        optax.join_schedules([optax.cosine_decay_schedule(0.1, 90, alpha=0.1)], []),
        lambda count: jnp.float32(COSINE(count)),
    ],
)
def test_optax_schedules(schedule: Any) -> None:
    assert diff(schedule, COSINE, 150, rtol=1e-5).same


def test_a_constant_of_optax() -> None:
    assert diff(optax.constant_schedule(0.5), lrsched.constant(0.5), 5).same


def test_optax_counts_are_those_of_training() -> None:
    """With a Python int, optax would compute in part in float64."""
    schedule = optax.exponential_decay(0.1, 1, 0.999999)
    found = diff(schedule, lambda n: float(schedule(jnp.int32(n))), 1000, rtol=1e-6)
    assert found.same, str(found)


def test_a_schedule_with_parameters_of_an_array_library() -> None:
    rate = torch.tensor(0.1, requires_grad=True)
    assert diff(lrsched.constant(rate), [0.1, 0.1], 2).same
    assert diff(lrsched.constant(jnp.float32(0.5)), lrsched.constant(0.5), 2).same


def optimizer(lr: float = 0.1) -> torch.optim.Optimizer:
    weights = torch.nn.Parameter(torch.ones(3))
    made = torch.optim.Adam([weights], lr=lr)
    weights.sum().backward()  # type: ignore[no-untyped-call]
    made.step()
    return made


TORCH: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lrsched.cyclic(0.1, 1.0, 5)),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 20),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, 5, cycle_momentum=False),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 60),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 3)], [8]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o), lr_scheduler.StepLR(o, 3)]
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_torch_scheduler_is_compared_and_not_advanced(name: str) -> None:
    made = optimizer()
    scheduler = TORCH[name](made)
    state = copy.deepcopy((made.state_dict(), scheduler.state_dict()))
    parameters = made.param_groups[0]["params"][0].clone()
    found = diff(scheduler, [0.0] * 20, 20)
    after = made.state_dict(), scheduler.state_dict()
    assert str(after) == str(state)
    assert torch.equal(made.param_groups[0]["params"][0], parameters)
    rates = []
    for _ in range(20):
        rates.append(made.param_groups[0]["lr"])
        made.step()
        scheduler.step()
    assert found.a.tolist() == rates


def test_a_torch_scheduler_against_a_schedule() -> None:
    made = optimizer()
    scheduler = lr_scheduler.CosineAnnealingLR(made, 90, eta_min=0.01)
    assert diff(scheduler, COSINE, 91).same
    climbs = diff(scheduler, COSINE, 120)
    assert climbs.first == 91
    made.step()
    scheduler.step()
    assert diff(scheduler, COSINE, 80).shift == -1
    scaled = lr_scheduler.LambdaLR(optimizer(0.5), COSINE)
    assert diff(scaled, COSINE, 90).factor == pytest.approx(0.5)


def test_a_torch_schedulers_moments_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = lr_scheduler.StepLR(optimizer(), 3)

    def forbidden(*args: Any) -> None:
        raise AssertionError("a tensor was copied")

    monkeypatch.setattr(torch.Tensor, "__deepcopy__", forbidden)
    assert diff(scheduler, lrsched.step_decay(0.1, 0.1, 3), 9).same


def _raises(count: int) -> float:
    return 1.0 / (3 - count)


wrong: Any = None


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


def test_a_torch_scheduler_at_its_end() -> None:
    scheduler = lr_scheduler.OneCycleLR(optimizer(), 0.1, 5)
    with pytest.raises(ValueError, match="diff: a at step 6 must not raise, got ValueError: Tried"):
        diff(scheduler, COSINE, 50)


def test_a_scheduler_that_needs_a_metric_is_refused() -> None:
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer())
    with pytest.raises(TypeError, match="diff: a must be a scheduler that needs no metric, got <"):
        diff(plateau, COSINE, 5)


def test_plot_draws_the_curves_over_their_difference() -> None:
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
