"""Where two recipes differ, by the rule of `lrsched.diff`, without an array library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrsched._arrays.scalars import SCALARS
from lrsched.diff import ROUNDING, RTOL, bound
from lrsched.explorer.reading import Lengths
from lrsched.explorer.sampling import drawable, spaced_counts, values

MAX_STEPS = 10_000  # that are compared at once


def compare(a: str, b: str, lengths: Lengths, steps: int) -> dict[str, Any]:
    """Compare two recipes at the steps 0, 1, ..., `steps` - 1, as `lrsched.diff` does.

    Of more than 10,000 steps it compares 10,000, evenly spaced, and then all that lie before the
    first of these that differs and after the one before it.

    Args:
        a: the first recipe.
        b: the second recipe.
        lengths: the arguments of `Schedule.resolve`, as text.
        steps: the number of steps.

    Returns:
        The "first" step that differs, or None, with the "values" of both there; the step and the
        amount of the "largest" difference and of the largest "relative" one; and how many steps
        were "compared" of how many "steps".

    Raises:
        TypeError, ValueError: a recipe has no curve, or a length is refused.

    >>> found = compare("linear(1.0, 0.0, 8)", "linear(1.0, 0.0, 4)", {}, 9)
    >>> found["first"], found["largest"]
    (1, (4, 0.5))
    """
    drawn = drawable([a, b], lengths)
    first, second = drawn.schedules
    if first is None or second is None:
        raise ValueError(next(filter(None, drawn.errors)))
    counts = spaced_counts(0, steps - 1, MAX_STEPS) if steps > 1 else [0]
    found = _differing(first, second, counts)
    if found and len(counts) < steps:
        before = counts[counts.index(found) - 1]
        found = _differing(first, second, spaced_counts(before, found, MAX_STEPS))
    pairs = list(zip(values(first, counts), values(second, counts), strict=True))
    apart = [abs(x - y) for x, y in pairs]
    relative = [abs(x - y) / (max(abs(x), abs(y)) or 1.0) for x, y in pairs]
    return {
        "first": found,
        "values": None if found is None else [first(found), second(found)],
        "largest": _largest(counts, apart),
        "relative": _largest(counts, relative),
        "compared": len(counts),
        "steps": steps,
        "rtol": RTOL,
    }


def _differing(first: Any, second: Any, counts: Sequence[int]) -> int | None:
    """The first of some counts at which two schedules differ."""
    for count in counts:
        a, b = first(count), second(count)
        if abs(a - b) > bound(SCALARS, a, b, RTOL, 0.0):
            return count
    return None


def _largest(counts: Sequence[int], apart: Sequence[float]) -> tuple[int, float]:
    """The first count whose number is the largest, up to rounding, and that number."""
    least = (1 - ROUNDING) * max(apart)
    place = next(place for place, each in enumerate(apart) if each >= least)
    return counts[place], apart[place]
