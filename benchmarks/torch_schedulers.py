"""`scheduler.step()` in torch.

`lrsched_torch.lambda_lr` beside each of torch's schedulers that has a counterpart: one step in the
midst of the curve, with as many param groups as said. None of them cycles the momentum. Of
`ReduceLROnPlateau`, which observes a loss once in an evaluation, it is `ControlledLR`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_lr

import lrsched
from benchmarks.measure import Row, Section, in_turns, run_section
from lrsched_torch import ControlledLR, lambda_lr

LR, LOW, GAMMA = 0.1, 0.01, 0.9999
STEPS = 10_000_000  # more than are ever made: none comes to its end
EVERY = 1000
MILESTONES = list(range(EVERY, 100 * EVERY, EVERY))

SLOW = {"CyclicLR", "OneCycleLR"}  # these are to take twice our time with several groups

Make = Callable[[torch.optim.Optimizer], Any]


def sequence(o: torch.optim.Optimizer) -> Any:
    parts = [torch_lr.LinearLR(o, 0.1, 1.0, EVERY), torch_lr.CosineAnnealingLR(o, STEPS, LOW)]
    return torch_lr.SequentialLR(o, parts, [EVERY])


def chain(o: torch.optim.Optimizer) -> Any:
    parts = [torch_lr.LinearLR(o, 0.1, 1.0, STEPS), torch_lr.ExponentialLR(o, GAMMA)]
    return torch_lr.ChainedScheduler(parts)


def triangles(mode: Any, gamma: float = 1.0) -> Make:
    return lambda o: torch_lr.CyclicLR(
        o, LOW, LR, EVERY, mode=mode, gamma=gamma, cycle_momentum=False
    )


PAIRS: list[tuple[str, Make, lrsched.Schedule]] = [
    (
        "ConstantLR",
        lambda o: torch_lr.ConstantLR(o, 0.1, STEPS),
        lrsched.piecewise_constant([0.1 * LR, LR], [STEPS]),
    ),
    (
        "LinearLR",
        lambda o: torch_lr.LinearLR(o, 0.1, 1.0, STEPS),
        lrsched.linear(0.1 * LR, LR, STEPS),
    ),
    ("StepLR", lambda o: torch_lr.StepLR(o, EVERY, 0.99), lrsched.step_decay(LR, 0.99, EVERY)),
    (
        "MultiStepLR",
        lambda o: torch_lr.MultiStepLR(o, MILESTONES, 0.99),
        lrsched.multi_step_decay(LR, 0.99, MILESTONES),
    ),
    (
        "ExponentialLR",
        lambda o: torch_lr.ExponentialLR(o, GAMMA),
        lrsched.exponential_decay(LR, GAMMA),
    ),
    (
        "PolynomialLR",
        lambda o: torch_lr.PolynomialLR(o, STEPS, 2.0),
        lrsched.polynomial(LR, 0.0, STEPS, 2.0),
    ),
    (
        "CosineAnnealingLR",
        lambda o: torch_lr.CosineAnnealingLR(o, STEPS, LOW),
        lrsched.cosine_decay(LR, STEPS, LOW),
    ),
    (
        "CosineAnnealingWarmRestarts",
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, EVERY, 2, LOW),
        lrsched.cosine_restarts(LR, EVERY, 2, LOW),
    ),
    ("CyclicLR", triangles("triangular"), lrsched.cyclic(LOW, LR, EVERY)),
    ("CyclicLR", triangles("triangular2"), lrsched.cyclic(LOW, LR, EVERY, mode="triangular2")),
    (
        "CyclicLR",
        triangles("exp_range", GAMMA),
        lrsched.cyclic(LOW, LR, EVERY, mode="exp_range", decay_rate=GAMMA),
    ),
    (
        "OneCycleLR",
        lambda o: torch_lr.OneCycleLR(o, LR, STEPS, cycle_momentum=False),
        lrsched.one_cycle(LR, STEPS),
    ),
    (
        "LambdaLR",
        lambda o: torch_lr.LambdaLR(o, lambda count: 1.0 / (1.0 + count / EVERY)),
        lrsched.inverse_time(LR, 1.0, EVERY),
    ),
    (
        "MultiplicativeLR",
        lambda o: torch_lr.MultiplicativeLR(o, lambda count: GAMMA),
        lrsched.exponential_decay(LR, GAMMA),
    ),
    (
        "SequentialLR",
        sequence,
        lrsched.warmup(lrsched.cosine_decay(LR, STEPS, LOW), EVERY, 0.1 * LR),
    ),
    (
        "ChainedScheduler",
        chain,
        lrsched.linear(0.1, 1.0, STEPS) * lrsched.exponential_decay(LR, GAMMA),
    ),
]


def optimizer_of(groups: int) -> torch.optim.Optimizer:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(groups)]
    return torch.optim.SGD([{"params": [weight]} for weight in weights], lr=LR)


def begun(make: Make, groups: int) -> Any:
    """A scheduler that has been stepped once, after its optimizer."""
    optimizer = optimizer_of(groups)
    scheduler = make(optimizer)
    optimizer.step()
    scheduler.step()
    return scheduler


def fill(section: Section) -> None:
    warnings.filterwarnings("ignore", category=UserWarning, module="torch.optim.lr_scheduler")
    for groups in (1, 8, 100):
        for name, make, schedule in PAIRS:
            ours = begun(lambda o: lambda_lr(o, schedule), groups)  # noqa: B023
            theirs = begun(make, groups)
            goal = 1.0 if groups == 1 else 0.5 if name in SLOW else None
            what = f"`{schedule.name}`, {groups} group{'s' * (groups > 1)}"
            if name == "CyclicLR":
                what = what.replace("`,", f"` ({schedule.params['mode']}),")
            section.add(Row(what, f"`{name}`", in_turns(ours.step, theirs.step), goal=goal))
        observed(section, groups)


def observed(section: Section, groups: int) -> None:
    """The schedulers that observe a loss, which is never better."""
    plateau = lrsched.reduce_on_plateau(LR, patience=STEPS)
    ours = ControlledLR(optimizer_of(groups), plateau)
    theirs = torch_lr.ReduceLROnPlateau(optimizer_of(groups), patience=STEPS)
    ratio = in_turns(lambda: ours.observe(1.0), lambda: theirs.step(1.0))
    several = f"{groups} group{'s' * (groups > 1)}"
    goal = 2.0 if groups == 1 else 1.0
    what = f"`reduce_on_plateau`, observed, {several}"
    section.add(Row(what, "`ReduceLROnPlateau`", ratio, goal=goal))
    schedule = lrsched.cosine_decay(LR, STEPS)
    both = begun(lambda o: ControlledLR(o, schedule * lrsched.reduce_on_plateau()), groups)
    alone = begun(lambda o: lambda_lr(o, schedule), groups)
    what = f"`cosine_decay * reduce_on_plateau`, a step, {several}"
    section.add(Row(what, "`lambda_lr`", in_turns(both.step, alone.step), goal=1.0))


if __name__ == "__main__":
    run_section(fill)
