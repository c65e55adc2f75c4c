"""How the best rate of a run differs from that of a few hundred updates at a constant rate."""

from __future__ import annotations

from typing import Any, NamedTuple

from lrsched._core.checks import Refusal, choice, optional, static
from lrsched._core.number_kinds import integer, number

REFERENCE = 200  # updates at a constant rate: the run for which a suggestion is unchanged
SHORTEST, LONGEST = 100, 2400  # updates of the runs that were measured
PASSES = 20.0  # over the same data, above which the best rate falls as their number rises


class Change(NamedTuple):
    """The best rate is `factor * (200 / steps) ** exponent` times that of the reference."""

    factor: float
    exponent: float


# Chosen on the tuned tasks of docs/explanation/range-tests-quality.md, at 150, 600 and 2400 updates
# (constant rates also at 100 and 300). A decay to 0 bears a higher peak than a constant rate, and
# the more so the longer the run, which cancels what a longer run costs. Cycles were not measured.
SHAPES = {
    "constant": Change(1.0, 0.2),
    "warmup_cosine": Change(1.6, 0.0),
    "one_cycle": Change(1.6, 0.0),
    "cyclic": Change(1.0, 0.0),
}
SHAPE = choice(*SHAPES)
TOTAL_STEPS = optional(integer(1, "steps"))
EPOCH_STEPS = optional(static(number("> 0", unit="steps")))


class Run(NamedTuple):
    """The run for which a rate is suggested.

    Attributes:
        shape: the shape of its schedule.
        total_steps: the number of its updates; None is about that of the reference.
        epoch_steps: the number of updates in a pass over its data, where each pass has the same
            examples, unchanged; else None.
    """

    shape: str = "constant"
    total_steps: int | None = None
    epoch_steps: float | None = None

    @property
    def factor(self) -> float:
        """The factor from a suggestion to the best rate, or highest rate, of the run.

        Runs outside the lengths that were measured are treated as the nearest of these.
        """
        factor, exponent = SHAPES[self.shape]
        if self.epoch_steps is not None:
            factor *= min(1.0, PASSES * self.epoch_steps / (self.total_steps or REFERENCE))
        if self.total_steps is None or not exponent:
            return factor
        steps = min(max(self.total_steps, SHORTEST), LONGEST)
        return float(factor * (REFERENCE / steps) ** exponent)


def checked_run(refuse: Refusal, shape: Any, total_steps: Any, epoch_steps: Any) -> Run:
    """The run of these options.

    `total_steps` may be traced where the rate does not depend on it.
    """
    shape, epoch_steps = refuse.checked(
        shape=(SHAPE, shape), epoch_steps=(EPOCH_STEPS, epoch_steps)
    )
    depends = SHAPES[shape].exponent or epoch_steps is not None
    kind = static(TOTAL_STEPS) if depends else TOTAL_STEPS
    return Run(shape, refuse.check("total_steps", kind, total_steps), epoch_steps)
