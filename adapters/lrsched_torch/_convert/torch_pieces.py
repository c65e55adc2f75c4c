"""Decompose a schedule into torch's own schedulers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

from torch.optim import Optimizer
from torch.optim import lr_scheduler as torch_lr
from torch.optim.lr_scheduler import LRScheduler

from lrsched import Schedule, advance, constant, cosine_decay, exponential_decay, join, linear
from lrsched._core import Refusal

refuse = Refusal("to_torch")


class Part(NamedTuple):
    """One stage of a SequentialLR.

    Attributes:
        base: the base learning rate.
        factories: functions that make its schedulers; several become a ChainedScheduler.
        is_factor: whether the schedulers multiply the learning rate that they find.
        can_follow: whether another stage may come before it.
    """

    base: float
    factories: tuple[Callable[[Optimizer], LRScheduler], ...]
    is_factor: bool = False
    can_follow: bool = True


Pieces = list[tuple[int, Part]]  # each part with the step at which it starts


def refuse_unsupported(schedule: Schedule, why: str) -> NoReturn:
    """Refuse a schedule that torch's classes cannot express."""
    expected = f"one that torch has ({why}; lambda_lr(optimizer, schedule) takes any)"
    refuse("schedule", expected, schedule)


def pieces_of(schedule: Schedule, scale: float = 1.0) -> Pieces:
    """The parts of `scale * schedule`, with their first steps."""
    params = SimpleNamespace(**schedule.params)
    if schedule.name in _SAME_AS:
        return pieces_of(_SAME_AS[schedule.name](schedule, params), scale)
    if schedule.name in _PIECES:
        return _PIECES[schedule.name](schedule, scale, params)
    return refuse_unsupported(schedule, f"torch has no such scheduler as {schedule.name}")


def _whole(schedule: Schedule, *steps: float) -> None:
    if any(type(each) is not int for each in steps):
        refuse_unsupported(schedule, "torch's counts whole steps")


def _single(base: float, make: Callable[[Any], LRScheduler], **rest: bool) -> Pieces:
    return [(0, Part(base, (make,), **rest))]


def _factor(base: float, make: Callable[[Any], LRScheduler]) -> Pieces:
    return _single(base, make, is_factor=True)


def _hold(value: float) -> Pieces:
    return _factor(value, lambda o: torch_lr.ConstantLR(o, factor=1.0, total_iters=1))


def _then_hold(pieces: Pieces, steps: int, value: float) -> Pieces:
    """The pieces, replaced by a constant value from step `steps` on."""
    return [*pieces, *((steps, part) for _, part in _hold(value))]


def _constant(s: Schedule, scale: float, p: Any) -> Pieces:
    return _hold(scale * p.value)


def _linear(s: Schedule, scale: float, p: Any) -> Pieces:
    first, last, steps = scale * p.init_value, scale * p.end_value, p.steps
    _whole(s, steps)
    base = max(first, last)
    if first > 0 and last == 0:
        return _factor(first, lambda o: torch_lr.PolynomialLR(o, steps))
    if first > 0 and last > 0:
        return _factor(base, lambda o: torch_lr.LinearLR(o, first / base, last / base, steps))
    # A LinearLR cannot start at 0; a CyclicLR can, in its rising half.
    up = _single(first, lambda o: torch_lr.CyclicLR(o, first, last, steps, cycle_momentum=False))
    return _then_hold(up, steps, last)


def _polynomial(s: Schedule, scale: float, p: Any) -> Pieces:
    if p.end_value != 0 or p.cycle:
        refuse_unsupported(s, "a PolynomialLR ends at 0, once")
    _whole(s, p.steps)
    return _factor(scale * p.init_value, lambda o: torch_lr.PolynomialLR(o, p.steps, p.power))


def _exponential(s: Schedule, scale: float, p: Any) -> Pieces:
    if p.staircase:
        _whole(s, p.decay_steps)
        return _factor(
            scale * p.init_value, lambda o: torch_lr.StepLR(o, p.decay_steps, p.decay_rate)
        )
    rate = p.decay_rate ** (1 / p.decay_steps)
    return _factor(scale * p.init_value, lambda o: torch_lr.ExponentialLR(o, rate))


def _step(s: Schedule, scale: float, p: Any) -> Pieces:
    _whole(s, p.step_size)
    return _factor(scale * p.init_value, lambda o: torch_lr.StepLR(o, p.step_size, p.decay_rate))


def _multi_step(s: Schedule, scale: float, p: Any) -> Pieces:
    steps = list(p.boundaries)
    _whole(s, *steps)
    return _factor(scale * p.init_value, lambda o: torch_lr.MultiStepLR(o, steps, p.decay_rate))


def _cosine(s: Schedule, scale: float, p: Any) -> Pieces:
    steps, end = p.decay_steps, scale * p.end_value
    _whole(s, steps)
    down = _single(scale * p.init_value, lambda o: torch_lr.CosineAnnealingLR(o, steps, end))
    return _then_hold(down, steps, end)


def _restarts(s: Schedule, scale: float, p: Any) -> Pieces:
    if p.peak_mult != 1:
        refuse_unsupported(s, "torch's restarts are all as high")
    _whole(s, p.first_steps, p.period_mult)
    options = p.first_steps, p.period_mult, scale * p.end_value
    return _single(
        scale * p.init_value, lambda o: torch_lr.CosineAnnealingWarmRestarts(o, *options)
    )


def _cyclic(s: Schedule, scale: float, p: Any) -> Pieces:
    low, high, up, down = scale * p.init_value, scale * p.peak_value, p.up_steps, p.down_steps
    if callable(p.mode):
        refuse_unsupported(s, "a function in a CyclicLR is in no checkpoint")
    if p.shape == "linear":
        options = low, high, up, down, p.mode, p.decay_rate
        return _single(low, lambda o: torch_lr.CyclicLR(o, *options, cycle_momentum=False))
    if p.mode != "triangular" or down not in (None, up):
        refuse_unsupported(s, "a CosineAnnealingLR goes to and fro in equal halves")
    return _single(low, lambda o: torch_lr.CosineAnnealingLR(o, up, high))


def _one_cycle(s: Schedule, scale: float, p: Any) -> Pieces:
    peak, steps = scale * p.peak_value, p.total_steps
    if p.up_fraction * steps == 1:
        refuse_unsupported(s, "a OneCycleLR whose peak is at step 0 divides by 0")
    options: dict[str, Any] = {
        "pct_start": p.up_fraction,
        "anneal_strategy": "cos" if p.anneal == "cosine" else "linear",
        "cycle_momentum": False,
        "div_factor": p.div_factor,
        "final_div_factor": p.final_div_factor,
        "three_phase": p.three_phase,
    }
    cycle = _single(
        peak / p.div_factor,
        lambda o: torch_lr.OneCycleLR(o, peak, steps, **options),
        can_follow=False,  # it keeps its rates in the param groups
    )
    return _then_hold(cycle, steps, scale * s(steps))


def _join(s: Schedule, scale: float, p: Any) -> Pieces:
    """One flat list of parts: torch does not nest sequences."""
    _whole(s, *p.boundaries)
    pieces: Pieces = []
    starts, ends = (0, *p.boundaries), (*p.boundaries, None)
    for start, schedule, end in zip(starts, p.schedules, ends, strict=True):
        for offset, part in pieces_of(schedule, scale):
            if end is None or start + offset < end:
                pieces.append((start + offset, part))
    return pieces


def _scale(s: Schedule, scale: float, p: Any) -> Pieces:
    return pieces_of(p.schedule, scale * p.factor)


def _product(s: Schedule, scale: float, p: Any) -> Pieces:
    for one, other in ((p.first, p.second), (p.second, p.first)):
        if one.name == "constant":
            return pieces_of(other, scale * one(0))
    pieces = [*pieces_of(p.first, scale), *pieces_of(p.second)]
    if len(pieces) != 2 or not all(part.is_factor for _, part in pieces):
        refuse_unsupported(s, "a ChainedScheduler multiplies only what scales the rate it finds")
    (_, first), (_, second) = pieces
    factories = first.factories + second.factories
    # A ChainedScheduler in a SequentialLR cannot begin later: it has no step to an epoch.
    return [(0, Part(first.base * second.base, factories, is_factor=True, can_follow=False))]


def _anneal(s: Schedule, p: Any) -> Schedule:
    """The linear and the cosine shape, which torch has; reversed, they are the same."""
    if p.shape not in ("linear", "cosine"):
        refuse_unsupported(s, f"no scheduler of torch has the shape {p.shape!r}")
    if p.shape == "linear":
        return linear(p.init_value, p.end_value, p.steps)
    return cosine_decay(p.init_value, p.steps, p.end_value)


def _warmup(s: Schedule, p: Any) -> Schedule:
    if p.warmup_steps == 0:
        return p.schedule  # type: ignore[no-any-return]
    if p.power != 1:
        refuse_unsupported(s, "no scheduler of torch rises with a power")
    if p.mode == "times":
        return p.schedule * _rise(s, p, 1.0)  # type: ignore[no-any-return]
    target = p.schedule(p.warmup_steps if p.mode == "into" else 0)
    following = p.schedule if p.mode == "before" else advance(p.schedule, p.warmup_steps)
    return _followed_by(_rise(s, p, target), p.warmup_steps, following)


def _rise(s: Schedule, p: Any, target: float) -> Schedule:
    """The values of a warmup; one that counts from 1 is at its target a step before its end."""
    p.end_value, p.steps = target, p.warmup_steps
    if p.count_from == 0:
        return _anneal(s, p)
    if p.shape != "linear":
        refuse_unsupported(s, f"no scheduler of torch begins within the shape {p.shape!r}")
    if p.steps == 1:
        return constant(target)
    return linear(p.init_value + (target - p.init_value) / p.steps, target, p.steps - 1)


def _cooldown(s: Schedule, p: Any) -> Schedule:
    p.init_value = p.schedule(p.begin)
    return _followed_by(p.schedule, p.begin, _anneal(s, p))


def _then_scale(s: Schedule, p: Any) -> Schedule:
    return _followed_by(p.schedule, p.begin, p.factor * p.schedule(p.begin))


def _delay(s: Schedule, p: Any) -> Schedule:
    return _followed_by(constant(p.schedule(0)), p.steps, p.schedule)


def _ramp(s: Schedule, p: Any) -> Schedule:
    ramp = exponential_decay(p.init_value, p.end_value / p.init_value, p.steps)
    return _followed_by(ramp, p.steps, constant(p.end_value))


def _followed_by(schedule: Schedule, begin: int, following: Schedule) -> Schedule:
    return join([schedule, following], [begin]) if begin else following


def _piecewise_constant(s: Schedule, scale: float, p: Any) -> Pieces:
    _whole(s, *p.boundaries)
    if len(p.values) == 2 and 0 < p.values[0] <= p.values[1]:
        first, last = p.values
        return _factor(scale * last, lambda o: torch_lr.ConstantLR(o, first / last, *p.boundaries))
    return pieces_of(join([constant(value) for value in p.values], p.boundaries), scale)


# Schedules that are rewritten as simpler ones first.
_SAME_AS: dict[str, Callable[[Schedule, Any], Schedule]] = {
    "anneal": _anneal,
    "cooldown": _cooldown,
    "delay": _delay,
    "exponential_ramp": _ramp,
    "then_scale": _then_scale,
    "warmup": _warmup,
}

_PIECES: dict[str, Callable[[Schedule, float, Any], Pieces]] = {
    "constant": _constant,
    "linear": _linear,
    "polynomial": _polynomial,
    "exponential_decay": _exponential,
    "step_decay": _step,
    "multi_step_decay": _multi_step,
    "cosine_decay": _cosine,
    "cosine_restarts": _restarts,
    "cyclic": _cyclic,
    "one_cycle": _one_cycle,
    "join": _join,
    "piecewise_constant": _piecewise_constant,
    "scale": _scale,
    "product": _product,
}
