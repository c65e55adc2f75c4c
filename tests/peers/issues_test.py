"""Where other libraries go wrong or surprise, and what the same recipe gives here.

Each test shows what the installed peer does and fails when that changes: then it can go.
"""

import bisect
import dataclasses
import io
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch
import transformers.optimization as hf
from jax.errors import ConcretizationTypeError
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

import lrsched
from lrsched import Schedule
from lrsched._core.definition import REGISTRY
from lrsched_torch import lambda_lr
from tests.oracles import exact

Make = Callable[[Optimizer], LRScheduler]
Recipe = Callable[[Any], Any]  # from a hyperparameter to a schedule

ULPS_8 = 8 * 2.0**-23  # relative, in float32
keras_schedules = keras.optimizers.schedules


def error_in_float32(schedule: Callable[[Any], Any], recipe: Schedule, count: int) -> float:
    """How far a schedule is from the exact value of a recipe, relative to that."""
    wanted = float(exact(recipe, count))
    value = schedule(jnp.asarray(count, jnp.int32))
    assert value.dtype == jnp.float32
    return abs(float(value) - wanted) / wanted


def sgd(*lrs: float) -> Optimizer:
    """An optimizer with a param group for each learning rate, by default one of 1."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs or (1.0,)]
    return torch.optim.SGD(groups, lr=groups[0]["lr"])  # type: ignore[arg-type]


def lr_of(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def advance(optimizer: Optimizer, scheduler: LRScheduler, steps: int) -> list[float]:
    """The first group's learning rate at each of the next updates."""
    lrs = []
    for _ in range(steps):
        lrs.append(lr_of(optimizer))
        optimizer.step()
        scheduler.step()
    return lrs


def stepped(make: Make, steps: int, lr: float = 1.0) -> list[float]:
    optimizer = sgd(lr)
    return advance(optimizer, make(optimizer), steps)


def values(schedule: Callable[[int], Any], counts: Any) -> list[float]:
    return [float(schedule(count)) for count in counts]


def reloaded(state: Any) -> Any:
    """What a checkpoint gives back where nothing but plain data is allowed in it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# optax: digits


@pytest.mark.parametrize(("left", "lost"), [(10, 1.0), (100, 0.2), (1000, 0.002)])
def test_optax_cosine_cancels_in_float32(left: int, lost: float) -> None:
    """`1 + cos` near the end; ours is a square."""
    steps = 10**6
    recipe = lrsched.cosine_decay(1.0, steps)
    theirs = optax.cosine_decay_schedule(1.0, steps)
    assert error_in_float32(theirs, recipe, steps - left) >= lost
    assert error_in_float32(recipe, recipe, steps - left) <= ULPS_8


@pytest.mark.parametrize(("count", "lost"), [(1, 0.01), (10, 0.001)])
def test_optax_linear_warmup_cancels_in_float32(count: int, lost: float) -> None:
    """`(0 - 1) * (1 - t / T) + 1` at the start; ours has a share of its own for what is done."""
    recipe = lrsched.linear(0.0, 1.0, 10**6)
    theirs = optax.linear_schedule(0.0, 1.0, 10**6)
    assert error_in_float32(theirs, recipe, count) >= lost
    assert error_in_float32(recipe, recipe, count) <= ULPS_8
    warmed = lrsched.warmup(lrsched.constant(1.0), 10**6)
    assert error_in_float32(warmed, recipe, count) <= ULPS_8


@pytest.mark.parametrize(("count", "lost"), [(10**6, 0.01), (10**7, 0.1)])
def test_optax_exponential_decay_rounds_its_rate_to_float32(count: int, lost: float) -> None:
    """0.999999 is 0.99999899 in float32; ours takes its logarithm in float64."""
    recipe = lrsched.exponential_decay(1.0, 0.999999)
    theirs = optax.exponential_decay(1.0, 1, 0.999999)
    assert error_in_float32(theirs, recipe, count) >= lost
    assert error_in_float32(recipe, recipe, count) <= ULPS_8


def test_optax_linear_decay_has_no_place_for_late_counts() -> None:
    """2**24 + 1 is no float32, so the last step but one has twice its rate; ours subtracts ints."""
    steps = 2**24 + 2
    recipe = lrsched.linear(1.0, 0.0, steps)
    assert error_in_float32(optax.linear_schedule(1.0, 0.0, steps), recipe, steps - 1) > 0.99
    assert error_in_float32(recipe, recipe, steps - 1) <= ULPS_8


def test_optax_staircase_comes_late_under_jit() -> None:
    """Compiled, `41 / 41` is `41 * (1 / 41)` and below 1: its floor is 0; ours divides integers."""

    def late(schedule: Callable[[int], Any]) -> list[int]:
        """The step sizes S from 39 to 49 with which the first stair is not there at count S."""
        return [size for size in range(39, 50) if jax.jit(schedule(size))(size) != 0.5]

    assert float(optax.exponential_decay(1.0, 41, 0.5, staircase=True)(41)) == 0.5
    assert late(lambda size: optax.exponential_decay(1.0, size, 0.5, staircase=True)) == [41, 47]
    assert late(lambda size: lrsched.exponential_decay(1.0, 0.5, size, staircase=True)) == []
    assert late(lambda size: lrsched.step_decay(1.0, 0.5, size)) == []


@pytest.mark.parametrize(("power", "left"), [(1.0, 2.0**-24), (0.5, 2.0**-12)])
def test_optax_polynomial_misses_its_end_under_jit(power: float, left: float) -> None:
    """`1 - 41 / 41` is above 0 too, and so is the rate, for ever."""
    theirs = optax.polynomial_schedule(1.0, 0.0, power, 41)
    assert values(theirs, (41, 10**6)) == [0.0, 0.0]
    assert all(left / 2 <= value <= left for value in values(jax.jit(theirs), (41, 10**6)))
    ours = lrsched.polynomial(1.0, 0.0, 41, power)
    assert values(jax.jit(ours), (41, 10**6)) == [0.0, 0.0]
    assert values(jax.jit(lrsched.linear(1.0, 0.0, 41)), (41, 10**6)) == [0.0, 0.0]


def test_optax_linear_schedule_breaks_late_on_a_long_duration() -> None:
    """A duration above int32 is taken, and the first call overflows; ours is refused at once."""
    theirs = optax.linear_schedule(1.0, 0.0, 2**31)
    with pytest.raises(OverflowError):
        theirs(5)
    with pytest.raises(ValueError, match="linear: steps must be an integer <= 2147483647"):
        lrsched.linear(1.0, 0.0, 2**31)


# optax: gradients, tracers, dtypes, arrays


@pytest.fixture
def _own_schedules() -> Iterator[None]:
    known = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)


@pytest.mark.usefixtures("_own_schedules")
@pytest.mark.parametrize("count", [0, 5, 9])
def test_optax_join_schedules_has_nan_gradients(count: int) -> None:
    """It masks what the tail is at negative counts, NaN, but not the derivative."""

    @lrsched.schedule
    def inverse_root(xp: Any, count: Any, init_value: lrsched.Value) -> Any:
        return init_value / xp.sqrt(count + 1.0)

    def theirs(peak: Any) -> Any:
        tail = lambda count: peak / jnp.sqrt(count + 1.0)  # noqa: E731
        return optax.join_schedules([optax.linear_schedule(0.0, peak, 10), tail], [10])(count)

    def ours(peak: Any) -> Any:
        line = lrsched.linear(0.0, peak, 10)
        return lrsched.join([line, inverse_root(peak)], [10])(jnp.asarray(count))

    assert theirs(2.0) == pytest.approx(0.2 * count, rel=1e-6)
    assert math.isnan(jax.grad(theirs)(2.0))
    assert jax.grad(ours)(2.0) == pytest.approx(count / 10, rel=1e-6)


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
    """Weakly typed rates take the dtype of the parameters, strong ones stay what they are."""

    def rate(schedule: optax.Schedule) -> Any:
        optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=schedule)
        weights = jnp.ones(3, jnp.bfloat16)
        _, state = optimizer.update(weights, optimizer.init(weights), weights)
        return state.hyperparams["learning_rate"]

    assert rate(theirs).dtype == jnp.bfloat16
    assert float(rate(theirs)) == pytest.approx(9.995e-4, rel=1e-4)
    # A line is strong in optax too.
    assert rate(optax.linear_schedule(1.003e-3, 0.0, 99)).dtype == jnp.float32
    assert rate(ours).dtype == jnp.float32
    assert float(rate(ours)) == pytest.approx(1.003e-3, rel=1e-7)


def test_optax_piecewise_interpolate_is_garbage_on_arrays() -> None:
    """A dot product over the wrong axis; ours takes arrays of any shape."""
    counts = jnp.arange(12)
    theirs = optax.piecewise_interpolate_schedule("linear", 1.0, {10: 0.1})
    ours = lrsched.linear(1.0, 0.1, 10)
    assert values(theirs, range(12)) == pytest.approx(values(ours, range(12)), rel=1e-6)
    assert float(theirs(counts)[0]) == pytest.approx(5.95)
    np.testing.assert_allclose(ours(counts), values(ours, range(12)), rtol=1e-6)


def test_optax_one_cycle_breaks_on_arrays() -> None:
    """Two counts give one value twice, twelve raise."""
    theirs = optax.cosine_onecycle_schedule(10, 1.0)
    np.testing.assert_allclose(theirs(jnp.arange(2)), 0.04, rtol=1e-6)
    assert float(theirs(1)) > 0.2
    with pytest.raises(TypeError, match="incompatible shapes"):
        theirs(jnp.arange(12))
    ours = lrsched.one_cycle(1.0, 10)
    np.testing.assert_allclose(ours(jnp.arange(12)), values(ours, range(12)), rtol=1e-6)


def test_optax_constant_schedule_has_no_shape() -> None:
    counts = jnp.arange(12)
    assert np.shape(optax.constant_schedule(0.1)(counts)) == ()
    assert lrsched.constant(0.1)(counts).shape == (12,)


# optax: values


def test_optax_join_schedules_drops_schedules() -> None:
    """A boundary too few, and the last schedule is never used; ours refuses it."""
    theirs = optax.join_schedules([optax.constant_schedule(float(k)) for k in (1, 2, 3)], [10])
    assert values(theirs, (9, 10, 10**9)) == [1.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="join: schedules must be 2 schedules"):
        lrsched.join([lrsched.constant(float(k)) for k in (1, 2, 3)], [10])


def test_optax_warmup_of_no_steps_is_zero_for_ever() -> None:
    """A line of no steps is its initial value; a warmup of no steps is none."""
    assert values(optax.warmup_constant_schedule(0.0, 1.0, 0), (0, 1, 10**6)) == [0.0] * 3
    assert values(lrsched.warmup(lrsched.constant(1.0), 0), (0, 1, 10**6)) == [1.0] * 3


def test_optax_exponential_decay_takes_a_rate_of_zero_for_one() -> None:
    assert values(optax.exponential_decay(1.0, 10, 0.0), (0, 1, 10)) == [1.0, 1.0, 1.0]
    assert values(lrsched.exponential_decay(1.0, 0.0, 10), (0, 1, 10)) == [1.0, 0.0, 0.0]


def test_optax_one_cycle_with_equal_boundaries_has_no_peak() -> None:
    """The boundaries are keys of a dict, and the later one replaces the peak."""
    theirs = optax.cosine_onecycle_schedule(10, 1.0, pct_start=1.0)
    assert max(values(theirs, range(12))) == pytest.approx(0.04)
    ours = values(lrsched.one_cycle(1.0, 10, up_fraction=1.0), range(12))
    assert ours == sorted(ours)
    assert ours[9] == 1.0


def test_optax_one_cycle_ends_one_step_late() -> None:
    """At count N, when the last of N updates has been made with a rate 125 times the final one."""
    theirs = optax.cosine_onecycle_schedule(100, 1.0)
    assert float(theirs(99)) == pytest.approx(125 * 4e-6, rel=0.02)
    assert float(theirs(100)) == pytest.approx(4e-6)
    assert lrsched.one_cycle(1.0, 100)(99) == pytest.approx(4e-6, rel=1e-12)


def test_optax_1403_short_one_cycles() -> None:
    """NaN from an empty phase, mended by its PR 1425; ours has a value for every length."""
    for theirs in (optax.linear_onecycle_schedule, optax.cosine_onecycle_schedule):
        assert np.isfinite(values(theirs(2, 1.0), range(4))).all()
    for steps in range(2, 8):
        for fraction in (0.0, 0.1, 0.5, 1.0):
            ours = values(lrsched.one_cycle(1.0, steps, fraction), range(steps + 2))
            assert all(4e-6 * (1 - 1e-12) <= value <= 1.0 for value in ours)


# optax: schedules as values


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
    """A LambdaLR takes it, and the update breaks on the JAX array that it gives."""

    def update(factor: Callable[[int], Any]) -> float:
        weights = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weights], lr=1.0)
        LambdaLR(optimizer, factor)
        weights.grad = torch.ones(1)
        optimizer.step()
        return weights.item()

    with pytest.raises(TypeError, match="must be Number, not jax"):
        update(optax.cosine_decay_schedule(0.5, 10))
    assert update(lrsched.cosine_decay(0.5, 10)) == -0.5


# Keras


def test_keras_cosine_decay_from_an_integer_zero_stays_there() -> None:
    """`initial_learning_rate=0` makes it compute in integers, to the end of the warmup and on."""
    theirs = [
        keras_schedules.CosineDecay(zero, 100, warmup_target=0.1, warmup_steps=10)
        for zero in (0, 0.0)
    ]
    counts = (0, 5, 10, 60)
    assert values(theirs[0], counts) == [0.0, 0.0, 0.0, 0.0]
    ours = values(lrsched.warmup(lrsched.cosine_decay(0.1, 100), 10, init_value=0), counts)
    assert ours == pytest.approx([0.0, 0.05, 0.1, 0.05], rel=1e-15)
    assert values(theirs[1], counts) == pytest.approx(ours, rel=1e-6)


@pytest.mark.parametrize("restart", [81910, 327670, 671088630])
def test_keras_cosine_restarts_miss_a_restart(restart: int) -> None:
    """A float32 logarithm lands below the whole number: the bottom for the top."""
    cycle = restart // 10 + 1
    assert cycle & (cycle - 1) == 0  # 10 * (2**k - 1) is the k-th restart
    assert float(keras_schedules.CosineDecayRestarts(1.0, 10)(restart)) < 1e-6
    assert float(keras_schedules.CosineDecayRestarts(1.0, 10)(150)) == 1.0
    assert lrsched.cosine_restarts(1.0, 10, 2)(restart) == 1.0
    assert lrsched.cosine_restarts(1.0, 10, 2)(jnp.asarray(restart)) == 1.0


def test_keras_piecewise_constant_is_one_step_late() -> None:
    """The value before a boundary holds at it too."""
    theirs = keras_schedules.PiecewiseConstantDecay([100, 150], [1.0, 0.5, 0.25])
    counts = (99, 100, 101, 150, 151)
    assert values(theirs, counts) == [1.0, 1.0, 0.5, 0.5, 0.25]
    ours = lrsched.piecewise_constant([1.0, 0.5, 0.25], [100, 150])
    assert values(ours, counts) == [1.0, 0.5, 0.5, 0.25, 0.25]


def test_keras_21772_alpha_is_a_ratio() -> None:
    """A floor of 0.01 asked for is 0.001; `end_value` is a value."""
    assert float(keras_schedules.CosineDecay(0.1, 10, alpha=0.01)(10)) == pytest.approx(0.001)
    assert lrsched.cosine_decay(0.1, 10, end_value=0.01)(10) == 0.01


def test_keras_schedules_are_unequal_to_their_copies() -> None:
    theirs = keras_schedules.ExponentialDecay(0.1, 10, 0.5)
    assert keras_schedules.ExponentialDecay.from_config(theirs.get_config()) != theirs
    ours = lrsched.exponential_decay(0.1, 0.5, 10)
    assert lrsched.from_dict(ours.to_dict()) == ours


def test_keras_cosine_decay_with_warmup_takes_no_arrays() -> None:
    """With warmup it branches on the count."""
    theirs = keras_schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=5)
    with pytest.raises(TypeError, match="must be a scalar"):
        theirs(np.arange(12))
    ours = lrsched.warmup(lrsched.cosine_decay(1.0, 10), 5)
    np.testing.assert_allclose(ours(np.arange(12)), values(ours, range(12)), rtol=1e-14)
    np.testing.assert_allclose(values(theirs, range(12)), ours(np.arange(12)), rtol=1e-6)


def test_keras_cosine_is_float32_under_x64() -> None:
    """`keras.ops.cos` gives float32 for float64 on JAX, unless x64 is on at its import."""
    with jax.enable_x64(True):
        count = jnp.asarray(5)
        theirs = float(keras_schedules.CosineDecay(1.0, 10)(count))
        assert 1e-8 < abs(theirs - 0.5) < 1e-7
        assert float(lrsched.cosine_decay(1.0, 10)(count)) == pytest.approx(0.5, rel=1e-15)


# torch: LambdaLR


@dataclasses.dataclass(frozen=True)
class Decay:
    rate: float

    def __call__(self, count: int) -> float:
        return self.rate**count


@dataclasses.dataclass(frozen=True, slots=True)
class SlottedDecay:
    rate: float

    def __call__(self, count: int) -> float:
        return self.rate**count


def test_pytorch_lambda_lr_replaces_a_frozen_schedule_by_the_checkpoint() -> None:
    """The state holds the callable's `__dict__`, so loading undoes an edited recipe in silence."""
    written = LambdaLR(sgd(), Decay(0.9)).state_dict()
    edited = Decay(0.5)
    LambdaLR(sgd(), edited).load_state_dict(written)
    assert edited == Decay(0.9)

    ours = lrsched.exponential_decay(1.0, 0.5)
    written = LambdaLR(sgd(), lrsched.exponential_decay(1.0, 0.9)).state_dict()
    LambdaLR(sgd(), ours).load_state_dict(written)
    assert ours == lrsched.exponential_decay(1.0, 0.5)

    optimizer = sgd()
    scheduler = lambda_lr(optimizer, ours)
    written = lambda_lr(sgd(), lrsched.exponential_decay(1.0, 0.9)).state_dict()
    with pytest.warns(UserWarning, match="the schedule in the code is kept"):
        scheduler.load_state_dict(written)
    assert advance(optimizer, scheduler, 2) == [1.0, 0.5]


@pytest.mark.parametrize("factor", [SlottedDecay(0.9), math.cos], ids=["slots", "builtin"])
def test_pytorch_lambda_lr_has_no_state_of_a_callable_without_a_dict(factor: Any) -> None:
    with pytest.raises(AttributeError, match="__dict__"):
        LambdaLR(sgd(), factor).state_dict()
    schedule = lrsched.exponential_decay(1.0, 0.9)
    assert reloaded(LambdaLR(sgd(), schedule).state_dict())["lr_lambdas"] == [{}]


def test_lightly_1902_numpy_rates_break_the_checkpoint() -> None:
    """A factor in NumPy makes the lr a NumPy scalar, which is no plain data; ours are floats."""

    def checkpoint(factor: Callable[[int], float]) -> Any:
        optimizer = sgd()
        LambdaLR(optimizer, factor)
        return reloaded(optimizer.state_dict())

    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        checkpoint(lambda count: np.float64(0.9) ** count)
    ours = lrsched.exponential_decay(np.float64(1.0), np.float64(0.9))
    assert type(ours(3)) is float
    assert checkpoint(ours)["param_groups"][0]["lr"] == 1.0


def test_lightly_1352_lambda_lr_multiplies_by_the_rate() -> None:
    """A rate taken for a factor is applied twice; `lambda_lr` takes rates."""
    schedule = lrsched.constant(0.1)
    assert stepped(lambda o: LambdaLR(o, schedule), 1, lr=0.1) == pytest.approx([0.01])
    assert stepped(lambda o: lambda_lr(o, schedule), 1, lr=0.1) == [0.1]


def test_pytorch_lambda_lr_breaks_on_a_new_param_group() -> None:
    """It has as many factors as there were groups at its making."""

    def grown(make: Make) -> list[float]:
        optimizer = sgd()
        scheduler = make(optimizer)
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
        optimizer.step()
        scheduler.step()
        return [group["lr"] for group in optimizer.param_groups]

    with pytest.raises(ValueError, match="zip"):
        grown(lambda o: LambdaLR(o, lrsched.exponential_decay(1.0, 0.5)))
    assert grown(lambda o: lambda_lr(o, lrsched.exponential_decay(1.0, 0.5))) == [0.5, 0.5]


# torch: what an optimizer already has


def test_pytorch_21965_cyclic_lr_starts_from_another_schedulers_rate() -> None:
    """`initial_lr` of an earlier scheduler stands for `base_lr`."""

    def second(make: Make) -> list[float]:
        optimizer = sgd(0.5)
        StepLR(optimizer, 10)
        return advance(optimizer, make(optimizer), 3)

    assert second(lambda o: CyclicLR(o, 0.1, 1.0, 5, cycle_momentum=False))[0] == 0.5
    recipe = lrsched.cyclic(0.1, 1.0, 5)
    assert second(lambda o: lambda_lr(o, recipe)) == pytest.approx([0.1, 0.28, 0.46], rel=1e-15)


def test_pytorch_second_scheduler_jumps_back_to_the_first_ones_start() -> None:
    """From 0.125 to 1.0 where it should go on."""

    def second(make: Make) -> list[float]:
        optimizer = sgd()
        advance(optimizer, ExponentialLR(optimizer, 0.5), 3)
        return [lr_of(optimizer), *advance(optimizer, make(optimizer), 1)]

    assert second(lambda o: CosineAnnealingWarmRestarts(o, 10)) == [0.125, 1.0]
    recipe = lrsched.join(
        [lrsched.exponential_decay(1.0, 0.5), lrsched.cosine_restarts(0.125, 10)], [3]
    )
    assert second(lambda o: lambda_lr(o, recipe, last_step=2)) == [0.125, 0.125]


def test_pytorch_119168_making_a_scheduler_changes_a_restored_optimizer() -> None:
    """Made after the optimizer is loaded, it warms up from the loaded rate (also #65342)."""

    def resumed(make: Make) -> list[float]:
        optimizer = sgd()
        scheduler = make(optimizer)
        advance(optimizer, scheduler, 5)
        states = optimizer.state_dict(), scheduler.state_dict()
        again = sgd()
        again.load_state_dict(states[0])
        scheduler = make(again)
        scheduler.load_state_dict(states[1])
        return [lr_of(optimizer), lr_of(again)]

    theirs = resumed(lambda o: LinearLR(o, 0.1, 1.0, 10))
    assert theirs == pytest.approx([0.55, 0.055])
    ours = resumed(lambda o: lambda_lr(o, lrsched.linear(0.1, 1.0, 10)))
    assert ours == pytest.approx([0.55, 0.55], rel=1e-15)


def test_pytorch_one_cycle_lr_in_a_sequence_spoils_the_warmup() -> None:
    """It puts its own `initial_lr` into the groups, so the warmup goes to a 25th of the peak."""
    lrs = stepped(
        lambda o: SequentialLR(o, [LinearLR(o, 0.1, 1.0, 5), OneCycleLR(o, 1.0, 20)], [5]), 11
    )
    assert lrs[4] == pytest.approx(0.0328)
    recipe = lrsched.join([lrsched.linear(0.1, 1.0, 5), lrsched.one_cycle(1.0, 20)], [5])
    assert recipe(4) == pytest.approx(0.82, rel=1e-15)
    assert recipe(10) == pytest.approx(lrs[10], rel=1e-12)


# torch: sequences and chains


def test_pytorch_162591_sequential_lr_does_not_resume_at_last_epoch() -> None:
    """It begins with the first scheduler's start whatever `last_epoch` is."""

    def members(optimizer: Optimizer) -> list[LRScheduler]:
        return [LinearLR(optimizer, 0.1, 1.0, 5), ConstantLR(optimizer, 0.5, 100)]

    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 1.0
    SequentialLR(optimizer, members(optimizer), [5], last_epoch=6)
    assert lr_of(optimizer) == 0.1
    assert stepped(lambda o: SequentialLR(o, members(o), [5]), 8)[7] == 0.5
    recipe = lrsched.join([lrsched.linear(0.1, 1.0, 5), lrsched.constant(0.5)], [5])
    resumed = sgd()
    lambda_lr(resumed, recipe, last_step=6)
    assert lr_of(resumed) == 0.5


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_pytorch_196243_sequential_lr_does_not_nest() -> None:
    """As the first member a sequence is one step ahead, as a later one it raises."""

    def inner(optimizer: Optimizer) -> LRScheduler:
        return SequentialLR(
            optimizer, [LinearLR(optimizer, 0.5, 1.0, 2), ExponentialLR(optimizer, 0.5)], [2]
        )

    assert stepped(inner, 4) == [0.5, 0.75, 1.0, 0.5]
    assert stepped(lambda o: SequentialLR(o, [inner(o)], []), 3) == [0.5, 1.0, 0.5]
    with pytest.raises(NotImplementedError):
        stepped(lambda o: SequentialLR(o, [LinearLR(o, 0.1, 1.0, 2), inner(o)], [2]), 3)
    nested = lrsched.join([lrsched.linear(0.5, 1.0, 2), lrsched.exponential_decay(1.0, 0.5)], [2])
    assert values(nested, range(5)) == stepped(inner, 5)
    assert values(lrsched.join([nested], []), range(5)) == values(nested, range(5))
    outer = lrsched.join([lrsched.linear(0.1, 1.0, 2), nested], [2])
    assert values(outer, range(2, 7)) == values(nested, range(5))


def test_pytorch_sequential_lr_skips_unsorted_milestones() -> None:
    """The scheduler in the middle is never used; ours refuses them."""
    lrs = stepped(
        lambda o: SequentialLR(
            o, [ConstantLR(o, 1.0, 1), ExponentialLR(o, 0.5), ConstantLR(o, 0.1, 100)], [5, 2]
        ),
        8,
    )
    assert lrs == [1.0, 1.0, *[0.1] * 6]
    flat = lrsched.constant(1.0)
    with pytest.raises(ValueError, match="strictly ascending"):
        lrsched.join([flat, flat, flat], [5, 2])


def test_pytorch_129565_a_chained_scheduler_overwrites_the_one_before() -> None:
    """Warm restarts put their own value over a decay chained before them."""

    def chain(optimizer: Optimizer) -> LRScheduler:
        members = [ExponentialLR(optimizer, 0.5), CosineAnnealingWarmRestarts(optimizer, 4)]
        return ChainedScheduler(members)

    restarts = lrsched.cosine_restarts(1.0, 4)
    assert stepped(chain, 9) == pytest.approx(values(restarts, range(9)))
    product = lrsched.exponential_decay(1.0, 0.5) * restarts
    assert values(product, (0, 4, 8)) == [1.0, 0.5**4, 0.5**8]


# torch: hyperparameters and digits


def test_pytorch_linear_lr_of_no_steps_stays_at_its_start() -> None:
    assert stepped(lambda o: LinearLR(o, 0.1, 1.0, total_iters=0), 4) == [0.1] * 4
    with pytest.raises(ValueError, match="linear: steps must be an integer >= 1"):
        lrsched.linear(0.1, 1.0, 0)


def test_pytorch_multi_step_lr_ignores_a_fractional_milestone() -> None:
    assert stepped(lambda o: MultiStepLR(o, [2.5]), 5) == [1.0] * 5  # type: ignore[list-item]
    with pytest.raises(TypeError, match="multi_step_decay: boundaries must be integers"):
        lrsched.multi_step_decay(1.0, 0.1, [2.5])  # type: ignore[list-item]


def test_pytorch_one_cycle_lr_takes_only_python_numbers() -> None:
    """Neither NumPy's integers for a number of steps, nor 0 for a fraction."""
    with pytest.raises(ValueError, match="Expected positive integer total_steps, but got 10"):
        OneCycleLR(sgd(), 1.0, np.int64(10))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Expected float between 0 and 1 pct_start, but got 0"):
        OneCycleLR(sgd(), 1.0, 10, pct_start=0)
    ours = lrsched.one_cycle(1.0, np.int64(10), up_fraction=0)
    assert ours == lrsched.one_cycle(1.0, 10, up_fraction=0.0)


def test_pytorch_one_cycle_lr_of_three_phases_may_not_come_down() -> None:
    """Two phases of 0.7 leave nothing for the third: it ends above half the peak."""
    lrs = stepped(lambda o: OneCycleLR(o, 1.0, 10, pct_start=0.7, three_phase=True), 10)
    assert lrs[-1] == pytest.approx(0.52)
    with pytest.raises(ValueError, match=r"up_fraction must be <= 0\.5 with three_phase"):
        lrsched.one_cycle(1.0, 10, up_fraction=0.7, three_phase=True)


@pytest.mark.parametrize("count", [10**8 + 1, 2 * 10**9 + 1])
def test_pytorch_cyclic_lr_cancels_at_late_counts(count: int) -> None:
    """A fraction of the cycle is left of `t / P - floor(t / P)`; ours divides in integers."""
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 0.0
    CyclicLR(optimizer, 0.0, 1.0, 1000, cycle_momentum=False, last_epoch=count - 1)
    recipe = lrsched.cyclic(0.0, 1.0, 1000)
    wanted = float(exact(recipe, count))
    assert abs(lr_of(optimizer) - wanted) > 1e-9 * wanted
    assert recipe(count) == pytest.approx(wanted, rel=1e-15)


# transformers, timm, fairseq, torchtitan


def test_transformers_cosine_rebounds_past_its_end() -> None:
    """A scheduler stepped too often (accelerate#1382) climbs back to the top; a decay stays."""
    lrs = stepped(lambda o: hf.get_cosine_schedule_with_warmup(o, 2, 10), 19)
    assert [lrs[10], lrs[14], lrs[18]] == pytest.approx([0.0, 0.5, 1.0])
    recipe = lrsched.warmup(lrsched.cosine_decay(1.0, 8), 2)
    assert values(recipe, (10, 14, 18)) == [0.0, 0.0, 0.0]


def test_transformers_polynomial_ends_elsewhere_in_other_groups() -> None:
    """`lr_end` is divided by the default lr and multiplied by the group's."""
    optimizer = sgd(1.0, 0.1)
    theirs: LRScheduler = hf.get_polynomial_decay_schedule_with_warmup(  # type: ignore[no-untyped-call]
        optimizer, 0, 10, lr_end=0.01
    )
    advance(optimizer, theirs, 12)
    assert theirs.get_last_lr() == pytest.approx([0.01, 0.001])
    recipes = [lrsched.polynomial(lr, 0.01, 10, power=1.0) for lr in (1.0, 0.1)]
    ours = lambda_lr(optimizer, recipes)
    advance(optimizer, ours, 12)
    assert ours.get_last_lr() == [0.01, 0.01]


def test_timm_2745_milestones_are_one_early() -> None:
    """timm 1.0's MultiStepLRScheduler takes `bisect_right(decay_t, t + 1)`, and means to."""
    milestones = [3, 5]
    theirs = [0.5 ** bisect.bisect_right(milestones, count + 1) for count in range(7)]
    assert theirs == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    ours = lrsched.multi_step_decay(1.0, 0.5, milestones)
    assert values(ours, range(7)) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    shifted = lrsched.multi_step_decay(1.0, 0.5, [milestone - 1 for milestone in milestones])
    assert values(shifted, range(7)) == theirs


@pytest.mark.parametrize(("mult", "cycle"), [(3, 5), (10, 3), (10, 6)])
def test_timm_and_fairseq_restarts_take_a_logarithm(mult: int, cycle: int) -> None:
    """`math.log(3**5, 3)` is 4.999...: their cycle is the one before, at every first length."""
    for first in range(1, 200):
        restart = first * (mult**cycle - 1) // (mult - 1)
        theirs = math.floor(math.log(1 - restart / first * (1 - mult), mult))
        assert theirs == cycle - 1
        recipe = lrsched.cosine_restarts(1.0, first, mult, peak_mult=0.5)
        assert recipe(restart) == 0.5**cycle
        assert recipe(restart - 1) <= 0.5 ** (cycle - 1)


def test_torchtitan_1261_the_first_update_of_a_warmup_is_wasted() -> None:
    """At a rate of 0. torchtitan has since (t + 1) / (W + 1): here an `init_value`."""
    steps = 4
    assert stepped(lambda o: hf.get_constant_schedule_with_warmup(o, steps), 2)[0] == 0.0
    recipe = lrsched.warmup(lrsched.constant(1.0), steps, init_value=1 / (steps + 1))
    theirs = [min(1.0, (count + 1) / (steps + 1)) for count in range(7)]
    assert values(recipe, range(7)) == pytest.approx(theirs, rel=1e-15)
