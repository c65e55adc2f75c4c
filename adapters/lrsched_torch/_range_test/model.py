"""A learning-rate range test of a torch model and a loss function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import RangeTest
from lrsched_torch._range_test.batches import Batch
from lrsched_torch._range_test.losses import check_is_one
from lrsched_torch._range_test.range_test import range_test
from lrsched_torch._range_test.updates import GradScaler


def range_test_model(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], torch.Tensor] | None,
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

    It trains with rising rates, goes on where they leave the best one uncertain, and restores
    everything, as `range_test` does. For batches or steps of another kind, use that.

    A batch is a tuple or a list: its last part is the targets, and the others are the arguments of
    the model. Or it is a mapping, and the loss is `loss_fn(model(**batch), batch)`. Where `loss_fn`
    is None the model is called with all parts. It returns the loss, or what holds it as `.loss` or
    `["loss"]`, as the models of transformers do: `range_test_model(model, None, optimizer,
    loader)`.

    The tensors of a batch are moved to the device of the model's first parameter. The model is
    trained in its current mode.

    Args:
        model: the model; it may be compiled or wrapped in DistributedDataParallel.
        loss_fn: `loss_fn(outputs, targets)` returns the loss, a tensor of one number; or None.
        optimizer: the optimizer to use.
        loader: the batches.
        schedule: the learning rates, as for `range_test`.
        steps: the number of updates with rising rates.
        autocast: the dtype to compute in, such as torch.bfloat16; by default the model's own.
        modules: the modules to restore; by default the model, and `loss_fn` if it is a module.
        scaler: a gradient scaler, as for `range_test`; here it also scales the loss.
        accumulate: the batches of an update, as for `range_test`; the gradients are those of the
            mean loss.
        options: the other options of `range_test`, such as `max_steps` and `refine`.

    Returns:
        The rates and the losses, as `range_test` returns them.

    Raises:
        TypeError: model is not a module, loss_fn is neither a function nor None, a batch is none of
            these, or the model returns no loss. Everything is restored.
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
    if loss_fn is not None and not callable(loss_fn):
        refuse("loss_fn", "a function of outputs and targets, or None", loss_fn, TypeError)
    first = next(model.parameters(), None)
    if first is None:
        refuse("model", "a module with parameters", model)
    device, kind = first.device, first.device.type

    def step(batch: Batch) -> torch.Tensor:
        batch = moved(device, batch)
        if autocast is None:
            loss = loss_of(refuse, model, loss_fn, batch)
        else:
            with torch.autocast(kind, autocast):
                loss = loss_of(refuse, model, loss_fn, batch)
        check_is_one(refuse, "the loss", loss)
        scaled = loss if scaler is None else scaler.scale(loss)
        (scaled if accumulate == 1 else scaled / accumulate).backward()
        return loss

    if modules is None:
        modules = [model, *([loss_fn] if isinstance(loss_fn, nn.Module) else [])]
    options |= {"modules": modules, "scaler": scaler, "accumulate": accumulate}
    return range_test(step, optimizer, loader, schedule, steps, **options)


def loss_of(
    refuse: Refusal,
    model: Callable[..., Any],
    loss_fn: Callable[[Any, Any], Any] | None,
    batch: Batch,
) -> torch.Tensor:
    """The loss of a batch, as `range_test_model` calls the model and the loss function."""
    if isinstance(batch, Mapping):
        outputs, targets = model(**batch), batch
    elif loss_fn is None:
        outputs, targets = model(*batch) if isinstance(batch, (tuple, list)) else model(batch), None
    elif isinstance(batch, (tuple, list)) and len(batch) > 1:
        *inputs, targets = batch
        outputs = model(*inputs)
    else:
        refuse("a batch", "(inputs, targets), (input, ..., targets) or a mapping", batch, TypeError)
    if loss_fn is not None:
        loss: Any = loss_fn(outputs, targets)
        if not isinstance(loss, torch.Tensor):
            refuse("loss_fn", "a function that returns a tensor of one number", loss, TypeError)
        return loss
    if isinstance(outputs, Mapping):  # as the outputs of transformers are
        outputs = outputs.get("loss", outputs)
    loss = getattr(outputs, "loss", outputs)
    if not isinstance(loss, torch.Tensor):
        expected = "a function of outputs and targets (this model returns no loss itself)"
        refuse("loss_fn", expected, None, TypeError)
    return loss


def moved(device: torch.device, part: Any) -> Any:
    """A batch, or a part of one, with its tensors on the device."""
    if isinstance(part, torch.Tensor):
        return part.to(device, non_blocking=True)
    if isinstance(part, Mapping):
        if hasattr(part, "to"):  # a BatchEncoding of transformers
            return part.to(device)
        return {name: moved(device, each) for name, each in part.items()}
    if type(part) in (tuple, list):
        return type(part)(moved(device, each) for each in part)
    return part
