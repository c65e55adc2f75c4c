"""Learning rates computed on the device, for compiled training steps and CUDA graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched_torch._schedulers.arguments import (
    Group,
    check_optimizer,
    checked_schedules,
    ratios_of,
    set_initial_lr,
    unshare_tensors,
)
from lrsched_torch._schedulers.checkpoint import restored_step


def on_device(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Sequence[Schedule],
    last_step: int = -1,
    keep_ratios: bool = False,
) -> DeviceLR:
    """Compute learning rates on the device, for compiled training steps and CUDA graphs.

    After construction and after every `step()`, each param group's lr, which must be a tensor,
    holds `schedule(n)`, where n is the number of `step()` calls. It is computed in float32, or in
    float64 if a group's lr or torch's default dtype is float64, and then rounded to the dtype of
    the group's lr: a bfloat16 or float16 tensor holds the rounded rate.

    The step count is a tensor on the same device, so `step()` neither waits for the device nor
    reads from it. It can be part of a function that `torch.compile(fullgraph=True)` compiles once,
    and of a CUDA graph, which makes one step at each replay.

    torch's `optimizer.step` breaks a compiled graph on purpose. To have it in the graph, call
    `type(optimizer).step.__wrapped__.__wrapped__(optimizer)` under `torch.no_grad()`.

    Checkpoints work as in `lambda_lr`, and each reads those of the other. The number of the
    optimizer's param groups must not change.

    Args:
        optimizer: an optimizer whose lr is a tensor, on the device of its parameters:
            `torch.optim.Adam(parameters, lr=torch.tensor(1e-3, device="cuda"), capturable=True)`,
            or `torch.optim.SGD(parameters, lr=torch.tensor(1e-3, device="cuda"), fused=True)`.
            The value of the tensor is overwritten.
        schedule: one schedule for all groups, or a list with one for each.
        last_step: the number of the last step already made; the first lr is
            `schedule(last_step + 1)`.
        keep_ratios: whether only the first group's lr is the schedule's value, and the other
            groups' keep the ratios to it that they had when the optimizer was made.

    Returns:
        A `DeviceLR`; call its `step()` after each update.

    Raises:
        TypeError: an lr is not a tensor. Also what `lambda_lr` raises.
        ValueError: the lr tensors are on several devices. Also what `lambda_lr` raises. The
            optimizer is unchanged.

    Elsewhere: torch's schedulers compute a Python float. A compiled step that contains it is
    compiled again when it changes, a CUDA graph keeps the value with which it was captured, and a
    tensor lr is filled from the host (pytorch#107076, #120934, #133898). optax's schedules are
    traced with the update.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.zeros(3))
    >>> optimizer = torch.optim.Adam([weights], lr=torch.tensor(1.0), capturable=True)
    >>> rates = on_device(optimizer, lrsched.linear(0.5, 0.0, 4))
    >>> rates.step(); optimizer.param_groups[0]["lr"]
    tensor(0.3750)
    """
    refuse = Refusal("on_device")
    check_optimizer(refuse, optimizer)
    groups = optimizer.param_groups
    for lr in (group["lr"] for group in groups):
        if not isinstance(lr, torch.Tensor):
            expected = "a tensor, as in Adam(parameters, lr=torch.tensor(0.001), capturable=True)"
            refuse("the optimizer's lr", expected, lr, TypeError)
        if lr.device != groups[0]["lr"].device:
            refuse("the optimizer's lr", f"on {groups[0]['lr'].device} in every group", lr.device)
    schedules, last_step = checked_schedules(refuse, optimizer, schedule, last_step, keep_ratios)
    return DeviceLR(optimizer, schedules, last_step, keep_ratios)


class DeviceLR:
    """Learning rates computed on the device; `on_device` makes it.

    Attributes:
        optimizer: the optimizer whose lr tensors are set.
        schedules: one schedule for all param groups, or one for each.
        count: the tensor that holds the step.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedules: tuple[Schedule, ...],
        last_step: int,
        keep_ratios: bool,
    ) -> None:
        self.optimizer = optimizer
        self.schedules = schedules
        set_initial_lr(optimizer.param_groups)
        rates = [group["initial_lr"] for group in optimizer.param_groups]
        self._ratios = ratios_of(rates) if keep_ratios else [1.0] * len(rates)
        device = optimizer.param_groups[0]["lr"].device
        self.count: torch.Tensor = torch.full((), last_step + 1, dtype=torch.int64, device=device)
        self._prepare()

    @torch.no_grad()
    def step(self) -> None:
        """Count an update, and write the learning rates of the next one.

        Raises:
            ValueError: the number of param groups has changed.
        """
        self._check_groups()
        self.count.add_(1)
        self._write()

    def get_last_lr(self) -> list[torch.Tensor]:
        """The learning rate of each group, as copies that later steps do not change."""
        return [group["lr"].clone() for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The step, the learning rates and the recipe, as plain data. Waits for the device."""
        return {
            "last_epoch": int(self.count),
            "_last_lr": [float(lr) for lr in self.get_last_lr()],
            "recipe": self._recipe(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the step of a checkpoint, with the schedules of the code.

        Load the optimizer's state first, as it replaces the lr tensors, and capture a CUDA graph
        after both. The state dict of another scheduler is accepted too; its step is used. Warns if
        the checkpoint was written with another recipe or with none.

        Raises:
            TypeError, ValueError: state_dict is not a mapping with an integer `last_epoch`, or the
                number of param groups has changed.
        """
        self._check_groups()
        step, _ = restored_step(state_dict, self._recipe())
        self.count.fill_(step)
        self._prepare()

    def _check_groups(self) -> None:
        number, before = len(self.optimizer.param_groups), len(self._ratios)
        if number != before:
            Refusal("on_device")("the number of param groups", f"{before}, as it was", number)

    def _recipe(self) -> list[str]:
        return [repr(schedule) for schedule in self.schedules]

    def _prepare(self) -> None:
        groups: list[Group] = self.optimizer.param_groups
        for group in groups:  # a loaded checkpoint may hold a float, or a tensor on the host
            lr = group["lr"]
            if not isinstance(lr, torch.Tensor):
                lr = torch.tensor(
                    lr, dtype=torch.promote_types(torch.get_default_dtype(), torch.float32)
                )
            group["lr"] = lr.to(self.count.device)
        unshare_tensors(groups, "lr")
        self._write()

    @torch.no_grad()
    def _write(self) -> None:
        groups = self.optimizer.param_groups
        # At a float64 count a schedule computes in float64.
        double = any(group["lr"].dtype == torch.float64 for group in groups)
        count = self.count.double() if double else self.count
        values = [schedule(count) for schedule in self.schedules]
        if len(values) == 1:
            values = values * len(self._ratios)
        for group, value, ratio in zip(groups, values, self._ratios, strict=True):
            group["lr"].copy_(value if ratio == 1.0 else value * ratio)
