"""Which scheduler sets which hyperparameters of an optimizer."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import torch

from lrsched._core import Refusal


class _Claim(NamedTuple):
    scheduler: weakref.ref[Any]
    key: str
    follows_metric: bool


_CLAIMS: weakref.WeakKeyDictionary[torch.optim.Optimizer, list[_Claim]] = (
    weakref.WeakKeyDictionary()
)


def claim(
    refuse: Refusal,
    optimizer: torch.optim.Optimizer,
    key: str,
    scheduler: Any,
    follows_metric: bool,
) -> None:
    """Note that a scheduler sets a hyperparameter, as long as it lives.

    One that follows a metric and one that does not would each undo what the other set: the second
    is refused. Of two of a kind the last one stepped determines the value, as in torch.
    """
    alive = [each for each in _CLAIMS.get(optimizer, []) if each.scheduler() is not None]
    for other in alive:
        if other.key == key and other.follows_metric != follows_metric:
            both = "the schedule by the controller, for one ControlledLR"
            raise ValueError(
                f"{refuse.schedule}: a {type(other.scheduler()).__name__} sets the {key} of this "
                f"optimizer already, and each would undo the other: multiply {both}"
            )
    _CLAIMS[optimizer] = [*alive, _Claim(weakref.ref(scheduler), key, follows_metric)]
