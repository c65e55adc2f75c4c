"""icefall's Eden, as its `train.py` steps it: updates count from 1, and epochs from 0."""

from typing import Any

from tests.formulas import Curve


def _warmup(batch: int, batches: float, start: float) -> float:
    return start + (1 - start) * min(batch / batches, 1.0)


def Eden(  # noqa: N802
    optimizer: Any,
    lr_batches: float,
    lr_epochs: float,
    warmup_batches: float = 500.0,
    warmup_start: float = 0.5,
    *,
    batches_per_epoch: int,
) -> Curve:
    lr = float(optimizer.param_groups[0]["lr"])

    def at(t: int) -> float:
        batch, epoch = t + 1, t // batches_per_epoch
        decay = (1 + (batch / lr_batches) ** 2) ** -0.25 * (1 + (epoch / lr_epochs) ** 2) ** -0.25
        return float(lr * decay * _warmup(batch, warmup_batches, warmup_start))

    return at


def Eden2(  # noqa: N802
    optimizer: Any, lr_batches: float, warmup_batches: float = 500.0, warmup_start: float = 0.5
) -> Curve:
    lr = float(optimizer.param_groups[0]["lr"])

    def at(t: int) -> float:
        decay = (1 + ((t + 1) / lr_batches) ** 2) ** -0.5
        return float(lr * decay * _warmup(t + 1, warmup_batches, warmup_start))

    return at
