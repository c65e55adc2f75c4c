"""The rules of controllers: those of their peers to the last bit, in every array library."""

import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Controller
from lrsched._arrays.scalars import SCALARS
from lrsched._core.controller_definition import CONTROLLERS
from lrsched.controllers import (
    accumulate_metric,
    greedy,
    kl_adaptive,
    newbob,
    reduce_on_plateau,
    skip_metrics,
)
from tests.metrics import (
    greedies,
    kl_adaptives,
    kl_rule,
    metrics,
    newbob_rule,
    newbobs,
    values_of,
)
from tests.optional import needing, needs
from tests.plateaus import plateaus

accumulated = st.builds(
    accumulate_metric, newbobs() | kl_adaptives() | plateaus() | greedies(), st.integers(1, 4)
)
KINDS = {
    "reduce_on_plateau": plateaus(),
    "newbob": newbobs(),
    "kl_adaptive": kl_adaptives(),
    "greedy": greedies(),
    "accumulate_metric": accumulated,
    "skip_metrics": st.builds(skip_metrics, newbobs() | greedies(), st.integers(0, 5)),
}


def test_every_controller_is_drawn() -> None:
    assert KINDS.keys() == {name for name, each in CONTROLLERS.items() if each.is_own}


@settings(max_examples=500)
@given(newbobs(), metrics)
def test_newbob_is_speechbrains(controller: Controller, metrics: Sequence[float]) -> None:
    rule = newbob_rule(**controller.params)
    assert values_of(controller, metrics) == [rule(metric) for metric in metrics]


@settings(max_examples=500)
@given(kl_adaptives(), metrics)
def test_kl_adaptive_is_rsl_rls(controller: Controller, metrics: Sequence[float]) -> None:
    rule = kl_rule(**controller.params)
    assert values_of(controller, metrics) == [rule(metric) for metric in metrics]


@settings(max_examples=500)
@given(greedies(), st.lists(metrics, min_size=1, max_size=3))
def test_greedy_is_that_of_transformers(
    controller: Controller, parts: Sequence[Sequence[float]]
) -> None:
    torch, optimization = needs("torch"), needs("transformers.optimization")
    params = controller.params
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=params.pop("init_value"))
    names = {
        "growth_cooldown": "warmup",
        "min_value": "min_lr",
        "max_value": "max_lr",
        "reset_after": "reset_start",
    }
    window = params.pop("window_size")
    smooth = {} if window is None else {"smooth": True, "window_size": window}
    peer = optimization.GreedyLR(
        optimizer, **{names.get(name, name): value for name, value in params.items()}, **smooth
    )
    metrics = [metric for part in parts for metric in part]
    expected = []
    for metric in metrics:
        peer.step(metric)
        expected.append(optimizer.param_groups[0]["lr"])
    assert values_of(controller, metrics) == expected


@settings(max_examples=300)
@given(st.one_of(*KINDS.values()), metrics)
def test_the_compiled_rule_is_the_rule(controller: Controller, metrics: Sequence[float]) -> None:
    definition, state, other = controller._definition, controller.init(), controller.init()
    for metric in metrics:
        state = controller.update(state, metric)
        other = definition.body(SCALARS, other, metric, *controller._values)
        assert repr(state) == repr(other)
        assert type(state) is type(other) is definition.state_type
    assert controller._rule is not None


@settings(max_examples=200)
@given(newbobs() | kl_adaptives() | plateaus() | greedies(), metrics, st.integers(1, 5))
def test_accumulated_metrics_are_their_means(
    controller: Controller, metrics: Sequence[float], size: int
) -> None:
    found = values_of(accumulate_metric(controller, size), metrics)
    state = controller.init()
    for start in range(0, len(metrics), size):
        part = metrics[start : start + size]
        expected = [state.value] * (len(part) - (len(part) == size))
        if len(part) == size:
            mean = 0.0
            for number, metric in enumerate(part):
                mean = (number * mean + metric) / (number + 1)
            state = controller.update(state, mean)
            expected.append(state.value)
        assert found[start : start + size] == expected


@given(newbobs() | kl_adaptives() | plateaus() | greedies(), metrics, st.integers(0, 30))
def test_skipped_metrics_are_not_observed(
    controller: Controller, metrics: Sequence[float], skipped: int
) -> None:
    found = values_of(skip_metrics(controller, skipped), metrics)
    first = [controller.init().value] * len(metrics[:skipped])
    assert found == [*first, *values_of(controller, metrics[skipped:])]


def python_of(state: Any) -> Any:
    """A state of arrays as one of Python numbers."""
    if isinstance(state, tuple):
        members = map(python_of, state)
        return type(state)(*members) if hasattr(state, "_fields") else tuple(members)
    return np.asarray(state).item()


def in_numpy(controller: Controller, metrics: Sequence[float]) -> list[Any]:
    return _each(controller, np.asarray(metrics), np.zeros(()))


def in_strict(controller: Controller, metrics: Sequence[float]) -> list[Any]:
    xp = needs("array_api_strict")
    return _each(controller, list(map(xp.asarray, metrics)), xp.asarray(0.0))


def in_torch(controller: Controller, metrics: Sequence[float]) -> list[Any]:
    torch = needs("torch")
    like = torch.zeros((), dtype=torch.float64)
    return _each(controller, torch.tensor(metrics, dtype=torch.float64), like)


def in_jax(controller: Controller, metrics: Sequence[float]) -> list[Any]:
    jax = needs("jax")
    with jax.enable_x64(True):
        return _each(controller, jax.numpy.asarray(metrics), jax.numpy.zeros(()))


@np.errstate(all="ignore")
def _each(controller: Controller, metrics: Any, like: Any) -> list[Any]:
    state, found = controller.init(like), []
    for metric in metrics:
        state = controller.update(state, metric)
        found.append(python_of(state))
    return found


BACKENDS: list[Any] = [
    in_numpy,
    needing("array_api_strict", in_strict),
    needing("torch", in_torch),
    needing("jax", in_jax),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", KINDS)
def test_float64_is_python_to_the_last_bit(
    name: str, backend: Callable[[Controller, Sequence[float]], list[Any]]
) -> None:
    @settings(max_examples=15)
    @given(KINDS[name], metrics)
    def check(controller: Controller, metrics: Sequence[float]) -> None:
        state = controller.init()
        for metric, found in zip(metrics, backend(controller, metrics), strict=True):
            state = controller.update(state, metric)
            assert repr(found) == repr(python_of(state))

    check()


@pytest.mark.parametrize("name", KINDS)
def test_jax_compiles_vmaps_and_scans_them(name: str) -> None:
    jax = needs("jax")
    jnp = jax.numpy

    def scanned(controller: Controller, metrics: Any) -> Any:
        def observe(state: Any, metric: Any) -> tuple[Any, Any]:
            state = controller.update(state, metric)
            return state, state.value

        return jax.lax.scan(observe, controller.init(jnp.zeros(())), metrics)[1]

    @settings(max_examples=3)
    @given(KINDS[name], st.lists(metrics, min_size=2, max_size=2))
    def check(controller: Controller, rows: Sequence[Sequence[float]]) -> None:
        with jax.enable_x64(True):
            found = jax.jit(jax.vmap(scanned, (None, 0)))(controller, jnp.asarray(rows))
        for row, values in zip(rows, found, strict=True):
            np.testing.assert_array_equal(values, values_of(controller, row))

    check()


@pytest.mark.parametrize("name", KINDS)
def test_they_are_values(name: str) -> None:
    @settings(max_examples=30)
    @given(KINDS[name])
    def check(controller: Controller) -> None:
        for other in (
            eval(repr(controller), vars(lrsched)),
            pickle.loads(pickle.dumps(controller)),
            lrsched.from_repr(repr(controller)),
            lrsched.from_json(controller.to_json()),
            lrsched.from_config(controller.to_dict()),
            controller.replace(),
        ):
            assert type(other) is type(controller)
            assert other == controller
            assert hash(other) == hash(controller)
            assert repr(other) == repr(controller)

    check()


class Halved(NamedTuple):
    value: float
    largest: float
    times: int


@lrsched.controller(init=lambda init_value: Halved(init_value, -math.inf, 0))
def halve_beyond(
    xp: Any,
    state: Halved,
    metric: Any,
    init_value: lrsched.Rate = 1.0,
    limit: lrsched.Value = 10.0,
) -> Halved:
    """Half as large after each metric above a limit."""
    del init_value
    is_above = metric > limit
    value = xp.where(is_above, state.value / 2, state.value)
    return Halved(value, xp.maximum(metric, state.largest), state.times + 1)


def test_ones_own_is_like_the_others() -> None:
    controller = halve_beyond(limit=3)
    assert repr(controller) == "halve_beyond(limit=3.0)"
    assert controller.limit == 3.0
    assert lrsched.from_json(controller.to_json()) == controller
    assert values_of(controller, [4.0, 1.0, 5.0, math.nan]) == [0.5, 0.5, 0.25, 0.25]
    state = controller.update(controller.init(np.zeros(2)), np.asarray([1.0, 4.0]))
    assert state.value.tolist() == [1.0, 0.5]
    assert state.times.dtype == np.int64
    rate = lrsched.linear(1.0, 0.0, 10) * controller
    assert lrsched.from_repr(repr(rate)) == rate
    assert rate.with_state(rate.observe(rate.init_state(), 7.0))(5) == 0.25


def test_rules_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match="@controller: no_state must be annotated with the type of"):

        @lrsched.controller(init=lambda: Halved(0.0, 0.0, 0))
        def no_state(xp: Any, state: Any, metric: Any) -> Any:
            return state

    with pytest.raises(TypeError, match=r"init of wrong_init must take hyperparameters by "):

        @lrsched.controller(init=lambda low: Halved(low, 0.0, 0))
        def wrong_init(xp: Any, state: Halved, metric: Any, limit: lrsched.Value = 1.0) -> Halved:
            return state

    with pytest.raises(TypeError, match="must annotate limit with a kind of hyperparameter"):

        @lrsched.controller(init=lambda: Halved(0.0, 0.0, 0))
        def no_kind(xp: Any, state: Halved, metric: Any, limit: float) -> Halved:
            return state

    with pytest.raises(ValueError, match=r"@controller: the name newbob is taken by lrsched"):

        @lrsched.controller(init=lambda: Halved(0.0, 0.0, 0))
        def newbob(xp: Any, state: Halved, metric: Any) -> Halved:
            return state


make: Any = {name: getattr(lrsched, name) for name in KINDS}
REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("newbob", {"decay_rate": 1.0}, ValueError, "decay_rate must be a number >= 0 and < 1, got"),
    ("newbob", {"threshold": math.nan}, ValueError, "threshold must be a finite number, got nan"),
    ("newbob", {"patience": 0.5}, TypeError, "patience must be an integer >= 0 (observations)"),
    ("newbob", {"patient": 1}, TypeError, "got an unexpected keyword argument 'patient'; did you"),
    ("kl_adaptive", {}, TypeError, "missing a required argument: 'init_value'"),
    ("kl_adaptive", {"init_value": 1, "factor": 0.9}, ValueError, "factor must be a number >= 1"),
    ("kl_adaptive", {"init_value": 1, "band": 0.0}, ValueError, "band must be a number >= 1, got"),
    ("kl_adaptive", {"init_value": 1, "target_kl": 0}, ValueError, "target_kl must be a number >"),
    (
        "kl_adaptive",
        {"init_value": 1, "min_value": 1.0},
        ValueError,
        "min_value must be at most max_value (0.01), got 1.0",
    ),
    ("greedy", {"factor": 1.0}, ValueError, "factor must be a number > 0 and < 1, got 1.0"),
    ("greedy", {"window_size": 0}, ValueError, "window_size must be an integer >= 1 (observ"),
    ("greedy", {"window_size": 10**5}, ValueError, "window_size must be at most 10000 (metrics)"),
    ("skip_metrics", {"controller": newbob(), "metrics": -1}, ValueError, "metrics must be an int"),
    ("greedy", {"min_value": 2.0}, ValueError, "min_value must be at most max_value (1.0), got"),
    ("greedy", {"threshold": 1.0, "threshold_mode": "rel"}, ValueError, "threshold must be a num"),
    ("greedy", {"mode": "up"}, ValueError, "mode must be 'min' or 'max', got 'up'"),
    (
        "accumulate_metric",
        {"controller": lrsched.constant(1.0), "accumulation_size": 3},
        TypeError,
        "controller must be a controller, got constant(value=1.0)",
    ),
    (
        "accumulate_metric",
        {"controller": newbob(), "accumulation_size": 0},
        ValueError,
        "accumulation_size must be an integer >= 1 (metrics), got 0",
    ),
]


@pytest.mark.parametrize(("name", "params", "error", "text"), REFUSED)
def test_bad_hyperparameters_are_refused(
    name: str, params: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as refused:
        make[name](**params)
    assert type(refused.value) is error
    assert str(refused.value).startswith(f"{name}: {text}")


@pytest.mark.parametrize("controller", [newbob(), kl_adaptive(0.1), greedy(), reduce_on_plateau()])
@pytest.mark.parametrize("metric", ["1.0", None, True, 1j])
def test_bad_metrics_are_refused(controller: Controller, metric: Any) -> None:
    with pytest.raises(TypeError) as refused:
        controller.update(controller.init(), metric)
    text = f"{controller.name}: metric must be a number or an array of numbers, got {metric!r}"
    assert str(refused.value) == text


def test_one_is_not_changed_and_has_no_value_without_a_state() -> None:
    with pytest.raises(AttributeError, match="newbob: a controller does not change; use"):
        newbob().patience = 3
    with pytest.raises(AttributeError, match="'Controller' object has no attribute 'patienc'"):
        _ = newbob().patienc
    with pytest.raises(ValueError, match="newbob: newbob follows a metric: use lrsched_torch"):
        newbob()(3)
