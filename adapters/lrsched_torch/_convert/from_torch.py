"""Convert a torch scheduler into a schedule."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CyclicLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from lrsched import Schedule, constant, join
from lrsched._core import integer
from lrsched_torch._convert.continuation import (
    Curve,
    curve_through,
    from_trough,
    next_trough,
    product,
    refuse,
    shifted,
    step_count,
)
from lrsched_torch._convert.torch_curves import CURVES, cyclic_schedule, one_cycle_schedule
from lrsched_torch._convert.within_run import within_run

_TOTAL_STEPS = integer(1, "steps")

# Methods that a subclass may override without changing the learning rates.
_HARMLESS = {"state_dict", "load_state_dict", "get_last_lr", "print_lr"}

# How often a SequentialLR has called a stage when it begins; before torch 2.9, that counts as one.
_CALLS_AT_START = 0 if hasattr(LRScheduler, "_update_lr") else 1


def from_torch(
    scheduler: LRScheduler,
    key: Literal["lr", "momentum", "betas"] = "lr",
    total_steps: int | None = None,
) -> Schedule | list[Schedule]:
    """The schedule of the learning rates that a torch scheduler sets, at any point of its run.

    `from_torch(scheduler)(n)` is the learning rate after n calls of `scheduler.step()`, counted
    from its construction. At `n == scheduler.last_epoch` it is the current learning rate of the
    param group, and from there on what further steps would set. So
    `optax.sgd(from_torch(scheduler))` has the same recipe, and
    `lambda_lr(optimizer, from_torch(scheduler), last_step=scheduler.last_epoch - 1)` continues from
    here. The count of a ChainedScheduler is that of its first member.

    Where the current learning rate is not the one of the formula (because it was changed, or not
    restored on resuming), the schedule continues from the current one as torch would, and its
    earlier values may differ from those that were used. A relative difference of 1e-9 counts as
    torch's rounding.

    Peculiarities of torch are kept: a CosineAnnealingLR rises again after its end, and a
    SequentialLR starts each scheduler from that scheduler's own base learning rate. Two are not:
    from `total_steps` on, where torch leaves the curve and then raises, a OneCycleLR keeps its
    last value; and growth stops at a factor of 2**64.

    All schedulers of torch are supported, `SWALR` included, and so are transformers'
    `get_*_schedule*` and `lambda_lr`. Numbers of steps must be whole.

    Args:
        scheduler: a scheduler of `torch.optim.lr_scheduler`.
        key: what to convert: "lr", or "momentum" or "betas" for the momentum (or the first beta)
            that a CyclicLR or a OneCycleLR cycles.
        total_steps: the length of the run in steps. The schedule is then one for this run, and
            simpler where its values up to the end allow that: a CosineAnnealingLR that ends with
            the run is a `cosine_decay`, and with a LinearLR before it a `warmup` of one.

    Returns:
        One schedule if it is the same for all param groups, else a list with one for each group,
        which `lambda_lr` accepts.

    Raises:
        TypeError, ValueError: the scheduler is not a function of the step (`ReduceLROnPlateau`),
            contains a Python function or overridden methods whose result is unknown, or follows a
            curve that no schedule here has. The message says which.

    >>> import lrsched, torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)
    >>> from_torch(scheduler)
    step_decay(init_value=0.1, decay_rate=0.1, step_size=30)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)
    >>> from_torch(scheduler, total_steps=90)
    cosine_decay(init_value=0.1, decay_steps=90)
    """
    if total_steps is not None:
        total_steps = refuse.check("total_steps", _TOTAL_STEPS, total_steps)
    if isinstance(scheduler, ReduceLROnPlateau):
        expected = (
            "a function of the step (one that follows a metric is ControlledLR(optimizer, "
            "lrsched.reduce_on_plateau(...)))"
        )
        refuse("scheduler", expected, scheduler, TypeError)
    if not isinstance(scheduler, LRScheduler):
        refuse("scheduler", "a torch scheduler", scheduler, TypeError)
    try:
        schedules = _schedules(scheduler, key)
    except (ArithmeticError, AttributeError, LookupError) as error:
        reason = f"whole; torch itself lacks or cannot use a part of it ({error!r})"
        refuse("scheduler", reason, scheduler)
    if total_steps is not None:
        schedules = [within_run(each, total_steps) for each in schedules]
    return schedules[0] if all(each == schedules[0] for each in schedules) else schedules


def _schedules(scheduler: Any, key: str) -> list[Schedule]:
    """The schedule of each param group."""
    groups = scheduler.optimizer.param_groups
    if key == "lr":
        return [_schedule_of(scheduler, i, float(group["lr"])) for i, group in enumerate(groups)]
    return [_momentum(scheduler, i, key) for i in range(len(groups))]


def _schedule_of(scheduler: Any, group: int, lr: float) -> Schedule:
    """The schedule of one param group whose current learning rate is `lr`."""
    kind = _known_class(scheduler)
    if kind is SequentialLR:
        return _sequence(scheduler, group, lr)
    if kind is ChainedScheduler:
        return _chain(scheduler, group, lr)
    curve = _curve(scheduler, group)
    return curve_through(curve, _count(scheduler), lr, _tolerance(scheduler, group))


def _known_class(scheduler: Any) -> type:
    """The class in `CURVES`, SequentialLR or ChainedScheduler that the scheduler behaves as."""
    names: set[str] = set()
    for kind in type(scheduler).__mro__:
        if kind in CURVES or kind in (SequentialLR, ChainedScheduler):
            overridden = sorted(name for name in names - _HARMLESS if hasattr(kind, name))
            if overridden:
                expected = f"a {kind.__name__} that does not override {', '.join(overridden)}"
                refuse("scheduler", expected, scheduler, TypeError)
            return kind
        names |= {name for name in vars(kind) if not name.startswith("__")}
    return refuse("scheduler", "one of torch's own schedulers", scheduler, TypeError)


def _curve(scheduler: Any, group: int) -> Curve:
    groups, known = len(scheduler.optimizer.param_groups), len(scheduler.base_lrs)
    if groups != known:
        refuse("param_groups", f"the {known} that the scheduler was made for", groups)
    return CURVES[_known_class(scheduler)](scheduler, group)


def _epoch(scheduler: Any) -> Any:
    if isinstance(scheduler, ChainedScheduler):
        return _epoch(scheduler._schedulers[0])
    return scheduler.last_epoch


def _count(scheduler: Any) -> int:
    return step_count("last_epoch", _epoch(scheduler), 0)


def _tolerance(scheduler: Any, group: int) -> float:
    """The relative error allowed for torch's recursion; more where the lr is a float32 tensor."""
    lr = scheduler.optimizer.param_groups[group]["lr"]
    return max(1e-9, 100 * torch.finfo(lr.dtype).eps if isinstance(lr, torch.Tensor) else 0.0)


def _sequence(scheduler: Any, group: int, lr: float) -> Schedule:
    """The schedule of a SequentialLR: a join of past, present and future stages."""
    count = _count(scheduler)
    milestones = [step_count("milestones", max(step, 0), 0) for step in scheduler._milestones]
    if milestones != sorted(milestones):
        refuse("milestones", "ascending (torch skips what is not)", scheduler._milestones)
    present = bisect_right(milestones, count)
    pieces: list[Schedule] = []
    starts: list[int] = []
    stages = zip(scheduler._schedulers, [0, *milestones], [*milestones, math.inf], strict=True)
    for stage, (child, start, stop) in enumerate(stages):
        if start == stop:
            continue
        if stage == present:
            piece = shifted(_schedule_of(child, group, lr), _count(child) - (count - start))
        elif stage > present:
            so_far = join(pieces, starts[1:])
            piece = _future_stage(child, group, so_far(start - 1))
        else:
            piece = _past_stage(child, group, int(stop) - 1 - start)
        pieces.append(piece)
        starts.append(start)
    return pieces[0] if len(pieces) == 1 else join(pieces, starts[1:])


def _past_stage(child: Any, group: int, count: int) -> Schedule:
    """The schedule of a stage that ended at its step `count`, read from its last learning rate."""
    lr = float(child._last_lr[group])
    if _epoch(child) < 0:  # it never started
        return constant(lr)
    return shifted(_schedule_of(child, group, lr), _count(child) - count)


def _future_stage(child: Any, group: int, current_lr: float) -> Schedule:
    """The schedule of a stage that a SequentialLR starts when the lr is `current_lr`."""
    kind = _known_class(child)
    if kind not in CURVES:
        expected = f"no {kind.__name__} but the first (torch cannot begin it later)"
        refuse("schedulers", expected, child)
    curve = _curve(child, group)
    if not curve.in_sequence:
        expected = f"a {kind.__name__} that begins at its count 0 (torch does not let it)"
        refuse("schedulers", expected, child)
    if curve.starts_from_current:
        return shifted(curve.make(current_lr), _CALLS_AT_START)
    return curve.make(curve.base)


def _members(scheduler: Any) -> Iterator[Any]:
    """The members of a ChainedScheduler, those of nested ones included."""
    for member in scheduler._schedulers:
        yield from _members(member) if _known_class(member) is ChainedScheduler else (member,)


def _chain(scheduler: Any, group: int, lr: float) -> Schedule:
    """The schedule of a ChainedScheduler.

    Each member changes the learning rate that the one before left. A member that sets the rate
    makes those before it irrelevant.
    """
    members = list(_members(scheduler))
    curves = [
        None if _known_class(each) is SequentialLR else _curve(each, group) for each in members
    ]
    count, tolerance = _count(scheduler), _tolerance(scheduler, group)
    counts = [_count(each) for each in members]
    first = max((i for i, curve in enumerate(curves) if curve and curve.sets), default=0)
    members, curves, counts = members[first:], curves[first:], counts[first:]
    if all(curve and curve.is_factor for curve in curves) and len({*counts, count}) == 1:
        factors = product([curve for curve in curves if curve])
        return curve_through(factors, count, lr, tolerance)
    moving = [
        i for i, curve in enumerate(curves) if curve is None or curve.sets or counts[i] < curve.last
    ]
    if len(moving) == 1:
        (only,) = moving
        return shifted(_schedule_of(members[only], group, lr), counts[only] - count)
    cosines = [curve for curve in curves if curve and curve.half_period and not curve.make(0.0)(1)]
    others = [curve for curve in curves if curve and curve.is_factor]
    if len(cosines) == 1 and len(others) == len(curves) - 1 and len({*counts, count}) == 1:
        (cosine,) = cosines
        end = next_trough(cosine, count)
        if all(curve.last <= end for curve in others):
            falling = replace(cosine, half_period=0)
            until_end = curve_through(product([falling, *others]), count, lr, tolerance)
            return join([until_end, from_trough(cosine)], [end])
    expected = "factors, or one scheduler at work after those that are done (this is no product)"
    return refuse("a ChainedScheduler's members", expected, scheduler._schedulers)


def _momentum(scheduler: Any, group: int, key: str) -> Schedule:
    """The schedule of the momentum, or of the first beta, of one param group."""
    if key not in ("momentum", "betas"):
        refuse("key", "'lr', 'momentum' or 'betas'", key)
    kind = _known_class(scheduler)
    if kind not in (CyclicLR, OneCycleLR) or not scheduler.cycle_momentum:
        refuse("key", "'lr' for what cycles no momentum", key)
    if scheduler.use_beta1 != (key == "betas"):
        refuse("key", "'betas'" if scheduler.use_beta1 else "'momentum'", key)
    values = scheduler.optimizer.param_groups[group]
    if kind is CyclicLR:
        high, low = scheduler.max_momentums[group], scheduler.base_momentums[group]
        schedule = cyclic_schedule(scheduler, high, low)
    else:
        high, low = values["max_momentum"], values["base_momentum"]
        schedule = one_cycle_schedule(scheduler, high, low, high)
    current = values["betas"][0] if key == "betas" else values["momentum"]
    curve = Curve(lambda _: schedule, high, sets=True, size=1.0)
    return curve_through(curve, _count(scheduler), float(current), _tolerance(scheduler, group))
