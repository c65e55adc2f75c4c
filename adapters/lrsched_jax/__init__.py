"""lrsched in JAX training loops: range tests, sweeps, plateaus and the current learning rate."""

from lrsched._core import import_optional as _import_optional

_import_optional("jax", "jax", "lrsched_jax")
_import_optional("optax", "jax", "lrsched_jax")


from lrsched.sweep import Sweep
from lrsched_jax._current import current_hyperparameters, current_lr
from lrsched_jax._plateau import scale_by_plateau_learning_rate
from lrsched_jax._range_test import range_test
from lrsched_jax._scale import scale_by_learning_rate
from lrsched_jax._stateful import ControlledState, stateful
from lrsched_jax._sweep import sweep

__all__ = [
    "ControlledState",
    "Sweep",
    "current_hyperparameters",
    "current_lr",
    "range_test",
    "scale_by_learning_rate",
    "scale_by_plateau_learning_rate",
    "stateful",
    "sweep",
]
