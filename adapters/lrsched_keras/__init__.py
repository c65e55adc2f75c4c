"""Schedules and range tests in Keras, on each of its backends."""

from lrsched._core import import_optional as _import_optional

try:
    _import_optional("keras", "keras", "lrsched_keras")
except ModuleNotFoundError as _error:
    _missing = str(_error.name).partition(".")[0]
    if _missing == "keras":
        raise
    raise ModuleNotFoundError(
        f"lrsched_keras: {_missing} is needed, Keras's backend; with KERAS_BACKEND=jax it is JAX, "
        "which pip install 'lrsched[keras]' brings",
        name=_missing,
    ) from None


from lrsched_keras._controlled import ControlledRate
from lrsched_keras._range_test import range_test, run
from lrsched_keras._schedule import KerasSchedule
from lrsched_keras._sweep import repeated_range_test, sweep

__all__ = ["ControlledRate", "KerasSchedule", "range_test", "repeated_range_test", "run", "sweep"]
