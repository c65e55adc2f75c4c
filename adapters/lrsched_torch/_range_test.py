"""A learning-rate range test over a torch training step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch

from lrsched import Schedule, exponential_ramp
from lrsched.range_test import RangeTest, Recorder


def range_test(
    step: Callable[[Any], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Any],
    schedule: Schedule = exponential_ramp(1e-7, 10.0, 199),  # noqa: B008  # immutable
    steps: int = 200,
) -> RangeTest:
    """Train with rising learning rates and record the loss of each update.

    Every group of the optimizer gets the schedule's value. The test stops after `steps` updates,
    at a loss above 4 times the first, at one that is not finite, or when the batches run out. The
    optimizer's parameters, its state and its learning rates are then as they were, also after an
    exception in `step`; buffers of the model (running statistics) are not the optimizer's, and
    stay as `step` left them.

    Args:
        step: `step(batch) -> loss`, a training step without `optimizer.step()`: it zeroes the
            gradients, computes the loss and backpropagates.
        optimizer: the optimizer to drive.
        batches: the batches, one for each update.
        schedule: the learning rate of update 0, 1, ...
        steps: the number of updates.

    Raises:
        TypeError, ValueError: `steps` is not an integer >= 1.
    """
    recorder = Recorder(schedule, steps)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    weights = [p.detach().clone() for p in parameters]
    gradients = [None if p.grad is None else p.grad.clone() for p in parameters]
    state = copy.deepcopy(optimizer.state_dict())
    try:
        for rate, batch in zip(recorder, batches, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate
            recorder.record(step(batch).item())
            optimizer.step()
    finally:
        with torch.no_grad():
            for parameter, weight, gradient in zip(parameters, weights, gradients, strict=True):
                parameter.copy_(weight)
                parameter.grad = gradient
        optimizer.load_state_dict(state)
    return recorder.result()
