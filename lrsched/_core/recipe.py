"""`Recipe`: an immutable value with a name and hyperparameters, which may be recipes themselves."""

from __future__ import annotations

import copy
import copyreg
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar, cast

from lrsched._arrays.namespace import is_array
from lrsched._core.checks import Kind
from lrsched._core.definition import Definition
from lrsched._core.durations import Duration, durations_in
from lrsched._core.written import VERSION, Written, call_text, encode, equal

T = TypeVar("T")

# Each operation takes up to 9 frames of Python's stack for each level, of which there are 1000 by
# default: a recipe of so many levels leaves 400 to the caller.
MAX_DEPTH = 64

# A schedule that is added to itself 60 times has 2**60 parts. So many are written in a second.
MAX_PARTS = 100_000


class Recipe(Written):
    """A definition with the values of its hyperparameters.

    Recipes compare and hash by these, `repr` evaluates back, and they pickle.
    """

    __slots__ = (
        *("_arrays", "_controlled", "_definition", "_depth", "_parts", "_resolved", "_values"),
    )

    _definition: Definition
    _values: tuple[Any, ...]
    _arrays: tuple[Any, ...]  # the arrays among the hyperparameters, also of nested recipes
    _depth: int  # the levels of nesting: 1 for a formula without nested recipes
    _parts: int  # the recipes in this one, itself included; shared ones count each time
    _resolved: bool
    _controlled: bool  # whether there is a controller in it, whose state its value depends on

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        # Never validates: JAX puts tracers, placeholders and batches here.
        arrays: list[Any] = []
        resolved, controlled, inside, parts = True, definition.key == "controller", 0, 1
        for value in values:
            for member in value if type(value) is tuple else (value,):
                if isinstance(member, Recipe):
                    arrays += member._arrays
                    resolved = resolved and member._resolved
                    controlled = controlled or member._controlled
                    inside = max(inside, member._depth)
                    parts += member._parts
                elif type(member) is Duration:
                    resolved = False
                elif is_array(member):
                    arrays.append(member)
        self._set("_definition", definition)
        self._set("_values", values)
        self._set("_arrays", tuple(arrays))
        self._set("_depth", inside + definition.levels)
        self._set("_parts", parts)
        self._set("_resolved", resolved)
        self._set("_controlled", controlled)

    @classmethod
    def made(cls, definition: Definition, /, *args: Any, **kwargs: Any) -> Self:
        """The recipe of a definition with these hyperparameters, which are checked."""
        return cls(definition, definition.bind(*args, **kwargs))

    def _set(self, attribute: str, value: object) -> None:
        object.__setattr__(self, attribute, value)

    @property
    def name(self) -> str:
        """The name of the recipe's formula, as in `lrsched.from_dict`."""
        return self._definition.name

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters by name (a copy)."""
        return dict(zip(self._definition.parameters, self._values, strict=True))

    @property
    def is_plain(self) -> bool:
        """Whether no hyperparameter is an array, a tensor or a tracer."""
        return not self._arrays

    @property
    def is_resolved(self) -> bool:
        """Whether all durations are numbers of steps; see `resolve`."""
        return self._resolved

    def replace(self, **changes: Any) -> Self:
        """The same recipe with other hyperparameters, checked as when it was made."""
        return type(self).made(self._definition, **(self.params | changes))

    def items(self) -> Iterator[tuple[Recipe, str, Any]]:
        """Every hyperparameter that is not a recipe: its owner, its name and its value.

        Those of nested recipes are included.
        """
        for name, value in self.params.items():
            members = value if type(value) is tuple else (value,)
            nested = [member for member in members if isinstance(member, Recipe)]
            for recipe in nested:
                yield from recipe.items()
            if not nested:
                yield self, name, value

    def leaves(self) -> Iterator[Any]:
        """The values of all hyperparameters, those of nested recipes and of sequences included."""
        for _, _, value in self.items():
            yield from value if type(value) is tuple else (value,)

    def open_units(self) -> set[str]:
        """The units of the durations that are not in steps yet."""
        found = (part for value in self.leaves() for part in durations_in(value))
        return {term.unit for duration in found for term in duration.terms}

    def fold(
        self, leaf: Callable[[Kind, Any], Any], node: Callable[[Recipe, dict[str, Any]], T]
    ) -> T:
        """Compute a result from the leaves up, as a fold over a tree.

        `leaf(kind, value)` is called for each hyperparameter that is not a recipe, and for each
        item of a sequence. `node(recipe, params)` is called for each recipe, with the results of
        its hyperparameters.
        """

        def folded(kind: Kind, value: Any) -> Any:
            if isinstance(value, Recipe):
                return value.fold(leaf, node)
            if type(value) is tuple:
                return tuple(folded(kind, item) for item in value)
            return leaf(kind, value)

        kinds = self._definition.kinds
        return node(self, {name: folded(kinds[name], x) for name, x in self.params.items()})

    def map(self, change: Callable[[Kind, Any], Any]) -> Self:
        """The same recipe with `change(kind, value)` for every hyperparameter, checked again.

        Those of nested recipes are changed too, and sequences item by item.
        """
        changed: Any = self.fold(change, lambda recipe, params: recipe.replace(**params))
        return cast(Self, changed)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain data: every hyperparameter, defaults included, and a format version.

        `lrsched.from_dict` reads it.
        """
        return {"lrsched": VERSION, **self.fold(encode, _encode_recipe)}

    def __repr__(self) -> str:
        return call_text(self.name, self.params, self._definition.signature)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recipe):
            return NotImplemented
        if self._definition is not other._definition:
            return False
        return self is other or equal(self._values, other._values)

    def __hash__(self) -> int:
        return hash((self._definition.name, self._values))

    def __reduce__(self) -> tuple[Any, ...]:
        # Only public names stand in a pickle: those of the type and of the factory.
        make = copyreg.__newobj__  # type: ignore[attr-defined]  # not in typeshed
        return make, (type(self),), (self._definition.factory, self._values)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if self.is_plain:
            return self
        return type(self)(self._definition, copy.deepcopy(self._values, memo))

    def __setstate__(self, state: tuple[Any, tuple[Any, ...]]) -> None:
        factory, values = state
        type(self).__init__(self, factory._definition, factory._definition.complete(values))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{self.name}: a {self._definition.key} does not change; use .replace({name}=...)"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self.name}: a {self._definition.key} does not change")


def _encode_recipe(recipe: Recipe, params: dict[str, Any]) -> dict[str, Any]:
    lists = {name: list(x) if type(x) is tuple else x for name, x in params.items()}
    return {recipe._definition.key: recipe.name, "params": lists}
