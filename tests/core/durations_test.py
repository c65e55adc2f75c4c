"""Schedules in other units of time."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import optax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
import lrsched_torch
from lrsched import Duration, Schedule, epochs, examples, run_fraction, tokens
from lrsched._core.definition import REGISTRY
from tests.strategies import BY_NAME, LAST

steps = st.integers(1, 200)
values = st.floats(1e-6, 1.0)
# Whose formulas know only shares of durations, not single steps.
scalable = st.one_of(
    st.builds(lrsched.linear, values, values, steps),
    st.builds(lrsched.polynomial, values, values, steps, st.floats(0.5, 3.0)),
    st.builds(lrsched.exponential_decay, values, st.floats(0.1, 1.0), steps, st.booleans()),
    st.builds(lrsched.cosine_restarts, values, steps, st.integers(1, 3)),
    st.builds(lrsched.cyclic, values, values, steps, st.none() | steps),
    st.builds(
        lambda up, rate: lrsched.cyclic(0.0, 1.0, up, mode="exp_range", decay_rate=rate),
        steps,
        st.floats(0.9, 1.0),
    ),
    st.builds(lrsched.inverse_sqrt, values, steps, steps),
    st.builds(lrsched.multi_step_decay, values, st.just(0.5), st.just((3, 50))),
)
nested = (
    scalable
    | st.builds(lrsched.warmup, scalable, steps)
    | st.builds(
        lambda first, second, at: lrsched.join([first, second], [at]), scalable, scalable, steps
    )
)


@given(nested, st.integers(1, 50), st.integers(0, 500))
def test_a_stretched_schedule_has_the_same_shape(schedule: Schedule, ratio: int, at: int) -> None:
    stretched = lrsched.stretch(schedule, ratio)
    assert stretched(at * ratio) == pytest.approx(schedule(at), rel=1e-10, abs=1e-15)
    back = lrsched.stretch(stretched, 1 / ratio)
    assert back(at) == pytest.approx(schedule(at), rel=1e-10, abs=1e-15)


@given(nested, st.integers(1, 50), st.integers(0, 5000))
def test_epochs(schedule: Schedule, length: int, at: int) -> None:
    smooth = lrsched.from_epochs(schedule, length)
    stairs = lrsched.from_epochs(schedule, length, stepwise=True)
    assert stairs(at) == smooth(at // length * length)
    assert stairs(at) == pytest.approx(schedule(at // length), rel=1e-10, abs=1e-15)


amounts = st.integers(0, 10**6) | st.floats(0, 1e6) | st.floats(0, 1)
single = st.sampled_from([run_fraction, epochs, examples, tokens]).flatmap(
    lambda maker: st.builds(maker, amounts)
)
whole = st.integers(-(10**6), 10**6)
durations = st.recursive(
    single,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner | whole),
        st.builds(lambda a, b: a - b, inner, inner | whole),
        st.builds(lambda a, b: a - b, whole, inner),
        st.builds(lambda a, b: a + b, whole, inner),
    ),
    max_leaves=5,
)
sizes = st.fixed_dictionaries(
    {
        "total_steps": st.integers(1, LAST),
        "steps_per_epoch": st.integers(1, 10**4) | st.floats(0.5, 1e4),
        "batch_size": st.integers(1, 10**4),
        "tokens_per_step": st.integers(1, 10**7),
    }
)


@given(st.floats(0, 1), st.integers(1, LAST))
def test_complements_make_up_the_run_exactly(fraction: float, total: int) -> None:
    rest = lrsched.delay(lrsched.constant(1), run_fraction(1.0) - run_fraction(fraction))
    recipe = lrsched.warmup(rest, run_fraction(fraction)).resolve(total_steps=total)
    before, after = recipe.params["warmup_steps"], recipe.params["schedule"].params["steps"]
    assert before + after == total
    assert abs(before - fraction * total) <= 0.5


@given(
    st.lists(st.floats(0, 0.3), min_size=1, max_size=3),
    st.integers(100, LAST),
)
def test_all_phases_of_a_recipe_make_up_the_run(fractions: list[float], total: int) -> None:
    """However many are taken off, each as it is written elsewhere."""
    rest = run_fraction(1.0)
    recipe = lrsched.constant(1.0)
    for fraction in fractions:
        rest = rest - run_fraction(fraction)
        recipe = lrsched.delay(recipe, run_fraction(fraction))
    recipe = lrsched.delay(recipe, rest).resolve(total_steps=total)
    found = 0
    while recipe.name == "delay":
        found, recipe = found + recipe.params["steps"], recipe.params["schedule"]
    assert found == total


@given(durations)
def test_a_duration_is_a_value(duration: Duration) -> None:
    assert eval(repr(duration), vars(lrsched)) == duration
    assert lrsched.from_repr(f"delay(constant(1), {duration})").params["steps"] == duration
    for other in (pickle.loads(pickle.dumps(duration)), copy.deepcopy(duration)):
        assert other == duration
        assert hash(other) == hash(duration)
        assert repr(other) == repr(duration)


@given(durations, durations, whole)
def test_sums_keep_their_terms_apart(first: Duration, second: Duration, steps: int) -> None:
    assert (first + second).terms == first.terms + second.terms
    assert first + second - second != first
    assert first + steps == steps + first
    assert first + steps - steps == first
    assert first + np.int64(steps) == np.int64(steps) + first == first + steps
    assert np.int64(steps) - first == steps - first
    assert first - (second + steps) == first - second - steps


def test_how_sums_are_written() -> None:
    assert (
        repr(run_fraction(1.0) - (run_fraction(0.1) + 500))
        == "run_fraction(1.0) - run_fraction(0.1) - 500"
    )
    assert repr(500 - tokens(2e9) + epochs(5)) == "500 - tokens(2000000000.0) + epochs(5)"
    assert repr(0 - epochs(1)) == "0 - epochs(1)"
    assert repr(5 + epochs(2) - 5) == "epochs(2)"
    assert epochs(np.float32(0.5)) == epochs(0.5)
    assert sum([epochs(1), epochs(2)]) == epochs(1) + epochs(2) != epochs(3)
    with pytest.raises(AttributeError):
        epochs(1).steps = 3  # type: ignore[misc]


UNITS: list[tuple[Callable[[Any], Duration], Callable[[Any], Any]]] = [
    (lambda n: epochs(n) + 0, lambda s: s.resolve(steps_per_epoch=1)),
    (lambda n: epochs(n / 2), lambda s: s.resolve(steps_per_epoch=2.0)),
    (lambda n: examples(n * 8), lambda s: s.resolve(batch_size=8)),
    (lambda n: tokens(n * 2), lambda s: s.resolve(tokens_per_step=2)),
    (lambda n: run_fraction(1) - 100 + n, lambda s: s.resolve(total_steps=100)),
]
SCHEMA = jsonschema.Draft202012Validator(lrsched.json_schema())
TIMED = {
    name: [parameter for parameter, kind in REGISTRY[name].kinds.items() if kind.unit == "steps"]
    for name in BY_NAME
}


def in_units(value: Any, make: Callable[[Any], Duration]) -> Any:
    if isinstance(value, tuple):
        return tuple(make(item) if at % 2 == 0 else item for at, item in enumerate(value))
    return make(value)


@pytest.mark.parametrize("name", [name for name in BY_NAME if TIMED[name]])
def test_every_schedule_takes_durations_in_other_units(name: str) -> None:
    """Wherever it takes steps; resolved, it is the one that was made with the number."""
    taken = set()

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
        SCHEMA.validate(written)
        assert lrsched.from_dict(written) == pickle.loads(pickle.dumps(timed)) == timed
        assert hash(pickle.loads(pickle.dumps(timed))) == hash(timed)
        assert timed._repr_svg_() is None

    check()
    assert taken == set(TIMED[name])


@given(durations, sizes)
def test_units_resolve_one_by_one(duration: Duration, given: dict[str, Any]) -> None:
    """In any order, to what they resolve to together; with all of them, to a whole number."""
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
    assert type(together) is int
    for order in (list(given), list(reversed(given))):
        one_by_one = recipe
        for argument in order:
            one_by_one = one_by_one.resolve(**{argument: given[argument]})
        assert one_by_one.params["steps"] == together


def test_what_is_rounded() -> None:
    def steps(duration: Duration, **sizes: Any) -> Any:
        return lrsched.linear(1, 0, duration).resolve(**sizes).params["steps"]

    assert steps(epochs(3), steps_per_epoch=781.25) == 2344  # 2343.75
    assert [steps(run_fraction(0.5), total_steps=n) for n in (3, 5, 7)] == [2, 2, 4]  # half to even
    assert steps(epochs(0.5) + epochs(0.5), steps_per_epoch=3) == 4  # each by itself
    assert steps(examples(1000), batch_size=np.int64(64)) == 16
    assert steps(tokens(2e9) - 7, tokens_per_step=2**21) == 947
    factor = lrsched.exponential_warmup(run_fraction(0.25)).resolve(total_steps=10)
    assert factor.params["time_constant"] == 2.5  # no whole number is wanted
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


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=1.0)


def _optax_update(schedule: Schedule) -> Any:
    optimizer = optax.sgd(schedule)
    return optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)))


CALLS: dict[str, Callable[[Any], Any]] = {
    "int": lambda s: s(3),
    "float": lambda s: s(3.5),
    "above": lambda s: s(2**40),
    "numpy": lambda s: s(np.arange(3)),
    "jax": lambda s: s(jnp.int32(3)),
    "jit": lambda s: jax.jit(s)(3),
    "jit-argument": lambda s: jax.jit(lambda s, count: s(count))(s, 3),
    "vmap": lambda s: jax.vmap(s)(jnp.arange(3)),
    "torch": lambda s: s(torch.arange(3)),
    "torch-compile": lambda s: torch.compile(lambda n: s(n), backend="eager")(torch.arange(3)),
    "optax": _optax_update,
    "optax-jit": lambda s: jax.jit(_optax_update, static_argnums=0)(s),
    "LambdaLR": lambda s: torch.optim.lr_scheduler.LambdaLR(_optimizer(), s),
    "lambda_lr": lambda s: lrsched_torch.lambda_lr(_optimizer(), s),
    "plot": lambda s: s.plot(10),
    "nested": lambda s: (0.5 * s)(3),
    "with-an-array": lambda s: (s * lrsched.constant(jnp.float32(1)))(3),
}


@pytest.mark.parametrize("way", CALLS)
def test_a_call_says_what_is_unresolved(way: str) -> None:
    with pytest.raises(ValueError, match="resolve it with") as raised:
        CALLS[way](WARMUP)
    assert str(raised.value).startswith(UNRESOLVED)
    CALLS[way](WARMUP.resolve(total_steps=100, steps_per_epoch=2))


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


def test_durations_are_static_to_jax() -> None:
    boundaries = lrsched.multi_step_decay(1.0, 0.5, (30, run_fraction(0.5)))
    assert jax.tree.leaves(boundaries) == [1.0, 0.5, 30]
    assert jax.tree.leaves(WARMUP) == [0.1, 0.0, 0.0]
    assert jax.tree.map(lambda x: x, boundaries) == boundaries
    assert len(jax.tree_util.tree_leaves_with_path(WARMUP)) == 3
    traces = 0

    @jax.jit
    def doubled(schedule: Schedule) -> Any:
        nonlocal traces
        traces += 1
        return jax.tree.map(lambda leaf: 2 * leaf, schedule)

    assert doubled(boundaries).params["boundaries"][1] == run_fraction(0.5)
    doubled(boundaries.replace(init_value=2.0))
    assert traces == 1
    doubled(boundaries.replace(boundaries=(30, run_fraction(0.6))))
    assert traces == 2


def test_a_schedule_is_resolved_under_jit() -> None:
    def value(peak: Any) -> Any:
        return lrsched.linear(peak, 0.0, run_fraction(0.5)).resolve(total_steps=20)(5)

    assert jax.jit(value)(2.0) == 1.0


units: Any = lrsched
LINE = units.linear(1, 0, run_fraction(0.5))
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: units.run_fraction(-0.1),
        ValueError,
        "run_fraction: fraction must be a number >= 0, got -0.1",
    ),
    (
        lambda: units.run_fraction(float("nan")),
        ValueError,
        "run_fraction: fraction must be a number >= 0, got nan",
    ),
    (lambda: units.epochs("5"), TypeError, "epochs: number must be a number >= 0, got '5'"),
    (lambda: units.epochs(True), TypeError, "epochs: number must be a number >= 0, got True"),
    (
        lambda: units.tokens(1e19),
        ValueError,
        "tokens: number must be a number of magnitude <= 1e+18, got 1e+19",
    ),
    (
        lambda: units.examples(epochs(1)),
        TypeError,
        "examples: number must be a number >= 0, got epochs(1)",
    ),
    (
        lambda: epochs(1) + float("inf"),
        ValueError,
        "duration: steps must be a finite number, got inf",
    ),
    (
        lambda: epochs(1) - True,
        TypeError,
        "duration: steps must be a finite number, got True",
    ),
    (
        lambda: units.linear(1, 0, epochs(1) - 0.5),
        TypeError,
        "linear: steps must be an integer >= 1 (steps), got epochs(1) - 0.5",
    ),
    (
        lambda: units.constant(run_fraction(1.0)),
        TypeError,
        "constant: value must be a finite number, got run_fraction(1.0)",
    ),
    (
        lambda: units.cosine_restarts(1, 10, epochs(1)),
        TypeError,
        "cosine_restarts: period_mult must be an integer >= 1 (times), got epochs(1)",
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
        "resolve: batch_size must be a number >= 1e-18, got 0",
    ),
    (
        lambda: LINE.resolve(steps_per_epoch="5"),
        TypeError,
        "resolve: steps_per_epoch must be a number >= 1e-18, got '5'",
    ),
    (
        lambda: LINE.resolve(total_steps=1),
        ValueError,
        "linear: steps must be an integer >= 1 (steps), got 0 "
        "(resolved from steps=run_fraction(0.5))",
    ),
    (
        lambda: units.warmup(LINE, run_fraction(3.0)).resolve(total_steps=LAST),
        ValueError,
        "warmup: warmup_steps must be an integer <= 2147483647 (steps), got 6442450941 "
        "(resolved from warmup_steps=run_fraction(3.0))",
    ),
    (
        lambda: units.warmup(LINE, 10).resolve(total_steps=1),
        ValueError,
        "linear: steps must be an integer >= 1 (steps), got 0 "
        "(resolved from steps=run_fraction(0.5))",
    ),
    (
        lambda: units.multi_step_decay(1, 0.5, (run_fraction(0.5), 3)).resolve(total_steps=10),
        ValueError,
        "multi_step_decay: boundaries must be integers >= 0 in ascending order (steps), got (5, 3)"
        " (resolved from boundaries=(run_fraction(0.5), 3))",
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
    (
        lambda: units.stretch(units.linear(1, 0, 9), 0),
        ValueError,
        "stretch: ratio must be a number > 0, got 0",
    ),
    (
        lambda: units.stretch(units.linear(1, 0, 9), 0.01),
        ValueError,
        "linear: steps must be an integer >= 1 (steps), got 0",
    ),
    (
        lambda: units.stretch(units.linear(1, 0, 9), 1e9),
        ValueError,
        "linear: steps must be an integer <= 2147483647 (steps), got 9000000000",
    ),
    (
        lambda: units.from_epochs(units.linear(1, 0, 9), 0),
        ValueError,
        "from_epochs: steps_per_epoch must be an integer >= 1 (steps), got 0",
    ),
    (
        lambda: units.stretch(LINE, 2),
        ValueError,
        "stretch: schedule must be in steps (resolve it first, with schedule.resolve), got "
        "linear(init_value=1.0, end_value=0.0, steps=run_fraction(0.5))",
    ),
    (
        lambda: units.from_epochs(LINE, 2),
        ValueError,
        "from_epochs: schedule must be in steps (resolve it first, with schedule.resolve), got "
        "linear(init_value=1.0, end_value=0.0, steps=run_fraction(0.5))",
    ),
    (
        lambda: units.stretch(0.1, 2),
        TypeError,
        "stretch: schedule must be a schedule, got 0.1",
    ),
    (
        lambda: units.from_epochs(0.1, 2),
        TypeError,
        "from_epochs: schedule must be a schedule, got 0.1",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused_with_its_reason(
    make: Callable[[], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: epochs(1) + "1",
        lambda: "1" - epochs(1),
        lambda: LINE + epochs(1),
        lambda: epochs(1) + None,
        lambda: jax.jit(lambda n: epochs(1) + n)(3),
        lambda: jax.jit(lambda n: epochs(n).steps)(3),
        lambda: jax.jit(lambda n: LINE.resolve(total_steps=n)(3))(10),
    ],
)
def test_durations_are_sums_of_python_numbers(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()
