"""A live torch scheduler as a schedule."""

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
from lrsched_torch._convert.continuation import (
    Curve,
    from_trough,
    product,
    refuse,
    shifted,
    through,
    trough,
    whole,
)
from lrsched_torch._convert.torch_curves import CURVES, policy, triangles

_HARMLESS = {"state_dict", "load_state_dict", "get_last_lr", "print_lr"}


def from_torch(
    scheduler: LRScheduler, key: Literal["lr", "momentum", "betas"] = "lr"
) -> Schedule | list[Schedule]:
    """The schedule of learning rates that a torch scheduler follows, wherever it stands.

    `from_torch(scheduler)(n)` is the lr after n calls of its `step()`, counted from its beginning:
    for `n == scheduler.last_epoch` what the groups have now, and from there on what stepping it
    would give. So `optax.sgd(from_torch(scheduler))` is the same recipe, and
    `lambda_lr(optimizer, from_torch(scheduler), last_step=scheduler.last_epoch - 1)` goes on from
    here. A ChainedScheduler's count is its first member's.

    Where the present lr is not what the formula gives (somebody changed it, or resumed without
    it), the schedule goes on from it as torch would, and what is before the present need not be
    what was. A part of 1e-9 counts as torch's rounding. Torch's own ways are kept: a
    CosineAnnealingLR climbs back, a SequentialLR begins each scheduler from its own base. Two are
    not: at `total_steps` and after, where torch leaves the curve and then raises, a OneCycleLR
    stays at its end; and growth ends at 2**64.

    All of torch's schedulers are known, `SWALR`, transformers' `get_*_schedule*` and `lambda_lr`
    too. Counts of steps must be whole numbers.

    Args:
        scheduler: of `torch.optim.lr_scheduler`.
        key: "momentum" or "betas" for the momentum (or the first beta) that a CyclicLR or a
            OneCycleLR cycles.

    Returns:
        One schedule where all param groups agree, else a list with one for each, as `lambda_lr`
        takes.

    Raises:
        TypeError, ValueError: the scheduler is not a function of the step (`ReduceLROnPlateau`),
            has a Python function or methods of its own that cannot be known, or does what no
            schedule here does; the text says which.

    >>> import lrsched, torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)
    >>> from_torch(scheduler)
    step_decay(init_value=0.1, decay_rate=0.1, step_size=30)
    """
    if isinstance(scheduler, ReduceLROnPlateau):
        wanted = (
            "a function of the step (one that follows a metric is PlateauLR(optimizer, "
            "lrsched.plateau.reduce_on_plateau(...)))"
        )
        refuse("scheduler", wanted, scheduler, TypeError)
    if not isinstance(scheduler, LRScheduler):
        refuse("scheduler", "a torch scheduler", scheduler, TypeError)
    groups = scheduler.optimizer.param_groups
    if key == "lr":
        found = [_read(scheduler, i, float(group["lr"])) for i, group in enumerate(groups)]
    else:
        found = [_momentum(scheduler, i, key) for i in range(len(groups))]
    return found[0] if all(each == found[0] for each in found) else found


def _read(scheduler: Any, group: int, lr: float) -> Schedule:
    """The schedule on the clock of a scheduler that has come to this lr."""
    kind = _kind(scheduler)
    if kind is SequentialLR:
        return _sequence(scheduler, group, lr)
    if kind is ChainedScheduler:
        return _chain(scheduler, group, lr)
    return through(_curve(scheduler, group), _count(scheduler), lr, _tolerance(scheduler, group))


def _kind(scheduler: Any) -> type:
    """Which of the known classes it is, or behaves as."""
    names: set[str] = set()
    for kind in type(scheduler).__mro__:
        if kind in CURVES or kind in (SequentialLR, ChainedScheduler):
            changed = sorted(name for name in names - _HARMLESS if hasattr(kind, name))
            if changed:
                wanted = f"a {kind.__name__} that does not override {', '.join(changed)}"
                refuse("scheduler", wanted, scheduler, TypeError)
            return kind
        names |= {name for name in vars(kind) if not name.startswith("__")}
    return refuse("scheduler", "one of torch's own schedulers", scheduler, TypeError)


def _curve(scheduler: Any, group: int) -> Curve:
    groups, known = len(scheduler.optimizer.param_groups), len(scheduler.base_lrs)
    if groups != known:
        refuse("param_groups", f"the {known} that the scheduler was made for", groups)
    return CURVES[_kind(scheduler)](scheduler, group)


def _epoch(scheduler: Any) -> Any:
    if isinstance(scheduler, ChainedScheduler):
        return _epoch(scheduler._schedulers[0])
    return scheduler.last_epoch


def _count(scheduler: Any) -> int:
    return whole("last_epoch", _epoch(scheduler), 0)


def _tolerance(scheduler: Any, group: int) -> float:
    """How far torch's recursion may be from the formula, relatively; a float32 tensor's more."""
    lr = scheduler.optimizer.param_groups[group]["lr"]
    return max(1e-9, 100 * torch.finfo(lr.dtype).eps if isinstance(lr, torch.Tensor) else 0.0)


def _sequence(scheduler: Any, group: int, lr: float) -> Schedule:
    count = _count(scheduler)
    milestones = [whole("milestones", max(step, 0), 0) for step in scheduler._milestones]
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
            piece = shifted(_read(child, group, lr), _count(child) - (count - start))
        elif stage > present:
            so_far = join(pieces, starts[1:])
            piece = _begun(child, group, so_far(start - 1))
        else:
            piece = _past(child, group, int(stop) - 1 - start)
        pieces.append(piece)
        starts.append(start)
    return pieces[0] if len(pieces) == 1 else join(pieces, starts[1:])


def _past(child: Any, group: int, count: int) -> Schedule:
    """What a scheduler has done, up to the lr that it remembers."""
    lr = float(child._last_lr[group])
    if _epoch(child) < 0:  # it has never begun
        return constant(lr)
    return shifted(_read(child, group, lr), _count(child) - count)


def _begun(child: Any, group: int, met: float) -> Schedule:
    """What a scheduler will do once a SequentialLR comes to it, where the lr is then `met`."""
    kind = _kind(child)
    if kind not in CURVES:
        wanted = f"no {kind.__name__} but the first (torch cannot begin it later)"
        refuse("schedulers", wanted, child)
    curve = _curve(child, group)
    if not curve.in_sequence:
        wanted = f"a {kind.__name__} that begins at its count 0 (torch does not let it)"
        refuse("schedulers", wanted, child)
    return curve.make(met if curve.meets else curve.base)


def _members(scheduler: Any) -> Iterator[Any]:
    for member in scheduler._schedulers:
        yield from _members(member) if _kind(member) is ChainedScheduler else (member,)


def _chain(scheduler: Any, group: int, lr: float) -> Schedule:
    """Each member works on what it finds; what sets the rate outright undoes those before it."""
    members = list(_members(scheduler))
    curves = [None if _kind(each) is SequentialLR else _curve(each, group) for each in members]
    count, tolerance = _count(scheduler), _tolerance(scheduler, group)
    counts = [_count(each) for each in members]
    first = max((i for i, curve in enumerate(curves) if curve and curve.sets), default=0)
    members, curves, counts = members[first:], curves[first:], counts[first:]
    if all(curve and curve.is_factor for curve in curves) and len({*counts, count}) == 1:
        whole_product = product([curve for curve in curves if curve])
        return through(whole_product, count, lr, tolerance)
    moving = [
        i for i, curve in enumerate(curves) if curve is None or curve.sets or counts[i] < curve.last
    ]
    if len(moving) == 1:
        (only,) = moving
        return shifted(_read(members[only], group, lr), counts[only] - count)
    cosines = [curve for curve in curves if curve and curve.half_period and not curve.make(0.0)(1)]
    factors = [curve for curve in curves if curve and curve.is_factor]
    if len(cosines) == 1 and len(factors) == len(curves) - 1 and len({*counts, count}) == 1:
        (cosine,) = cosines
        end = trough(cosine, count)
        if all(curve.last <= end for curve in factors):
            falling = replace(cosine, half_period=0)
            until = through(product([falling, *factors]), count, lr, tolerance)
            return join([until, from_trough(cosine)], [end])
    wanted = "factors, or one scheduler at work after those that are done (this is no product)"
    return refuse("a ChainedScheduler's members", wanted, scheduler._schedulers)


def _momentum(scheduler: Any, group: int, key: str) -> Schedule:
    if key not in ("momentum", "betas"):
        refuse("key", "'lr', 'momentum' or 'betas'", key)
    kind = _kind(scheduler)
    if kind not in (CyclicLR, OneCycleLR) or not scheduler.cycle_momentum:
        refuse("key", "'lr' for what cycles no momentum", key)
    if scheduler.use_beta1 != (key == "betas"):
        refuse("key", "'betas'" if scheduler.use_beta1 else "'momentum'", key)
    values = scheduler.optimizer.param_groups[group]
    if kind is CyclicLR:
        high, low = scheduler.max_momentums[group], scheduler.base_momentums[group]
        schedule = triangles(scheduler, high, low)
    else:
        high, low = values["max_momentum"], values["base_momentum"]
        schedule = policy(scheduler, high, low, high)
    now = values["betas"][0] if key == "betas" else values["momentum"]
    curve = Curve(lambda _: schedule, high, sets=True, size=1.0)
    return through(curve, _count(scheduler), float(now), _tolerance(scheduler, group))
