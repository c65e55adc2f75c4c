"""The scheduler classes of torch that a configuration describes, each by its own arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from lrsched._core.schedule import Schedule
from lrsched.configs.following import plateau
from lrsched.configs.section import Section
from lrsched.formats import torch_classes
from lrsched.schedules.points import interpolate

Shape = Literal["cosine", "linear"]


class Run(NamedTuple):
    """What a scheduler's section is read with.

    Attributes:
        config: the whole configuration.
        by_update: whether a step of the scheduler is an update.
        member: reads the section of a scheduler in a list.
    """

    config: Section
    by_update: bool
    member: Callable[[Section, Run], Member]


class Member(NamedTuple):
    """A scheduler, by itself or in a list.

    Attributes:
        make: its schedule for the optimizer's rate, in steps of the scheduler; or its controller,
            which is "alone".
        acts: whether it "scales" the rate that it finds, "sets" the rate whatever it was, or
            "anneals" it as a CosineAnnealingLR does; "alone" if torch takes it in no list.
        last: the step of its last change if it scales; of its trough if it anneals to 0.
        begins_later: whether a SequentialLR can begin it after another.
        begins_at: the rate that it begins at, if that is not the optimizer's.
        replaces_rate: whether torch then puts it in the place of the optimizer's for the others.
    """

    make: Callable[[float], Any]
    acts: Literal["scales", "sets", "anneals", "alone"]
    last: float = math.inf
    begins_later: bool = True
    begins_at: float | None = None
    replaces_rate: bool = False

    @property
    def needs_rate(self) -> bool:
        """Whether its schedule depends on the optimizer's rate."""
        return self.begins_at is None


Reader = Callable[[Section, Run], Member]


def _step(params: Section, run: Run) -> Member:
    size = params.integer("step_size", 1)
    gamma = params.number("gamma", ">= 0", default=0.1)
    return Member(lambda lr: torch_classes.step_lr(lr, size, gamma), "scales")


def _multi_step(params: Section, run: Run) -> Member:
    steps = params.integers("milestones")
    gamma = params.number("gamma", ">= 0", default=0.1)
    last = max(steps, default=0)
    return Member(lambda lr: torch_classes.multi_step_lr(lr, steps, gamma), "scales", last)


def _exponential(params: Section, run: Run) -> Member:
    gamma = params.number("gamma", ">= 0")
    return Member(lambda lr: torch_classes.exponential_lr(lr, gamma), "scales")


def _constant(params: Section, run: Run) -> Member:
    factor = params.number("factor", "> 0", "<= 1", default=1 / 3)
    total = params.integer("total_iters", default=5)
    later = total > 0 or factor == 1
    return Member(lambda lr: torch_classes.constant_lr(lr, factor, total), "scales", total, later)


def _linear(params: Section, run: Run) -> Member:
    start = params.number("start_factor", "> 0", "<= 1", default=1 / 3)
    end = params.number("end_factor", ">= 0", "<= 1", default=1.0)
    total = params.integer("total_iters", default=5)
    return Member(
        lambda lr: torch_classes.linear_lr(lr, start, end, total), "scales", total, total > 0
    )


def _polynomial(params: Section, run: Run) -> Member:
    total = params.integer("total_iters", default=5)
    power = params.number("power", "> 0", default=1.0)
    return Member(
        lambda lr: torch_classes.polynomial_lr(lr, total, power), "scales", total, total > 0
    )


def _cosine(params: Section, run: Run) -> Member:
    steps = params.number("T_max", ">= 1")
    end = params.number("eta_min", default=0.0)
    trough = steps if end == 0 and steps == int(steps) else math.inf
    return Member(lambda lr: torch_classes.cosine_annealing_lr(lr, steps, end), "anneals", trough)


def _restarts(params: Section, run: Run) -> Member:
    first, mult = params.integer("T_0", 1), params.integer("T_mult", 1, default=1)
    end = params.number("eta_min", default=0.0)
    return Member(
        lambda lr: torch_classes.cosine_annealing_warm_restarts(lr, first, mult, end), "sets"
    )


def _cyclic(params: Section, run: Run) -> Member:
    low, high = params.number("base_lr"), params.number("max_lr")
    up = params.number("step_size_up", ">= 1", default=2000)
    down = params.number("step_size_down", ">= 0", default=None)
    mode = params.choice("mode", ("triangular", "triangular2", "exp_range"), default="triangular")
    gamma = params.number("gamma", ">= 0", default=1.0)
    params.choice("scale_mode", ("cycle", "iterations"), default="cycle")  # that of scale_fn
    if "scale_fn" in params:
        params.refuse("scale_fn", "left out, as it is code", params.value("scale_fn"))
    peak, foot = _momentum(params, 0.8, 0.9)
    first, second = (foot, peak) if params.part == "momentum" else (low, high)
    schedule = torch_classes.cyclic_lr(first, second, up, down, mode, gamma)
    return Member(lambda _: schedule, "sets", begins_at=low)


def _one_cycle(params: Section, run: Run) -> Member:
    peak = params.number("max_lr", ">= 0")
    first = peak / params.number("div_factor", "> 0", default=25.0)
    last = first / params.number("final_div_factor", "> 0", default=1e4)
    begins_at, total = first, _one_cycle_steps(params, run)
    up = params.number("pct_start", ">= 0", "<= 1", default=0.3)
    if up * total == 1:
        params.refuse("pct_start", "such that the peak is not at step 0, where torch fails", up)
    strategy = params.choice("anneal_strategy", ("cos", "linear"), default="cos")
    shape: Shape = "linear" if strategy == "linear" else "cosine"
    three = params.flag("three_phase", default=False)
    momentum, foot = _momentum(params, 0.85, 0.95)
    if params.part == "momentum":
        first, peak, last = foot, momentum, foot
    make = torch_classes.one_cycle_lr if run.by_update else _one_cycle_by_corners
    schedule = make(first, peak, last, total, up, shape, three)
    return Member(lambda _: schedule, "sets", begins_at=begins_at, replaces_rate=True)


def _one_cycle_steps(params: Section, run: Run) -> int:
    """The steps of the scheduler: `total_steps`, else `epochs` times `steps_per_epoch`."""
    count, length = params.value("epochs", None), params.value("steps_per_epoch", None)
    if "total_steps" in params or count is None:
        return int(total_steps(params, "total_steps", run))
    if length is None:
        length = params.given("steps_per_epoch", "a OneCycleLR has epochs without their length")
    else:
        length = params.integer("steps_per_epoch", 1)
    return int(params.integer("epochs", 1) * length)


def total_steps(params: Section, key: str, run: Run) -> Any:
    """The length of the run in steps of the scheduler; the call gives it in updates."""
    return params.integer(key, 1, context="total_steps" if run.by_update else None)


def _one_cycle_by_corners(
    first: float, peak: float, last: float, total: int, up: float, shape: Shape, three: bool
) -> Schedule:
    """A one cycle whose corners keep their places where its steps become longer."""
    top, end = up * total - 1, total - 1
    if three:
        return interpolate((first, peak, first, last), (top, 2 * top, end), shape)
    return interpolate((first, peak, last), (top, end), shape)


def _momentum(params: Section, low: float, high: float) -> tuple[float, float]:
    """The momentum at the peak of the rate, and that at its foot."""
    has_momentum = params.flag("cycle_momentum", default=True)
    peak = params.number("base_momentum", default=low)
    foot = params.number("max_momentum", default=high)
    if params.part == "momentum" and not has_momentum:
        params.fail("this scheduler has no momentum (cycle_momentum is false)")
    return peak, foot


def _plateau(params: Section, run: Run) -> Member:
    """The class of torch, or that of Lightning, which knows the name of its metric."""
    params.value("monitor", default=None)
    return Member(plateau(params), "alone")


READERS: dict[str, Reader] = {
    "StepLR": _step,
    "MultiStepLR": _multi_step,
    "ExponentialLR": _exponential,
    "ConstantLR": _constant,
    "LinearLR": _linear,
    "PolynomialLR": _polynomial,
    "CosineAnnealingLR": _cosine,
    "CosineAnnealingWarmRestarts": _restarts,
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
    "ReduceLROnPlateau": _plateau,
}
