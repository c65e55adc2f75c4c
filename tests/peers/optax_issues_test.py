"""Where optax's schedules go wrong or surprise, and what the same recipe gives here.

Each test shows what the installed optax does and fails when that changes: then it can go. Issues of
one schedule stand in `tests/schedules/`.
"""

import pickle
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.errors import ConcretizationTypeError

import lrsched
from lrsched import Schedule

Recipe = Callable[[Any], Any]  # from a hyperparameter to a schedule


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (lambda x: optax.cosine_decay_schedule(1.0, x), lambda x: lrsched.cosine_decay(1.0, x)),
        (lambda x: optax.linear_schedule(0.0, 1.0, x), lambda x: lrsched.linear(0.0, 1.0, x)),
        (
            lambda x: optax.linear_schedule(0.0, 1.0, 4, transition_begin=x),
            lambda x: lrsched.join([lrsched.constant(0.0), lrsched.linear(0.0, 1.0, 4)], [x]),
        ),
        (
            lambda x: optax.exponential_decay(1.0, x, 0.5),
            lambda x: lrsched.exponential_decay(1.0, 0.5, x),
        ),
        (
            lambda x: optax.warmup_cosine_decay_schedule(0.0, 1.0, x, 30),
            lambda x: lrsched.warmup(lrsched.cosine_decay(1.0, 30 - x), x),
        ),
    ],
    ids=["cosine", "linear", "begin", "exponential", "warmup"],
)
def test_optax_refuses_traced_durations(theirs: Recipe, ours: Recipe) -> None:
    """So each duration is compiled anew; ours are arguments of one compiled function."""
    with pytest.raises(ConcretizationTypeError):
        jax.jit(lambda steps: theirs(steps)(3))(8)
    traces = []

    @jax.jit
    def compiled(steps: Any) -> Any:
        traces.append(steps)
        return ours(steps)(jnp.asarray(3))

    for steps in (8, 20):
        assert compiled(steps) == pytest.approx(float(theirs(steps)(3)), rel=1e-6)
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            lambda x: optax.exponential_decay(1.0, 2, x),
            lambda x: lrsched.exponential_decay(1.0, x, 2),
        ),
        (
            lambda x: optax.warmup_cosine_decay_schedule(0.0, x, 2, 10),
            lambda x: lrsched.warmup(lrsched.cosine_decay(x, 8), 2),
        ),
        (
            lambda x: optax.piecewise_constant_schedule(1.0, {2: x}),
            lambda x: lrsched.multi_step_decay(1.0, x, [2]),
        ),
        (
            lambda x: optax.cosine_onecycle_schedule(10, 1.0, pct_start=x),
            # Both ends one step later, as optax has them.
            lambda x: lrsched.one_cycle(1.0, 11, up_fraction=(10 * x + 1) / 11),
        ),
        (
            lambda x: optax.cosine_onecycle_schedule(10, 1.0, pct_start=0.5, div_factor=x),
            lambda x: lrsched.one_cycle(1.0, 11, up_fraction=6 / 11, div_factor=x),
        ),
    ],
    ids=["decay_rate", "peak_value", "scales", "pct_start", "div_factor"],
)
def test_optax_refuses_traced_values(theirs: Recipe, ours: Recipe) -> None:
    """So they cannot be tuned by gradients or swept by `vmap`."""
    with pytest.raises(ConcretizationTypeError):
        jax.jit(lambda value: theirs(value)(3))(0.5)
    value = jax.jit(lambda value: ours(value)(jnp.asarray(3)))(0.5)
    assert value == pytest.approx(float(theirs(0.5)(3)), rel=1e-5)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (optax.cosine_decay_schedule(1.003e-3, 99), lrsched.cosine_decay(1.003e-3, 99)),
        (optax.constant_schedule(1.003e-3), lrsched.constant(1.003e-3)),
        (
            optax.piecewise_constant_schedule(1.003e-3, {50: 0.1}),
            lrsched.multi_step_decay(1.003e-3, 0.1, [50]),
        ),
    ],
    ids=["cosine", "constant", "piecewise"],
)
def test_optax_inject_hyperparams_casts_to_bfloat16(theirs: optax.Schedule, ours: Schedule) -> None:
    """Weakly typed rates take the type of the parameters, strong ones change that of updates.

    Ours take it all, so that no update changes its type.
    """

    def rate(schedule: optax.Schedule) -> Any:
        optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=schedule)
        weights = jnp.ones(3, jnp.bfloat16)
        _, state = optimizer.update(weights, optimizer.init(weights), weights)
        return state.hyperparams["learning_rate"]

    assert rate(theirs).dtype == jnp.bfloat16
    assert float(rate(theirs)) == pytest.approx(9.995e-4, rel=1e-4)
    # A line is strong in optax too.
    assert rate(optax.linear_schedule(1.003e-3, 0.0, 99)).dtype == jnp.float32
    assert rate(ours) == rate(theirs)
    assert rate(ours).dtype == jnp.bfloat16
    assert rate(lrsched.linear(1.003e-3, 0.0, 99)).dtype == jnp.bfloat16


def test_optax_schedules_do_not_pickle() -> None:
    for theirs in (optax.constant_schedule(1.0), optax.cosine_decay_schedule(1.0, 10)):
        with pytest.raises((AttributeError, pickle.PicklingError), match="local object"):
            pickle.dumps(theirs)
    for ours in (lrsched.constant(1.0), lrsched.cosine_decay(1.0, 10)):
        assert pickle.loads(pickle.dumps(ours)) == ours


def test_optax_schedules_are_unequal_and_retraced() -> None:
    """As static arguments each copy is compiled anew; equal recipes of ours are one."""

    def traces(make: Callable[[], Any]) -> int:
        made = []

        def step(schedule: Any, count: Any) -> Any:
            made.append(schedule)
            return schedule(count)

        compiled = jax.jit(step, static_argnums=0)
        for _ in range(3):
            compiled(make(), 0)
        return len(made)

    assert optax.linear_schedule(1.0, 0.0, 10) != optax.linear_schedule(1.0, 0.0, 10)
    assert traces(lambda: optax.linear_schedule(1.0, 0.0, 10)) == 3
    assert lrsched.linear(1.0, 0.0, 10) == lrsched.linear(1.0, 0.0, 10)
    assert traces(lambda: lrsched.linear(1.0, 0.0, 10)) == 1


def test_optax_schedule_in_a_torch_optimizer() -> None:
    """A lr_scheduler.LambdaLR takes it, and the update breaks on the JAX array that it gives."""
    torch = needs("torch")
    lr_scheduler = needs("torch.optim.lr_scheduler")

    def update(factor: Callable[[int], Any]) -> float:
        weights = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weights], lr=1.0)
        lr_scheduler.LambdaLR(optimizer, factor)
        weights.grad = torch.ones(1)
        optimizer.step()
        return float(weights.item())

    with pytest.raises(TypeError, match="must be Number, not jax"):
        update(optax.cosine_decay_schedule(0.5, 10))
    assert update(lrsched.cosine_decay(0.5, 10)) == -0.5
