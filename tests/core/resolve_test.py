"""Schedules with durations in other units, and `resolve`, which turns them into steps."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Duration, Schedule, epochs, examples, run_fraction, tokens
from lrsched._core.definition import REGISTRY
from lrsched._core.durations import UNITS as KNOWN_UNITS
from tests.durations import TIMED, UNITS, durations, in_units, sizes
from tests.optional import needs
from tests.stepping import sgd
from tests.strategies import BY_NAME, LAST


@given(st.floats(0, 1), st.integers(1, LAST), st.sampled_from(["nearest", "up", "down", None]))
def test_complements_make_up_the_run(fraction: float, total: int, rounding: Any) -> None:
    share = run_fraction(fraction, round=rounding)
    rest = lrsched.delay(lrsched.constant(1), run_fraction(1.0) - share)
    recipe = lrsched.warmup(rest, share).resolve(total_steps=total)
    before, after = recipe.params["warmup_steps"], recipe.params["schedule"].params["steps"]
    away = before - fraction * total
    if rounding is None:
        short = 0 < fraction * total < 1 or 0 < total - fraction * total < 1
        assert short or before + after == pytest.approx(total, rel=1e-15)
        assert short or away == pytest.approx(0, abs=1e-15 * total)
    else:
        assert before + after == total
        least, most = {"nearest": (-0.5, 0.5), "up": (0, 1), "down": (-1, 0)}[rounding]
        assert least <= away <= most


@given(
    st.lists(st.floats(0, 0.3), min_size=1, max_size=3),
    st.integers(100, LAST),
)
def test_all_phases_of_a_recipe_make_up_the_run(fractions: list[float], total: int) -> None:
    """However many are taken off, each as it is written elsewhere."""
    rest = run_fraction(1.0)
    recipe = lrsched.constant(1.0)
    for fraction in fractions:
        rest = rest - run_fraction(fraction, "nearest")
        recipe = lrsched.delay(recipe, run_fraction(fraction, "nearest"))
    recipe = lrsched.delay(recipe, rest).resolve(total_steps=total)
    found = 0
    while recipe.name == "delay":
        found, recipe = found + recipe.params["steps"], recipe.params["schedule"]
    assert found == total


@pytest.mark.parametrize("name", [name for name in BY_NAME if TIMED[name]])
def test_every_schedule_takes_durations_in_other_units(name: str) -> None:
    """Wherever it takes steps; resolved, it is the one that was made with the number."""
    taken, drawn = set(), []

    @settings(max_examples=60)
    @given(BY_NAME[name], st.sampled_from(TIMED[name]), st.sampled_from(UNITS))
    def check(schedule: Schedule, parameter: str, unit: Any) -> None:
        make, resolve = unit
        number = schedule.params[parameter]
        if number in (None, ()):
            return
        timed = schedule.replace(**{parameter: in_units(number, make)})
        taken.add(parameter)
        assert timed != schedule
        assert (schedule.is_resolved, timed.is_resolved) == (True, False)
        back = resolve(timed)
        assert back.params[parameter] == pytest.approx(number, rel=1e-12, abs=1e-12)
        assert back.replace(**{parameter: number}) == schedule
        if REGISTRY[name].kinds[parameter].item_type is int:
            assert back == schedule
            assert repr(back) == repr(schedule)
        assert eval(repr(timed), vars(lrsched)) == lrsched.from_repr(repr(timed)) == timed
        written = json.loads(timed.to_json())
        assert lrsched.from_dict(written) == pickle.loads(pickle.dumps(timed)) == timed
        assert hash(pickle.loads(pickle.dumps(timed))) == hash(timed)
        drawn.append("<polyline" in (timed._repr_svg_() or ""))

    check()
    assert taken == set(TIMED[name])
    assert any(drawn)


@given(durations, sizes)
def test_units_resolve_one_by_one(duration: Duration, given: dict[str, Any]) -> None:
    """In any order, to what they resolve to together, up to the rounding of their sum."""
    recipe = lrsched.delay(lrsched.constant(1.0), duration)

    def steps(**some: Any) -> Any:
        try:
            return recipe.resolve(**some).params["steps"]
        except ValueError as refused:
            assert "(resolved from steps=" in str(refused)  # noqa: PT017  # below 0, too long
            return None

    together = steps(**given)
    if together is None:
        return
    for order in (list(given), list(reversed(given))):
        one_by_one = recipe
        for argument in order:
            one_by_one = one_by_one.resolve(**{argument: given[argument]})
        parts = [abs(term.steps(_size(given, term.unit), whole=False)) for term in duration.terms]
        rounding = 1e-15 * max([*parts, abs(duration.steps)])
        assert one_by_one.params["steps"] == pytest.approx(together, rel=1e-15, abs=8 * rounding)


def _size(given: dict[str, Any], unit: str) -> Any:
    return given[KNOWN_UNITS[unit].argument]


def test_what_is_rounded() -> None:
    def steps(duration: Duration, **sizes: Any) -> Any:
        return lrsched.linear(1, 0, duration).resolve(**sizes).params["steps"]

    assert steps(epochs(3), steps_per_epoch=781.25) == 2343.75
    halves = [run_fraction(0.5, rounding) for rounding in ("nearest", "up", "down")]
    found = [[steps(half, total_steps=n) for n in (3, 5, 7)] for half in halves]
    assert found == [[2, 2, 4], [2, 3, 4], [1, 2, 3]]  # the nearest is even for a half
    half = epochs(0.5, round="up")
    assert steps(half + half, steps_per_epoch=3) == 4  # each by itself
    assert steps(5 - half, steps_per_epoch=3) == 3  # as what is added elsewhere
    assert steps(examples(1000), batch_size=np.int64(64)) == 15.625
    assert steps(tokens(2e9, "down") - 7, tokens_per_step=2**21) == 946
    assert steps(run_fraction(1e-4), total_steps=100) == 1  # at least a step
    assert type(steps(run_fraction(0.07), total_steps=100)) is int
    cycle = lrsched.one_cycle(1.0, epochs(2)).resolve(steps_per_epoch=10.3)
    assert cycle.params["total_steps"] == 21  # an integer is wanted
    partial = lrsched.exponential_warmup(run_fraction(0.25) + epochs(1)).resolve(total_steps=10)
    assert repr(partial) == "exponential_warmup(time_constant=epochs(1) + 2.5)"
    assert lrsched.from_json(partial.to_json()) == lrsched.from_repr(repr(partial)) == partial


def test_units_without_an_argument_stay() -> None:
    recipe = lrsched.warmup(lrsched.step_decay(0.1, 0.5, epochs(30)), run_fraction(0.1) + epochs(1))
    partly = recipe.resolve(total_steps=1000)
    assert partly == lrsched.warmup(lrsched.step_decay(0.1, 0.5, epochs(30)), epochs(1) + 100)
    assert recipe.resolve() == recipe
    assert partly.resolve(steps_per_epoch=10) == lrsched.warmup(
        lrsched.step_decay(0.1, 0.5, 300), 110
    )


@given(BY_NAME["join"] | BY_NAME["cyclic"], sizes)
def test_a_schedule_in_steps_is_returned_as_it_is(schedule: Schedule, given: Any) -> None:
    assert schedule.resolve(**given) is schedule


WARMUP = lrsched.warmup(lrsched.cosine_decay(0.1, run_fraction(0.9)), epochs(5))


UNRESOLVED = (
    "cosine_decay: decay_steps is run_fraction(0.9); "
    "resolve it with schedule.resolve(total_steps=..., steps_per_epoch=...)"
)


def with_jax(call: Callable[[Any, Any], Any]) -> Callable[[Schedule], Any]:
    """A call that is given JAX too."""
    return lambda schedule: call(needs("jax"), schedule)


def with_torch(call: Callable[[Any, Any], Any]) -> Callable[[Schedule], Any]:
    return lambda schedule: call(needs("torch"), schedule)


def optax_update(schedule: Schedule) -> Any:
    optax, jnp = needs("optax"), needs("jax.numpy")
    optimizer = optax.sgd(schedule)
    return optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)))


CALLS: dict[str, Callable[[Schedule], Any]] = {
    "int": lambda s: s(3),
    "float": lambda s: s(3.5),
    "above": lambda s: s(2**40),
    "numpy": lambda s: s(np.arange(3)),
    "jax": with_jax(lambda jax, s: s(jax.numpy.int32(3))),
    "jit": with_jax(lambda jax, s: jax.jit(s)(3)),
    "jit-argument": with_jax(lambda jax, s: jax.jit(lambda s, count: s(count))(s, 3)),
    "vmap": with_jax(lambda jax, s: jax.vmap(s)(jax.numpy.arange(3))),
    "torch": with_torch(lambda torch, s: s(torch.arange(3))),
    "torch-compile": with_torch(
        lambda torch, s: torch.compile(lambda n: s(n), backend="eager")(torch.arange(3))
    ),
    "optax": optax_update,
    "optax-jit": with_jax(lambda jax, s: jax.jit(optax_update, static_argnums=0)(s)),
    "LambdaLR": with_torch(lambda torch, s: torch.optim.lr_scheduler.LambdaLR(sgd(), s)),
    "lambda_lr": with_torch(lambda torch, s: needs("lrsched_torch").lambda_lr(sgd(), s)),
    "diff": lambda s: lrsched.diff(s, s, 3),
    "nested": lambda s: (0.5 * s)(3),
    "with-an-array": with_jax(lambda jax, s: (s * lrsched.constant(jax.numpy.float32(1)))(3)),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_says_what_is_unresolved(call: str) -> None:
    with pytest.raises(ValueError, match="resolve it with") as raised:
        CALLS[call](WARMUP)
    assert str(raised.value).startswith(UNRESOLVED)
    CALLS[call](WARMUP.resolve(total_steps=100, steps_per_epoch=2))


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (
            lrsched.multi_step_decay(1, 0.5, (30, run_fraction(0.5))),
            "multi_step_decay: boundaries is (30, run_fraction(0.5)); "
            "resolve it with schedule.resolve(total_steps=...)",
        ),
        (
            lrsched.join([lrsched.constant(1), lrsched.linear(1, 0, tokens(1) - examples(2))], [5]),
            "linear: steps is tokens(1) - examples(2); "
            "resolve it with schedule.resolve(batch_size=..., tokens_per_step=...)",
        ),
        (
            lrsched.exponential_warmup(epochs(1)),
            "exponential_warmup: time_constant is epochs(1); "
            "resolve it with schedule.resolve(steps_per_epoch=...)",
        ),
    ],
)
def test_which_parameter_is_unresolved(schedule: Schedule, text: str) -> None:
    with pytest.raises(ValueError, match="resolve it with") as raised:
        schedule(0)
    assert str(raised.value) == text


units: Any = lrsched  # types would refuse half of what follows
LINE = units.linear(1, 0, run_fraction(0.5))
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: units.one_cycle(1, epochs(1) - 0.5),
        TypeError,
        "one_cycle: total_steps must be an integer >= 2 (steps), got epochs(1) - 0.5",
    ),
    (
        lambda: units.constant(run_fraction(1.0)),
        TypeError,
        "constant: value must be a finite number, got run_fraction(1.0)",
    ),
    (
        lambda: units.cosine_restarts(1, 10, epochs(1)),
        TypeError,
        "cosine_restarts: period_mult must be a number > 0 (1, <= 0.99 or >= 1.01), got epochs(1)",
    ),
    (
        lambda: units.reduce_on_plateau(0.1, patience=epochs(1)),
        TypeError,
        "reduce_on_plateau: patience must be an integer >= 0 (observations), got epochs(1)",
    ),
    (
        lambda: units.linear(1, 0, 9).plot(epochs(1)),
        TypeError,
        "plot: steps must be an integer >= 1 (steps), got epochs(1)",
    ),
    (
        lambda: LINE.resolve(total_steps=0),
        ValueError,
        "resolve: total_steps must be an integer >= 1 (steps), got 0",
    ),
    (
        lambda: LINE.resolve(total_steps=10.0),
        TypeError,
        "resolve: total_steps must be an integer >= 1 (steps), got 10.0",
    ),
    (
        lambda: LINE.resolve(total_steps=run_fraction(1)),
        TypeError,
        "resolve: total_steps must be an integer >= 1 (steps), got run_fraction(1)",
    ),
    (
        lambda: LINE.resolve(batch_size=0),
        ValueError,
        "resolve: batch_size must be a number >= 1e-18, or a schedule, got 0",
    ),
    (
        lambda: LINE.resolve(steps_per_epoch="5"),
        TypeError,
        "resolve: steps_per_epoch must be a number >= 1e-18, got '5'",
    ),
    (
        lambda: units.linear(1, 0, run_fraction(0.4, "nearest")).resolve(total_steps=1),
        ValueError,
        "linear: steps must be a number >= 1 (steps), got 0 "
        "(resolved from steps=run_fraction(0.4, round='nearest'))",
    ),
    (
        lambda: units.warmup(LINE, run_fraction(3.0)).resolve(total_steps=LAST),
        ValueError,
        "warmup: warmup_steps must be a number <= 2147483647 (steps), got 6442450941 "
        "(resolved from warmup_steps=run_fraction(3.0))",
    ),
    (
        lambda: units.warmup(units.linear(1, 0, run_fraction(1) - 5), 10).resolve(total_steps=5),
        ValueError,
        "linear: steps must be a number >= 1 (steps), got 0 "
        "(resolved from steps=run_fraction(1) - 5)",
    ),
    (
        lambda: units.multi_step_decay(1, 0.5, (run_fraction(0.5), 3)).resolve(total_steps=10),
        ValueError,
        "multi_step_decay: boundaries must be 0 or numbers >= 1 in ascending order (steps), "
        "got (5, 3) (resolved from boundaries=(run_fraction(0.5), 3))",
    ),
    (
        lambda: units.cyclic(0, 1, run_fraction(1.0), run_fraction(1.0)).resolve(total_steps=LAST),
        ValueError,
        "cyclic: up_steps + down_steps must be <= 2147483647 (steps), got 4294967294 "
        "(resolved from up_steps=run_fraction(1.0), down_steps=run_fraction(1.0))",
    ),
    (
        lambda: units.join([LINE], (run_fraction(0.5),)).resolve(total_steps=10),
        ValueError,
        "join: schedules must be 2 schedules (one more than boundaries), got (linear(init_value=1.0"
        ", end_value=0.0, steps=5),) (resolved from boundaries=(run_fraction(0.5),))",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused_with_its_reason(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == text


def test_no_epoch_is_no_time_constant() -> None:
    decay = lrsched.exponential_decay(0.1, 0.5, epochs(0))
    with pytest.raises(ValueError, match=r"decay_steps must be .* got 0 \(resolved from"):
        decay.resolve(steps_per_epoch=3)
