"""Range tests and sweeps with every optimizer of optax: each runs, or is refused by name."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrsched
from lrsched_jax import range_test, sweep

PARAMS = {"w": jnp.ones((3, 2))}
BATCHES = list(np.random.default_rng(0).normal(size=(4, 16, 3)).astype(np.float32))
RAMP = lrsched.exponential_ramp(1e-3, 1.0, 1)

VALUE = r"optimizer must be a function of a schedule, or of a number that is traced \(this one tak"
UNUSED = r"optimizer must be a function of a schedule that every update uses \(this one takes a num"
ALONE = r"optimizer must be a function of a schedule alone, such as a functools.partial \(missing"
REFUSED = {
    "dpsgd": ALONE,
    "incremental_update": ALONE,
    "rprop": UNUSED,
    "scale_by_rprop": UNUSED,
    "schedule_free": ALONE,
}


def loss(params: Any, batch: Any) -> Any:
    return jnp.mean((batch @ params["w"] - 1) ** 2)


def losses(optimizer: Any, params: Any = PARAMS, steps: int = 2, **options: Any) -> list[float]:
    test = range_test(loss, params, BATCHES, optimizer, RAMP, steps, progress=False, **options)
    found: list[float] = test.losses.tolist()
    return found


def optimizers() -> Iterator[Any]:
    """The public functions of optax that have a learning rate."""
    for module in (optax, optax.contrib):
        for name, function in sorted(vars(module).items()):
            if not name.startswith("_") and inspect.isfunction(function):
                parameters = inspect.signature(function).parameters
                if {"learning_rate", "step_size"} & set(parameters):
                    yield pytest.param(name, function, id=f"{module.__name__}.{name}")


@pytest.mark.filterwarnings("ignore:Specifying a key will be required:UserWarning")
@pytest.mark.filterwarnings("ignore:.optimistic_adam. is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("name", "optimizer"), list(optimizers()))
def test_every_optimizer_of_optax_runs_or_is_refused(
    name: str, optimizer: Callable[..., Any]
) -> None:
    if name in REFUSED:
        with pytest.raises(TypeError, match=f"^range_test: {REFUSED[name]}"):
            losses(optimizer)
        return
    first, second = losses(optimizer)
    assert np.isfinite(second)
    assert second != first


def scaled(rate: Any) -> Any:
    return optax.chain(optax.trace(0.9), optax.scale(-rate))


def scaled_in_place(rate: Any) -> Any:
    return optax.scale(-1.0 * rate)


def logged(rate: Any) -> Any:
    return optax.sgd(float(f"{rate:.3f}"))


class Scaled:
    def __call__(self, rate: Any) -> Any:
        return scaled(rate)


NUMBERS = [
    optax.sm3,
    optax.scale,
    scaled,
    scaled_in_place,
    Scaled(),
    functools.partial(optax.sm3, momentum=0.5),
    lambda rate: optax.chain(optax.clip(1.0), optax.sm3(rate)),
    lambda rate: optax.sgd(jnp.log1p(rate)),
]


@pytest.mark.parametrize("optimizer", NUMBERS)
@pytest.mark.parametrize("bits", [32, 16])
def test_an_optimizer_may_take_a_number(optimizer: Any, bits: int) -> None:
    """The bits are those of optax's own way to change it."""

    def injected(schedule: Any) -> Any:
        # Of the rate alone: optax would also round sm3's momentum to float32.
        return optax.inject_hyperparams(lambda rate: optimizer(rate))(schedule)

    params = jax.tree.map(lambda x: x.astype({32: jnp.float32, 16: jnp.bfloat16}[bits]), PARAMS)
    for compiled in (False, True):
        found, wanted = (
            losses(each, params, 5, compiled=compiled) for each in (optimizer, injected)
        )
        assert found == wanted
    assert len(set(found)) > 3


def test_a_sweep_and_repeats_of_an_optimizer_that_takes_a_number() -> None:
    rates: list[Any] = [0.1, 0.2, lrsched.cosine_decay(0.1, 5)]
    wanted = sweep(loss, PARAMS, BATCHES, rates, optax.inject_hyperparams(scaled), 5)
    found = sweep(loss, PARAMS, BATCHES, rates, scaled, 5)
    np.testing.assert_array_equal(found.losses, wanted.losses)
    assert len(set(found.losses[:, -1])) == 3
    options = {"repeats": 2, "compiled": True, "vmap": True}
    one, two = losses(scaled, lambda key: {"w": jax.random.normal(key, (3, 2))}, 2, **options)
    assert one != two


def test_a_sweep_refuses_what_is_no_function_of_a_schedule() -> None:
    with pytest.raises(TypeError, match=f"^sweep: {VALUE}"):
        sweep(loss, PARAMS, BATCHES, [0.1, 0.2], logged, 2)
    with pytest.raises(TypeError, match=f"^sweep: {UNUSED}"):
        sweep(loss, PARAMS, BATCHES, [0.1, 0.2], optax.rprop, 2)
    with pytest.raises(TypeError, match=f"^sweep: {ALONE}"):
        sweep(loss, PARAMS, BATCHES, [0.1, 0.2], optax.contrib.dpsgd, 2)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (logged, VALUE),
        (lambda rate: optax.rprop(2.0 * rate.real), UNUSED),
        (lambda rate: optax.sgd(0.1 if rate > 0 else 0.2), VALUE),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_an_optimizer_is_refused_that_uses_no_traced_number(
    optimizer: Any, message: str, compiled: bool
) -> None:
    with pytest.raises(TypeError, match=f"^range_test: {message}"):
        losses(optimizer, compiled=compiled)


def test_another_fault_is_raised_as_it_is() -> None:
    def misspelt(schedule: Any) -> Any:
        return optax.sgdd(schedule)

    def wrong(params: Any, batch: Any) -> Any:
        return params + None

    with pytest.raises(AttributeError, match="sgdd"):
        losses(misspelt)
    with pytest.raises(TypeError, match="unsupported operand"):
        range_test(wrong, 1.0, BATCHES, optax.sgd, RAMP, 2, progress=False)
    with pytest.raises(TypeError, match=f"^range_test: {VALUE}"):  # the first of two faults
        range_test(wrong, 1.0, BATCHES, logged, RAMP, 2, progress=False)
    for optimizer in (optax.sm3, lambda rate: optax.sgd(jnp.log1p(rate))):  # only one is a fault
        with pytest.raises(TypeError, match="unsupported operand"):
            range_test(wrong, 1.0, BATCHES, optimizer, RAMP, 2, progress=False)


def test_nothing_has_run() -> None:
    ran: list[int] = []

    def watched(params: Any, batch: Any) -> Any:
        jax.debug.callback(lambda: ran.append(1))
        return loss(params, batch)

    drawn = iter(BATCHES)
    for compiled in (False, True):
        with pytest.raises(TypeError, match=VALUE):
            range_test(watched, PARAMS, drawn, logged, RAMP, 2, compiled=compiled, progress=False)
    assert not ran
