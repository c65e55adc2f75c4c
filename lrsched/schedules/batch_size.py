"""Learning rates for another batch size, and batch sizes that grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

from lrsched._core.checks import Real, Refusal, Whole, choice, static
from lrsched._core.clock import sizes_by_step
from lrsched._core.decorator import Inner, recipe
from lrsched._core.number_kinds import exact_number, integer
from lrsched._core.schedule import Schedule
from lrsched.schedules.combine import scale
from lrsched.schedules.decay import piecewise_constant

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

    >>> scale_for_batch_size(constant(0.1), 1024, 256)(0)
    0.4
    """
    factor = batch_size / reference_batch_size
    return scale(schedule, factor if rule == "linear" else factor**0.5)


_Size = Annotated[Whole, static(integer(1, "examples"))]
_Examples = Annotated[Real, exact_number(">= 0")]


def _whole_increments(refuse: Refusal, params: dict[str, Any]) -> None:
    growth = params["end_value"] - params["init_value"]
    if growth < 0:
        refuse("end_value", f">= init_value ({params['init_value']})", params["end_value"])
    if growth % params["increment"]:
        refuse("increment", f"a divisor of end_value - init_value ({growth})", params["increment"])


@recipe(check=_whole_increments, is_scalable=False, blame={"boundaries": "ramp_examples"})
def rampup_batch_size(
    init_value: _Size, increment: _Size, ramp_examples: _Examples, end_value: _Size
) -> Schedule:
    """A batch size that grows in equal increments, each after the same number of examples.

        value(t) = init_value + increment * min(floor(x(t) * k / ramp_examples), k)

        k = (end_value - init_value) / increment
        x(0) = 0,  x(t + 1) = x(t) + value(t)

    t is the count of updates made so far, x(t) the number of examples in them. It is the schedule
    of the batch size, not of a learning rate: `schedule.resolve(batch_size=rampup_batch_size(...))`
    turns durations in examples into steps, and for tokens `tokens_per_step=2048 *
    rampup_batch_size(...)` does.

    Args:
        init_value: the first batch size in examples, at least 1.
        increment: the growth of each change in examples, a divisor of the whole growth.
        ramp_examples: the examples of the whole growth, 0 or more.
        end_value: the last batch size in examples, at least `init_value`.

    Raises:
        TypeError: a parameter is not a number, or a batch size is not an integer.
        ValueError: a batch size is < 1, `ramp_examples` < 0, `end_value` < `init_value`, or the
            growth is no multiple of `increment`.

    Elsewhere: Megatron's `--rampup-batch-size init_value increment ramp_examples`, with
    `--global-batch-size end_value`.

    >>> sizes = rampup_batch_size(32, 32, 1000, 96)
    >>> [sizes(count) for count in (0, 15, 16, 23, 24)]
    [32.0, 32.0, 64.0, 64.0, 96.0]
    >>> from lrsched import examples, linear
    >>> linear(1.0, 0.0, examples(4096)).resolve(batch_size=sizes)(16)
    0.875
    """
    from fractions import Fraction  # whose import takes as long as that of all schedules

    changes = (end_value - init_value) // increment
    sizes = [init_value + change * increment for change in range(changes + 1)]
    ramp = Fraction(cast(float, ramp_examples))
    return sizes_after_examples(sizes, [ramp * k / changes for k in range(1, changes + 1)])


def sizes_after_examples(sizes: Sequence[int], begins: Sequence[Any]) -> Schedule:
    """Batch sizes, each after the first from the update on that has so many examples before it."""
    return piecewise_constant(*sizes_by_step(sizes, begins))
