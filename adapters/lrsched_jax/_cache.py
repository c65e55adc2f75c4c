"""Reuse compiled trainings from one call to the next."""

from __future__ import annotations

import functools
from typing import Any

from lrsched_jax._model import Loss
from lrsched_jax._static_value import StaticValue
from lrsched_jax._training import Training
from lrsched_jax._types import Optimizer


@functools.lru_cache(maxsize=4)
def _shared(function: StaticValue, rest: tuple[Any, ...], optimizer: StaticValue) -> Training:
    return Training(Loss(function.value, *rest), optimizer.value)


def training_of(loss: Loss, optimizer: Optimizer) -> Training:
    """The training by these functions, reused from an earlier call if there was one."""
    try:
        return _shared(StaticValue(loss.function), loss[1:], StaticValue(optimizer))
    except TypeError:  # a structure contains something that cannot be hashed
        return Training(loss, optimizer)
