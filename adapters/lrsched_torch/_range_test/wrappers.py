"""Optimizers that Accelerate and Fabric wrap: what they do besides the update."""

from __future__ import annotations

import sys
from typing import Any

from lrsched._core import Refusal

_refuse = Refusal("range_test")

_ACCELERATE = ("accelerate.optimizer.AcceleratedOptimizer",)
_DEEPSPEED = ("accelerate.utils.deepspeed.DeepSpeedOptimizerWrapper",)
_FABRIC = (
    "lightning.fabric.wrappers._FabricOptimizer",
    "lightning_fabric.wrappers._FabricOptimizer",
)


class Wrapper:
    """What wraps an optimizer, if anything does.

    Args:
        optimizer: the optimizer as the user has it.

    Attributes:
        inner: torch's own optimizer, which has the hooks.
        scaler: the gradient scaler through which the wrapper steps, or None.
        gradient_state: that of Accelerate, which says when an update is due; or None.
        packages: the packages whose objects have state of the training.
    """

    def __init__(self, optimizer: Any) -> None:
        wrapped: Any = optimizer
        self.scaler: Any = None
        self.gradient_state: Any = None
        self.packages: tuple[str, ...] = ()
        if _is_a(optimizer, _DEEPSPEED):
            _refuse("optimizer", "one without DeepSpeed, which makes updates itself", optimizer)
        if _is_a(optimizer, _ACCELERATE):
            self.gradient_state = wrapped.gradient_state
            self.scaler = wrapped.scaler
            self.packages = ("accelerate",)
        elif _is_a(optimizer, _FABRIC):
            self.scaler = getattr(wrapped._strategy.precision, "scaler", None)
            self.packages = ("lightning", "lightning_fabric")
        while _is_a(wrapped, (*_ACCELERATE, *_FABRIC)):
            wrapped = wrapped.optimizer
        self.inner: Any = wrapped

    @property
    def accumulate(self) -> int:
        """The number of batches of an update."""
        return 1 if self.gradient_state is None else int(self.gradient_state.num_steps)

    def ends_update(self) -> bool:
        """Whether an update is due after the batch drawn last: the loader is at its end."""
        state = self.gradient_state
        return bool(state.sync_with_dataloader and state.end_of_dataloader)

    def check_update(self, batches: int) -> None:
        """Refuse an update that Accelerate would leave out."""
        if self.gradient_state is not None and not self.gradient_state.sync_gradients:
            expected = (
                f"{self.accumulate}, the gradient_accumulation_steps of the Accelerator, if step "
                "uses accelerator.accumulate"
            )
            _refuse("accumulate", expected, batches)


def _is_a(value: object, names: tuple[str, ...]) -> bool:
    """Whether a value is an instance of a class of these names, whose module is imported."""
    for name in names:
        module, _, attribute = name.rpartition(".")
        kind = getattr(sys.modules.get(module), attribute, None)
        if kind is not None and isinstance(value, kind):
            return True
    return False
