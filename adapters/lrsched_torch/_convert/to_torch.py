"""A schedule as torch's own schedulers."""

from __future__ import annotations

import torch
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR

from lrsched import Schedule
from lrsched_torch._convert.torch_pieces import Part, no_equal, pieces_of, refuse


def to_torch(schedule: Schedule, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """Torch's own scheduler whose stepping gives the schedule's values, in every param group.

    Nothing of lrsched is inside: what it makes trains, pickles and resumes without lrsched. The
    rates are the schedule's up to torch's rounding, which its recursions add up from step to step,
    and up to torch's limits: growth does not end at 2**64, and a CyclicLR of "triangular2" raises
    after 1024 cycles.

    What torch's classes have no equal to is refused, among it most shapes, floors of polynomials,
    and sums; `lambda_lr(optimizer, schedule)` takes any schedule. Pieces that follow each other
    become one flat SequentialLR, factors that are multiplied a ChainedScheduler. Each piece has
    its own `base_lrs`, which its state dict keeps.

    Args:
        schedule: of plain numbers, with its durations in steps.
        optimizer: whose param groups get the learning rates, whatever they had.

    Raises:
        TypeError, ValueError: an argument is none of these, or the schedule has no equal in torch;
            the optimizer is left as it was.

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
        refuse("schedule", "a schedule of plain numbers", schedule, TypeError)
    if not schedule.is_resolved:
        schedule(0)  # refuses
    begins, parts = zip(*pieces_of(schedule), strict=True)
    for later in parts[1:]:
        if not later.anywhere:
            no_equal(schedule, "torch has it only at the beginning")
    # The first one last: what it leaves in the param groups is what a SequentialLR begins with.
    schedulers = [_made(part, optimizer) for part in reversed(parts)][::-1]
    if len(schedulers) == 1:
        return schedulers[0]
    return SequentialLR(optimizer, schedulers, list(begins[1:]))


def _made(part: Part, optimizer: torch.optim.Optimizer) -> LRScheduler:
    for group in optimizer.param_groups:
        group["initial_lr"] = part.base
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(part.base)
        else:
            group["lr"] = part.base
    made = [make(optimizer) for make in part.makes]
    return made[0] if len(made) == 1 else ChainedScheduler(made)
