"""Types of updates, states and rates in JAX, for parameters of any type, with and without x64."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.optional import is_installed, needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched.controllers import Plateau, reduce_on_plateau
from lrsched_jax import (
    current_hyperparameters,
    current_lr,
    scale_by_learning_rate,
    scale_by_plateau_learning_rate,
)
from tests.backends import jax_x64, strict_jax
from tests.plateaus import runs
from tests.strategies import schedules

Make = Callable[[Schedule], Any]
inject, contrib = optax.inject_hyperparams, optax.contrib


def since(version: str, **makes: Make) -> dict[str, Make]:
    """Optimizers that optax has, or that keep their types, from a version on."""
    return makes if is_installed(f"optax>={version}") else {}


# Whatever the types of the leaves are, an update has that of its own.
EACH_LEAF: dict[str, Make] = {
    "sgd": optax.sgd,
    "momentum": lambda s: optax.sgd(s, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "lion": optax.lion,
    "adafactor": optax.adafactor,
    "lamb": optax.lamb,
    "scale_by_schedule": optax.scale_by_schedule,
    "apply_if_finite": lambda s: optax.apply_if_finite(optax.adam(s), 3),
    "MultiSteps": lambda s: optax.MultiSteps(optax.adam(s), 2).gradient_transformation(),
    "scale_by_learning_rate": scale_by_learning_rate,
    "finite scale_by_learning_rate": lambda s: optax.apply_if_finite(
        optax.chain(optax.scale_by_adam(), scale_by_learning_rate(s)), 3
    ),
    "injected scale_by_learning_rate": lambda s: inject(
        scale_by_learning_rate, hyperparam_dtype=jnp.float32
    )(s),
    "plateau": lambda s: scale_by_plateau_learning_rate(reduce_on_plateau(0.1)),
    **since("0.2.5", muon=lambda s: contrib.muon(s)),
    **since("0.2.6", weight_decay=lambda s: optax.adamw(1e-3, weight_decay=s)),
}
# optax gives all leaves one rate, or one state, of the widest type among them.
EQUAL_LEAVES: dict[str, Make] = EACH_LEAF | {
    "inject": inject(optax.adam),
    "inject b1": lambda s: inject(optax.adam)(1e-3, b1=s),
    "inject weight decay": lambda s: inject(optax.adamw)(1e-3, weight_decay=s),
    "finite inject": lambda s: optax.apply_if_finite(inject(optax.adam)(s), 3),
    "MultiSteps inject": lambda s: optax.MultiSteps(
        inject(optax.adam)(s), 2
    ).gradient_transformation(),
    "schedule_free": lambda s: contrib.schedule_free(optax.sgd(s), s),
    "mechanize": lambda s: contrib.mechanize(optax.sgd(s)),
    "prodigy": contrib.prodigy,
    "dadapt_adamw": contrib.dadapt_adamw,
    "dog": contrib.dog,
    **since("0.2.5", momo=contrib.momo, momo_adam=contrib.momo_adam),
    **since("0.2.6", madgrad=lambda s: contrib.madgrad(s)),
}
SINGLE = ["float32", "bfloat16", "float16"]
FLOATS = [*SINGLE, "float64"]
WARM = lrsched.warmup(lrsched.cosine_decay(0.3, 8), 3)


def types(tree: Any) -> list[tuple[Any, bool]]:
    return [(x.dtype, x.weak_type) for x in jax.tree.leaves(tree)]


def train(optimizer: Any, params: Any) -> tuple[Any, Any, Any]:
    """The updates of a step, and the states before and after three, in a loop of the compiler."""
    optimizer = optax.with_extra_args_support(optimizer)
    gradients = jax.tree.map(lambda leaf: leaf / 2, params)

    def step(carry: Any, _: Any) -> Any:
        params, state = carry
        updates, state = optimizer.update(gradients, state, params, value=jnp.float32(1.0))
        return (optax.apply_updates(params, updates), state), updates

    before = optimizer.init(params)
    (_, after), updates = jax.lax.scan(step, (params, before), length=3)
    return updates, before, after


def check_types(make: Make, schedule: Schedule, dtypes: Sequence[str]) -> None:
    """Without running it: the types of a traced step are those of one that runs."""
    params = [jnp.full((2, 2), 0.5, dtype) for dtype in dtypes]
    updates, before, after = jax.eval_shape(lambda p: train(make(schedule), p), params)
    assert [x.dtype for x in updates] == [jnp.dtype(dtype) for dtype in dtypes]
    assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(before)]


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("name", EQUAL_LEAVES)
def test_updates_have_the_type_of_the_parameters(name: str, x64: bool) -> None:
    with jax_x64(x64):
        for dtype in FLOATS if x64 else SINGLE:
            check_types(EQUAL_LEAVES[name], WARM, [dtype])


@pytest.mark.parametrize("name", EACH_LEAF)
def test_updates_of_mixed_parameters_have_each_its_own_type(name: str) -> None:
    with jax_x64(True):
        check_types(EACH_LEAF[name], WARM, FLOATS)


@settings(max_examples=60)
@given(
    schedules,
    st.sampled_from(sorted(EACH_LEAF)),
    st.lists(st.sampled_from(FLOATS), min_size=1, max_size=3),
    st.booleans(),
)
def test_no_schedule_changes_the_type_of_an_update(
    schedule: Schedule, name: str, dtypes: list[str], x64: bool
) -> None:
    with jax_x64(x64):
        check_types(EACH_LEAF[name], schedule, [d for d in dtypes if x64 or d != "float64"])


@pytest.mark.parametrize("dtype", SINGLE)
def test_optax_1051_and_1405_apply_if_finite_takes_an_injected_schedule(dtype: str) -> None:
    """The updates were float64 under x64, and float32 for bfloat16 parameters."""
    decay = lrsched.cosine_decay(0.1, 10)
    with jax_x64(dtype == "float32"):
        params = jnp.ones(3, dtype)
        for factory in (optax.adam, optax.sgd):
            optimizer = optax.apply_if_finite(inject(factory)(decay), 3)
            updates, state = optimizer.update(params, optimizer.init(params), params)
            assert updates.dtype == jnp.dtype(dtype)
            rate = state.inner_state.hyperparams["learning_rate"]
            assert rate == jnp.asarray(0.1, dtype)
        np.testing.assert_array_equal(updates, -rate)


def test_optax_injects_a_b2_of_1_into_adam_in_bfloat16() -> None:
    """Whatever the rate is: `docs/explanation/numbers.md` warns of it."""
    params = jnp.ones(3, jnp.bfloat16)
    optimizer = inject(optax.adam)(0.1)
    assert optimizer.init(params).hyperparams["b2"] == 1.0
    assert jnp.isnan(optimizer.update(params, optimizer.init(params), params)[0]).all()


@pytest.mark.parametrize("x64", [False, True])
def test_a_state_never_changes_its_types(x64: bool) -> None:
    """Nor gets a weak type, for which a compiled step would be compiled again."""
    with jax_x64(x64):
        for make in (inject(optax.adam), optax.adam, scale_by_learning_rate):
            optimizer, params = make(WARM), jnp.ones(3, jnp.bfloat16)
            before = state = optimizer.init(params)
            for _ in range(3):
                _, state = jax.jit(optimizer.update)(params, state, params)
                assert types(state) == types(before)


# The rate


# Without those so small that XLA flushes them to 0.
gradients = st.just(0.0) | st.floats(1e-20, 100.0) | st.floats(-100.0, -1e-20)


@settings(max_examples=100)
@given(st.floats(1e-6, 10.0), gradients, st.sampled_from(FLOATS), st.booleans())
def test_the_rate_is_never_rounded_below_float32(
    rate: float, gradient: float, dtype: str, flip_sign: bool
) -> None:
    """The update is the product in float32, rounded once to its type."""
    with jax_x64(dtype == "float64"):
        update = jnp.asarray(gradient, dtype)
        wide = np.float64 if dtype == "float64" else np.float32
        product = wide(rate) * wide(update) * (-1 if flip_sign else 1)
        for learning_rate in (rate, lrsched.constant(rate), optax.constant_schedule(rate)):
            optimizer = scale_by_learning_rate(learning_rate, flip_sign=flip_sign)
            found, _ = optimizer.update(update, optimizer.init(update))
            assert found.dtype == update.dtype
            assert found == jnp.asarray(product, dtype)
        plateau = scale_by_plateau_learning_rate(reduce_on_plateau(rate), flip_sign=flip_sign)
        found, _ = plateau.update(update, plateau.init(update), value=1.0)
        assert found.dtype == update.dtype
        assert found == jnp.asarray(product, dtype)


def test_an_injected_rate_of_float32_keeps_its_digits() -> None:
    optimizer = inject(scale_by_learning_rate, hyperparam_dtype=jnp.float32)(
        lrsched.constant(1.003)
    )
    update = jnp.asarray(99.0, jnp.bfloat16)
    updates, state = optimizer.update(update, optimizer.init(update), update)
    assert state.hyperparams["learning_rate"] == jnp.float32(1.003)
    assert updates == jnp.asarray(-99.5, jnp.bfloat16)
    found = current_hyperparameters(state, learning_rate=lrsched.constant(1.003))
    assert found["learning_rate"] == jnp.float32(1.003)


def test_the_values_have_all_digits_of_the_default_type() -> None:
    for x64, dtype in ((False, jnp.float32), (True, jnp.float64)):
        with jax_x64(x64):
            for count in (jnp.int32(3), jnp.arange(4), jnp.float32(2.5), jnp.bfloat16(2.0)):
                for value in (WARM(count), jax.jit(WARM)(count), lrsched.constant(0.1)(count)):
                    assert (value.dtype, value.weak_type) == (dtype, True)
                    assert value.shape == count.shape
            assert float(lrsched.constant(0.1)(jnp.int32(3))) == float(dtype(0.1))


def test_hyperparameters_traced_in_bfloat16_are_computed_with_in_float32() -> None:
    rate = jnp.asarray(0.9, jnp.bfloat16)
    value = jax.jit(lambda rate: lrsched.exponential_decay(0.1, rate)(100))(rate)
    assert value == pytest.approx(0.1 * float(rate) ** 100, rel=1e-6)


@pytest.mark.parametrize("dtype", SINGLE)
def test_the_current_rate_is_that_of_the_next_update(dtype: str) -> None:
    optimizer = optax.chain(optax.scale_by_adam(), scale_by_learning_rate(WARM))
    params = jnp.ones(3, dtype)
    state = optimizer.init(params)
    for count in range(4):
        assert current_lr(state, WARM) == WARM(jnp.int32(count))
        _, state = optimizer.update(params, state, params)


def test_it_takes_the_place_of_optaxs_in_a_checkpoint() -> None:
    params = jnp.ones(3)
    ours, theirs = scale_by_learning_rate(WARM), optax.scale_by_learning_rate(WARM)
    _, state = theirs.update(params, theirs.init(params))
    assert type(state) is type(ours.init(params))
    np.testing.assert_array_equal(ours.update(params, state)[0], theirs.update(params, state)[0])


def test_gradients_flow_through_the_updates() -> None:
    def moved(schedule: Schedule, dtype: Any) -> Any:
        optimizer, params = scale_by_learning_rate(schedule), jnp.ones((), dtype)
        return optimizer.update(params, optimizer.init(params))[0].astype(jnp.float32)

    for dtype in (jnp.float32, jnp.bfloat16):
        slope = jax.grad(moved)(lrsched.constant(0.5), dtype)
        assert slope.params["value"] == -1.0


@pytest.mark.parametrize(
    ("rate", "error", "got"), [("0.1", TypeError, "'0.1'"), (jnp.nan, ValueError, "nan")]
)
def test_what_is_no_learning_rate_is_refused(rate: Any, error: Any, got: str) -> None:
    message = f"scale_by_learning_rate: learning_rate must be a finite number, got {got}"
    with pytest.raises(error, match=message):
        scale_by_learning_rate(rate)


# Strict modes, which the backends of all tests have on, in an optimizer


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("make", [optax.sgd, inject(optax.sgd), scale_by_learning_rate])
def test_jax_7208_and_7368_a_step_is_made_in_jaxs_strict_modes(make: Make, x64: bool) -> None:
    nested = lrsched.join([WARM, lrsched.multi_step_decay(0.1, 0.5, [2, 4])], [5])
    with jax_x64(x64), strict_jax():

        @jax.jit
        def step(schedule: Schedule, params: Any) -> Any:
            optimizer = make(schedule)
            updates, _ = optimizer.update(params, optimizer.init(params), params)
            return params + updates - schedule(3) * params

        for dtype in SINGLE:
            assert step(nested, jnp.ones(3, dtype)).dtype == jnp.dtype(dtype)


# Metrics


@settings(max_examples=40)
@given(runs, st.sampled_from(SINGLE), st.sampled_from(SINGLE), st.booleans())
def test_a_plateau_decides_in_at_least_float32(
    run: Any, of_metric: str, of_rate: str, x64: bool
) -> None:
    """In JAX's default type, also where a metric or a hyperparameter is narrower."""
    plateau, metrics = run
    with jax_x64(x64):
        wide = jnp.result_type(float)
        rate = jnp.asarray(plateau.decay_rate, of_rate)
        narrow, exact = (
            Plateau(
                plateau._definition, (plateau.init_value, x, *list(plateau.params.values())[2:])
            )
            for x in (rate, rate.astype(wide))
        )
        state = expected = plateau.init(jnp.zeros(()))
        for metric in [jnp.asarray(metric, of_metric) for metric in metrics]:
            with strict_jax():
                state = narrow.update(state, metric)
            expected = exact.update(expected, metric.astype(wide))
            assert types(state) == types(plateau.init(jnp.zeros(())))
            np.testing.assert_array_equal(state, expected)
