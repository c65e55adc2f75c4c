"""lrsched schedules in torch's optimizers."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from lrsched._core import import_optional as _import_optional

_import_optional("torch", "torch", "lrsched_torch")


from lrsched_torch._convert.from_torch import from_torch
from lrsched_torch._convert.to_torch import to_torch
from lrsched_torch._range_test.model import range_test_model
from lrsched_torch._range_test.range_test import range_test
from lrsched_torch._range_test.sweep import repeated_range_test, sweep
from lrsched_torch._schedulers.controlled import ControlledLR
from lrsched_torch._schedulers.hyperparameters import HyperparameterLR, schedule_hyperparameters
from lrsched_torch._schedulers.lambda_lr import ScheduleLR, lambda_lr
from lrsched_torch._schedulers.layerwise import layerwise_groups
from lrsched_torch._schedulers.on_device import DeviceLR, on_device

PlateauLR = ControlledLR  # its name before 2026-12

__all__ = [
    "ControlledLR",
    "DeviceLR",
    "HyperparameterLR",
    "PlateauLR",
    "ScheduleLR",
    "from_torch",
    "lambda_lr",
    "layerwise_groups",
    "on_device",
    "range_test",
    "range_test_model",
    "repeated_range_test",
    "schedule_hyperparameters",
    "sweep",
    "to_torch",
]

_TRAINERS = ("lightning", "transformers")

if not _TYPE_CHECKING:  # A checker would accept every name.

    def __getattr__(name: str) -> _Any:
        """The modules of trainers on first use: they import these."""
        if name not in _TRAINERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return [*__all__, *_TRAINERS]
