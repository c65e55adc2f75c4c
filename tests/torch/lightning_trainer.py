"""Trainers of Lightning for tests, and what they hold as plain data."""

from types import ModuleType
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from lrsched_torch.lightning import RangeTestCallback
from tests.torch.training_run import image

TOP = ("lightning", "pytorch_lightning")

IGNORED = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (  # Lightning's
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        "The '.*_dataloader' does not have many workers",
        "`training_step` returned `None`",
        "Found .* in eval mode at the start of training",
        "The number of training batches .* is smaller than the logging interval",
    )
]


class MemoryLogger:
    """Makes loggers that keep what is logged."""

    @staticmethod
    def of(package: ModuleType) -> Any:
        class Logger(package.loggers.logger.Logger):  # type: ignore[misc, name-defined]
            name, version = "memory", 0

            def __init__(self) -> None:
                super().__init__()
                self.logged: list[Any] = []

            def log_metrics(self, metrics: Any, step: int | None = None) -> None:
                self.logged.append((step, dict(metrics)))

            def log_hyperparams(self, *_: Any) -> None:
                self.logged.append("hyperparameters")

        return Logger


def quiet_trainer(package: ModuleType = lightning.pytorch, **options: Any) -> Any:
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return package.Trainer(**defaults | options)


def trainer_image(value: Any, seen: set[int] | None = None) -> Any:
    """A trainer as plain data, with the identity of all that it holds, and the contents."""
    seen = set() if seen is None else seen
    if isinstance(value, (int, float, str, type(None))):
        return value
    if isinstance(value, torch.Tensor):
        return image(value)
    if id(value) in seen:
        return id(value)
    seen.add(id(value))
    own: list[Any] = [id(value)]
    if isinstance(value, dict):
        own += [(k, trainer_image(v, seen)) for k, v in value.items()]
    elif isinstance(value, (list, tuple)):
        own += [trainer_image(each, seen) for each in value]
    elif isinstance(value, (torch.optim.Optimizer, LRScheduler)):
        own += [image(value)]
    if _is_lightnings(value) and not isinstance(value, _OTHERS):
        own += [(k, trainer_image(v, seen)) for k, v in vars(value).items()]
    return own


# Those that have an image of their own, and the callback that changes with its result.
_OTHERS = (nn.Module, torch.optim.Optimizer, RangeTestCallback)


def _is_lightnings(value: Any) -> bool:
    names = {cls.__module__.partition(".")[0] for cls in type(value).__mro__}
    return hasattr(value, "__dict__") and not isinstance(value, type) and bool(names & {*TOP})
