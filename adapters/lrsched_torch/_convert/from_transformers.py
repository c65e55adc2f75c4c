"""Convert the functions that transformers passes to LambdaLR into schedules."""

from __future__ import annotations

import functools
import math
from typing import Any

from lrsched import Schedule, constant, cyclic, from_name
from lrsched._core import Refusal

_refuse = Refusal("from_torch")

_NAMES = {
    "_get_constant_schedule_with_warmup_lr_lambda": "constant_with_warmup",
    "_get_linear_schedule_with_warmup_lr_lambda": "linear",
    "_get_cosine_schedule_with_warmup_lr_lambda": "cosine",
    "_get_cosine_with_hard_restarts_schedule_with_warmup_lr_lambda": "cosine_with_restarts",
    "_get_polynomial_decay_schedule_with_warmup_lr_lambda": "polynomial",
    "_get_inverse_sqrt_schedule_lr_lambda": "inverse_sqrt",
    "_get_cosine_with_min_lr_schedule_with_warmup_lr_rate_lambda": "cosine_warmup_with_min_lr",
    "_get_wsd_scheduler_lambda": "warmup_stable_decay",
}


def schedule_of_lambda(function: Any, lr: float) -> Schedule | None:
    """The schedule `lr * function(count)` of a transformers function; None for other functions."""
    inner = getattr(function, "func", function)
    if getattr(inner, "__module__", None) != "transformers.optimization":
        return None
    if inner.__name__ == "_get_constant_lambda":
        return constant(lr)
    name = _NAMES.get(inner.__name__)
    if name is None or not isinstance(function, functools.partial) or function.args:
        return None
    parameters = dict(function.keywords)
    _refuse_deviations(name, parameters)
    if name == "polynomial":
        parameters["lr_end"] *= lr / parameters.pop("lr_init")
    schedule = from_name(name, lr, **parameters)
    if name == "cosine_with_restarts":
        _refuse_missed_restarts(function)
        return schedule
    return _with_rebound(schedule) if name.startswith("cosine") else schedule


def _refuse_deviations(name: str, parameters: dict[str, Any]) -> None:
    """Refuse parameters for which transformers' function is not the curve that they describe."""
    before, total = parameters["num_warmup_steps"], parameters.get("num_training_steps")
    if total is not None and total <= before:
        _refuse("num_training_steps", f"above num_warmup_steps ({before})", total)


def _refuse_missed_restarts(function: functools.partial[float]) -> None:
    """Refuse restarts that transformers misses.

    Rounding before its `% 1.0` can give the end of one cycle in place of the start of the next.
    """
    before, total, cycles = (
        function.keywords[key] for key in ("num_warmup_steps", "num_training_steps", "num_cycles")
    )
    factor = from_name("cosine_with_restarts", 1.0, **function.keywords)
    for cycle in range(math.ceil(cycles)):
        count = before + math.ceil((total - before) * cycle / cycles)
        if abs(function(count) - factor(count)) > 0.5:
            _refuse("num_cycles", f"one whose restarts are not missed (as at {count})", cycles)


def _with_rebound(schedule: Schedule) -> Schedule:
    """The schedule with a cosine that rises again after its end, as in transformers."""
    if schedule.name in ("warmup", "advance"):
        return schedule.replace(schedule=_with_rebound(schedule.params["schedule"]))
    if schedule.name == "cosine_decay":
        init, steps, end = schedule.params.values()
        return cyclic(init, end, steps, shape="cosine")
    waves = schedule.params["schedules"][0]  # of a join that ends them
    return waves if waves.name == "cyclic" else schedule
