"""What a hyperparameter of the param groups is given: recipes, by group and by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lrsched._core import Controls, Recipe
from lrsched_torch._schedulers.param_groups import Group

Elements = tuple[Recipe | None, ...]
Entry = Recipe | Elements | None


class Entries(NamedTuple):
    """What a key is given: one entry for all param groups, or a list with one for each."""

    entries: tuple[Entry, ...]
    is_list: bool

    def __repr__(self) -> str:
        return repr(list(self.entries) if self.is_list else self.entries[0])

    def parts(self) -> list[Recipe]:
        """The schedules and controllers in the entries."""
        found = [x for x in self.entries if x is not None]
        nested = [each if isinstance(each, tuple) else (each,) for each in found]
        return [part for each in nested for part in each if part is not None]

    def current(self, controls: Controls) -> Entries:
        """The entries with the states that their controllers have."""
        return self._replace(entries=tuple(_current(entry, controls) for entry in self.entries))

    def of(self, groups: Sequence[Group]) -> tuple[Entry, ...]:
        """The entry of each group."""
        return self.entries if self.is_list else self.entries * len(groups)

    def values(self, count: int, is_set: Sequence[bool]) -> list[Any]:
        """The value for each group at a count; None for one that is left alone."""
        values = [_evaluated(entry, count) for entry in self.entries]
        if self.is_list:
            return values
        if False not in is_set:
            return values * len(is_set)
        return [values[0] if each else None for each in is_set]


def _current(entry: Entry, controls: Controls) -> Entry:
    if isinstance(entry, tuple):
        return tuple(None if part is None else controls.current(part) for part in entry)
    return None if entry is None else controls.current(entry)


def _evaluated(entry: Entry, count: int) -> Any:
    if isinstance(entry, tuple):
        return tuple(map(_evaluated, entry, [count] * len(entry)))
    return None if entry is None else entry(count)
