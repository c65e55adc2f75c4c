"""Call the user's step, and refuse one that does what the test does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import register_optimizer_step_pre_hook

from lrsched._core import Refusal
from lrsched_torch._range_test.batches import Batch
from lrsched_torch._range_test.rates import Rates
from lrsched_torch._snapshot.reachable import parameters, reachable_state

_refuse = Refusal("range_test")

Step = Callable[[Batch], torch.Tensor | float | None]


class GuardedStep:
    """The user's step, which must leave updates and learning rates to the test.

    It may step optimizers and schedulers of other parameters. The step of a scheduler that leaves a
    rate as it is can be noticed only if `step` refers to the scheduler, or `restore` has it.

    Args:
        step: the user's training step.
        optimizer: the optimizer of the test.
        rates: the learning rates of the test.
        restore: further objects that `step` may use.
    """

    def __init__(
        self, step: Step, optimizer: torch.optim.Optimizer, rates: Rates, restore: Iterable[Any]
    ) -> None:
        self._step = step
        self._rates = rates
        self._parameters = set(map(id, parameters(optimizer)))
        self._schedulers: list[Any] = [
            found
            for found in [*reachable_state(step), *restore]
            if isinstance(found, LRScheduler) and self._shares(getattr(found, "optimizer", None))
        ]
        self._is_running = False

    def __call__(self, batch: Batch) -> torch.Tensor | float | None:
        last = self._last_rates()
        self._is_running = True
        try:
            loss = self._step(batch)
        finally:
            self._is_running = False
        # Each step of a scheduler makes another list of its last rates, also of equal ones.
        stepped = any(x is not y for x, y in zip(last, self._last_rates(), strict=True))
        if stepped or self._rates.were_written():
            self._refuse("sets the learning rates, so without scheduler.step()")
        return loss

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Refuse updates of the optimizer's parameters inside the step."""

        def before_update(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            if self._is_running and self._shares(optimizer):
                self._refuse("makes the update, so without optimizer.step()")

        # Of all optimizers: wrappers call the step of another one, and have no hooks themselves.
        handle = register_optimizer_step_pre_hook(before_update)
        try:
            yield
        finally:
            handle.remove()

    def refuse_without_gradients(self) -> NoReturn:
        """Refuse a step that leaves no gradients."""
        expected = "a function that leaves gradients in the optimizer's parameters"
        _refuse("step", f"{expected} (loss.backward(), and no zero_grad() after it)", self._step)

    def _last_rates(self) -> Sequence[Any]:
        return [getattr(scheduler, "_last_lr", None) for scheduler in self._schedulers]

    def _shares(self, optimizer: torch.optim.Optimizer | None) -> bool:
        """Whether an optimizer has parameters of the test's."""
        return optimizer is not None and not self._parameters.isdisjoint(
            map(id, parameters(optimizer))
        )

    def _refuse(self, part: str) -> NoReturn:
        expected = f"a function that only computes the loss and its gradients (range_test {part})"
        _refuse("step", expected, self._step)
