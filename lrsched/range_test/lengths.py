"""How the best rate of a run differs from that of a few hundred updates at a constant rate."""

from __future__ import annotations

from typing import Any, NamedTuple

from lrsched._core.checks import Refusal, choice, optional, static
from lrsched._core.number_kinds import integer

REFERENCE = 200.0  # updates at a constant rate: the run for which a suggestion is unchanged
SHORTEST, LONGEST = 100, 2400  # updates of the runs that were measured


class Change(NamedTuple):
    """The best rate is `factor * (200 / steps) ** exponent` times that of the reference."""

    factor: float
    exponent: float


# Chosen on the tuned half of the tasks of docs/explanation/range-tests-quality.md, at 150, 600 and
# 2400 updates (constant rates also at 100 and 300). A decay to 0 bears a higher peak than a
# constant rate, and the more so the longer the run, which cancels what a longer run costs. Cycles
# were not measured.
SHAPES = {
    "constant": Change(1.0, 0.2),
    "warmup_cosine": Change(1.6, 0.0),
    "one_cycle": Change(1.6, 0.0),
    "cyclic": Change(1.0, 0.0),
}
SHAPE = choice(*SHAPES)
TOTAL_STEPS = optional(integer(1, "steps"))


def checked_run(refuse: Refusal, shape: Any, total_steps: Any) -> tuple[str, int | None]:
    """The shape and the number of updates of a run, as `change` takes them."""
    (shape,) = refuse.checked(shape=(SHAPE, shape))
    kind = static(TOTAL_STEPS) if SHAPES[shape].exponent else TOTAL_STEPS
    return shape, refuse.check("total_steps", kind, total_steps)


def change(shape: str, total_steps: int | None) -> float:
    """The factor from a suggestion to the best rate, or highest rate, of a run.

    Runs outside the lengths that were measured are treated as the nearest of these.
    """
    factor, exponent = SHAPES[shape]
    if total_steps is None or not exponent:
        return factor
    steps = min(max(total_steps, SHORTEST), LONGEST)
    return float(factor * (REFERENCE / steps) ** exponent)
