"""lrsched schedules in torch's optimizers."""

from lrsched_torch._device import DeviceLR, on_device
from lrsched_torch._from_torch import from_torch
from lrsched_torch._hyperparameters import HyperparameterLR, schedule_hyperparameters
from lrsched_torch._lambda_lr import ScheduleLR, lambda_lr
from lrsched_torch._layerwise import layerwise_groups
from lrsched_torch._model import range_test_model
from lrsched_torch._plateau import PlateauLR
from lrsched_torch._range_test import range_test
from lrsched_torch._to_torch import to_torch

__all__ = [
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
    "schedule_hyperparameters",
    "to_torch",
]
