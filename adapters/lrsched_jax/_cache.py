"""Reuse compiled trainings from one call to the next."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from lrsched_jax._model import Loss
from lrsched_jax._training import Training
from lrsched_jax._types import Optimizer


class FunctionKey:
    """A function as a dictionary key; partials of one function with equal arguments are equal."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            self._identity = _identity(function)
            hash(self._identity)
        except TypeError:  # an argument of a partial is an array
            self._identity = id(function)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionKey) and self._identity == other._identity


def _identity(value: Any) -> Any:
    if type(value) is not functools.partial:
        return type(value), value  # as 1, 1.0 and True are equal
    keywords = sorted((name, _identity(x)) for name, x in value.keywords.items())
    return _identity(value.func), tuple(map(_identity, value.args)), tuple(keywords)


@functools.lru_cache(maxsize=4)
def _shared(function: FunctionKey, rest: tuple[Any, ...], optimizer: FunctionKey) -> Training:
    return Training(Loss(function.function, *rest), optimizer.function)


def training_of(loss: Loss, optimizer: Optimizer) -> Training:
    """The training by these functions, reused from an earlier call if there was one."""
    try:
        return _shared(FunctionKey(loss.function), loss[1:], FunctionKey(optimizer))
    except TypeError:  # an NNX module contains something that cannot be hashed
        return Training(loss, optimizer)
