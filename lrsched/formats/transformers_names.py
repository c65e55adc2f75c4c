"""Schedules by transformers' names, with transformers' parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.blame import in_the_name_of
from lrsched._core.checks import Refusal, choice
from lrsched._core.durations import Duration
from lrsched._core.kinds import FRACTION, or_duration
from lrsched._core.number_kinds import integer, number
from lrsched._core.schedule import Schedule
from lrsched.formats.names import unknown
from lrsched.formats.phases import steps_after, warmed_up
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.cycles import cyclic
from lrsched.schedules.decay import cosine_decay, piecewise_constant
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.ramp import constant, linear, polynomial
from lrsched.schedules.restarts import cosine_restarts
from lrsched.schedules.transform import advance, cooldown

_refuse = Refusal("from_name")
_WARMUPS = choice("linear", "cosine", "1-sqrt")


def from_name(name: str, learning_rate: float, **parameters: Any) -> Schedule:
    """The schedule that transformers' `get_scheduler(name, ...)` applies to an optimizer's lr.

    Takes the names of transformers' and diffusers' `SchedulerType` and the parameters of their
    schedules: `num_warmup_steps` (default 0), `num_training_steps`, and those in
    `scheduler_specific_kwargs`.
    Steps may be durations, such as `run_fraction(0.1, round="up")`, except where a `num_cycles`
    divides them. After its end, a cosine stays at its last value; that of transformers rises again.

        name                            further parameters (with their defaults)

        constant                        (it has no warmup)
        constant_with_warmup
        linear
        cosine, cosine_with_min_lr      num_cycles (0.5), min_lr or min_lr_rate
        cosine_warmup_with_min_lr       the same, and warmup_lr_rate; it counts from 1
        cosine_with_restarts            num_cycles (1)
        polynomial                      lr_end (1e-7), power (1.0)
        inverse_sqrt                    timescale (the warmup's length, or 10000 without a warmup)
        piecewise_constant              step_rules (that of diffusers: "1:10,0.1:20,0.01")
        warmup_stable_decay             num_decay_steps, num_stable_steps, warmup_type ("linear"),
                                        decay_type ("cosine"), min_lr_ratio (0.0), num_cycles (0.5)

    `num_cycles` may be any number above 0. A cycle that is no whole number of steps ends between
    two steps.

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
        _refuse("name", f"one of {', '.join(BUILDERS)}", name, TypeError)
    builder = BUILDERS.get(str(getattr(name, "value", name)))
    if builder is None:
        raise ValueError(f"from_name: {unknown(name, BUILDERS, parameter='name')}")
    signature = inspect.signature(builder)
    try:
        bound = signature.bind(learning_rate, **parameters)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[1:])
        raise TypeError(f"from_name: {name}: {error} (its parameters: {known})") from None
    try:
        return builder(*bound.args, **bound.kwargs)
    except (TypeError, ValueError) as refused:
        given = {"learning_rate": learning_rate, **parameters}
        own = in_the_name_of("from_name", refused, given)
    raise own


def _steps(**counts: Any) -> list[Any]:
    kind = or_duration(integer(0, "steps"))
    return [_refuse.check(name, kind, value) for name, value in counts.items()]


def _after_warmup(num_warmup_steps: Any, num_training_steps: Any) -> tuple[Any, Any]:
    """The steps of the warmup, and the steps after it (at least 1, as in transformers)."""
    before, total = _steps(num_warmup_steps=num_warmup_steps, num_training_steps=num_training_steps)
    return before, steps_after(before, total)


def _constant(
    lr: float, *, num_warmup_steps: int = 0, num_training_steps: int | None = None
) -> Schedule:
    return constant(lr)


def _constant_with_warmup(
    lr: float, *, num_warmup_steps: int = 0, num_training_steps: int | None = None
) -> Schedule:
    (before,) = _steps(num_warmup_steps=num_warmup_steps)
    return warmed_up(constant(lr), before)


def _linear(lr: float, *, num_training_steps: int, num_warmup_steps: int = 0) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    return warmed_up(linear(lr, 0.0, after), before)


def _cycles(num_cycles: Any, steps: Any, least: float) -> float:
    """A number of cycles that leaves each the least length, in steps."""
    cycles = float(_refuse.check("num_cycles", number("> 0"), num_cycles))
    if isinstance(steps, Duration):
        expected = f"left out where the steps that it divides are no number ({steps})"
        _refuse("num_cycles", expected, num_cycles)
    if steps < least * cycles:
        _refuse("num_cycles", f"<= {steps / least:g} ({steps} steps)", num_cycles)
    return cycles


def _waves(lr: float, floor: float, steps: Any, num_cycles: float) -> Schedule:
    """A cosine that has `num_cycles` whole waves in so many steps, without an end."""
    cycles = _cycles(num_cycles, steps, 2.0)
    return cyclic(lr, floor, steps / (2 * cycles), shape="cosine")


def _cosine_decay(lr: float, floor: float, steps: Any, num_cycles: float) -> Schedule:
    """A cosine of `num_cycles` whole waves over so many steps, then its last value."""
    if num_cycles == 0.5:
        return cosine_decay(lr, steps, floor)
    waves = _waves(lr, floor, steps, num_cycles)
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
    return warmed_up(_cosine_decay(lr, _floor(lr, min_lr, min_lr_rate), after, num_cycles), before)


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
    _refuse.check("num_warmup_steps", integer(0, "steps"), num_warmup_steps)
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    decay = _cosine_decay(lr, _floor(lr, min_lr, min_lr_rate), after, num_cycles)
    if before == 0:
        return advance(decay, 1)
    rate = 1 / before if warmup_lr_rate is None else warmup_lr_rate
    init_value = _refuse.check("warmup_lr_rate", FRACTION, rate) * lr
    if before == 1:
        return decay if rate == 1 else warmup(decay, 1, init_value, mode="over")
    return warmup(decay, before - 1, init_value)


def _cosine_with_restarts(
    lr: float, *, num_training_steps: int, num_warmup_steps: int = 0, num_cycles: float = 1
) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    if num_cycles == 1:
        return warmed_up(cosine_decay(lr, after), before)
    restarts = cosine_restarts(lr, after / _cycles(num_cycles, after, 1.0))
    return warmed_up(join([restarts, constant(0.0)], [after]), before)


def _polynomial(
    lr: float,
    *,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    lr_end: float = 1e-7,
    power: float = 1.0,
) -> Schedule:
    before, after = _after_warmup(num_warmup_steps, num_training_steps)
    return warmed_up(polynomial(lr, lr_end, after, power), before)


def _piecewise_constant(lr: float, *, step_rules: str) -> Schedule:
    """Factors with the steps before which they hold, and a last one: "1:10,0.1:20,0.01"."""
    expected = 'rules such as "1:10,0.1:20,0.01" (a factor before step 10, before 20, and after)'
    if not isinstance(step_rules, str):
        _refuse("step_rules", expected, step_rules, TypeError)
    *rules, last = step_rules.split(",")
    try:
        pairs = sorted((int(end), float(factor)) for factor, end in (x.split(":") for x in rules))
        factors = [*(factor for _, factor in pairs), float(last)]
    except ValueError:
        _refuse("step_rules", expected, step_rules)
    return piecewise_constant([factor * lr for factor in factors], [end for end, _ in pairs])


def _inverse_sqrt(
    lr: float,
    *,
    num_warmup_steps: int = 0,
    num_training_steps: int | None = None,
    timescale: float | None = None,
) -> Schedule:
    (before,) = _steps(num_warmup_steps=num_warmup_steps)
    return warmed_up(inverse_sqrt(lr, timescale or before or 10_000), before)


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
    num_cycles: float = 0.5,
) -> Schedule:
    before, down = _steps(num_warmup_steps=num_warmup_steps, num_decay_steps=num_decay_steps)
    if num_stable_steps is None:
        expected = "given, unless num_stable_steps is"
        if num_training_steps is None:
            _refuse("num_training_steps", expected, None)
        (total,) = _steps(num_training_steps=num_training_steps)
        num_stable_steps = total - before - down
    (stable,) = _steps(num_stable_steps=num_stable_steps)
    floor = _refuse.check("min_lr_ratio", FRACTION, min_lr_ratio) * lr
    rise = _refuse.check("warmup_type", _WARMUPS, warmup_type)
    fall = _refuse.check("decay_type", _WARMUPS, decay_type)
    if fall == "cosine" and num_cycles != 0.5:
        parts, ends = [_waves(lr, floor, down, num_cycles), constant(floor)], [stable + down]
        level = [constant(lr)] if stable else []
        stages = join(level + parts, [stable, *ends] if stable else ends)
    else:
        stages = cooldown(constant(lr), stable, down, floor, fall)
    return warmed_up(stages, before, init_value=floor, shape=rise)


def _floor(lr: float, min_lr: float | None, min_lr_rate: float | None) -> float:
    if min_lr is not None and min_lr_rate is not None:
        _refuse("min_lr", "left out where min_lr_rate is given", min_lr)
    if min_lr_rate is not None:
        return float(_refuse.check("min_lr_rate", FRACTION, min_lr_rate)) * lr
    return 0.0 if min_lr is None else min_lr


BUILDERS: Mapping[str, Callable[..., Schedule]] = {
    "constant": _constant,
    "constant_with_warmup": _constant_with_warmup,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_min_lr": _cosine,
    "cosine_warmup_with_min_lr": _cosine_from_1,
    "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "piecewise_constant": _piecewise_constant,
    "warmup_stable_decay": _warmup_stable_decay,
}
