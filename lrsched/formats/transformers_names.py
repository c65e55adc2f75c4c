"""Schedules by transformers' names, with transformers' parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.checks import Refusal, choice, integer, number
from lrsched._core.kinds import FRACTION
from lrsched._core.schedule import Schedule
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.restarts import cosine_restarts
from lrsched.schedules.transform import advance, cooldown

_refuse = Refusal("from_name")
_WARMUPS = choice("linear", "cosine", "1-sqrt")


def from_name(name: str, learning_rate: float, **parameters: Any) -> Schedule:
    """The schedule that transformers' `get_scheduler(name, ...)` applies to an optimizer's lr.

    Takes the names of transformers' `SchedulerType` and the parameters of its schedules:
    `num_warmup_steps` (default 0), `num_training_steps`, and those in `scheduler_specific_kwargs`.
    After its end, a cosine stays at its last value; that of transformers rises again.

        name                            further parameters (with their defaults)

        constant, constant_with_warmup
        linear
        cosine, cosine_with_min_lr      num_cycles (0.5), min_lr or min_lr_rate
        cosine_warmup_with_min_lr       the same, and warmup_lr_rate; it counts from 1
        cosine_with_restarts            num_cycles (1), a divisor of the steps after the warmup
        polynomial                      lr_end (1e-7), power (1.0)
        inverse_sqrt                    timescale (the warmup's length, or 10000 without a warmup)
        warmup_stable_decay             num_decay_steps, num_stable_steps, warmup_type ("linear"),
                                        decay_type ("cosine"), min_lr_ratio (0.0)

    Args:
        name: transformers' name of the schedule.
        learning_rate: the optimizer's lr.
        **parameters: transformers' parameters of that schedule.

    Raises:
        TypeError: `name` is not a string, or a parameter is missing, unknown or of the wrong type.
        ValueError: there is no such name, or a value is refused. "reduce_lr_on_plateau" and
            "greedy" are refused, because they are not functions of the step.

    >>> from_name("linear", 0.1, num_warmup_steps=10, num_training_steps=100)
    warmup(schedule=linear(init_value=0.1, end_value=0.0, steps=90), warmup_steps=10)
    """
    if not isinstance(name, str):
        _refuse("name", _expected(), name, TypeError)
    builder = BUILDERS.get(str(getattr(name, "value", name)))
    if builder is None:
        _refuse("name", _expected(), name)
    signature = inspect.signature(builder)
    try:
        bound = signature.bind(learning_rate, **parameters)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[1:])
        raise TypeError(f"from_name: {name}: {error} (its parameters: {known})") from None
    return builder(*bound.args, **bound.kwargs)


def _expected() -> str:
    return f"one of {', '.join(BUILDERS)}"


def _steps(**counts: Any) -> list[int]:
    return [_refuse.check(name, integer(0, "steps"), value) for name, value in counts.items()]


def _after_warmup(num_warmup_steps: Any, num_training_steps: Any) -> tuple[int, int]:
    """The steps of the warmup, and the steps after it (at least 1, as in transformers)."""
    before, total = _steps(num_warmup_steps=num_warmup_steps, num_training_steps=num_training_steps)
    return before, max(total - before, 1)


def _constant(
    lr: float, *, num_warmup_steps: int = 0, num_training_steps: int | None = None
) -> Schedule:
    return warmup(constant(lr), num_warmup_steps)


def _linear(lr: float, *, num_training_steps: int, num_warmup_steps: int = 0) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    return warmup(linear(lr, 0.0, after), before)


def _cosine_waves(lr: float, floor: float, steps: int, num_cycles: float) -> Schedule:
    """A cosine of `num_cycles` whole waves over `steps` steps, then its last value."""
    if num_cycles == 0.5:
        return cosine_decay(lr, steps, floor)
    halves = _refuse.check("num_cycles", number("> 0"), num_cycles) * 2
    if halves != int(halves) or steps % int(halves):
        expected = f"a whole number that divides {steps} (the steps after the warmup)"
        _refuse("2 * num_cycles", expected, halves)
    waves = cyclic(lr, floor, up_steps=steps // int(halves), shape="cosine")
    return join([waves, constant(waves(steps))], [steps])


def _cosine(
    lr: float,
    *,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    return warmup(_cosine_waves(lr, _floor(lr, min_lr, min_lr_rate), after, num_cycles), before)


def _cosine_from_1(
    lr: float,
    *,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    decay = _cosine_waves(lr, _floor(lr, min_lr, min_lr_rate), after, num_cycles)
    if before == 0:
        return advance(decay, 1)
    rate = 1 / before if warmup_lr_rate is None else warmup_lr_rate
    return warmup(decay, before - 1, _refuse.check("warmup_lr_rate", FRACTION, rate) * lr)


def _cosine_with_restarts(
    lr: float, *, num_training_steps: int, num_warmup_steps: int = 0, num_cycles: int = 1
) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    cycles = _refuse.check("num_cycles", integer(1, "cycles"), num_cycles)
    if after % cycles:
        _refuse("num_cycles", f"a divisor of {after} (the steps after the warmup)", num_cycles)
    restarts = cosine_restarts(lr, after // cycles)
    return warmup(join([restarts, constant(0.0)], [after]), before)


def _polynomial(
    lr: float,
    *,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    lr_end: float = 1e-7,
    power: float = 1.0,
) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    return warmup(polynomial(lr, lr_end, after, power), before)


def _inverse_sqrt(
    lr: float,
    *,
    num_warmup_steps: int = 0,
    num_training_steps: int | None = None,
    timescale: int | None = None,
) -> Schedule:
    return warmup(inverse_sqrt(lr, timescale or num_warmup_steps or 10_000), num_warmup_steps)


def _warmup_stable_decay(
    lr: float,
    *,
    num_decay_steps: int,
    num_warmup_steps: int = 0,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
) -> Schedule:
    before, after = _steps(num_warmup_steps=num_warmup_steps, num_decay_steps=num_decay_steps)
    if num_stable_steps is None:
        expected = "given, unless num_stable_steps is"
        if num_training_steps is None:
            _refuse("num_training_steps", expected, None)
        (total,) = _steps(num_training_steps=num_training_steps)
        num_stable_steps = total - before - after
    (stable,) = _steps(num_stable_steps=num_stable_steps)
    floor = _refuse.check("min_lr_ratio", FRACTION, min_lr_ratio) * lr
    rise = _refuse.check("warmup_type", _WARMUPS, warmup_type)
    fall = _refuse.check("decay_type", _WARMUPS, decay_type)
    return warmup(cooldown(constant(lr), stable, after, floor, fall), before, floor, rise)


def _floor(lr: float, min_lr: float | None, min_lr_rate: float | None) -> float:
    if min_lr is not None and min_lr_rate is not None:
        _refuse("min_lr", "left out where min_lr_rate is given", min_lr)
    if min_lr_rate is not None:
        return float(_refuse.check("min_lr_rate", FRACTION, min_lr_rate)) * lr
    return 0.0 if min_lr is None else min_lr


BUILDERS: Mapping[str, Callable[..., Schedule]] = {
    "constant": _constant,
    "constant_with_warmup": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_min_lr": _cosine,
    "cosine_warmup_with_min_lr": _cosine_from_1,
    "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "warmup_stable_decay": _warmup_stable_decay,
}
