"""Convert a schedule into torch's own schedulers."""

from __future__ import annotations

import warnings

import torch
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR

from lrsched import Schedule, advance
from lrsched_torch._convert.torch_pieces import Part, pieces_of, refuse, refuse_unsupported
from lrsched_torch._schedulers.arguments import refuse_no_schedule
from lrsched_torch._schedulers.scheduled import assign

MOST_STEPS = 1_000_000  # that an advanced schedule is stepped, in seconds
CHAIN_CAN_BEGIN = torch.__version__ >= "2.6"  # a sequence: before, torch raises an AttributeError


def to_torch(schedule: Schedule, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """A scheduler of torch's own classes that sets the schedule's values in every param group.

    The scheduler contains no object of lrsched: it trains, pickles and resumes without lrsched.
    Its learning rates are the schedule's up to torch's rounding errors, which accumulate from step
    to step, and up to torch's limits: growth does not stop at a factor of 2**64, and a CyclicLR of
    mode "triangular2" raises after 1024 cycles.

    An `advance` at the outside is a scheduler that has made as many steps, which takes some
    microseconds for each.

    Schedules that torch's classes cannot express are refused, among them most shapes, polynomials
    that do not end at 0, stairs and ends that are no whole number of steps, and sums;
    `lambda_lr(optimizer, schedule)` takes any schedule. Pieces that follow each other become one
    flat SequentialLR, and factors that are multiplied become a ChainedScheduler. Each piece has its
    own `base_lrs`, which its state dict keeps.

    Args:
        schedule: a schedule of plain numbers, with its durations in steps.
        optimizer: its param groups get the learning rates; their own ones are overwritten.

    Raises:
        TypeError: optimizer is not a torch optimizer, or schedule is not a schedule of plain
            numbers.
        ValueError: a duration is not in steps, or torch has no equivalent of the schedule. The
            optimizer is unchanged.

    >>> import lrsched, torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=1.0)
    >>> recipe = lrsched.warmup(lrsched.cosine_decay(0.1, 90), 10)
    >>> scheduler = to_torch(recipe, optimizer)
    >>> [type(each).__name__ for each in scheduler._schedulers]
    ['CyclicLR', 'CosineAnnealingLR', 'ConstantLR']
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        refuse("optimizer", "a torch optimizer", optimizer, TypeError)
    if not isinstance(schedule, Schedule) or not schedule.is_plain:
        refuse_no_schedule(refuse, schedule, "a schedule of plain numbers")
    if not schedule.is_resolved:
        schedule(0)  # raises
    schedule = schedule.expand()
    if schedule.name == "advance":
        return _advanced(schedule.params["schedule"], schedule.params["steps"], optimizer)
    starts, parts = zip(*pieces_of(schedule), strict=True)
    for later in parts[1:]:
        if not later.can_follow:
            refuse_unsupported(schedule, "torch has it only at the beginning")
    if len(parts) > 1 and len(parts[0].factories) > 1 and not CHAIN_CAN_BEGIN:
        refuse_unsupported(schedule, "a product at the beginning of a sequence needs torch 2.6")
    # The first one is made last: a SequentialLR starts with the values that it leaves in the
    # param groups.
    schedulers = [_scheduler(part, optimizer) for part in reversed(parts)][::-1]
    if len(schedulers) == 1:
        return schedulers[0]
    if not isinstance(schedulers[0], ChainedScheduler):
        return SequentialLR(optimizer, schedulers, list(starts[1:]))
    with warnings.catch_warnings():
        # torch makes the first step of a chain like any other: it warns that the optimizer was not
        # stepped, and multiplies the rates, from which the chain goes on.
        warnings.simplefilter("ignore")
        sequence = SequentialLR(optimizer, schedulers, list(starts[1:]))
    _set_rates(optimizer, schedule(0))
    sequence._last_lr = [float(group["lr"]) for group in optimizer.param_groups]
    return sequence


def _advanced(schedule: Schedule, steps: float, optimizer: torch.optim.Optimizer) -> LRScheduler:
    if steps != int(steps):
        refuse_unsupported(advance(schedule, steps), "torch's counts whole steps")
    if steps > MOST_STEPS:
        refuse("schedule", f"advanced by {MOST_STEPS} steps at most", advance(schedule, steps))
    scheduler = to_torch(schedule, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that the optimizer was not stepped
        for _ in range(int(steps)):
            scheduler.step()
    return scheduler


def _set_rates(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = assign(group["lr"], lr)


def _scheduler(part: Part, optimizer: torch.optim.Optimizer) -> LRScheduler:
    _set_rates(optimizer, part.base)
    for group in optimizer.param_groups:
        group["initial_lr"] = part.base
    schedulers = [make(optimizer) for make in part.factories]
    return schedulers[0] if len(schedulers) == 1 else ChainedScheduler(schedulers)
