"""A rule with its name and its state, and the registry of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from lrsched._core.definition import Check, Definition

CONTROLLERS: dict[str, ControllerDefinition] = {}


class ControllerDefinition(Definition):
    """The rule of a controller with its name and the kinds of its hyperparameters.

    Attributes:
        state_type: the type of the states.
        kind: the type of the controllers.
    """

    key: ClassVar[str] = "controller"

    def __init__(
        self,
        body: Callable[..., Any],
        init: Callable[..., Any],
        check: Check | None,
        kind: type[Any],
    ) -> None:
        super().__init__(body, check, kind, leading=3)
        self.kind = kind
        self.state_type: type[Any] = self.returns
        if not hasattr(self.returns, "value") or not issubclass(self.returns, tuple):
            raise TypeError(
                f"@controller: {self.name} must be annotated with the type of the states that it "
                "returns, a NamedTuple that has a value"
            )
        self._init = init
        self._init_names = tuple(inspect.signature(init).parameters)
        for name in self._init_names:
            if name not in self.parameters:
                raise TypeError(
                    f"@controller: init of {self.name} must take hyperparameters by name "
                    f"({', '.join(self.parameters)}), got {name}"
                )

    def initial(self, values: tuple[Any, ...]) -> Any:
        """The state before the first observation, of numbers or of what `values` holds."""
        params = dict(zip(self.parameters, values, strict=True))
        return self._init(**{name: params[name] for name in self._init_names})
