"""Schedules that go up and down: cyclical rates, one cycle."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from lrsched._arrays.compiler import defer
from lrsched._arrays.namespace import MAX_COUNT, real
from lrsched._arrays.types import Array, Namespace
from lrsched._core.checks import Kind, Refusal, Whole, choice, integer, is_traced
from lrsched._core.decorator import schedule
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
from lrsched._numerics.elementary import decay_and_growth, geometric, one_minus_power
from lrsched._numerics.shapes import piecewise_interpolate, weights

ModeName = Literal["triangular", "triangular2", "exp_range"]
MODES = get_args(ModeName)


def _mode(value: Any) -> Any:
    if not isinstance(value, str):
        if not callable(value):
            raise TypeError
        return value
    if value not in MODES:
        raise ValueError
    return str(value)


_wanted = f"{', '.join(map(repr, MODES))} or a function of the cycle"
Mode = Annotated[
    ModeName | Callable[[Array], Array],
    Kind(_wanted, _mode, traced=False, schema={"enum": list(MODES)}),
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
    r"""Up and down between two values, again and again: cyclical learning rates.

    .. math:: \eta(t) = v_0 + (v_1 - v_0)\, w\, s(c, t), \quad
        w = \begin{cases} r / U & r \le U \\ (P - r) / D & r > U \end{cases}

    with the period :math:`P = U + D`, the cycle :math:`c = \lfloor t / P \rfloor`, the place in it
    :math:`r = t - c P`, and the scale :math:`s` by `mode`: 1 ("triangular"), :math:`2^{-c}`
    ("triangular2"), :math:`\gamma^t` ("exp_range"), or a function of :math:`c`. The cosine shape
    puts :math:`(1 - \cos \pi w) / 2` for :math:`w`.

    Args:
        init_value: the value at count 0 and at the start of every cycle.
        peak_value: the value at count `up_steps`; it may be the lower of the two.
        up_steps: U, the steps from `init_value` to `peak_value`, at least 1.
        down_steps: D, the steps back, by default `up_steps`; 0 makes a saw.
        mode: what becomes of the amplitude: "triangular", "triangular2", "exp_range", or a pure
            function of the cycle (0, 1, ...: an int, or a real array). A schedule with a
            function of yours has no JSON.
        decay_rate: gamma of "exp_range", for each step; 1 in the other modes. Above 1 the growth
            stops at 2**64.
        shape: "linear" or "cosine".

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above, the period is longer than
            2**31 - 1 steps, or `decay_rate` is given in a mode that does not use it.

    Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186.

    Elsewhere: torch's `CyclicLR(base_lr, max_lr, step_size_up, step_size_down, mode, gamma,
    scale_fn)`, whose `scale_fn` counts cycles from 1. With `shape="cosine"`, torch's
    `CosineAnnealingLR(T_max, eta_min)` at every count, its rise after `T_max` included:
    `cyclic(lr, eta_min, T_max, shape="cosine")`. optax has none.

    >>> clr = cyclic(0.001, 0.005, up_steps=4)
    >>> [clr(count) for count in (0, 2, 4, 6, 8)]
    [0.001, 0.003, 0.005, 0.003, 0.001]
    >>> cyclic(0.0, 1.0, up_steps=4, mode=lambda cycle: 1 / (1 + cycle))(12)
    0.5
    """
    down_steps = up_steps if down_steps is None else down_steps
    period = up_steps + down_steps
    cycle = count // period
    position = count - cycle * period
    rising = position < up_steps
    from_init = xp.where(rising, position, period - position)
    from_peak = xp.where(rising, up_steps - position, position - up_steps)
    init_weight, peak_weight = weights(xp, from_init, from_peak, from_init + from_peak, shape)

    def scaled(rate: Array, n: Array) -> Array:
        """The amplitude times rate**n, for a rate of at most 1."""
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
    r"""Once up to a peak and down to far below the start: the 1cycle policy.

    From :math:`v_0 = v_1 / d` to the peak :math:`v_1`, reached at :math:`e_1 = f N - 1`, and on to
    :math:`v_2 = v_0 / d'` at :math:`N - 1`, each way along half a cosine or a line; with
    `three_phase` back to :math:`v_0` at :math:`2 e_1` first. The last of the N updates uses
    :math:`v_2`, and the schedule stays there. Where :math:`e_1` is no whole number, no update
    uses the peak itself; where :math:`f N < 1`, the first update is already past it.

    Args:
        peak_value: v_1, the highest value.
        total_steps: N, the number of updates, at least 2.
        up_fraction: f, the part of them on the way up, 0 to 1 (to 0.5 with `three_phase`).
        div_factor: d, the peak over the value at count 0.
        final_div_factor: d', the value at count 0 over the last one.
        anneal: "cosine" or "linear".
        three_phase: whether the way down goes through the initial value at `2 e_1`.

    Raises:
        TypeError, ValueError: a hyperparameter is none of the above.

    Source: Smith and Topin 2017, "Super-Convergence", arXiv:1708.07120.

    Elsewhere: torch's `OneCycleLR(max_lr, total_steps, pct_start, div_factor, final_div_factor,
    anneal_strategy, three_phase)`, at every count that it accepts but `total_steps`, where it
    extrapolates (below 0 on a line). `optax.cosine_onecycle_schedule` puts its ends at `f N` and
    `N`, one step later; `optax.linear_onecycle_schedule` has three phases with ends of their own.

    >>> cycle = one_cycle(1.0, 11, up_fraction=0.5454545454545454, anneal="linear")
    >>> [round(cycle(count), 6) for count in (0, 5, 10, 11)]
    [0.04, 1.0, 4e-06, 4e-06]
    """
    last = total_steps - 1
    top = up_fraction * total_steps - 1.0
    initial = peak_value / div_factor
    final = initial / final_div_factor
    values: tuple[Array, ...] = (initial, peak_value, final)
    edges: tuple[Array, ...] = (0, top, last)
    if three_phase:
        values, edges = (initial, peak_value, initial, final), (0, top, 2.0 * top, last)
    return piecewise_interpolate(xp, count, values, edges, anneal)
