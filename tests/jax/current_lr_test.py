"""`current_lr` and `current_hyperparameters` against the rates that updates really apply."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from tests.optional import needing, needs

needs("jax")
needs("optax")
needs("flax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched_jax import current_hyperparameters, current_lr
from tests.jax.nets import nnx_update

ONE = jnp.float32(1.0)
COSINE = lrsched.warmup(lrsched.cosine_decay(0.3, 9), 4)
CLR = lrsched.cyclic(0.01, 0.1, up_steps=3)
RATES = st.floats(1e-4, 1.0)
LENGTHS = st.integers(1, 12)
SCHEDULES = st.one_of(
    st.builds(lrsched.warmup, st.builds(lrsched.cosine_decay, RATES, LENGTHS), LENGTHS),
    st.builds(lrsched.cyclic, RATES, RATES, up_steps=LENGTHS),
)


def at(schedule: Any, count: int) -> Any:
    return schedule(jnp.int32(count))


def labels(params: Any) -> Any:
    return jax.tree.map(lambda leaf: "a", params)


def not_every_third(step: Any, **kwargs: Any) -> Any:
    return step % 3 != 2


def named(optimizer: Any) -> Any:
    return optax.named_chain(("first", optax.clip(9.0)), ("second", optimizer))


# An optimizer that leaves a gradient of one as it is but for the rate, in a wrapper.
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "sgd": optax.sgd,
    "chain": lambda s: optax.chain(optax.identity(), optax.chain(optax.clip(9.0), optax.sgd(s))),
    "scale_by_schedule": lambda s: optax.chain(optax.scale_by_schedule(s), optax.scale(-1.0)),
    "named_chain": lambda s: named(optax.sgd(s)),
    "beside another count": lambda s: optax.chain(optax.sgd(s), optax.apply_every(1)),
    "masked": lambda s: optax.masked(optax.sgd(s), lambda p: jax.tree.map(lambda x: True, p)),
    "multi_transform": lambda s: optax.multi_transform(
        {"a": optax.sgd(s), "b": optax.sgd(0.1)}, labels
    ),
    "MultiSteps": lambda s: optax.MultiSteps(optax.sgd(s), 3).gradient_transformation(),
    "inject_hyperparams": lambda s: optax.inject_hyperparams(optax.sgd)(learning_rate=s),
    "apply_if_finite": lambda s: optax.apply_if_finite(optax.sgd(s), 2),
    "conditionally_mask": lambda s: optax.conditionally_mask(optax.sgd(s), not_every_third),
    "sign of adam": lambda s: optax.chain(
        optax.scale_by_adam(), optax.scale_by_sign(), named(optax.sgd(s))
    ),
    "split complex": lambda s: optax.contrib.split_real_and_imaginary(optax.sgd(s)),
    "deep": lambda s: optax.MultiSteps(
        optax.apply_if_finite(optax.multi_transform({"a": named(optax.sgd(s))}, labels), 2), 2
    ).gradient_transformation(),
}


@functools.cache
def compiled(name: str) -> Any:
    """One compiled step serves every schedule of a structure."""

    @jax.jit
    def step(schedule: Any, state: Any, gradient: Any) -> Any:
        updates, after = WRAPPERS[name](schedule).update(gradient, state, ONE)
        return -updates, current_lr(state, schedule), after

    return step


def check(name: str, schedule: Any, steps: int) -> list[float]:
    """Compare what is found before each update with what it applies; return what was found."""
    state = WRAPPERS[name](schedule).init(ONE)
    rates = []
    for step in range(steps):
        gradient = jnp.nan if name == "apply_if_finite" and step % 4 == 1 else ONE
        applied, inside, after = compiled(name)(schedule, state, gradient)
        if applied != 0:  # not while it accumulates, or skips a step
            rates.append(float(current_lr(state, schedule)))
            np.testing.assert_allclose(inside, applied, rtol=3e-7)
            np.testing.assert_allclose(rates[-1], applied, rtol=1e-6)
        state = after
    return rates


@given(st.sampled_from(sorted(WRAPPERS)), SCHEDULES, st.integers(1, 8))
@settings(max_examples=25)
def test_the_rate_is_what_the_next_update_applies(name: str, schedule: Any, steps: int) -> None:
    check(name, schedule, steps)


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_every_wrapper_over_many_steps(name: str) -> None:
    assert len(set(check(name, COSINE, 30))) > 6


@pytest.mark.parametrize(
    "schedule",
    [
        optax.cosine_decay_schedule(0.1, 9),
        optax.join_schedules([lambda n: 0.1 + 0.01 * n, optax.constant_schedule(0.2)], [5]),
        optax.constant_schedule(0.2),
        lambda count: 0.25,
    ],
)
def test_schedules_that_are_not_ours(schedule: Any) -> None:
    optimizer = optax.sgd(schedule)
    state = optimizer.init(ONE)
    for _ in range(9):
        found = current_lr(state, schedule)
        updates, state = optimizer.update(ONE, state)
        assert isinstance(found, jax.Array)
        assert found == -updates


@pytest.mark.parametrize("reset", [False, True])
def test_lookahead(reset: bool) -> None:
    optimizer = optax.lookahead(optax.sgd(CLR), 4, 0.5, reset_state=reset)
    params = optax.LookaheadParams.init_synced(ONE)
    state = optimizer.init(params)
    counts = []
    for step in range(10):
        rate = current_lr(state, CLR)
        counts.append(0)
        updates, after = optimizer.update(ONE, state, params)
        if step % 4 != 3:  # else the update also goes back to the slow parameters
            assert rate == pytest.approx(-float(updates.fast), rel=1e-6)
        state = after
    assert current_lr(state, CLR) == at(CLR, 2 if reset else 10)


@pytest.mark.parametrize(
    "name",
    ["prodigy", "dadapt_adamw", "momo", "momo_adam", needing("optax>=0.2.7", "madgrad")],
)
def test_optimizers_of_contrib_that_count_themselves(name: str) -> None:
    """They call the schedule with the count that was found."""
    called: list[int] = []

    def schedule(count: Any) -> Any:
        called.append(int(count))
        return CLR(count)

    optimizer = optax.with_extra_args_support(getattr(optax.contrib, name)(schedule))
    params = jnp.ones(3)
    state = optimizer.init(params)
    for step in range(4):
        assert current_lr(state, CLR) == at(CLR, step)
        _, state = optimizer.update(params, state, params, value=ONE)
    assert called == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "wrap", [optax.contrib.mechanize, lambda o: optax.contrib.schedule_free(o, CLR)]
)
def test_wrappers_of_contrib(wrap: Any) -> None:
    optimizer = wrap(optax.sgd(CLR))
    params = jnp.ones(3)
    state = optimizer.init(params)
    for step in range(5):
        assert current_lr(state, CLR) == at(CLR, step)
        _, state = optimizer.update(params, state, params)


def two(first: Any, second: Any) -> Any:
    return optax.multi_transform({"a": first, "b": second}, {"x": "a", "y": "b"})


@pytest.mark.parametrize("accumulate", [1, 3])
def test_each_label_has_its_rate(accumulate: int) -> None:
    slow = optax.MultiSteps(optax.sgd(COSINE), accumulate).gradient_transformation()
    optimizer = two(optax.sgd(CLR), slow)
    params = {"x": ONE, "y": ONE}
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for _ in range(10):
        found = current_lr(state, {"a": CLR, "b": COSINE})
        updates, state = update(params, state, params)
        assert list(found) == ["a", "b"]
        np.testing.assert_allclose(found["a"], -updates["x"], rtol=2e-7)
        if updates["y"] != 0:
            np.testing.assert_allclose(found["b"], -updates["y"], rtol=2e-7)


def test_names_of_a_chain_are_labels() -> None:
    mask = {"x": True, "y": False}
    parts = [
        optax.masked(optax.sgd(CLR), mask),
        optax.masked(optax.adam(COSINE), {"x": False, "y": True}),
    ]
    state = optax.named_chain(("x", parts[0]), ("y", parts[1])).init({"x": ONE, "y": ONE})
    found = current_lr(state, {"x": CLR, "y": COSINE})
    assert found == {"x": at(CLR, 0), "y": at(COSINE, 0)}


def test_counts_that_differ_are_refused_and_nan_where_they_are_traced() -> None:
    slow = optax.MultiSteps(optax.sgd(CLR), 2).gradient_transformation()
    optimizer = two(optax.sgd(CLR), slow)
    params = {"x": ONE, "y": ONE}
    state = optimizer.init(params)
    inside = jax.jit(lambda state: current_lr(state, CLR))
    assert inside(state) == current_lr(state, CLR) == at(CLR, 0)
    _, state = optimizer.update(params, state, params)
    paths = (
        "schedules are at one count (they are at .inner_states['a'].inner_state[1].count = 1, "
        ".inner_states['b'].inner_state.inner_opt_state[1].count = 0), got PartitionState("
    )
    with pytest.raises(ValueError, match=re.escape(paths)):
        current_lr(state, CLR)
    assert np.isnan(inside(state))
    assert jax.jit(lambda state: current_lr(state, {"a": CLR}))(state)["a"] == at(CLR, 1)


def test_a_batch_of_states() -> None:
    optimizer = optax.adam(CLR)
    states = jax.vmap(optimizer.init)(jnp.ones(3))
    states = optax.tree_utils.tree_set(states, count=jnp.arange(3))
    np.testing.assert_array_equal(current_lr(states, CLR), CLR(jnp.arange(3)))


def test_what_holds_a_state() -> None:
    model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, two_nnx(), wrt=nnx.Param)
    gradient = jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param))
    for step in range(4):
        before = np.array(model.kernel[...])
        found = current_lr(optimizer, {"a": CLR, "b": COSINE})
        inside = nnx.jit(lambda o: current_lr(o, {"a": CLR, "b": COSINE}))(optimizer)
        nnx_update(optimizer, model, gradient)
        np.testing.assert_allclose(before - model.kernel[...], found["a"], rtol=1e-5)
        np.testing.assert_allclose(inside["a"], found["a"], rtol=2e-7)
        assert found["b"] == at(COSINE, step)

    state: Any = TrainState.create(apply_fn=None, params={"w": ONE}, tx=optax.adam(CLR))  # type: ignore[no-untyped-call]
    for step in range(4):
        assert current_lr(state, CLR) == at(CLR, step)
        state = state.apply_gradients(grads={"w": ONE})


def two_nnx() -> Any:
    def label(params: Any) -> Any:
        def place(path: Any, x: Any) -> str:
            return "a" if "kernel" in str(path) else "b"

        return jax.tree_util.tree_map_with_path(place, params)

    return optax.multi_transform({"a": optax.sgd(CLR), "b": optax.sgd(COSINE)}, label)


REFUSALS: list[tuple[Any, Any, type[Exception], str]] = [
    (
        optax.adam(0.1),
        CLR,
        ValueError,
        "opt_state must be a state that counts for a learning-rate schedule (what counts is "
        "[0].count), got (ScaleByAdamState(",
    ),
    (optax.sgd(0.1), CLR, ValueError, "learning-rate schedule (what counts is nothing), got (Em"),
    (
        optax.sgd(CLR),
        {"a": CLR},
        ValueError,
        "learning-rate schedule at 'a' (what counts is [1].co",
    ),
    (
        optax.sgd(CLR),
        0.1,
        TypeError,
        "schedule must be a schedule: a function of the count, got 0.1",
    ),
    (
        optax.sgd(CLR),
        {"a": 1},
        TypeError,
        "schedule['a'] must be a schedule: a function of the cou",
    ),
]


@pytest.mark.parametrize(("optimizer", "schedule", "error", "message"), REFUSALS)
def test_refusals(optimizer: Any, schedule: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match="^current_lr: .*" + re.escape(message)):
        current_lr(optimizer.init(ONE), schedule)


def seen(names: str) -> Any:
    """An optimizer whose updates are its hyperparameters of these names."""

    def factory(**hyperparameters: Any) -> Any:
        update = lambda u, s, p=None: (hyperparameters, s)  # noqa: E731
        return optax.GradientTransformation(lambda p: optax.EmptyState(), update)

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names.split()]
    factory.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return factory


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_hyperparameters_are_those_of_the_next_update(dtype: Any) -> None:
    decay = lambda n: jnp.where(n > 3, 0.9, 0.7)  # noqa: E731  # weakly typed: it is rounded
    optimizer = optax.inject_hyperparams(seen("lr decay fixed array"))(
        lr=COSINE, decay=decay, fixed=0.3, array=jnp.float32(0.7)
    )
    params = jnp.ones(2, dtype)
    state = optimizer.init(params)

    def find(state: Any) -> Any:
        return current_hyperparameters(state, lr=COSINE, decay=decay)

    for step in range(8):
        found, inside = find(state), jax.jit(find)(state)
        stored = state.hyperparams["lr"]
        assert step == 0 or found["lr"] != stored  # it is the last one's
        used, state = optimizer.update(params, state, params)
        assert found.keys() == used.keys() == inside.keys()
        for name in used:
            assert found[name] == used[name], name
            assert found[name].dtype == used[name].dtype
            np.testing.assert_allclose(inside[name], used[name], rtol=2e-7)
        if step == 4:
            state.hyperparams["fixed"] = jnp.asarray(0.8, dtype)
    assert used["fixed"] == jnp.asarray(0.8, dtype)


def test_names_of_several_injections() -> None:
    inject = optax.inject_hyperparams(optax.sgd)
    both = optax.multi_transform({"a": inject(CLR), "b": inject(0.5, momentum=0.9)}, labels)
    clipped = optax.inject_hyperparams(optax.clip)(COSINE)
    state = optax.chain(clipped, both).init(ONE)
    names = [f"1/inner_states/{label}/inner_state/learning_rate" for label in "ab"]
    found = current_hyperparameters(state, **{names[0]: CLR, "max_delta": COSINE})
    assert found == {
        "max_delta": at(COSINE, 0),
        names[0]: at(CLR, 0),
        names[1]: 0.5,
        "momentum": np.float32(0.9),
    }

    def nested(scale: Any) -> Any:
        return optax.chain(optax.inject_hyperparams(optax.scale)(0.25), optax.scale(scale))

    state = optax.inject_hyperparams(nested)(scale=0.125).init(ONE)
    for wrapped in (state, (state,)):
        assert current_hyperparameters(wrapped) == {"scale": 0.125, "step_size": 0.25}


class Stateful:
    """A stateful schedule: it doubles."""

    def init(self) -> Any:
        return ONE

    def update(self, state: Any, **extra: Any) -> Any:
        return 2 * state

    def __call__(self, state: Any, **extra: Any) -> Any:
        return state / 8


def test_a_stateful_schedule_is_called_with_its_state() -> None:
    reachable_state: Any = type("S", (Stateful, optax.schedules.StatefulSchedule), {})()
    optimizer = optax.inject_hyperparams(optax.sgd)(reachable_state)
    state = optimizer.init(ONE)
    for _ in range(4):
        found = current_hyperparameters(state, learning_rate=reachable_state)
        updates, state = optimizer.update(ONE, state, ONE)
        assert found["learning_rate"] == -updates


def test_hyperparameters_of_an_nnx_optimizer() -> None:
    model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    inject = optax.inject_hyperparams(optax.sgd)(CLR, momentum=0.9)
    optimizer = nnx.Optimizer(model, inject, wrt=nnx.Param)
    nnx_update(optimizer, model, jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param)))
    found = current_hyperparameters(optimizer, learning_rate=CLR)
    assert found == {"learning_rate": at(CLR, 1), "momentum": np.float32(0.9)}


HYPERPARAMETER_REFUSALS: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (optax.sgd(CLR), {}, ValueError, "opt_state must be a state of optax.inject_hyperparams, got"),
    (
        optax.inject_hyperparams(optax.sgd)(CLR),
        {},
        ValueError,
        "schedules must be those of ['learning_rate'], each by that name, got []",
    ),
    (
        optax.inject_hyperparams(optax.sgd)(0.1),
        {"learning_rate": CLR},
        ValueError,
        "schedules must be those of [], each by that name, got ['learning_rate']",
    ),
    (
        optax.inject_hyperparams(optax.sgd)(CLR),
        {"learning_rate": 0.1},
        TypeError,
        "learning_rate must be a schedule: a function of the count, got 0.1",
    ),
]


@pytest.mark.parametrize(("optimizer", "schedules", "error", "message"), HYPERPARAMETER_REFUSALS)
def test_refused_hyperparameters(
    optimizer: Any, schedules: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match="^current_hyperparameters: " + re.escape(message)):
        current_hyperparameters(optimizer.init(ONE), **schedules)
