"""Check the arguments of `range_test` before anything changes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test.running.continuation import Limits
from lrsched_torch._range_test.wrappers import Wrapper
from lrsched_torch._schedulers.arguments import refuse_no_schedule
from lrsched_torch._schedulers.param_groups import check_ratio_options, group_ratios
from lrsched_torch._snapshot.reachable import parameters

_refuse = Refusal("range_test")


def weights_of(step: Any, optimizer: Any, batches: Any) -> list[torch.Tensor]:
    """The optimizer's parameters; wrong arguments are refused."""
    if not callable(step):
        _refuse("step", "a function from a batch to its loss", step, TypeError)
    weights = weights_in(optimizer)
    if not isinstance(batches, Iterable):
        _refuse("batches", "an iterable of batches", batches, TypeError)
    return weights


def weights_in(optimizer: Any) -> list[torch.Tensor]:
    """The parameters of an optimizer, which has some that are initialised."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        _refuse("optimizer", "a torch optimizer", optimizer, TypeError)
    weights = parameters(optimizer)
    if not weights:
        _refuse("optimizer", "one with parameters", optimizer)
    if any(nn.parameter.is_lazy(weight) for weight in weights):
        _refuse("optimizer", "one of initialised parameters (call the model once)", optimizer)
    return weights


def closure_of(optimizer: torch.optim.Optimizer, closure: Any, scaler: Any) -> bool:
    """Whether to use a closure; by default if `optimizer.step` requires one, as L-BFGS does."""
    if closure is None:
        parameter = inspect.signature(optimizer.step).parameters.get("closure")
        closure = parameter is not None and parameter.default is inspect.Parameter.empty
    if closure and scaler is not None:
        _refuse("scaler", "None with a closure", scaler)
    return bool(closure)


def schedules_in(schedule: Any) -> list[Schedule]:
    """The checked schedules of an argument that is one, or a list of them."""
    schedules = list(schedule) if isinstance(schedule, (list, tuple)) else [schedule]
    if not all(isinstance(each, Schedule) and each.is_plain for each in schedules):
        refuse_no_schedule(_refuse, schedule, "a schedule of plain numbers, or a list of them")
    for unresolved in (each for each in schedules if not each.is_resolved):
        unresolved(0)  # raises
    return schedules


def schedules_of(schedule: Any, optimizer: torch.optim.Optimizer) -> list[Schedule]:
    """The checked schedules: one for all param groups, or one for each."""
    schedules = schedules_in(schedule)
    if schedules != [schedule]:
        count = len(optimizer.param_groups)
        if len(schedules) != count:
            _refuse("schedule", f"a list of {count}, one for each param group", schedule)
    return schedules


def limits_with(schedule: Any, wrapper: Wrapper | None, accumulate: int, limits: Limits) -> Limits:
    """The limits of a test with such a schedule and optimizer, which may have to stop at its ramp.

    A training has one rate for all param groups; and Accelerate's loader, where it accumulates,
    says in its own order where an update ends.
    """
    accumulates = wrapper is not None and wrapper.gradient_state is not None and accumulate > 1
    if isinstance(schedule, (list, tuple)):
        where = "with a list of schedules"
    elif accumulates:
        where = "where Accelerate accumulates batches"
    else:
        return limits
    if limits.refine:
        _refuse("refine", f"False {where}", True)
    if limits.max_steps is not None and limits.further:
        _refuse("max_steps", f"steps ({limits.steps}) {where}, or None", limits.max_steps)
    return limits.none


def ratios_of(
    optimizer: torch.optim.Optimizer, schedule: Any, keep_ratios: Any, reference_group: Any
) -> list[float]:
    """The ratios of the param groups to the schedule, as `lambda_lr` would have them."""
    groups = len(optimizer.param_groups)
    if check_ratios(schedule, keep_ratios, reference_group, groups):
        return group_ratios(_refuse, optimizer, reference_group)
    return [1.0] * groups


def check_ratios(schedule: Any, keep_ratios: Any, reference_group: Any, groups: int) -> bool:
    """Whether so many param groups keep ratios; wrong options are refused."""
    is_one = not isinstance(schedule, (list, tuple))
    return check_ratio_options(_refuse, keep_ratios, reference_group, is_one, groups)


def check_wrapped(wrapper: Wrapper, scaler: Any) -> None:
    """Refuse what does not go with an optimizer that Accelerate or Fabric wraps."""
    if scaler is not None and wrapper.packages:
        _refuse("scaler", "None with an optimizer that steps through its own", scaler)


def check_before_update(before_update: Any) -> None:
    """Refuse a hook that is not a function."""
    if before_update is not None and not callable(before_update):
        _refuse("before_update", "a function without arguments, or None", before_update, TypeError)
