"""detectron2: the `SOLVER` of its configuration, as a mapping or with dotted keys.

    SOLVER:
      BASE_LR: 0.02
      STEPS: (60000, 80000)
      MAX_ITER: 90000

`WARMUP_ITERS` count as part of the run: the decay keeps the clock of the run, unless
`RESCALE_INTERVAL` stretches what is left over it. Groups of parameters with a factor of their own,
such as `BIAS_LR_FACTOR`, have the schedule times that factor.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import cosine_decay, multi_step_decay, piecewise_constant
from lrsched.schedules.ramp import constant, polynomial
from lrsched.schedules.transform import advance, maximum

KEYS = {"BASE_LR", "LR_SCHEDULER_NAME", "MAX_ITER", "WARMUP_ITERS", "WARMUP_FACTOR"}
OTHER_LIBRARIES = {"LR_POLICY", "MAX_EPOCH"}  # SlowFast, FastReID
LONGEST = 10**6  # updates, from which on fvcore's boundaries come early by whole updates


class Run(NamedTuple):
    """The numbers of the run, scaled to its batch size."""

    rate: float
    scale: float
    total: int
    up: int

    def scaled(self, steps: int) -> int:
        """A number of updates in a run of this batch size."""
        return round(steps / self.scale)


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a `SOLVER`, or its keys, with the names of detectron2."""
    solver = config.get("SOLVER")
    entries = solver if isinstance(solver, Mapping) else config
    names = {str(key).removeprefix("SOLVER.") for key in entries}
    return bool(names & KEYS) and not names & OTHER_LIBRARIES


def read(config: Section) -> Schedule:
    """The schedule of the rate of parameters without a factor of their own."""
    if "_BASE_" in config:
        reason = "left out, and the file that it names merged into this one, as it has a SOLVER too"
        config.refuse("_BASE_", reason, config.value("_BASE_"))
    solver = config.section("SOLVER", default={})
    solver = solver if solver.entries else config
    name = solver.choice("LR_SCHEDULER_NAME", tuple(READERS), default="WarmupMultiStepLR")
    return READERS[name](solver, _run(solver))


def _run(solver: Section) -> Run:
    scale = 1.0
    if solver.integer("REFERENCE_WORLD_SIZE", default=0):
        batch = solver.given("batch_size", "with a REFERENCE_WORLD_SIZE the run is scaled to it")
        scale = batch / solver.integer("IMS_PER_BATCH", 1, default=16)
    else:
        solver.integer("IMS_PER_BATCH", 1, default=16, context="batch_size")
    rate = solver.number("BASE_LR", ">= 0", default=0.001, context="learning_rate")
    total = solver.integer("MAX_ITER", 1, default=40000, context="total_steps")
    up = solver.integer("WARMUP_ITERS", default=1000, context="warmup_steps")
    run = Run(rate * scale, scale, total, up)
    total = run.scaled(total)
    return run._replace(total=total, up=min(run.scaled(up), total))


def _multi_step(solver: Section, run: Run) -> Schedule:
    steps = [run.scaled(step) for step in solver.integers("STEPS", 1, default=(30000,))]
    if steps != sorted(steps):
        solver.refuse("STEPS", "in ascending order", steps)
    return _decays(solver, run, [Fraction(step, run.total) for step in steps])


def _fixed_gamma(solver: Section, run: Run) -> Schedule:
    decays = solver.integer("NUM_DECAYS", 1, default=3)
    return _decays(solver, run, [Fraction(k + 1, decays + 1) for k in range(decays)])


def _decays(solver: Section, run: Run, shares: list[Fraction]) -> Schedule:
    """A decay by `GAMMA` where each share of the run is done, to within fvcore's 1e-6 of it."""
    gamma = solver.number("GAMMA", ">= 0", default=0.1)
    length = _length(solver, run)
    inside = [share for share in shares if share < 1]
    boundaries = [math.ceil((share - Fraction(1, LONGEST)) * length) for share in inside]
    if not inside:
        return _warmed(solver, run, constant(run.rate))
    return _warmed(solver, run, multi_step_decay(run.rate, gamma, boundaries))


def _cosine(solver: Section, run: Run) -> Schedule:
    end = solver.number("BASE_LR_END", ">= 0", default=0.0)
    if end > run.rate:
        solver.refuse("BASE_LR_END", f"<= BASE_LR ({run.rate})", end)
    return _warmed(solver, run, cosine_decay(run.rate, _length(solver, run), end))


def _poly(solver: Section, run: Run) -> Schedule:
    """The schedule of detectron2's project DeepLab, whose warmup multiplies the decay."""
    power = solver.number("POLY_LR_POWER", "> 0", default=0.9)
    end = run.rate * solver.number("POLY_LR_CONSTANT_ENDING", ">= 0", default=0.0)
    factor, is_line = _start(solver)
    decay = polynomial(run.rate, 0.0, run.total, power)
    if end:
        if decay(run.up) < end:
            solver.refuse("POLY_LR_CONSTANT_ENDING", "reached after the warmup", end / run.rate)
        decay = maximum(decay, end)
    if not run.up:
        return decay
    if is_line:
        return warmup(decay, run.up, factor, mode="times")
    return decay * piecewise_constant([factor, 1.0], [run.up])


READERS = {
    "WarmupMultiStepLR": _multi_step,
    "WarmupCosineLR": _cosine,
    "WarmupStepWithFixedGammaLR": _fixed_gamma,
    "WarmupPolyLR": _poly,
}


def _length(solver: Section, run: Run) -> int:
    """The updates over which the decay goes, of its own clock."""
    if run.total >= LONGEST:
        reason = f"< {LONGEST}, as in longer runs fvcore's boundaries come whole updates early"
        solver.refuse("MAX_ITER", reason, run.total)
    return max(run.total - run.up, 1) if _is_rescaled(solver) else run.total


def _warmed(solver: Section, run: Run, decay: Schedule) -> Schedule:
    """The decay behind its warmup, or with its beginning replaced by it."""
    factor, is_line = _start(solver)
    rescaled = _is_rescaled(solver)
    if not run.up:
        return decay
    if is_line:
        return warmup(decay, run.up, factor * run.rate, mode="before" if rescaled else "into")
    after = decay if rescaled else advance(decay, run.up)
    return join([constant(factor * run.rate), after], [run.up])


def _start(solver: Section) -> tuple[float, bool]:
    """The factor at which the warmup starts, and whether it rises from there."""
    factor = solver.number("WARMUP_FACTOR", ">= 0", default=0.001)
    return factor, solver.choice("WARMUP_METHOD", ("linear", "constant"), "linear") == "linear"


def _is_rescaled(solver: Section) -> bool:
    return bool(solver.flag("RESCALE_INTERVAL", default=False))


FORMAT = Format("detectron2", "detectron2", recognises, read)
