"""The schedules of torch's scheduler classes, from the arguments that torch takes.

Each function has the name of a class of `torch.optim.lr_scheduler`, in lower case, and gives what
a scheduler of that class makes of the optimizer's rate `lr` at each of its steps.
"""

from collections.abc import Sequence
from typing import Literal

from lrsched._core.checks import Refusal
from lrsched._core.schedule import Schedule
from lrsched.schedules.cycles import cyclic, one_cycle
from lrsched.schedules.decay import (
    exponential_decay,
    multi_step_decay,
    piecewise_constant,
    step_decay,
)
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.restarts import cosine_restarts

Mode = Literal["triangular", "triangular2", "exp_range"]

_one_cycle = Refusal("OneCycleLR")


def step_lr(lr: float, step_size: float, gamma: float) -> Schedule:
    """The rate is multiplied by `gamma` once in `step_size` steps."""
    return step_decay(lr, gamma, step_size)


def multi_step_lr(lr: float, milestones: Sequence[float], gamma: float) -> Schedule:
    """The rate is multiplied by `gamma` at each milestone, in whatever order they are."""
    return multi_step_decay(lr, gamma, sorted(milestones))


def exponential_lr(lr: float, gamma: float) -> Schedule:
    """The rate is multiplied by `gamma` at each step."""
    return exponential_decay(lr, gamma)


def constant_lr(lr: float, factor: float, total_iters: float) -> Schedule:
    """The rate is `factor * lr` for `total_iters` steps; with 0 torch never removes the factor."""
    if total_iters == 0 or factor == 1:
        return constant(factor * lr)
    return piecewise_constant((factor * lr, lr), (total_iters,))


def linear_lr(lr: float, start_factor: float, end_factor: float, total_iters: float) -> Schedule:
    """The rate goes along a line; with `total_iters` of 0 torch stays at its start."""
    if total_iters == 0:
        return constant(start_factor * lr)
    return linear(start_factor * lr, end_factor * lr, total_iters)


def polynomial_lr(lr: float, total_iters: float, power: float) -> Schedule:
    """The rate falls to 0; with `total_iters` of 0 torch leaves it as it is."""
    return polynomial(lr, 0.0, total_iters, power) if total_iters else constant(lr)


def cosine_annealing_lr(lr: float, t_max: float, eta_min: float) -> Schedule:
    """The rate falls to `eta_min` in `t_max` steps, rises again in as many, and so on."""
    return cyclic(lr, eta_min, t_max, shape="cosine")


def cosine_annealing_warm_restarts(
    lr: float, t_0: float, t_mult: float, eta_min: float
) -> Schedule:
    """The rate falls to `eta_min`, and starts again from the top after `t_0` steps."""
    return cosine_restarts(lr, t_0, t_mult, eta_min)


def cyclic_lr(
    first: float, second: float, up: float, down: float | None, mode: Mode, gamma: float
) -> Schedule:
    """The rate goes from the first to the second and back; the momentum from its `max`."""
    return cyclic(first, second, up, down, mode, gamma if mode == "exp_range" else 1.0)


def one_cycle_lr(
    first: float,
    peak: float,
    last: float,
    total_steps: int,
    pct_start: float,
    anneal: Literal["cosine", "linear"],
    three_phase: bool,
) -> Schedule:
    """The rate goes from the first to the peak, then to the last; the momentum from its `max`."""
    if first == peak == last:
        return constant(peak)
    if 0 in (first, peak, last):
        expected = "other than 0 where the others are (one_cycle has them as ratios)"
        _one_cycle("the first, highest and last value", expected, (first, peak, last))
    return one_cycle(
        *(peak, total_steps, pct_start, peak / first, first / last), anneal, three_phase
    )
