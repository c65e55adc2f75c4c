"""The curve of each of torch's scheduler classes, for one param group."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

import lrsched
from lrsched import Schedule, constant
from lrsched.formats import torch_classes
from lrsched_torch._convert.continuation import Curve, refuse, shifted, step_count
from lrsched_torch._convert.from_transformers import schedule_of_lambda
from lrsched_torch._schedulers.lambda_lr import ScheduleLR

Mode = torch_classes.Mode


def _factor(make: Callable[[float], Schedule], s: Any, group: int, **rest: Any) -> Curve:
    """The curve of a scheduler that multiplies the learning rate."""
    return Curve(make, float(s.base_lrs[group]), is_factor=True, **rest)


def _sets(schedule: Schedule, s: Any, group: int, **rest: Any) -> Curve:
    """The curve of a scheduler that sets the learning rate to the schedule's value."""
    return Curve(lambda _: schedule, float(s.base_lrs[group]), sets=True, **rest)


def _step(s: Any, group: int) -> Curve:
    size = step_count("step_size", s.step_size, 1)
    return _factor(
        lambda lr: torch_classes.step_lr(lr, size, s.gamma),
        *(s, group),
        last=0 if s.gamma == 1 else math.inf,
        after=lambda lr, n: shifted(torch_classes.step_lr(lr, size, s.gamma), -(n // size * size)),
    )


def _multi_step(s: Any, group: int) -> Curve:
    steps = [step_count("milestones", step, 0) for step in s.milestones.elements()]
    return _factor(
        lambda lr: torch_classes.multi_step_lr(lr, steps, s.gamma),
        *(s, group),
        last=max(steps, default=0),
        after=lambda lr, n: torch_classes.multi_step_lr(
            lr, [step for step in steps if step > n], s.gamma
        ),
    )


def _exponential(s: Any, group: int) -> Curve:
    return _factor(
        lambda lr: torch_classes.exponential_lr(lr, s.gamma),
        *(s, group),
        last=0 if s.gamma == 1 else math.inf,
        after=lambda lr, n: shifted(torch_classes.exponential_lr(lr, s.gamma), -n),
    )


def _constant(s: Any, group: int) -> Curve:
    steps = step_count("total_iters", s.total_iters, 0)
    return _factor(
        lambda lr: torch_classes.constant_lr(lr, s.factor, steps),
        *(s, group),
        last=0 if s.factor == 1 else steps,
        in_sequence=steps > 0 or s.factor == 1,
    )


def _linear(s: Any, group: int) -> Curve:
    steps, first, last = step_count("total_iters", s.total_iters, 0), s.start_factor, s.end_factor
    return _factor(
        lambda lr: torch_classes.linear_lr(lr, first, last, steps),
        *(s, group),
        size=abs(float(s.base_lrs[group])) if steps else 0.0,
        last=0 if first == last else steps,
        in_sequence=steps > 0,
    )


def _polynomial(s: Any, group: int) -> Curve:
    steps = step_count("total_iters", s.total_iters, 0)
    return _factor(
        lambda lr: torch_classes.polynomial_lr(lr, steps, s.power),
        *(s, group),
        size=abs(float(s.base_lrs[group])) if steps else 0.0,
        last=steps,
        in_sequence=steps > 0,
        after=lambda lr, n: shifted(torch_classes.polynomial_lr(lr, steps - n, s.power), -n),
    )


def _cosine(s: Any, group: int) -> Curve:
    steps, base = step_count("T_max", s.T_max, 1), float(s.base_lrs[group])
    return Curve(
        lambda lr: torch_classes.cosine_annealing_lr(lr, steps, s.eta_min),
        base,
        size=max(abs(base), abs(s.eta_min)),
        half_period=steps,
    )


def _restarts(s: Any, group: int) -> Curve:
    """The curve by the position in the cycle and the cycle's length.

    These need not be the ones that follow from `last_epoch`.
    """
    position, length = step_count("T_cur", s.T_cur, 0), step_count("T_i", s.T_i, 1)
    first, mult = step_count("T_0", s.T_0, 1), step_count("T_mult", s.T_mult, 1)
    cycles = round(math.log(length / first, mult)) if mult > 1 and length > first else 0
    if first * mult**cycles != length:  # torch goes on from the length that it has
        first, cycles = length, 0
    if position >= length:
        refuse("T_cur", f"below T_i ({length})", position)
    count = max(s.last_epoch, 0)
    if mult == 1:
        own_count = position + max(count - position, 0) // first * first
    else:
        own_count = position + first * (mult**cycles - 1) // (mult - 1)
    base = float(s.base_lrs[group])
    return _sets(
        shifted(
            torch_classes.cosine_annealing_warm_restarts(base, first, mult, s.eta_min),
            own_count - count,
        ),
        *(s, group),
        size=max(abs(base), abs(s.eta_min)),
        in_sequence=position == 0 and length == s.T_0,
    )


def _cyclic(s: Any, group: int) -> Curve:
    low, high = float(s.base_lrs[group]), float(s.max_lrs[group])
    return _sets(cyclic_schedule(s, low, high), s, group, size=max(abs(low), abs(high)))


def cyclic_schedule(s: Any, first: float, second: float) -> Schedule:
    """The schedule of what a CyclicLR cycles from `first` to `second` and back."""
    if s._scale_fn_custom is not None:
        refuse("scale_fn", "None (a function has no closed form)", s._scale_fn_custom, TypeError)
    period, up = step_count("step_size_up + step_size_down", s.total_size, 1), s.step_ratio
    up = round(up * period, 6)  # torch keeps only the ratio
    up = step_count("step_size_up", up, 1)
    return torch_classes.cyclic_lr(first, second, up, period - up, *_cyclic_mode(s))


def _cyclic_mode(s: Any) -> tuple[Mode, float]:
    """The mode and the rate by which a CyclicLR scales: its attributes may have changed since."""
    if s.scale_mode == "iterations":
        rate = s.scale_fn(1)
        if math.isclose(s.scale_fn(9), rate**9) and s.scale_fn(0) == 1:
            return ("triangular", 1.0) if rate == 1 else ("exp_range", rate)
    else:
        halving: dict[float, Mode] = {1.0: "triangular", 0.5: "triangular2"}
        if s.scale_fn(1) == 1 and s.scale_fn(2) in halving:
            return halving[s.scale_fn(2)], 1.0
    return refuse("mode and scale_mode", "those of one mode", (s.mode, s.scale_mode))


def _one_cycle(s: Any, group: int) -> Curve:
    rates = s.optimizer.param_groups[group]
    initial, peak, last = (float(rates[name]) for name in ("initial_lr", "max_lr", "min_lr"))
    return _sets(
        one_cycle_schedule(s, initial, peak, last), s, group, size=max(abs(initial), abs(peak))
    )


def one_cycle_schedule(s: Any, initial: float, peak: float, last: float) -> Schedule:
    """The schedule of what a OneCycleLR moves from `initial` to `peak`, then to `last`."""
    total = step_count("total_steps", s.total_steps, 2)
    ends = [phase["end_step"] for phase in s._schedule_phases]
    three, peak_at = len(ends) == 3, ends[0]
    right = [peak_at, 2 * peak_at, total - 1] if three else [peak_at, total - 1]
    if not all(math.isclose(*pair) for pair in zip(ends, right, strict=True)):
        refuse("the ends of the phases", f"{right}, as total_steps and the first are", ends)
    middle = s._anneal_func(0.0, 1.0, 0.25)  # one of two functions, stored in two ways
    return torch_classes.one_cycle_lr(
        *(initial, peak, last, total),
        pct_start=(peak_at + 1) / total,
        anneal="linear" if middle == 0.25 else "cosine",
        three_phase=three,
    )


def _lambda(s: Any, group: int) -> Curve:
    function, base = s.lr_lambdas[group], float(s.base_lrs[group])
    if isinstance(function, Schedule):
        return _sets(function if base == 1 else function * base, s, group)
    schedule = schedule_of_lambda(function, base)
    if schedule is None:
        expected = "an lrsched schedule, or transformers' (no other function has a closed form)"
        refuse("lr_lambda", expected, function, TypeError)
    return _sets(schedule, s, group, size=abs(base))


def _multiplicative(s: Any, group: int) -> Curve:
    expected = "another scheduler than MultiplicativeLR (its function has no closed form)"
    refuse("scheduler", expected, s, TypeError)


def _schedule(s: Any, group: int) -> Curve:
    return _sets(s.group_schedule(group), s, group)


def _averaging(s: Any, group: int) -> Curve:
    """The curve of an SWALR: it counts its own calls, and starts from the lr at its first one."""
    end, steps = float(s.optimizer.param_groups[group]["swa_lr"]), s.anneal_epochs
    if steps == 0:
        return _sets(constant(end), s, group)
    base, calls = float(s.base_lrs[group]), s._step_count - 1
    shape: Literal["cosine", "linear"] = "linear" if s.anneal_func(0.25) == 0.25 else "cosine"
    return Curve(
        lambda lr: shifted(lrsched.anneal(lr, end, steps, shape), calls - max(s.last_epoch, 0)),
        base,
        size=max(abs(base), abs(end)),
        in_sequence=calls == 0,
        starts_from_current=True,
    )


CURVES: dict[type, Callable[[Any, int], Curve]] = {
    torch_lr.LambdaLR: _lambda,
    torch_lr.MultiplicativeLR: _multiplicative,
    torch_lr.StepLR: _step,
    torch_lr.MultiStepLR: _multi_step,
    torch_lr.ConstantLR: _constant,
    torch_lr.LinearLR: _linear,
    torch_lr.ExponentialLR: _exponential,
    torch_lr.PolynomialLR: _polynomial,
    torch_lr.CosineAnnealingLR: _cosine,
    torch_lr.CosineAnnealingWarmRestarts: _restarts,
    torch_lr.CyclicLR: _cyclic,
    torch_lr.OneCycleLR: _one_cycle,
    SWALR: _averaging,
    ScheduleLR: _schedule,
}
