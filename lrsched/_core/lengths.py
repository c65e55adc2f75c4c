"""Durations that come out as no whole number of steps, and the rates that make up for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from lrsched._core.recipe import Recipe


class Length(NamedTuple):
    """A duration that must be whole: what it would be, and what it is rounded to."""

    exact: float
    steps: int


def with_lengths(recipe: Recipe, params: dict[str, Any]) -> Recipe:
    """The recipe with hyperparameters some of which are lengths, checked as when it was made.

    Where a rate belongs to a rounded duration, the rate changes instead of the curve: 0.99 for each
    1.4 steps is 0.99 ** (1 / 1.4) for each step. Stairs are boundaries, and stay rounded.
    """
    changed: dict[str, Any] = {name: _rounded(value) for name, value in params.items()}
    if not params.get("staircase"):
        for name, kind in recipe._definition.kinds.items():
            length = params.get(kind.per)
            if isinstance(length, Length) and length.exact > 0:
                changed[kind.per] = steps = max(length.steps, 1)
                if steps != length.exact:
                    changed[name] = kind.over(params[name], steps / length.exact)
    return recipe.replace(**changed)


def _rounded(value: Any) -> Any:
    if isinstance(value, Length):
        return value.steps
    return tuple(map(_rounded, value)) if type(value) is tuple else value
