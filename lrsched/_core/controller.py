"""`Controller`: a learning rate's response to a metric, as a value; and their registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, cast

from lrsched._arrays.namespace import is_array
from lrsched._core.definition import Check, Definition
from lrsched._core.when_imported import when_imported
from lrsched._core.written import VERSION, Written, call_text, encode, equal

P = ParamSpec("P")
C = TypeVar("C", bound="Controller")

CONTROLLERS: dict[str, Definition] = {}


class Controller(Written):
    """The base of controllers, whose fields are their hyperparameters.

    Controllers are immutable. They compare and hash by their hyperparameters, `repr` evaluates
    back, and they pickle. `to_dict`, `to_json` and `save` write them as those of schedules do, and
    what reads a schedule reads a controller.
    """

    __slots__ = ()

    _definition: ClassVar[Definition]

    @property
    def name(self) -> str:
        """The name of the function that makes it."""
        return self._definition.name

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters by name (a copy)."""
        return {name: getattr(self, name) for name in self._definition.parameters}

    @property
    def is_plain(self) -> bool:
        """Whether no hyperparameter is an array, a tensor or a tracer."""
        return not any(map(is_array, self.params.values()))

    def replace(self, **changes: Any) -> Self:
        """The same controller with other hyperparameters, checked as when it was made.

        Args:
            **changes: the hyperparameters to change, by name.

        Raises:
            TypeError: there is no hyperparameter of this name, or a value is of the wrong type.
            ValueError: a value is refused.

        >>> from lrsched import reduce_on_plateau
        >>> reduce_on_plateau(0.1).replace(patience=3)
        reduce_on_plateau(init_value=0.1, patience=3)
        """
        return cast(Self, self._definition.factory(**(self.params | changes)))

    def to_dict(self) -> dict[str, Any]:
        """The controller as plain data: every hyperparameter, and a format version.

        `lrsched.from_dict` reads it.

        >>> from lrsched import reduce_on_plateau
        >>> reduce_on_plateau(0.1).to_dict()["controller"]
        'reduce_on_plateau'
        """
        kinds = self._definition.kinds
        params = {name: encode(kinds[name], value) for name, value in self.params.items()}
        return {"lrsched": VERSION, "controller": self.name, "params": params}

    def __repr__(self) -> str:
        return call_text(self.name, self.params, self._definition.signature)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return equal(tuple(self.params.values()), tuple(cast(Self, other).params.values()))

    def __hash__(self) -> int:
        return hash((self.name, *self.params.values()))


def controller(
    kind: type[C], *, check: Check | None = None
) -> Callable[[Callable[P, C]], Callable[P, C]]:
    """Turn a function that makes a controller into a factory that checks its hyperparameters.

    Args:
        kind: what the function makes: a dataclass whose fields are the parameters of the function,
            which are annotated with their kinds. JAX fills the fields with tracers, placeholders
            and batches, so that the class may not check them.
        check: as for `schedule`.
    """

    def decorate(make: Callable[P, C]) -> Callable[P, C]:
        definition = Definition(make, check, kind, is_recipe=True)

        def factory(*args: P.args, **kwargs: P.kwargs) -> C:
            return cast(C, definition.compose(definition.bind(*args, **kwargs)))

        kind._definition = definition
        CONTROLLERS[definition.name] = definition
        when_imported(
            "jax.tree_util",
            lambda tree_util: tree_util.register_dataclass(
                kind, definition.traced, definition.static
            ),
        )
        return cast(Callable[P, C], definition.publish(factory))

    return decorate
