"""The values of recipes at the counts that a screen shows."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._core.checks import Refusal
from lrsched._core.durations import UNITS
from lrsched._core.nominal import Axis, axis_in, over_a_nominal_run
from lrsched._core.recipe import Recipe
from lrsched._core.schedule import Schedule
from lrsched.explorer.reading import Lengths, read_lengths, read_recipe, resolved
from lrsched.plot import last_count

MAX_VALUES = 10_000  # of all curves together
MAX_KNOWN = 50_000  # values of one curve that are kept
KINKS = 24  # of a curve, whose places are found exactly
VISIBLE = 1e-3  # of the range of the values: less than a row of pixels
PARTS = 8  # of the interval that holds a kink, in each round of the search

_refuse = Refusal("explorer")


class Drawn(NamedTuple):
    """Schedules in steps, with what was wrong with the others, and the axis of their counts."""

    schedules: list[Schedule | None]
    errors: list[str]
    axis: Axis
    is_nominal: bool  # whether the lengths of some units are not those of the user


def draw(
    recipes: Sequence[str],
    lengths: Lengths,
    axis: str = "step",
    low: float | None = None,
    high: float | None = None,
    points: int = 1600,
) -> dict[str, Any]:
    """The values of recipes over the counts from one place to another, all at the same counts.

    There are at most `points` counts, and more where a curve has a kink or a step: these are found
    to the exact count. Durations whose lengths are not given are drawn over a nominal run.

    Args:
        recipes: the texts.
        lengths: the arguments of `Schedule.resolve`, as text.
        axis: "step", or the unit of the places: "run", "epochs", "examples" or "tokens".
        low: the first place; by default 0.
        high: the last place; by default as far as shows the shape of every schedule.
        points: how many counts a screen shows.

    Returns:
        The "counts" and their "places", "values" and "errors" with an entry for each recipe, the
        "label" of the axis, whether the run "is_nominal", the "last" count of a whole
        view and its place, "end".

    Raises:
        TypeError, ValueError: a length or the axis is refused.

    >>> drawn = draw(["linear(1.0, 0.0, 2)"], {}, high=2.0)
    >>> drawn["counts"], drawn["values"]
    ([0, 1, 2], [[1.0, 0.5, 0.0]])
    """
    drawn = drawable(recipes, lengths, axis)
    shown = [schedule for schedule in drawn.schedules if schedule is not None]
    scale = drawn.axis.scale
    last = max(map(_last, shown), default=1)
    begin = min(max(round((low or 0.0) / scale), 0), MAX_COUNT - 1)
    end = last if high is None else min(max(round(high / scale), begin + 1), MAX_COUNT)
    number = max(min(points, MAX_VALUES // (len(shown) or 1)), 2)
    spaced = spaced_counts(begin, end, number)
    found = set(spaced)
    for schedule in shown:
        found.update(kinks(schedule, spaced))
    counts = sorted(found)
    return {
        "counts": counts,
        "places": list(drawn.axis.places(counts)),
        "values": [None if each is None else values(each, counts) for each in drawn.schedules],
        "errors": drawn.errors,
        "label": drawn.axis.label,
        "is_nominal": drawn.is_nominal,
        "last": last,
        "end": last * scale,
    }


def drawable(recipes: Sequence[str], lengths: Lengths, axis: str = "step") -> Drawn:
    """The schedules of texts, in steps; those of which there is no curve are None."""
    given = read_lengths(lengths)
    schedules: list[Any] = []
    errors: list[str] = []
    for text in recipes:
        try:
            schedules.append(_curve(read_recipe(text), given))
            errors.append("")
        except (TypeError, ValueError) as refused:
            schedules.append(None)
            errors.append(str(refused))
    kept = [schedule for schedule in schedules if schedule is not None]
    over, nominal = over_a_nominal_run(kept)
    is_nominal = any(not schedule.is_resolved for schedule in kept)
    found = iter(over)
    steps = [None if schedule is None else next(found) for schedule in schedules]
    chosen = nominal if is_nominal else _axis(axis, given)
    return Drawn(steps, errors, chosen, is_nominal)


def _curve(recipe: Recipe, given: dict[str, Any]) -> Any:
    schedule = resolved(recipe, given)
    if recipe._controlled:
        schedule(0)  # which says what it needs
    if not schedule.is_resolved:
        over_a_nominal_run([schedule])  # which says what is wrong with this one
    return schedule


def _axis(unit: str, given: dict[str, Any]) -> Axis:
    if unit == "step":
        return Axis()
    if unit not in UNITS:
        _refuse("axis", f"one of step, {', '.join(UNITS)}", unit)
    argument = UNITS[unit].argument
    if argument not in given:
        raise ValueError(f"explorer: an axis in {unit} needs {argument}")
    return axis_in(unit, given[argument])


def spaced_counts(begin: int, end: int, number: int) -> list[int]:
    """At most so many counts from the first to the last, evenly spaced; all, where they fit."""
    number = min(number - 1, end - begin)
    return [begin + (end - begin) * point // number for point in range(number + 1)]


def values(schedule: Schedule, counts: Sequence[int]) -> list[float]:
    """The values at counts. Those of the latest schedules are kept: most edits change one curve."""
    known = _known(schedule)
    if len(known) > MAX_KNOWN:
        known.clear()
    for count in counts:
        if count not in known:
            known[count] = float(schedule(count))
    return [known[count] for count in counts]


@functools.lru_cache(16)
def _known(schedule: Schedule) -> dict[int, float]:
    return {}


@functools.lru_cache(16)
def _last(schedule: Schedule) -> int:
    return last_count([schedule])


def kinks(schedule: Schedule, counts: Sequence[int]) -> list[int]:
    """The counts around the steps and kinks of a curve that spaced counts only come near to.

    >>> from lrsched import step_decay
    >>> found = kinks(step_decay(1.0, 0.5, 777), [0, 250, 500, 750, 1000])
    >>> 776 in found, 777 in found
    (True, True)
    """
    if counts[-1] - counts[0] < len(counts):
        return []
    found = values(schedule, counts)
    least = VISIBLE * (max(found) - min(found))
    bends = [
        (abs(found[place + 1] - 2 * found[place] + found[place - 1]), place)
        for place in range(1, len(found) - 1)
    ]
    sharp = sorted((each for each in bends if each[0] > least), reverse=True)[:KINKS]
    result: list[int] = []
    for _, place in sharp:
        result += _search(schedule, counts[place - 1], counts[place + 1])
    return result


def _search(schedule: Schedule, low: int, high: int) -> list[int]:
    """Counts ever nearer to the sharpest bend between two counts."""
    found: list[int] = []
    while True:
        counts = spaced_counts(low, high, PARTS + 1)
        found += counts
        if high - low <= PARTS:
            return found
        curve = values(schedule, counts)
        slopes = [
            (b - a) / (later - count)
            for (a, b), (count, later) in zip(pairwise(curve), pairwise(counts), strict=True)
        ]
        bends = [abs(after - before) for before, after in pairwise(slopes)]
        place = bends.index(max(bends))
        low, high = counts[place], counts[place + 2]
