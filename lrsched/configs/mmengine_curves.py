"""What each of mmengine's schedulers does between its `begin` and its `end`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lrsched._core.duration_factories import epochs
from lrsched._core.schedule import Schedule
from lrsched.configs.section import Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic, one_cycle
from lrsched.schedules.decay import (
    cosine_decay,
    exponential_decay,
    multi_step_decay,
    piecewise_constant,
    step_decay,
)
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.transform import advance, staircase


class Clock(NamedTuple):
    """The steps of a scheduler: epochs, iterations, or epochs converted to iterations."""

    begin: float
    end: float
    in_epochs: bool
    is_converted: bool

    def at(self, steps: float) -> Any:
        """A number of its steps in updates."""
        if not self.in_epochs or not steps:
            return steps
        return epochs(int(steps)) if steps == int(steps) else epochs(steps, round="down")

    @property
    def steps(self) -> float:
        """The number of its steps, in its own unit."""
        return self.end - self.begin

    def span(self, steps: float) -> Any:
        """The updates of so many of its steps, from its beginning on."""
        if steps == self.steps and steps != int(steps):
            return self.at(self.end) - self.at(self.begin)
        return self.at(steps)

    def last(self, steps: float) -> Any:
        """The updates from its beginning to the last of so many of its steps."""
        return self.span(steps) - 1 if self.is_converted else self.at(steps - 1)

    def updates(self, size: float) -> tuple[float, float]:
        """Its beginning and its end in updates, for epochs of this size."""
        return (self._in(size, self.begin), self._in(size, self.end))

    def _in(self, size: float, steps: float) -> float:
        return int(steps * size) if self.in_epochs else steps

    def ends_at(self, other: Clock) -> bool:
        """Whether another begins where it ends."""
        return other.begin == self.end and other.in_epochs == self.in_epochs

    def stairs(self, schedule: Schedule) -> Schedule:
        """The schedule, which changes only from epoch to epoch if the clock counts them."""
        return staircase(schedule, epochs(1)) if self.has_stairs else schedule

    @property
    def has_stairs(self) -> bool:
        """Whether it counts epochs."""
        return self.in_epochs and not self.is_converted


class Curve(NamedTuple):
    """The curve of a scheduler, on a clock that begins with it.

    Attributes:
        at: makes it, from the value that it begins with.
        is_factor: whether it multiplies what is there, whatever else changes at the same time.
        is_flat: whether it stays as it is after the scheduler's last step.
        jumps: whether its first value is another than that it begins with.
        steps: the number of its steps, where it has less than its scheduler.
    """

    at: Callable[[float], Schedule]
    is_factor: bool = True
    is_flat: bool = True
    jumps: bool = False
    steps: float | None = None


def _linear(part: Section, clock: Clock, base: float) -> Curve:
    start = part.number("start_factor", "> 0", "<= 1", default=1 / 3)
    end = part.number("end_factor", ">= 0", "<= 1", default=1.0)
    if clock.steps <= 1 and not clock.is_converted:
        return Curve(lambda value: constant(value * start), jumps=True)
    last = clock.last(clock.steps)
    return Curve(lambda value: clock.stairs(linear(value * start, value * end, last)), jumps=True)


def _constant(part: Section, clock: Clock, base: float) -> Curve:
    """A factor that the last step takes back, if it is not the first step, too."""
    factor = part.number("factor", "> 0", default=1 / 3)  # above 1 it is mmpose's
    if factor == 1:
        return Curve(constant)
    if clock.steps <= 1 and not clock.is_converted:
        return Curve(lambda value: constant(value * factor), jumps=True)
    last = clock.last(clock.steps)
    return Curve(lambda value: piecewise_constant([value * factor, value], [last]), jumps=True)


def _exponential(part: Section, clock: Clock, base: float) -> Curve:
    gamma = part.number("gamma", ">= 0")
    if clock.has_stairs:
        return Curve(lambda value: step_decay(value, gamma, epochs(1)), is_flat=False)
    return Curve(lambda value: exponential_decay(value, gamma), is_flat=False)


def _step(part: Section, clock: Clock, base: float) -> Curve:
    size = clock.at(part.integer("step_size", 1))
    gamma = part.number("gamma", ">= 0", default=0.1)
    return Curve(lambda value: step_decay(value, gamma, size), is_flat=False)


def _multi_step(part: Section, clock: Clock, base: float) -> Curve:
    gamma = part.number("gamma", ">= 0", default=0.1)
    milestones = sorted(n for n in part.integers("milestones") if n < clock.steps)
    if not milestones:
        return Curve(constant)
    at = [clock.at(n) for n in milestones]
    return Curve(lambda value: multi_step_decay(value, gamma, at), jumps=milestones[0] == 0)


def _poly(part: Section, clock: Clock, base: float) -> Curve:
    low = part.number("eta_min", default=0.0)
    power = part.number("power", "> 0", default=1.0)
    if clock.steps <= 1 and not clock.is_converted:
        return Curve(constant)
    last = clock.last(clock.steps)

    def at(value: float) -> Schedule:
        if power == 1:
            return clock.stairs(linear(value, low, last))
        return clock.stairs(polynomial(value, low, last, power))

    return Curve(at, is_factor=low == 0)


def _cosine(part: Section, clock: Clock, base: float) -> Curve:
    """Half a cosine; where it has more steps, it climbs back, to the optimizer's own value."""
    low = _lowest(part, base)
    half, steps = _half(part, clock)
    reached = clock.steps - (0 if clock.is_converted else 1)
    if reached <= half:
        flat = reached == half and not clock.is_converted
        return Curve(
            lambda value: clock.stairs(cosine_decay(value, steps, low)), low == 0, is_flat=flat
        )

    def at(value: float) -> Schedule:
        if value != base:
            reason = "end - begin or more, as the rate has changed before (it climbs to another)"
            part.refuse("T_max", reason, half)
        return clock.stairs(cyclic(base, low, steps, shape="cosine"))

    return Curve(at, is_factor=False, is_flat=False)


def _half(part: Section, clock: Clock) -> tuple[float, Any]:
    """The steps from the top to the bottom of the cosine, and as many updates.

    Where they are converted they are not rounded, other than `begin` and `end`.
    """
    if "T_max" not in part:
        return clock.steps, clock.span(clock.steps)
    if not clock.is_converted:
        half = part.integer("T_max", 1)
        return half, clock.at(half)
    half = part.number("T_max", "> 0")
    return half, epochs(int(half) if half.is_integer() else half)


def _cosine_restart(part: Section, clock: Clock, base: float) -> Curve:
    if "eta_min_ratio" not in part:
        part.number("eta_min")
    low = _lowest(part, base)
    periods = part.integers("periods", 1)
    weights = part.numbers("restart_weights", ">= 0", default=(1,))
    if len(weights) != len(periods):
        part.refuse("restart_weights", f"{len(periods)} numbers, one for each period", weights)
    pairs = zip(weights, periods, strict=True)
    pieces = [cosine_decay(base * weight, clock.at(period), low) for weight, period in pairs]
    ends = [clock.at(sum(periods[:n])) for n in range(1, len(periods))]
    curve = clock.stairs(join(pieces, ends) if ends else pieces[0])
    steps = min(sum(periods), clock.steps)
    return Curve(lambda _: curve, is_factor=False, is_flat=False, steps=steps)


def _one_cycle(part: Section, clock: Clock, base: float) -> Curve:
    if clock.has_stairs:
        part.refuse("convert_to_iter_based", "True, or by_epoch False, with OneCycleLR", False)
    total = part.integer("total_steps", 1, default=None)
    anneal = part.choice("anneal_strategy", ("cos", "linear"), default="cos")
    curve = one_cycle(
        part.number("eta_max", ">= 0"),
        clock.span(total or clock.steps),
        part.number("pct_start", ">= 0", "<= 1", default=0.3),
        part.number("div_factor", "> 0", default=25.0),
        part.number("final_div_factor", "> 0", default=1e4),
        "cosine" if anneal == "cos" else "linear",
        part.flag("three_phase", default=False),
    )
    flat = total is None or total <= clock.steps
    return Curve(lambda _: curve, is_factor=False, is_flat=flat)


def _quadratic(part: Section, clock: Clock, base: float) -> Curve:
    """mmdet's warmup, the first step of which counts."""
    steps = clock.span(clock.steps)
    if clock.has_stairs:
        rise = advance(warmup(constant(base), steps, power=2), epochs(1))
    else:
        rise = warmup(constant(base), steps, power=2, count_from=1)
    return Curve(lambda _: clock.stairs(rise), is_factor=False)


CURVES: dict[str, Callable[[Section, Clock, float], Curve]] = {
    "Constant": _constant,
    "CosineAnnealing": _cosine,
    "CosineRestart": _cosine_restart,
    "Exponential": _exponential,
    "Linear": _linear,
    "MultiStep": _multi_step,
    "OneCycle": _one_cycle,
    "Poly": _poly,
    "QuadraticWarmup": _quadratic,
    "Step": _step,
}


def _lowest(part: Section, base: float) -> float:
    """`eta_min`, or `eta_min_ratio` of the optimizer's own value."""
    low = part.number("eta_min", default=None)
    ratio = part.number("eta_min_ratio", default=None)
    if low is not None and ratio is not None:
        part.refuse("eta_min_ratio", "left out beside eta_min", ratio)
    if ratio is not None:
        return float(base * ratio)
    return 0.0 if low is None else float(low)
