"""Names for the types in the signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import optax

PyTree: TypeAlias = Any  # nested containers whose leaves are arrays
Batch: TypeAlias = Any  # a pytree
Key: TypeAlias = Any  # a random key, of `jax.random.key`
OptState: TypeAlias = Any  # the state of an optax optimizer, or a pytree that contains one
ScheduleFunction: TypeAlias = Callable[[Any], Any]  # a schedule of lrsched, optax or the user
Optimizer: TypeAlias = Callable[[Any], optax.GradientTransformation]  # of a schedule
