"""A learning-rate range test of a torch model and a loss function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import RangeTest
from lrsched_torch._range_test.batches import Batch
from lrsched_torch._range_test.range_test import range_test
from lrsched_torch._range_test.updates import GradScaler


def range_test_model(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    loader: Iterable[Batch],
    schedule: Schedule | Sequence[Schedule] | None = None,
    steps: int = 200,
    *,
    autocast: torch.dtype | None = None,
    modules: nn.Module | Iterable[nn.Module] | None = None,
    scaler: GradScaler | None = None,
    accumulate: int = 1,
    **options: Any,
) -> RangeTest:
    """Run a range test of `loss_fn(model(inputs), targets)` over batches (inputs, targets).

    The tensors of a batch are moved to the device of the model's first parameter. The model is
    trained in its current mode. Afterwards everything is restored, as by `range_test`. For any
    other kind of batch or step, use `range_test`.

    Args:
        model: the model; it may be compiled or wrapped in DistributedDataParallel.
        loss_fn: `loss_fn(outputs, targets)` returns the loss, a tensor of one number.
        optimizer: the optimizer to use.
        loader: the batches.
        schedule: the learning rates, as for `range_test`.
        steps: the number of updates.
        autocast: the dtype to compute in, such as torch.bfloat16; by default the model's own.
        modules: the modules to restore; by default the model, and `loss_fn` if it is a module.
        scaler: a gradient scaler, as for `range_test`; here it also scales the loss.
        accumulate: the batches of an update, as for `range_test`; the gradients are those of the
            mean loss.
        options: the other options of `range_test`.

    Raises:
        TypeError: model is not a module, loss_fn is not a function, or a batch is not a pair.
            Everything is restored.
        ValueError: the model has no parameters. Also what `range_test` raises.

    Elsewhere: `LRFinder(model, optimizer, criterion).range_test(loader)` followed by `reset()` in
    torch-lr-finder.

    >>> import torch
    >>> model, loss_fn = torch.nn.Linear(2, 1), torch.nn.MSELoss()
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> loader = [(torch.eye(2), torch.ones(2, 1))]
    >>> found = range_test_model(model, loss_fn, optimizer, loader, steps=100, progress=False)
    >>> len(found.losses) <= 100, len(optimizer.state)
    (True, 0)
    """
    refuse = Refusal("range_test_model")
    if not isinstance(model, nn.Module):
        refuse("model", "a torch module", model, TypeError)
    if not callable(loss_fn):
        refuse("loss_fn", "a function of outputs and targets", loss_fn, TypeError)
    first = next(model.parameters(), None)
    if first is None:
        refuse("model", "a module with parameters", model)
    device, kind = first.device, first.device.type

    def step(batch: Batch) -> torch.Tensor:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            refuse("a batch", "a pair (inputs, targets)", batch, TypeError)
        inputs, targets = (_on(device, part) for part in batch)
        if autocast is None:
            loss = loss_fn(model(inputs), targets)
        else:
            with torch.autocast(kind, autocast):
                loss = loss_fn(model(inputs), targets)
        scaled = loss if scaler is None else scaler.scale(loss)
        (scaled if accumulate == 1 else scaled / accumulate).backward()
        return loss

    if modules is None:
        modules = [model, *([loss_fn] if isinstance(loss_fn, nn.Module) else [])]
    options |= {"modules": modules, "scaler": scaler, "accumulate": accumulate}
    return range_test(step, optimizer, loader, schedule, steps, **options)


def _on(device: torch.device, part: Any) -> Any:
    return part.to(device, non_blocking=True) if isinstance(part, torch.Tensor) else part
