"""The controllers of the classes that follow a metric: torch's plateau and transformers' GreedyLR.

Each function reads the arguments of a class, and returns what makes the controller of a rate.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrsched._core.controller import Controller
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import is_list
from lrsched.configs.section import Section
from lrsched.controllers.greedy import greedy
from lrsched.controllers.plateau import reduce_on_plateau
from lrsched.controllers.wrappers import skip_metrics
from lrsched.schedules.combine import warmup

Follower = Callable[[float], Controller]

MODES = ("min", "max")
THRESHOLD_MODES = ("rel", "abs")


def plateau(params: Section) -> Follower:
    """What torch's `ReduceLROnPlateau` with these arguments makes of the optimizer's rate."""
    mode: Any = params.choice("mode", MODES, default="min")
    threshold_mode: Any = params.choice("threshold_mode", THRESHOLD_MODES, default="rel")
    threshold = threshold_of(params, "threshold", mode == "min" and threshold_mode == "rel")
    factor = params.number("factor", ">= 0", "< 1", default=0.1)
    patience = params.integer("patience", default=10)
    cooldown = params.integer("cooldown", default=0)
    low = of_all_groups(params, "min_lr", 0.0)
    eps = params.number("eps", ">= 0", default=1e-8)
    params.value("verbose", default=None)
    return lambda rate: reduce_on_plateau(
        *(rate, factor, patience, mode, threshold, threshold_mode, cooldown, low, eps)
    )


def warmed(
    controller: Controller, steps: Any, init_value: float = 0.0, unobserved: int = 0
) -> Schedule:
    """A controller after a warmup, of which it is not shown the first metrics."""
    if unobserved:
        controller = skip_metrics(controller, unobserved)
    return warmup(controller, steps, init_value)


def threshold_of(params: Section, key: str, is_fraction: bool, default: float = 1e-4) -> float:
    """The threshold of a plateau, below 1 if it is the fraction by which a metric must fall."""
    bounds = (">= 0", "< 1") if is_fraction else (">= 0",)
    return float(params.number(key, *bounds, default=default))


def of_all_groups(params: Section, key: str, default: float) -> float:
    """A limit of the rate: a number, or a list with the same number for each group."""
    if not is_list(params.value(key, default)):
        return float(params.number(key, ">= 0", default=default))
    limits: Sequence[float] = params.numbers(key, ">= 0")
    if len(set(limits)) != 1:
        expected = "a number, or a list with the same number for each group"
        params.refuse(key, expected, params.value(key))
    return float(limits[0])


def greedy_lr(params: Section) -> Follower:
    """What transformers' `GreedyLR` with these arguments makes of the optimizer's rate."""
    mode: Any = params.choice("mode", MODES, default="min")
    threshold_mode: Any = params.choice("threshold_mode", THRESHOLD_MODES, default="abs")
    is_fraction = mode == "min" and threshold_mode == "rel"
    low, high = of_all_groups(params, "min_lr", 1e-3), of_all_groups(params, "max_lr", 1.0)
    if low > high:
        params.refuse("min_lr", f"at most max_lr ({high:g})", low)
    arguments: dict[str, Any] = {
        "factor": params.number("factor", "> 0", "< 1", default=0.95),
        "patience": params.integer("patience", default=10),
        "mode": mode,
        "threshold": threshold_of(params, "threshold", is_fraction, 1e-6),
        "threshold_mode": threshold_mode,
        "cooldown": params.integer("cooldown", default=0),
        "growth_cooldown": params.integer("warmup", default=0),
        "min_value": low,
        "max_value": high,
        "eps": params.number("eps", ">= 0", default=1e-8),
        "window_size": _window(params),
        "reset_after": params.integer("reset_start", 1, default=500),
    }
    params.value("verbose", default=None)
    return lambda rate: greedy(rate, **arguments)


def _window(params: Section) -> int | None:
    """The number of metrics that are averaged; None without `smooth`."""
    size = params.integer("window_size", 1, default=50)
    return int(size) if params.flag("smooth", default=False) else None


# By the name of transformers' `SchedulerType`.
BY_NAME: Mapping[str, Callable[[Section], Follower]] = {
    "reduce_lr_on_plateau": plateau,
    "greedy": greedy_lr,
}
