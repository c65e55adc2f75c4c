"""Learning rates computed on the device, for compiled training steps and CUDA graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lrsched import Schedule
from lrsched._core import Refusal, Refused
from lrsched_torch._schedulers.arguments import (
    check_one_for_each,
    check_optimizer,
    checked_last_step,
    checked_schedules,
)
from lrsched_torch._schedulers.checkpoint import read_state, warn_of_changes, warn_of_ratios
from lrsched_torch._schedulers.claims import claim
from lrsched_torch._schedulers.param_groups import (
    ParamGroups,
    after_loading,
    check_ratio_options,
)
from lrsched_torch._schedulers.tested_ratios import warn_if_tested_otherwise


def on_device(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Sequence[Schedule],
    last_step: int = -1,
    keep_ratios: bool = True,
    reference_group: int | None = None,
) -> DeviceLR:
    """Compute learning rates on the device, for compiled training steps and CUDA graphs.

    After construction and after every `step()`, each param group's lr, which must be a tensor,
    holds `schedule(n)`, where n is the number of `step()` calls. It is computed in float32, or in
    float64 if a group's lr or torch's default dtype is float64, and then rounded to the dtype of
    the group's lr: a bfloat16 or float16 tensor holds the rounded rate.

    The step count is a tensor on the same device, so `step()` neither waits for the device nor
    reads from it. It can be part of a function that `torch.compile(fullgraph=True)` compiles once,
    and of a CUDA graph, which makes one step at each replay.

    Each operation of a schedule is a kernel of its own unless it is compiled. In a CUDA graph of a
    small network on an H100, `step()` with a warmup and a cosine took 80 microseconds, and compiled
    with `torch.compile(rates.step, fullgraph=True)` about one.

    torch's `optimizer.step` breaks a compiled graph on purpose. To have it in the graph, call
    `type(optimizer).step.__wrapped__.__wrapped__(optimizer)` under `torch.no_grad()`.

    The ratios of param groups, groups that are added or removed, and checkpoints work as in
    `lambda_lr`, and each reads the checkpoints of the other. The first `step()` with other groups
    reads from the device, and must not be part of a compiled function or a CUDA graph.

    Args:
        optimizer: an optimizer whose lr is a tensor, on the device of its parameters:
            `torch.optim.Adam(parameters, lr=torch.tensor(1e-3, device="cuda"), capturable=True)`,
            or `torch.optim.SGD(parameters, lr=torch.tensor(1e-3, device="cuda"), fused=True)`.
            The value of the tensor is overwritten.
        schedule: one schedule for all groups, or a list with one for each.
        last_step: the number of the last step already made; the first lr is
            `schedule(last_step + 1)`.
        keep_ratios: whether the groups keep the ratios of their learning rates, as in `lambda_lr`.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.

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
    schedules = checked_schedules(refuse, optimizer, schedule)
    last_step = checked_last_step(refuse, last_step)
    is_one = isinstance(schedule, Schedule)
    keeps_ratios = check_ratio_options(refuse, keep_ratios, reference_group, is_one, len(groups))
    included = ParamGroups(refuse, optimizer, keeps_ratios, reference_group, ["lr"])
    if is_one:
        warn_if_tested_otherwise("on_device", optimizer, included.ratios)
    return DeviceLR(optimizer, schedules, last_step, included, is_one)


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
        groups: ParamGroups,
        is_one: bool,
    ) -> None:
        self.optimizer = optimizer
        self.schedules = schedules
        self._groups = groups
        claim(Refusal("on_device"), optimizer, "lr", self, follows_metric=False)
        self._is_one = is_one
        self._ratios = groups.ratios
        device = optimizer.param_groups[0]["lr"].device
        self.count: torch.Tensor = torch.full((), last_step + 1, dtype=torch.int64, device=device)
        self._write()
        after_loading(optimizer, self)

    @torch.no_grad()
    def step(self) -> None:
        """Count an update, and write the learning rates of the next one.

        Raises:
            ValueError: a param group has no schedule, or groups were added or removed and this is
                part of a compiled function.
        """
        compiling = torch.compiler.is_compiling()  # then only the lengths are compared
        if len(self.optimizer.param_groups) != len(self._ratios) or (
            not compiling and self._groups.have_changed
        ):
            self._include_groups()
        self.count.add_(1)
        self._write()

    def get_last_lr(self) -> list[torch.Tensor]:
        """The learning rate of each group, as copies that later steps do not change."""
        return [group["lr"].clone() for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The step, the learning rates, their ratios and the recipe. Waits for the device."""
        state = {
            "last_epoch": int(self.count),
            "_last_lr": [float(lr) for lr in self.get_last_lr()],
            "base_lrs": self._groups.initial_rates,
            "recipe": self._recipe(),
        }
        return state | ({"lr_ratios": self._ratios} if self._groups.keeps_ratios else {})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the step of a checkpoint, with the schedules of the code.

        The optimizer's state may be loaded before or after; as that replaces the lr tensors,
        capture a CUDA graph after both. The state dict of another scheduler is accepted too; its
        step is used. Warns if the checkpoint was written with another recipe or with none, or with
        other ratios.

        Raises:
            TypeError, ValueError: state_dict is not a mapping with an integer `last_epoch`, or a
                param group has no schedule.
        """
        saved = read_state(state_dict)
        if self._groups.have_changed:
            self._include_groups()
        ratios = self._groups.restored_ratios(saved.ratios)
        count = max(saved.step, 0)
        values = [schedule(count) for schedule in self.schedules]
        if self._is_one:
            values = [values[0] * ratio for ratio in ratios]
        warn_of_changes(saved, self._recipe(), values, stacklevel=2)
        if self._groups.keeps_ratios and saved.ratios is not None:
            warn_of_ratios(self._groups.initial_rates, saved.initial, stacklevel=2)
            self._groups.restore(ratios, saved.initial)
        self._ratios = ratios
        self.count.fill_(saved.step)
        self._write()

    def optimizer_was_loaded(self) -> None:
        """Set the learning rates again, in the groups of the optimizer's checkpoint."""
        code = self._groups.initial_rates
        self._include_groups()
        self._write()
        # The optimizer's load_state_dict has two decorators.
        warn_of_ratios(code, self._groups.initial_rates, stacklevel=6)

    def _include_groups(self) -> None:
        """Include param groups that were added, removed, or loaded from a checkpoint."""
        refuse, groups = Refusal("on_device"), self.optimizer.param_groups
        if torch.compiler.is_compiling():
            expected = "called once outside the compiled function after the param groups change"
            # torch.compile cannot trace how a Refusal raises.
            raise ValueError(Refused("on_device", "step", expected, len(groups)).text())
        if not self._is_one:
            check_one_for_each(refuse, "schedule", self.schedules, groups)
        self._groups.include()
        for group in groups:  # a checkpoint may hold a float, or a tensor on the host
            lr = group["lr"]
            if not isinstance(lr, torch.Tensor):
                dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
                lr = torch.tensor(lr, dtype=dtype)
            group["lr"] = lr.to(self.count.device)
        self._ratios = self._groups.ratios

    def _recipe(self) -> list[str]:
        return [repr(schedule) for schedule in self.schedules]

    @torch.no_grad()
    def _write(self) -> None:
        groups = self.optimizer.param_groups
        # At a float64 count a schedule computes in float64.
        double = any(group["lr"].dtype == torch.float64 for group in groups)
        count = self.count.double() if double else self.count
        values = [schedule(count) for schedule in self.schedules]
        if self._is_one:
            values = values * len(self._ratios)
        for group, value, ratio in zip(groups, values, self._ratios, strict=True):
            group["lr"].copy_(value if ratio == 1.0 else value * ratio)
