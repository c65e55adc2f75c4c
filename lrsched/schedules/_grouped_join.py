"""Schedules that differ only in their numbers, evaluated as one with numbers taken from tables.

To a compiler, a join of a hundred half cosines is then one half cosine instead of a hundred.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from lrsched._arrays.namespace import MAX_COUNT, default_dtype, is_array, take
from lrsched._arrays.scalars import is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._core.kinds import VALUE
from lrsched._core.schedule import Schedule
from lrsched._numerics.pieces import piecewise, piecewise_numpy, segment_index
from lrsched._numerics.steps import Steps, is_whole

Groups = list[list[int]]

MIN_GROUP = 5  # with fewer schedules, evaluating each is cheaper than the look-ups


def piecewise_schedules(
    xp: Namespace, count: Steps, boundaries: Sequence[Array], schedules: Sequence[Array]
) -> Array:
    """`piecewise` for schedules, evaluating as few of them as the array library allows."""
    if is_scalar(xp) or type(count) is tuple:
        return piecewise(xp, count, boundaries, schedules)
    if any(is_array(each) and each.ndim for each in boundaries):
        return piecewise(xp, count, boundaries, schedules)
    whole = all(is_whole(xp, each) for each in (count, *boundaries))
    if whole and count.ndim == 0 and (groups := group_by_structure(schedules)):
        return grouped_piecewise(xp, count, boundaries, schedules, groups)
    plain = not any(map(is_array, boundaries)) and all(each.is_plain for each in schedules)
    if plain and xp.__name__ == "numpy":
        return piecewise_numpy(count, boundaries, schedules)
    return piecewise(xp, count, boundaries, schedules)


def group_by_structure(schedules: Sequence[Schedule]) -> Groups | None:
    """The indices of schedules that differ only in numbers, or None where every group is small."""
    if len(schedules) < MIN_GROUP:
        return None
    groups: dict[Hashable, list[int]] = {}
    for place, schedule in enumerate(schedules):
        groups.setdefault(_structure(schedule), []).append(place)
    return list(groups.values()) if any(len(x) >= MIN_GROUP for x in groups.values()) else None


def _structure(schedule: Schedule) -> Hashable:
    """What schedules of one group have in common: all but the numbers that may be looked up."""
    if schedule._definition.is_recipe:
        return id(schedule)  # of numbers in a table no recipe can be composed
    parts = (
        _structure(value)
        if isinstance(value, Schedule)
        else _type(value)
        if _is_number(schedule, name, value)
        else _same(value)
        for name, value in schedule.params.items()
    )
    return schedule.name, *parts


def _is_number(schedule: Schedule, name: str, value: Array) -> bool:
    """Whether a table of the array library holds this number without a loss that matters.

    It does so for an array of one number, an integer, or a float of the kind `Value`. It does not
    for a rate that is a Python number, whose logarithm is taken in float64, before any table.
    """
    if is_array(value):
        return bool(value.shape == ())
    return type(value) is int or (
        type(value) is float and schedule._definition.kinds[name] is VALUE
    )


def _type(value: Array) -> str:
    return str(value.dtype if is_array(value) else type(value))


def _same(value: Array) -> Hashable:
    try:
        hash(value)
    except TypeError:  # a traced number
        return id(value)
    return type(value), value  # 1, 1.0 and True are equal, but differ in type


def grouped_piecewise(
    xp: Namespace,
    count: Array,
    boundaries: Sequence[Array],
    schedules: Sequence[Schedule],
    groups: Groups,
) -> Array:
    """`piecewise` at a single count, evaluating each group of similar schedules once."""
    place = segment_index(xp, count, boundaries)
    begins, ends = [0, *boundaries], [*boundaries, MAX_COUNT]
    value: Array = 0.0
    for members in groups:
        turn_of = {each: turn for turn, each in enumerate(members)}
        turn = _gather(xp, [turn_of.get(each, -1) for each in range(len(schedules))], place)
        at = xp.maximum(turn, 0)
        begin, end = (_gather(xp, [of[each] for each in members], at) for of in (begins, ends))
        elapsed = xp.minimum(xp.maximum(count, begin), end) - begin
        found = _gathered(xp, [schedules[each] for each in members], at)(elapsed)
        value = xp.where(turn < 0, value, found)
    return value


def _gathered(xp: Namespace, schedules: Sequence[Schedule], at: Array) -> Schedule:
    """The schedule at index `at`, as one whose hyperparameters are taken from tables."""
    first = schedules[0]
    if len(schedules) == 1:
        return first
    columns = zip(
        first.params, zip(*(each._values for each in schedules), strict=True), strict=True
    )
    return Schedule(
        first._definition,
        tuple(
            _gathered(xp, column, at)
            if isinstance(column[0], Schedule)
            else _gather(xp, column, at)
            if _is_number(first, name, column[0])
            else column[0]
            for name, column in columns
        ),
    )


def _gather(xp: Namespace, numbers: Sequence[Array], at: Array) -> Array:
    whole = type(numbers[0]) is int or (
        is_array(numbers[0]) and xp.isdtype(numbers[0].dtype, "integral")
    )
    if all(each is numbers[0] for each in numbers):
        return numbers[0]
    dtype = default_dtype(xp, "integral" if whole else "real floating")
    return take(xp, numbers, at, dtype)
