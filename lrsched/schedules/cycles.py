"""Schedules that go up and down: cyclical learning rates, and the 1cycle policy."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from lrsched._arrays.compiler import defer
from lrsched._arrays.namespace import MAX_COUNT, real
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Refusal, Whole, choice, choice_or_function, is_traced
from lrsched._core.decorator import counts_steps, schedule
from lrsched._core.kinds import (
    Flag,
    Fraction,
    OptionalPhase,
    Positive,
    RatePerStep,
    Steps,
    Value,
    or_duration,
)
from lrsched._core.number_kinds import integer
from lrsched._numerics.elementary import decay_and_growth, geometric, one_minus_power
from lrsched._numerics.shapes import piecewise_interpolate, weights
from lrsched._numerics.steps import Steps as NumberOfSteps
from lrsched._numerics.steps import cycle as cycle_of
from lrsched._numerics.steps import less, minus, plus, where

ModeName = Literal["triangular", "triangular2", "exp_range"]
Mode = Annotated[
    ModeName | Callable[[Array], Array],
    choice_or_function(get_args(ModeName), "a function of the cycle"),
]
Shape = Annotated[Literal["linear", "cosine"], choice("linear", "cosine")]
Anneal = Annotated[Literal["cosine", "linear"], choice("cosine", "linear")]
CycleSteps = Annotated[Whole, or_duration(integer(2, "steps"))]


def _one_period(refuse: Refusal, params: dict[str, Any]) -> None:
    up, down, rate = params["up_steps"], params["down_steps"], params["decay_rate"]
    down_or_up = up if down is None else down
    if not (is_traced(up) or is_traced(down_or_up)) and up + down_or_up > MAX_COUNT:
        refuse("up_steps + down_steps", f"<= {MAX_COUNT} (steps)", up + down_or_up)
    if params["mode"] != "exp_range" and not is_traced(rate) and rate != 1:
        refuse("decay_rate", "1.0 unless mode is 'exp_range'", rate)


@schedule(check=_one_period)
def cyclic(
    xp: Namespace,
    count: Array,
    init_value: Value,
    peak_value: Value,
    up_steps: Steps = 2000,
    down_steps: OptionalPhase = None,
    mode: Mode = "triangular",
    decay_rate: RatePerStep = 1.0,
    shape: Shape = "linear",
) -> Array:
    """Up and down between two values, again and again: cyclical learning rates.

        value(t) = init_value + (peak_value - init_value) * w * s

        w = r / U          for r <= U
            (P - r) / D    for r > U

        U = up_steps,  D = down_steps,  P = U + D
        c = floor(t / P),  r = t - c * P

    t is the count of updates made so far, P the period, c the number of the cycle and r the step
    within it. With the shape "cosine", (1 - cos(pi * w)) / 2 takes the place of w. `mode` selects
    the scale s of the amplitude:

        "triangular"     s = 1
        "triangular2"    s = 2 ** -c
        "exp_range"      s = decay_rate ** t
        a function f     s = f(c)

    Args:
        init_value: the value at count 0 and at the start of every cycle.
        peak_value: the value at count `up_steps`; it may be the lower of the two.
        up_steps: the steps from `init_value` to `peak_value`, at least 1.
        down_steps: the steps back, at least 0; by default `up_steps`. 0 makes a sawtooth.
        mode: how the amplitude changes: "triangular", "triangular2", "exp_range", or a pure
            function of the cycle number (0, 1, ...: an int, or an array of real numbers). A
            schedule with such a function cannot be written as JSON.
        decay_rate: the factor per step in the mode "exp_range", 0 or more; 1 in the other modes.
            Above 1 the growth stops at 2**64.
        shape: "linear" or "cosine".

    Raises:
        TypeError: a value, a length or `decay_rate` is not a number, `mode` is neither a string
            nor a function, or `shape` is not a string.
        ValueError: a number is not finite, `up_steps` < 1, `down_steps` < 0, the period is longer
            than 2**31 - 1 steps, `decay_rate` < 0, `decay_rate` is not 1 in a mode
            other than "exp_range", or `mode` or `shape` is none of these names.

    Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186.

    Elsewhere: torch's `CyclicLR(base_lr, max_lr, step_size_up, step_size_down, mode, gamma,
    scale_fn)`, whose `scale_fn` counts cycles from 1. torch's `CosineAnnealingLR(T_max, eta_min)`,
    with its rise after `T_max`, is `cyclic(lr, eta_min, T_max, shape="cosine")` at every count.
    optax has none.

    >>> clr = cyclic(0.001, 0.005, up_steps=4)
    >>> [clr(count) for count in (0, 2, 4, 6, 8)]
    [0.001, 0.003, 0.005, 0.003, 0.001]
    >>> cyclic(0.0, 1.0, up_steps=4, mode=lambda cycle: 1 / (1 + cycle))(12)
    0.5
    """
    down_steps = up_steps if down_steps is None else down_steps
    period = plus(xp, up_steps, down_steps)
    cycle, position, remaining = cycle_of(xp, count, period)
    rising = less(xp, position, up_steps)
    from_init = where(xp, rising, position, remaining)
    from_peak = where(xp, rising, minus(xp, up_steps, position), minus(xp, position, up_steps))
    length = plus(xp, from_init, from_peak)
    init_weight, peak_weight = weights(xp, from_init, from_peak, length, shape)

    def scaled(rate: Array, n: NumberOfSteps) -> Array:
        """The value with the amplitude scaled by rate ** n, for a rate of at most 1."""
        peak_term = geometric(xp, peak_value * peak_weight, rate, n)
        return init_value * (init_weight + peak_weight * one_minus_power(xp, rate, n)) + peak_term

    if mode == "triangular":
        return init_value * init_weight + peak_value * peak_weight
    if mode == "triangular2":
        return scaled(0.5, cycle)
    if callable(mode):
        scale = defer(mode, real(xp, cycle))
        init_term = init_value * (init_weight + peak_weight * (1.0 - scale))
        return init_term + peak_value * (peak_weight * scale)
    decay, growth = decay_and_growth(xp, decay_rate)
    grown = (init_value - peak_value) * peak_weight * one_minus_power(xp, growth, count)
    return scaled(decay, count) + grown


def _phases_in_order(refuse: Refusal, params: dict[str, Any]) -> None:
    fraction = params["up_fraction"]
    if params["three_phase"] and not is_traced(fraction) and fraction > 0.5:
        refuse("up_fraction", "<= 0.5 with three_phase", fraction)


@counts_steps
@schedule(check=_phases_in_order)
def one_cycle(
    xp: Namespace,
    count: Array,
    peak_value: Value,
    total_steps: CycleSteps,
    up_fraction: Fraction = 0.3,
    div_factor: Positive = 25.0,
    final_div_factor: Positive = 1e4,
    anneal: Anneal = "cosine",
    three_phase: Flag = False,
) -> Array:
    """Once up to a peak and down to far below the start: the 1cycle policy.

        value(t) = v0 + (v1 - v0) * g(t / e)                    for t <= e
                   v1 + (v2 - v1) * g((t - e) / (N - 1 - e))    for e < t <= N - 1

    and with `three_phase`

        value(t) = v0 + (v1 - v0) * g(t / e)                            for t <= e
                   v1 + (v0 - v1) * g((t - e) / e)                      for e < t <= 2 * e
                   v0 + (v2 - v0) * g((t - 2 * e) / (N - 1 - 2 * e))    for 2 * e < t <= N - 1

        v1 = peak_value,  v0 = v1 / div_factor,  v2 = v0 / final_div_factor
        N = total_steps,  e = up_fraction * N - 1

    t is the count of updates made so far. `anneal` selects g:

        "cosine"    g(p) = (1 - cos(pi * p)) / 2
        "linear"    g(p) = p

    The last of the N updates, at count N - 1, uses v2, and the schedule stays there. If e is not a
    whole number, no update uses the peak itself; if up_fraction * N < 1, the first update is
    already past it.

    Args:
        peak_value: the highest value.
        total_steps: the number of updates, at least 2.
        up_fraction: the fraction of the updates on the way up, 0 to 1 (to 0.5 with `three_phase`).
        div_factor: the ratio of the peak to the value at count 0, at least 1e-18.
        final_div_factor: the ratio of the value at count 0 to the last value, at least 1e-18.
        anneal: "cosine" or "linear".
        three_phase: whether the value returns to its start at 2 * e before it goes further down.

    Raises:
        TypeError: `peak_value`, `up_fraction` or a factor is not a number, `total_steps` is not an
            integer, `anneal` is not a string, or `three_phase` is not a bool.
        ValueError: a number is not finite, `total_steps` < 2, `up_fraction` is not from 0 to 1 (to
            0.5 with `three_phase`), a factor is < 1e-18, or `anneal` is neither of the two names.

    Source: Smith and Topin 2017, "Super-Convergence", arXiv:1708.07120.

    Elsewhere: torch's `OneCycleLR(max_lr, total_steps, pct_start, div_factor, final_div_factor,
    anneal_strategy, three_phase)` has the same values at every count that it accepts, except at
    `total_steps`, where it extrapolates (below 0 on a line). `optax.cosine_onecycle_schedule`
    reaches its ends at `up_fraction * N` and `N`, one step later. `optax.linear_onecycle_schedule`
    has three phases with ends of their own.

    >>> cycle = one_cycle(1.0, 11, up_fraction=0.5454545454545454, anneal="linear")
    >>> [round(cycle(count), 6) for count in (0, 5, 10, 11)]
    [0.04, 1.0, 4e-06, 4e-06]
    """
    last = total_steps - 1
    top = up_fraction * real(xp, total_steps) - 1.0
    initial = peak_value / div_factor
    final = initial / final_div_factor
    values: tuple[Array, ...] = (initial, peak_value, final)
    edges: tuple[Array, ...] = (0, top, last)
    if three_phase:
        values, edges = (initial, peak_value, initial, final), (0, top, 2.0 * top, last)
    return piecewise_interpolate(xp, count, values, edges, anneal)
