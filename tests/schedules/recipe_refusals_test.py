"""Bad input into named recipes is refused in their name; what they accept is finite for ever."""

import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._core.definition import REGISTRY
from tests.strategies import LAST, counts

RECIPES = {name: each.factory for name, each in REGISTRY.items() if each.is_recipe}
GOOD: dict[str, Any] = {
    "first": lrsched.constant(0.1),
    "second": lrsched.cosine_decay(1.0, 10),
    "continuous": False,
    "batch_size": 64,
    "beta2": 0.99,
    "cosine_steps": 30,
    "cut_fraction": 0.1,
    "cycles": 3,
    "decay_steps": 20,
    "end_scale": 0.01,
    "end_value": 0.01,
    "factor": 1.0,
    "hold_steps": 10,
    "increment": 1,
    "ramp_examples": 1000,
    "step": 5,
    "hold_value": 0.05,
    "init_scale": 0.01,
    "init_value": 0.0,
    "timescale": 100,
    "epochs_timescale": 3.5,
    "epoch_steps": 20,
    "warmup_factor": 0.5,
    "model_size": 512,
    "peak_mult": 0.5,
    "peak_value": 0.1,
    "period_mult": 1.5,
    "ratio": 32.0,
    "reference_batch_size": 32,
    "rule": "sqrt",
    "schedule": lrsched.cosine_decay(1.0, 10),
    "shape": "cosine",
    "stable_steps": 50,
    "steps": 10,
    "total_steps": 100,
    "warmup_steps": 10,
}


def good(name: str) -> dict[str, Any]:
    found = {p: GOOD[p] for p in inspect.signature(RECIPES[name]).parameters}
    return found | SPECIAL.get(name, {})


# Where a parameter of the name above has another kind.
SPECIAL: dict[str, dict[str, Any]] = {
    "rampup_batch_size": {"init_value": 32, "end_value": 64},
    "resume": {"batch_size": None, "total_steps": (100, 200)},
}

PARAMETERS = [(name, p) for name in RECIPES for p in good(name)]

# None of these is anything that a parameter of any recipe can be.
NEVER: dict[str, Any] = {
    "text": "x",
    "empty text": "",
    "bytes": b"1",
    "NaN": math.nan,
    "infinity": math.inf,
    "True": True,
    "False": False,
    "None": None,
    "a list": [1.0],
    "a tuple": (1, 2),
    "a mapping": {},
    "a complex number": 1j,
    "an object": object(),
    "a class": int,
    "too large": 10**400,
}
_numbers = st.one_of(
    st.floats(),
    st.floats(-1e18, 1e18),
    st.floats(0, 1),
    st.integers(),
    st.integers(-1, 100),
    st.integers(1, LAST),
    st.sampled_from([0.0, 1.0, 1e18, -1e18, 1e-18, 5e-324, LAST, LAST + 1]),
)
_lengths = st.integers(1, 20).map(lrsched.epochs) | st.sampled_from(
    [lrsched.run_fraction(0.1), lrsched.run_fraction(1.0) - 3, 5 - lrsched.tokens(1)]
)
_others = st.sampled_from([*NEVER.values(), *GOOD.values()])


DECAY = lrsched.cosine_decay(1.0, 10)


def refusal(make: Callable[[], Schedule]) -> str | Schedule:
    try:
        return make().resolve(total_steps=50, steps_per_epoch=3, tokens_per_step=9)
    except (TypeError, ValueError) as refused:
        return str(refused)


@pytest.mark.parametrize("kind", NEVER)
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_every_parameter_is_checked_in_the_name_of_the_recipe(
    name: str, parameter: str, kind: str
) -> None:
    arguments = good(name) | {parameter: NEVER[kind]}
    if parameter == "continuous" and kind in ("True", "False"):
        return
    if parameter in ("batch_size", "total_steps") and (name, kind) == ("resume", "None"):
        parameter = "batch_size"  # one of the two may be None
        arguments |= {"total_steps": None}
    with pytest.raises((TypeError, ValueError)) as refused:
        RECIPES[name](**arguments)
    assert str(refused.value).startswith(f"{name}: {parameter} must be ")
    assert type(refused.value) in (TypeError, ValueError)


@settings(max_examples=1500)
@given(name=st.sampled_from(sorted(RECIPES)), data=st.data())
def test_what_is_accepted_neither_raises_nor_overflows(name: str, data: Any) -> None:
    parameters = inspect.signature(RECIPES[name]).parameters
    arguments = {
        p: data.draw(st.just(GOOD[p]) | _numbers | _lengths | _others, label=p) for p in parameters
    }
    if name == "with_restarts":
        arguments["cycles"] = data.draw(st.integers(-1, 40))  # it makes so many schedules
    schedule = refusal(lambda: RECIPES[name](**arguments))
    if isinstance(schedule, str):
        refused = re.match(rf"{name}: (\w+) must be ", schedule)
        assert refused, schedule
        assert refused[1] in parameters
        return
    at = [0, 1, 2, 7, 1000, LAST - 1, LAST, *data.draw(st.lists(counts, max_size=4))]
    assert all(math.isfinite(schedule(count)) for count in at)


@pytest.mark.parametrize("name", RECIPES)
def test_the_call_itself_is_checked(name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name}: got an unexpected keyword argument 'foo' "):
        RECIPES[name](**good(name), foo=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: lrsched.with_restarts(DECAY, 10, 3, period_mult=2.0**31),
            "with_restarts: period_mult must be such that decay_steps of cosine_decay is a number "
            "<= 2147483647 (steps) (not 21474836480.0), got 2147483648.0",
        ),
        (
            lambda: lrsched.with_restarts(DECAY, 10, 4, peak_mult=1e9),
            "with_restarts: peak_mult must be such that init_value of cosine_decay is a number of "
            "magnitude <= 1e+18 (not 1e+27), got 1000000000.0",
        ),
        (
            lambda: lrsched.tri_stage(1e-17, 1, 1, 1, end_scale=1e-3),
            "tri_stage: end_scale must be such that end_value of exponential_ramp is a number "
            ">= 1e-18 (not 1.0000000000000001e-20), got 0.001",
        ),
        (
            lambda: lrsched.infinite(1, 2, 2**30, 0.1, 2**30, 3, 0.1),
            "infinite: hold_steps must be such that boundaries of join is a number <= 2147483647 "
            "(steps) (not [2147483648]), got 1073741824",
        ),
        (
            lambda: lrsched.warmup_stable_decay(1, 10, 70, 0),
            "warmup_stable_decay: decay_steps must be a number >= 1 (steps), got 0",
        ),
        (
            lambda: lrsched.from_epochs(lrsched.linear(1, 0, 2**30), 20),
            "from_epochs: steps_per_epoch must be such that steps of linear is a number "
            "<= 2147483647 (steps) (not 21474836480), got 20",
        ),
        (
            lambda: lrsched.from_name("linear", "x", num_training_steps=9),  # type: ignore[arg-type]
            "from_name: learning_rate must be a finite number, got 'x'",
        ),
    ],
)
def test_what_the_parts_refuse_is_refused_as_a_parameter_of_what_was_called(
    make: Callable[[], Schedule], message: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        make()
    assert str(refused.value) == message
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
