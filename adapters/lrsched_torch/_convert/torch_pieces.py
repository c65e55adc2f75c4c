"""What a schedule is made of, of torch's own schedulers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

from torch.optim import Optimizer
from torch.optim import lr_scheduler as torch_lr
from torch.optim.lr_scheduler import LRScheduler

from lrsched import Schedule, constant, cosine_decay, exponential_decay, join, linear
from lrsched._core import Refusal

refuse = Refusal("to_torch")


class Part(NamedTuple):
    """The lr that torch begins from, and what makes its schedulers, which multiply if several."""

    base: float
    makes: tuple[Callable[[Optimizer], LRScheduler], ...]
    is_factor: bool = False
    anywhere: bool = True  # or only at the beginning of a SequentialLR


Pieces = list[tuple[int, Part]]  # each with the step that it begins at


def no_equal(schedule: Schedule, why: str) -> NoReturn:
    """Refuse what none of torch's classes does."""
    wanted = f"one that torch has ({why}; lambda_lr(optimizer, schedule) takes any)"
    refuse("schedule", wanted, schedule)


def pieces_of(schedule: Schedule, by: float = 1.0) -> Pieces:
    """What a schedule times a number is made of."""
    params = SimpleNamespace(**schedule.params)
    if schedule.name in _SAME_AS:
        return pieces_of(_SAME_AS[schedule.name](schedule, params), by)
    if schedule.name in _PIECES:
        return _PIECES[schedule.name](schedule, by, params)
    return no_equal(schedule, f"torch has no such scheduler as {schedule.name}")


def _one(base: float, make: Callable[[Any], LRScheduler], **rest: bool) -> Pieces:
    return [(0, Part(base, (make,), **rest))]


def _factor(base: float, make: Callable[[Any], LRScheduler]) -> Pieces:
    return _one(base, make, is_factor=True)


def _held(value: float) -> Pieces:
    return _factor(value, lambda o: torch_lr.ConstantLR(o, factor=1.0, total_iters=1))


def _then(pieces: Pieces, steps: int, value: float) -> Pieces:
    """Pieces that a value held from a step on puts an end to."""
    return [*pieces, *((steps, part) for _, part in _held(value))]


def _constant(s: Schedule, by: float, p: Any) -> Pieces:
    return _held(by * p.value)


def _linear(s: Schedule, by: float, p: Any) -> Pieces:
    first, last, steps = by * p.init_value, by * p.end_value, p.steps
    base = max(first, last)
    if first > 0 and last == 0:
        return _factor(first, lambda o: torch_lr.PolynomialLR(o, steps))
    if first > 0 and last > 0:
        return _factor(base, lambda o: torch_lr.LinearLR(o, first / base, last / base, steps))
    # A LinearLR cannot begin at 0; a CyclicLR can, on its way up.
    up = _one(first, lambda o: torch_lr.CyclicLR(o, first, last, steps, cycle_momentum=False))
    return _then(up, steps, last)


def _polynomial(s: Schedule, by: float, p: Any) -> Pieces:
    if p.end_value != 0 or p.cycle:
        no_equal(s, "a PolynomialLR ends at 0, once")
    return _factor(by * p.init_value, lambda o: torch_lr.PolynomialLR(o, p.steps, p.power))


def _exponential(s: Schedule, by: float, p: Any) -> Pieces:
    if p.staircase:
        return _factor(by * p.init_value, lambda o: torch_lr.StepLR(o, p.decay_steps, p.decay_rate))
    rate = p.decay_rate ** (1 / p.decay_steps)
    return _factor(by * p.init_value, lambda o: torch_lr.ExponentialLR(o, rate))


def _step(s: Schedule, by: float, p: Any) -> Pieces:
    return _factor(by * p.init_value, lambda o: torch_lr.StepLR(o, p.step_size, p.decay_rate))


def _multi_step(s: Schedule, by: float, p: Any) -> Pieces:
    steps = list(p.boundaries)
    return _factor(by * p.init_value, lambda o: torch_lr.MultiStepLR(o, steps, p.decay_rate))


def _cosine(s: Schedule, by: float, p: Any) -> Pieces:
    steps, end = p.decay_steps, by * p.end_value
    down = _one(by * p.init_value, lambda o: torch_lr.CosineAnnealingLR(o, steps, end))
    return _then(down, steps, end)


def _restarts(s: Schedule, by: float, p: Any) -> Pieces:
    if p.peak_mult != 1:
        no_equal(s, "torch's restarts are all as high")
    options = p.first_steps, p.period_mult, by * p.end_value
    return _one(by * p.init_value, lambda o: torch_lr.CosineAnnealingWarmRestarts(o, *options))


def _cyclic(s: Schedule, by: float, p: Any) -> Pieces:
    low, high, up, down = by * p.init_value, by * p.peak_value, p.up_steps, p.down_steps
    if callable(p.mode):
        no_equal(s, "a function in a CyclicLR is in no checkpoint")
    if p.shape == "linear":
        options = low, high, up, down, p.mode, p.decay_rate
        return _one(low, lambda o: torch_lr.CyclicLR(o, *options, cycle_momentum=False))
    if p.mode != "triangular" or down not in (None, up):
        no_equal(s, "a CosineAnnealingLR goes to and fro in equal halves")
    return _one(low, lambda o: torch_lr.CosineAnnealingLR(o, up, high))


def _one_cycle(s: Schedule, by: float, p: Any) -> Pieces:
    peak, steps = by * p.peak_value, p.total_steps
    if p.up_fraction * steps == 1:
        no_equal(s, "a OneCycleLR whose peak is at step 0 divides by 0")
    options: dict[str, Any] = {
        "pct_start": p.up_fraction,
        "anneal_strategy": "cos" if p.anneal == "cosine" else "linear",
        "cycle_momentum": False,
        "div_factor": p.div_factor,
        "final_div_factor": p.final_div_factor,
        "three_phase": p.three_phase,
    }
    cycle = _one(
        peak / p.div_factor,
        lambda o: torch_lr.OneCycleLR(o, peak, steps, **options),
        anywhere=False,  # it keeps its rates in the param groups
    )
    return _then(cycle, steps, by * s(steps))


def _join(s: Schedule, by: float, p: Any) -> Pieces:
    """Flat: torch does not nest sequences."""
    found: Pieces = []
    begins, ends = (0, *p.boundaries), (*p.boundaries, None)
    for start, schedule, end in zip(begins, p.schedules, ends, strict=True):
        for begin, part in pieces_of(schedule, by):
            if len(part.makes) > 1:
                no_equal(schedule, "a ChainedScheduler is not begun by a SequentialLR")
            if end is None or start + begin < end:
                found.append((start + begin, part))
    return found


def _scale(s: Schedule, by: float, p: Any) -> Pieces:
    return pieces_of(p.schedule, by * p.factor)


def _product(s: Schedule, by: float, p: Any) -> Pieces:
    for one, other in ((p.first, p.second), (p.second, p.first)):
        if one.name == "constant":
            return pieces_of(other, by * one(0))
    pieces = [*pieces_of(p.first, by), *pieces_of(p.second)]
    if len(pieces) != 2 or not all(part.is_factor for _, part in pieces):
        no_equal(s, "a ChainedScheduler multiplies only what scales the rate it finds")
    (_, first), (_, second) = pieces
    return [(0, Part(first.base * second.base, first.makes + second.makes, is_factor=True))]


def _way(s: Schedule, p: Any) -> Schedule:
    """Those shapes that torch has; backwards they are the same."""
    if p.shape not in ("linear", "cosine"):
        no_equal(s, f"no scheduler of torch has the shape {p.shape!r}")
    if p.shape == "linear":
        return linear(p.init_value, p.end_value, p.steps)
    return cosine_decay(p.init_value, p.steps, p.end_value)


def _warmup(s: Schedule, p: Any) -> Schedule:
    if p.warmup_steps == 0:
        return p.schedule  # type: ignore[no-any-return]
    p.end_value, p.steps = p.schedule(0), p.warmup_steps
    return _after(_way(s, p), p.steps, p.schedule)


def _cooldown(s: Schedule, p: Any) -> Schedule:
    p.init_value = p.schedule(p.begin)
    return _after(p.schedule, p.begin, _way(s, p))


def _then_scale(s: Schedule, p: Any) -> Schedule:
    return _after(p.schedule, p.begin, p.factor * p.schedule(p.begin))


def _delay(s: Schedule, p: Any) -> Schedule:
    return _after(constant(p.schedule(0)), p.steps, p.schedule)


def _ramp(s: Schedule, p: Any) -> Schedule:
    ramp = exponential_decay(p.init_value, p.end_value / p.init_value, p.steps)
    return _after(ramp, p.steps, constant(p.end_value))


def _after(schedule: Schedule, begin: int, following: Schedule) -> Schedule:
    return join([schedule, following], [begin]) if begin else following


def _stairs(s: Schedule, p: Any) -> Schedule:
    return join([constant(value) for value in p.values], p.boundaries)


_SAME_AS: dict[str, Callable[[Schedule, Any], Schedule]] = {
    "anneal": _way,
    "cooldown": _cooldown,
    "delay": _delay,
    "exponential_ramp": _ramp,
    "then_scale": _then_scale,
    "piecewise_constant": _stairs,
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
    "scale": _scale,
    "product": _product,
}
