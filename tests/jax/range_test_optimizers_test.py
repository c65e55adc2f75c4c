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

NUMBER = r"optimizer must be a function of a schedule and not of a number \(for such an f: lambda"
UNUSED = r"optimizer must be a function of a schedule that every update uses \(this one takes a num"
ALONE = r"optimizer must be a function of a schedule alone, such as a functools.partial \(missing"
REFUSED = {
    "dpsgd": ALONE,
    "incremental_update": ALONE,
    "optimistic_adam": NUMBER,
    "rprop": UNUSED,
    "scale": NUMBER,
    "scale_by_rprop": UNUSED,
    "schedule_free": ALONE,
    "sm3": NUMBER,
}
if inspect.signature(optax.fromage).parameters["learning_rate"].annotation is float:  # in 0.2.5
    REFUSED["fromage"] = NUMBER


def loss(params: Any, batch: Any) -> Any:
    return jnp.mean((batch @ params["w"] - 1) ** 2)


def losses(optimizer: Any, **options: Any) -> list[float]:
    test = range_test(loss, PARAMS, BATCHES, optimizer, RAMP, 2, progress=False, **options)
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


@pytest.mark.parametrize(
    "optimizer",
    [
        scaled,
        scaled_in_place,
        logged,
        Scaled(),
        functools.partial(optax.sm3, momentum=0.5),
        lambda rate: optax.chain(optax.clip(1.0), optax.sm3(rate)),
        optax.scale,
    ],
)
@pytest.mark.parametrize("options", [{}, {"compiled": True}, {"compiled": True, "vmap": True}])
def test_a_function_of_a_number(optimizer: Any, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"^range_test: {NUMBER}"):
        losses(optimizer, **options)


def test_a_sweep_refuses_it_too() -> None:
    with pytest.raises(TypeError, match=f"^sweep: {NUMBER}"):
        sweep(loss, PARAMS, BATCHES, [0.1, 0.2], optax.sm3, 2)
    with pytest.raises(TypeError, match=f"^sweep: {ALONE}"):
        sweep(loss, PARAMS, BATCHES, [0.1, 0.2], optax.contrib.dpsgd, 2)


@pytest.mark.parametrize(
    "optimizer", [optax.sm3, scaled, Scaled(), functools.partial(optax.sm3, momentum=0.5)]
)
def test_the_hint_helps(optimizer: Any) -> None:
    """With the losses of training by hand."""
    found = losses(lambda schedule: optax.inject_hyperparams(optimizer)(schedule))
    params: Any = PARAMS
    state = optimizer(0.0).init(params)
    expected = []
    for batch, rate in zip(BATCHES, map(RAMP, range(2)), strict=False):
        expected.append(float(loss(params, batch)))
        gradient = jax.grad(loss)(params, batch)
        updates, state = optimizer(rate).update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    assert found == pytest.approx(expected, rel=1e-6)


def test_another_fault_is_raised_as_it_is() -> None:
    def misspelt(schedule: Any) -> Any:
        return optax.sgdd(schedule)

    def wrong(params: Any, batch: Any) -> Any:
        return params + None

    with pytest.raises(AttributeError, match="sgdd"):
        losses(misspelt)
    with pytest.raises(TypeError, match="unsupported operand"):
        range_test(wrong, 1.0, BATCHES, optax.sgd, RAMP, 2, progress=False)
    with pytest.raises(TypeError, match=f"^range_test: {NUMBER}"):  # the first of two faults
        range_test(wrong, 1.0, BATCHES, logged, RAMP, 2, progress=False)


def test_nothing_has_run() -> None:
    ran: list[int] = []

    def watched(params: Any, batch: Any) -> Any:
        jax.debug.callback(lambda: ran.append(1))
        return loss(params, batch)

    drawn = iter(BATCHES)
    for compiled in (False, True):
        with pytest.raises(TypeError, match=NUMBER):
            range_test(
                watched, PARAMS, drawn, optax.sm3, RAMP, 2, compiled=compiled, progress=False
            )
    assert not ran
