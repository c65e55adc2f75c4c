"""Bad hyperparameters are refused when a schedule is made; what is accepted is finite for ever."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._core.definition import REGISTRY
from tests.optional import needing, needs
from tests.strategies import LAST, NAMES, counts

lr: Any = lrsched  # types would refuse half of what follows
INF, NAN = math.inf, math.nan
ONE = lr.constant(1.0)

REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: lr.constant(NAN), ValueError, "constant: value must be a finite number, got nan"),
    (lambda: lr.constant(INF), ValueError, "constant: value must be a finite number, got inf"),
    (lambda: lr.constant(-INF), ValueError, "constant: value must be a finite number, got -inf"),
    (lambda: lr.constant(True), TypeError, "constant: value must be a finite number, got True"),
    (lambda: lr.constant("1"), TypeError, "constant: value must be a finite number, got '1'"),
    (lambda: lr.constant(None), TypeError, "constant: value must be a finite number, got None"),
    (lambda: lr.constant(1j), TypeError, "constant: value must be a finite number, got 1j"),
    (lambda: lr.constant([1.0]), TypeError, "constant: value must be a finite number, got [1.0]"),
    (
        lambda: lr.constant(1e19),
        ValueError,
        "constant: value must be a number of magnitude <= 1e+18, got 1e+19",
    ),
    (
        lambda: lr.constant(10**400),
        ValueError,
        f"constant: value must be a number of magnitude <= 1e+18, got {'1' + '0' * 76}...",
    ),
    (
        lambda: lr.constant(np.ones(2)),
        TypeError,
        "constant: value must be a finite number, got array([1., 1.])",
    ),
    (
        lambda: lr.constant(np.True_),
        TypeError,
        "constant: value must be a finite number, got np.True_",
    ),
    (
        lambda: lr.constant(needs("jax.numpy").float32(NAN)),
        ValueError,
        "constant: value must be a finite number, got Array(nan, dtype=float32)",
    ),
    (
        lambda: lr.constant(needs("torch").tensor(INF)),
        ValueError,
        "constant: value must be a finite number, got tensor(inf)",
    ),
    (
        lambda: lr.linear(1, 0, 0),
        ValueError,
        "linear: steps must be a number >= 1 (steps), got 0",
    ),
    (
        lambda: lr.linear(1, 0, -5),
        ValueError,
        "linear: steps must be a number >= 1 (steps), got -5",
    ),
    (
        lambda: lr.linear(1, 0, 0.1),
        ValueError,
        "linear: steps must be a number >= 1 (steps); a share of the run is run_fraction(0.1), "
        "got 0.1",
    ),
    (
        lambda: lr.warmup(ONE, np.float32(0.25)),
        ValueError,
        "warmup: warmup_steps must be 0 or a number >= 1 (steps); a share of the run is "
        "run_fraction(0.25), got np.float32(0.25)",
    ),
    (
        lambda: lr.linear(1, 0, "10%"),
        TypeError,
        "linear: steps must be a number >= 1 (steps); a share of the run is run_fraction(0.1), "
        "got '10%'",
    ),
    (
        lambda: lr.one_cycle(1, 0.5),
        TypeError,
        "one_cycle: total_steps must be an integer >= 2 (steps); a share of the run is "
        "run_fraction(0.5), got 0.5",
    ),
    (
        lambda: lr.linear(1, 0, "ten%"),
        TypeError,
        "linear: steps must be a number >= 1 (steps), got 'ten%'",
    ),
    (
        lambda: lr.multi_step_decay(1, 0.1, ["30%", 60]),
        TypeError,
        "multi_step_decay: boundaries must be 0 or a number >= 1 (steps); a share of the run is "
        "run_fraction(0.3), got ['30%', 60]",
    ),
    (
        lambda: lr.linear(1, 0, math.inf),
        ValueError,
        "linear: steps must be a number >= 1 (steps), got inf",
    ),
    (
        lambda: lr.one_cycle(1, 10.0),
        TypeError,
        "one_cycle: total_steps must be an integer >= 2 (steps), got 10.0",
    ),
    (
        lambda: lr.one_cycle(1, np.float32(10)),
        TypeError,
        "one_cycle: total_steps must be an integer >= 2 (steps), got np.float32(10.0)",
    ),
    (
        lambda: lr.linear(1, 0, False),
        TypeError,
        "linear: steps must be a number >= 1 (steps), got False",
    ),
    (
        lambda: lr.linear(1, 0, "10"),
        TypeError,
        "linear: steps must be a number >= 1 (steps), got '10'",
    ),
    (
        lambda: lr.linear(1, 0, 2**31),
        ValueError,
        "linear: steps must be a number <= 2147483647 (steps), got 2147483648",
    ),
    (
        lambda: lr.linear(1, 0),
        TypeError,
        "linear: missing a required argument: 'steps' (its parameters: init_value, end_value,"
        " steps)",
    ),
    (
        lambda: lr.linear(1, 0, 5, total=3),
        TypeError,
        "linear: got an unexpected keyword argument 'total' (its parameters: init_value,"
        " end_value, steps)",
    ),
    (
        lambda: lr.polynomial(1, 0, 5, 0),
        ValueError,
        "polynomial: power must be a number > 0, got 0",
    ),
    (
        lambda: lr.exponential_ramp(0.0, 1, 5),
        ValueError,
        "exponential_ramp: init_value must be a number >= 1e-18, got 0.0",
    ),
    (
        lambda: lr.exponential_ramp(1, -1, 5),
        ValueError,
        "exponential_ramp: end_value must be a number >= 1e-18, got -1",
    ),
    (
        lambda: lr.exponential_decay(1, -0.5),
        ValueError,
        "exponential_decay: decay_rate must be a number >= 0, got -0.5",
    ),
    (
        lambda: lr.exponential_decay(1, 0.5, 0),
        ValueError,
        "exponential_decay: decay_steps must be a number > 0 (steps), got 0",
    ),
    (
        lambda: lr.exponential_decay(1, 0.5, 5, staircase=1),
        TypeError,
        "exponential_decay: staircase must be True or False, got 1",
    ),
    (
        lambda: lr.step_decay(1, NAN, 5),
        ValueError,
        "step_decay: decay_rate must be a number >= 0, got nan",
    ),
    (
        lambda: lr.multi_step_decay(1, 0.5, [5, 3]),
        ValueError,
        "multi_step_decay: boundaries must be 0 or numbers >= 1 in ascending order (steps), "
        "got [5, 3]",
    ),
    (
        lambda: lr.multi_step_decay(1, 0.5, 5),
        TypeError,
        "multi_step_decay: boundaries must be 0 or numbers >= 1 in ascending order (steps), got 5",
    ),
    (
        lambda: lr.multi_step_decay(1, 0.5, "35"),
        TypeError,
        "multi_step_decay: boundaries must be 0 or numbers >= 1 in ascending order (steps), "
        "got '35'",
    ),
    (
        lambda: lr.multi_step_decay(1, 0.5, {3}),
        TypeError,
        "multi_step_decay: boundaries must be 0 or numbers >= 1 in ascending order (steps), "
        "got {3}",
    ),
    (
        lambda: lr.resume(lr.constant(1), 3, batch_size=(256, 0)),
        ValueError,
        "resume: batch_size must be a pair of numbers > 0 (before, after), or None, got (256, 0)",
    ),
    (
        lambda: lr.piecewise_constant([1, 2], []),
        ValueError,
        "piecewise_constant: values must be 1 numbers (one more than boundaries), got (1.0, 2.0)",
    ),
    (
        lambda: lr.piecewise_constant([1, 2, 3], [5, 5]),
        ValueError,
        "piecewise_constant: boundaries must be numbers >= 1 in strictly ascending order"
        " (steps), got [5, 5]",
    ),
    (
        lambda: lr.piecewise_constant([1, NAN], [5]),
        ValueError,
        "piecewise_constant: values must be finite numbers, got [1, nan]",
    ),
    (
        lambda: lr.cosine_decay(1, 0),
        ValueError,
        "cosine_decay: decay_steps must be a number >= 1 (steps), got 0",
    ),
    (
        lambda: lr.cosine_restarts(1, 5, 0),
        ValueError,
        "cosine_restarts: period_mult must be a number > 0 (1, <= 0.99 or >= 1.01), got 0",
    ),
    (
        lambda: lr.cosine_restarts(1, 5, 1.005),
        ValueError,
        "cosine_restarts: period_mult must be a number > 0 (1, <= 0.99 or >= 1.01), got 1.005",
    ),
    (
        lambda: lr.cosine_restarts(1, 5, peak_mult=-1),
        ValueError,
        "cosine_restarts: peak_mult must be a number >= 0, got -1",
    ),
    (
        lambda: lr.cyclic(0, 1, 0),
        ValueError,
        "cyclic: up_steps must be a number >= 1 (steps), got 0",
    ),
    (
        lambda: lr.cyclic(0, 1, 5, -1),
        ValueError,
        "cyclic: down_steps must be 0 or a number >= 1 (steps), or None, got -1",
    ),
    (
        lambda: lr.cyclic(0, 1, LAST),
        ValueError,
        "cyclic: up_steps + down_steps must be <= 2147483647 (steps), got 4294967294",
    ),
    (
        lambda: lr.cyclic(0, 1, mode="triangle"),
        ValueError,
        "cyclic: mode must be 'triangular', 'triangular2', 'exp_range' or a function of the"
        " cycle, got 'triangle'",
    ),
    (
        lambda: lr.cyclic(0, 1, mode=3),
        TypeError,
        "cyclic: mode must be 'triangular', 'triangular2', 'exp_range' or a function of the"
        " cycle, got 3",
    ),
    (
        lambda: lr.cyclic(0, 1, decay_rate=0.9),
        ValueError,
        "cyclic: decay_rate must be 1.0 unless mode is 'exp_range', got 0.9",
    ),
    (
        lambda: lr.cyclic(0, 1, shape="cos"),
        ValueError,
        "cyclic: shape must be 'linear' or 'cosine', got 'cos'",
    ),
    (
        lambda: lr.cyclic(0, 1, shape=None),
        TypeError,
        "cyclic: shape must be 'linear' or 'cosine', got None",
    ),
    (
        lambda: lr.one_cycle(1, 1),
        ValueError,
        "one_cycle: total_steps must be an integer >= 2 (steps), got 1",
    ),
    (
        lambda: lr.one_cycle(1, 10, 1.5),
        ValueError,
        "one_cycle: up_fraction must be a number from 0 to 1, got 1.5",
    ),
    (
        lambda: lr.one_cycle(1, 10, 0.6, three_phase=True),
        ValueError,
        "one_cycle: up_fraction must be <= 0.5 with three_phase, got 0.6",
    ),
    (
        lambda: lr.one_cycle(1, 10, div_factor=0),
        ValueError,
        "one_cycle: div_factor must be a number >= 1e-18, got 0",
    ),
    (
        lambda: lr.warmup(0.1, 5),
        TypeError,
        "warmup: schedule must be a schedule, got 0.1",
    ),
    (
        lambda: lr.warmup(ONE, -1),
        ValueError,
        "warmup: warmup_steps must be 0 or a number >= 1 (steps), got -1",
    ),
    (
        lambda: lr.join([ONE, ONE], [5, 10]),
        ValueError,
        "join: schedules must be 3 schedules (one more than boundaries),"
        " got (constant(value=1.0), constant(value=1.0))",
    ),
    (
        lambda: lr.join([ONE, ONE, ONE], [10, 5]),
        ValueError,
        "join: boundaries must be numbers >= 1 in strictly ascending order (steps), got [10, 5]",
    ),
    (
        lambda: lr.join([ONE, ONE], [0]),
        ValueError,
        "join: boundaries must be numbers >= 1 in strictly ascending order (steps), got [0]",
    ),
    (
        lambda: lr.join([ONE, 0.1], [5]),
        TypeError,
        "join: schedules must be schedules, got [constant(value=1.0), 0.1]",
    ),
    (
        lambda: lr.join([], []),
        ValueError,
        "join: schedules must be 1 schedules (one more than boundaries), got ()",
    ),
    (lambda: lr.scale(ONE, INF), ValueError, "scale: factor must be a finite number, got inf"),
    (
        lambda: lr.product(ONE, 2.0),
        TypeError,
        "product: second must be a schedule, got 2.0",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused_with_its_reason(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == text


def test_traced_hyperparameters_are_taken_and_their_kind_is_checked() -> None:
    jax = needs("jax")

    def value(steps: Any) -> Any:
        return lr.linear(1.0, 0.0, steps)(5)

    def total(steps: Any) -> Any:
        return lr.one_cycle(1.0, steps)(5)

    assert jax.jit(value)(10) == jax.jit(value)(10.0) == 0.5
    with pytest.raises(TypeError, match="one_cycle: total_steps must be an integer >= 2"):
        jax.jit(total)(10.0)
    with pytest.raises(TypeError, match="linear: steps must be a number >= 1"):
        jax.jit(value)(jax.numpy.ones(3, int))


_numbers = st.one_of(
    st.floats(),
    st.floats(-1e-30, 1e-30),
    st.integers(),
    st.integers(-2, 40),
    st.booleans(),
    st.none(),
    st.sampled_from(["", "cosine", "linear", "triangular2", "exp_range", 2**31 - 1, 2**31]),
)
_durations = st.builds(
    lambda duration, steps: duration + steps,
    st.sampled_from([lr.run_fraction(0.3), lr.epochs(2), lr.run_fraction(1.0) - lr.epochs(9)]),
    st.integers(-20, 20) | st.just(LAST),
)
_items = _numbers | _durations
_anything = st.one_of(_items, st.lists(_items, max_size=3), st.just(ONE))
_COUNTS = [0, 1, 2, 7, 1000, 2**24 + 1, LAST - 1, LAST]


def made_or_refusal(name: str, arguments: dict[str, Any]) -> Schedule | str:
    try:
        made: Schedule = REGISTRY[name].factory(**arguments)
        return made.resolve(total_steps=100, steps_per_epoch=10)
    except (TypeError, ValueError) as refused:
        return str(refused)


@pytest.mark.parametrize("library", ["numpy", needing("torch", "torch")])
@settings(max_examples=3000)
@given(st.sampled_from(NAMES), st.data())
def test_what_is_accepted_neither_raises_nor_overflows(library: str, name: str, data: Any) -> None:
    """Every schedule from arguments of every kind: refused in the one form, or good for ever.

    Where there are durations in other units, at the latest when they are resolved.
    """
    xp = needs(library)
    parameters = REGISTRY[name].parameters
    arguments = {p: data.draw(_anything | _fitting(p) | _fitting(p), label=p) for p in parameters}
    schedule = made_or_refusal(name, arguments)
    if isinstance(schedule, str):
        assert schedule.startswith(f"{name}: ")
        assert " must be " in schedule
        return
    at = [*_COUNTS, *data.draw(st.lists(counts, max_size=4), label="counts")]
    assert all(math.isfinite(schedule(count)) for count in at)
    assert xp.isfinite(schedule(xp.asarray(at))).all()


def _fitting(name: str) -> Any:
    """Values that a parameter of this name is likely to accept, extremes included."""
    if name in ("schedule", "first", "second"):
        return st.sampled_from([ONE, lr.exponential_decay(1e18, 1e18), lr.constant(-1e18)])
    if name == "schedules":
        return st.lists(st.just(ONE), max_size=3)
    if name == "values":
        return st.lists(st.floats(-1e18, 1e18), max_size=3)
    if name == "boundaries":
        ascending = st.lists(st.integers(0, LAST), max_size=3).map(sorted)
        return ascending | st.lists(_durations | st.integers(0, 100), max_size=3)
    if name in ("staircase", "three_phase"):
        return st.booleans()
    if name in ("mode", "shape", "anneal"):
        return st.sampled_from(["linear", "cosine", "triangular", "triangular2", "exp_range"])
    if name.endswith("steps") or name in ("step_size", "period_mult"):
        return st.integers(1, 100) | st.integers(1, LAST) | _durations
    return st.floats(0, 1) | st.floats(-1e18, 1e18) | st.sampled_from([0.0, 1.0, 1e18, -1e18])


@settings(max_examples=60)
@given(st.sampled_from(NAMES), st.data())
def test_what_is_accepted_is_finite_when_jax_compiles_it(name: str, data: Any) -> None:
    arguments = {p: data.draw(_fitting(p), label=p) for p in REGISTRY[name].parameters}
    schedule = made_or_refusal(name, arguments)
    if isinstance(schedule, str):
        return
    jax, jnp = needs("jax"), needs("jax.numpy")
    at = jnp.asarray([*_COUNTS, *data.draw(st.lists(counts, min_size=4, max_size=4))])
    assert jnp.isfinite(jax.jit(schedule)(at)).all()
    assert jnp.isfinite(jax.jit(lambda s: s(at))(schedule)).all()


def test_bounds_in_the_wrong_order_are_refused() -> None:
    line = lrsched.linear(1.0, 0.0, 10)
    with pytest.raises(ValueError, match=r"^clip: low must be <= high \(0.1\), got 0.5$"):
        lrsched.clip(line, 0.5, 0.1)
    assert lrsched.clip(line, 0.5, 0.5)(0) == 0.5
    with pytest.raises(
        ValueError, match=r"^tanh_decay: lower must be below upper \(1.0\), got 1.0$"
    ):
        lrsched.tanh_decay(1.0, 10, lower=1.0, upper=1.0)


def test_bounds_that_are_not_known_have_no_order() -> None:
    jax = needs("jax")
    value = jax.jit(lambda x: lrsched.clip(lrsched.constant(1.0), x, 0.1)(0))(0.5)
    other = jax.jit(lambda x: lrsched.clip(lrsched.constant(1.0), 0.5, x)(0))(0.1)
    assert value == other == pytest.approx(0.1)
