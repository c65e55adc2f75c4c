"""Schedules by name against transformers' own, stepped for real."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule, run_fraction
from tests.optional import needs
from tests.stepping import stepped

warmups = st.integers(0, 12)
rates = st.floats(1e-6, 1.0)
ratios = st.floats(0.0, 1.0)
shapes = st.sampled_from(["linear", "cosine", "1-sqrt"])


def transformers(name: str, lr: float, steps: int, **parameters: Any) -> list[float]:
    """The learning rates of so many steps."""
    common = {key: parameters.pop(key, None) for key in ("num_warmup_steps", "num_training_steps")}
    get_scheduler = needs("transformers").get_scheduler
    options = common | {"scheduler_specific_kwargs": parameters or None}
    return stepped(lambda optimizer: get_scheduler(name, optimizer, **options), steps, lr)


def check(name: str, lr: float, steps: int, **parameters: Any) -> Schedule:
    schedule = lrsched.from_name(name, lr, **parameters)
    wanted = transformers(name, lr, steps, **parameters)
    assert [schedule(n) for n in range(steps)] == pytest.approx(wanted, rel=1e-10, abs=1e-12 * lr)
    return schedule


@settings(max_examples=100)
@given(rates, warmups, st.integers(1, 40))
def test_constant_linear_polynomial_inverse_sqrt(lr: float, before: int, after: int) -> None:
    total = before + after
    check("constant", lr, 5, num_warmup_steps=before)
    check("constant_with_warmup", lr, total + 3, num_warmup_steps=before)
    both = {"num_warmup_steps": before, "num_training_steps": total}
    check("linear", lr, total + 3, **both)
    check("polynomial", lr, total + 3, **both, lr_end=lr / 10, power=1.7)
    check("inverse_sqrt", lr, total + 3, num_warmup_steps=before)
    check("inverse_sqrt", lr, total + 3, num_warmup_steps=before, timescale=7)


@settings(max_examples=100)
@given(rates, warmups, st.integers(4, 40), st.sampled_from([0.3, 0.5, 1.0, 1.5, 1.7]), ratios)
def test_cosines(lr: float, before: int, after: int, waves: float, ratio: float) -> None:
    both = {"num_warmup_steps": before, "num_training_steps": before + after}
    steps = before + after + 1  # then transformers' goes on with its waves
    check("cosine", lr, steps, **both, num_cycles=waves)
    check("cosine_with_min_lr", lr, steps, **both, num_cycles=waves, min_lr_rate=ratio)
    check("cosine_with_min_lr", lr, steps, **both, min_lr=ratio * lr)
    check("cosine_warmup_with_min_lr", lr, steps - 1, **both, min_lr_rate=ratio)
    rates = {"min_lr_rate": ratio, "warmup_lr_rate": 0.1}
    check("cosine_warmup_with_min_lr", lr, steps - 1, **both, **rates)


@settings(max_examples=100)
@given(rates, warmups, st.integers(1, 40), st.sampled_from([0.5, 1, 2, 3, 4, 5, 2.5]))
def test_cosine_with_restarts(lr: float, before: int, after: int, cycles: float) -> None:
    assume(after >= cycles)
    total = before + after
    both = {"num_warmup_steps": before, "num_training_steps": total}
    check("cosine_with_restarts", lr, total + 3, **both, num_cycles=cycles)


@settings(max_examples=100)
@given(rates, warmups, warmups, st.integers(1, 20), shapes, shapes, ratios)
def test_warmup_stable_decay(
    lr: float, before: int, stable: int, after: int, rise: str, fall: str, ratio: float
) -> None:
    total = before + stable + after
    given_steps = {"num_warmup_steps": before, "num_decay_steps": after}
    shape = {"warmup_type": rise, "decay_type": fall, "min_lr_ratio": ratio}
    first = check(
        "warmup_stable_decay", lr, total + 3, **given_steps, num_stable_steps=stable, **shape
    )
    second = check(
        "warmup_stable_decay", lr, total + 3, **given_steps, num_training_steps=total, **shape
    )
    assert first == second
    if after >= 3:
        shape |= {"decay_type": "cosine", "num_cycles": 1.3, "num_training_steps": total}
        check("warmup_stable_decay", lr, total + 3, **given_steps, **shape)


@pytest.mark.parametrize("rules", ["1:10,0.1:20,0.01:30,0.005", "0.5:7,2", "0.1", "0.2:20,1:5,3"])
def test_rules_of_diffusers(rules: str) -> None:
    *parts, last = rules.split(",")
    table = {int(end): float(factor) for factor, end in (part.split(":") for part in parts)}

    def factor(step: int) -> float:
        return next((table[end] for end in sorted(table) if step < end), float(last))

    schedule = lrsched.from_name("piecewise_constant", 3e-4, step_rules=rules)
    assert [schedule(n) for n in range(40)] == [3e-4 * factor(n) for n in range(40)]


@pytest.mark.parametrize("rules", ["", "1:10", "1:a,2", "1:10:3,4", "x", "1:0,3", "1:5,2:5,1"])
def test_rules_that_are_none(rules: str) -> None:
    with pytest.raises(ValueError, match=r"boundaries must|step_rules must be"):
        lrsched.from_name("piecewise_constant", 3e-4, step_rules=rules)


def test_steps_may_be_durations() -> None:
    warmup = run_fraction(0.1, round="up")
    for name in ("linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt"):
        both = {"num_warmup_steps": warmup, "num_training_steps": run_fraction(1.0)}
        schedule = lrsched.from_name(name, 0.1, **both).resolve(total_steps=123)
        assert schedule == lrsched.from_name(name, 0.1, num_warmup_steps=13, num_training_steps=123)


by_name: Any = lrsched.from_name


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: by_name("cosin", 0.1),
            ValueError,
            "from_name: did you mean 'cosine'[?] name must be one of constant, ",
        ),
        (lambda: by_name("greedy", 0.1), ValueError, "name must be one of .*, got 'greedy'"),
        (lambda: by_name(3, 0.1), TypeError, "from_name: name must be one of .*, got 3"),
        (
            lambda: by_name("linear", 0.1),
            TypeError,
            r"linear: missing a required (keyword-only )?argument: 'num_training_steps' \(its par",
        ),
        (
            lambda: by_name("linear", 0.1, num_training_steps=10, power=2),
            TypeError,
            "linear: got an unexpected keyword argument 'power'",
        ),
        (
            lambda: by_name("cosine", 0.1, num_training_steps=10.5),
            TypeError,
            r"num_training_steps must be an integer >= 0 \(steps\), got 10.5",
        ),
        (
            lambda: by_name("cosine", 0.1, num_training_steps=10, num_cycles=0),
            ValueError,
            "num_cycles must be a number > 0, got 0",
        ),
        (
            lambda: by_name("cosine", 0.1, num_training_steps=10, num_cycles=5.5),
            ValueError,
            r"num_cycles must be <= 5 \(10 steps\), got 5.5",
        ),
        (
            lambda: by_name("cosine_with_restarts", 0.1, num_training_steps=10, num_cycles=11),
            ValueError,
            r"num_cycles must be <= 10 \(10 steps\), got 11",
        ),
        (
            lambda: by_name("cosine", 0.1, num_training_steps=run_fraction(1.0), num_cycles=2),
            ValueError,
            r"num_cycles must be left out where .* \(run_fraction\(1.0\)\), got 2",
        ),
        (
            lambda: by_name("warmup_stable_decay", 0.1, num_decay_steps=3),
            ValueError,
            "num_training_steps must be given, unless num_stable_steps is, got None",
        ),
        (
            lambda: by_name("constant", -float("inf")),
            ValueError,
            "from_name: learning_rate must be a",
        ),
    ],
)
def test_bad_input_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
