"""Metrics for controllers, and the rules of their peers in plain Python."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

import lrsched
from lrsched import Controller
from lrsched.controllers import kl_adaptive, newbob

LENGTH = 24

# Numbers that repeat, differ a little or a lot, and are none at all.
metrics = st.lists(
    st.sampled_from([0.0, 1.0, 0.5, 0.999, math.nan, math.inf, -1.0])
    | st.floats(1e-3, 10.0)
    | st.integers(0, 4).map(float),
    min_size=LENGTH,
    max_size=LENGTH,
)
factors = st.sampled_from([0.5, 0.1, 0.95]) | st.floats(0.01, 0.99)
small = st.integers(0, 3)
limits = st.tuples(st.floats(1e-6, 0.5), st.floats(1e-6, 0.5)).map(sorted)


def newbobs() -> Any:
    thresholds = st.sampled_from([0.0025, 0.0, 0.5]) | st.floats(-1.0, 1.0, allow_subnormal=False)
    return st.builds(newbob, st.floats(1e-3, 1.0), factors, thresholds, small)


@st.composite
def kl_adaptives(draw: Any) -> Controller:
    low, high = draw(limits)
    return kl_adaptive(
        draw(st.floats(1e-4, 0.5)),
        draw(st.sampled_from([0.5, 0.01, 1.0]) | st.floats(1e-3, 2.0)),
        draw(st.sampled_from([1.5, 1.0]) | st.floats(1.0, 3.0)),
        draw(st.sampled_from([2.0, 1.0]) | st.floats(1.0, 3.0)),
        low,
        high,
        draw(st.booleans()),
    )


@st.composite
def greedies(draw: Any) -> Controller:
    low, high = draw(limits)
    mode, threshold_mode = draw(st.tuples(st.sampled_from(["min", "max"]), _threshold_modes))
    return lrsched.greedy(
        draw(st.floats(1e-3, 0.5)),
        draw(factors),
        draw(small),
        mode,
        draw(st.sampled_from([0.0, 1e-6, 0.5])),
        threshold_mode,
        draw(small),
        draw(small),
        low,
        high,
        draw(st.sampled_from([0.0, 1e-8, 1e-3])),
        draw(st.none() | st.integers(1, 5)),
        draw(st.integers(1, 3) | st.just(500)),
    )


_threshold_modes = st.sampled_from(["rel", "abs"])


def newbob_rule(
    init_value: float, decay_rate: float, threshold: float, patience: int
) -> Callable[[float], float]:
    """SpeechBrain's formula."""
    history: list[float] = []
    value, left = init_value, patience

    def observe(metric: float) -> float:
        nonlocal value, left
        if history:
            improvement = 0.0 if history[-1] == 0 else (history[-1] - metric) / history[-1]
            if improvement < threshold:
                if left == 0:
                    value *= decay_rate
                    left = patience
                else:
                    left -= 1
        history.append(metric)
        return value

    return observe


def kl_rule(
    init_value: float,
    target_kl: float,
    factor: float,
    band: float,
    min_value: float,
    max_value: float,
    ignore_zero: bool,
) -> Callable[[float], float]:
    """The formula of rsl_rl, and that of skrl where a divergence of 0 counts."""
    value = init_value

    def observe(metric: float) -> float:
        nonlocal value
        if metric > target_kl * band:
            value = max(min_value, value / factor)
        elif metric < target_kl / band and (metric > 0.0 or not ignore_zero):
            value = min(max_value, value * factor)
        return value

    return observe


def values_of(controller: Controller, metrics: Sequence[float]) -> list[float]:
    """The values after each metric, in plain Python."""
    state, found = controller.init(), []
    for metric in metrics:
        state = controller.update(state, metric)
        found.append(state.value)
    return found
