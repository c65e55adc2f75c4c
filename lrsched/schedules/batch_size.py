"""Learning rates for another batch size."""

from typing import Annotated, Literal

from lrsched._core.checks import Whole, choice, integer
from lrsched._core.decorator import Inner, recipe
from lrsched._core.schedule import Schedule
from lrsched.schedules.combine import scale

_BatchSize = Annotated[Whole, integer(1, "examples")]
_Rule = Annotated[Literal["linear", "sqrt"], choice("linear", "sqrt")]


@recipe
def scale_for_batch_size(
    schedule: Inner,
    batch_size: _BatchSize,
    reference_batch_size: _BatchSize,
    rule: _Rule = "linear",
) -> Schedule:
    """A schedule that was tuned at one batch size, scaled for another.

        value(t) = schedule(t) * r          with the rule "linear", for SGD
                   schedule(t) * sqrt(r)    with the rule "sqrt", for Adam and its kind

        r = batch_size / reference_batch_size

    t is the count of updates made so far.

    Args:
        schedule: the schedule tuned at `reference_batch_size`.
        batch_size: the new batch size in examples, at least 1.
        reference_batch_size: the old batch size in examples, at least 1.
        rule: "linear" or "sqrt".

    Raises:
        TypeError: `schedule` is not a schedule, a batch size is not an integer, or `rule` is not a
            string.
        ValueError: a batch size is < 1, or `rule` is neither "linear" nor "sqrt".

    Source: Goyal et al. 2017, arXiv:1706.02677 (linear); Malladi et al. 2022, arXiv:2205.10287
    (square root).

    >>> scale_for_batch_size(constant(0.1), 1024, 256)
    scale(schedule=constant(value=0.1), factor=4.0)
    """
    factor = batch_size / reference_batch_size
    return scale(schedule, factor if rule == "linear" else factor**0.5)
