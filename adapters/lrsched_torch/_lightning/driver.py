"""The callback that sets the learning rates in Lightning's loop, and takes its losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from lrsched._core import Kind, Refusal, integer
from lrsched_torch._lightning.packages import LightningCallback
from lrsched_torch._range_test.embedded import EmbeddedTest, replaced
from lrsched_torch._range_test.losses import as_loss

_refuse = Refusal("range_test")
_index = integer(0, "the index of an optimizer")

OPTIMIZER = Kind(
    "the index of an optimizer in configure_optimizers, or the name of its class",
    lambda value: value if isinstance(value, str) else _index.convert(value),
)


class Driver(LightningCallback):
    """Drives an embedded test through the loop of a trainer, and stops the loop at its end.

    Args:
        test: the test.
        optimizer: the index of its optimizer, or the name of its class.
        monitor: the name of the metric that is logged in place of a returned loss, or None.

    Attributes:
        error: what interrupted the loop, or None. Lightning may turn it into another error.
    """

    def __init__(self, test: EmbeddedTest, optimizer: int | str, monitor: str | None) -> None:
        self.error: BaseException | None = None
        self.batches = 0  # that have ended
        self._test = test
        self._optimizer = optimizer
        self._monitor = monitor
        self._ending = ExitStack()
        self._loss: Any = None  # of the first `training_step` of the batch: L-BFGS makes several
        self._is_logged = False
        self._scale = 0.0
        self._before_epoch = 0

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Let the loop run without end, with learning rates that nothing else sets."""
        epochs, batches = trainer.fit_loop, trainer.fit_loop.epoch_loop
        epochs.min_epochs, epochs.max_epochs = 0, -1
        batches.min_steps, batches.max_steps = None, -1
        self._replace(batches, "update_lr_schedulers", _do_nothing)
        configured = [config.scheduler for config in trainer.lr_scheduler_configs]
        own = [each for each in vars(pl_module).values() if isinstance(each, LRScheduler)]
        for scheduler in {id(each): each for each in (*configured, *own)}.values():
            self._replace(scheduler, "step", _do_nothing)
        self._watch(trainer.strategy, pl_module)
        if self._test.skipped:
            self._pass_over(batches)

    def _pass_over(self, loop: Any) -> None:
        """Train with no batch of the updates that the test passes over."""
        test = self._test

        def run(train: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if not test.skipped:
                return train(*args, **kwargs)
            if not loop._should_accumulate():
                test.pass_over()
            return {}

        for optimization in (loop.automatic_optimization, loop.manual_optimization):
            self._replace(optimization, "run", partial(run, optimization.run))

    def _replace(self, value: Any, method: str, other: Any) -> None:
        """Replace a method of an object until the test ends."""
        self._ending.enter_context(replaced(value, method, other))

    def _watch(self, strategy: Any, module: Any) -> None:
        """Take the losses that `training_step` returns, before Lightning divides them."""
        training_step, log = strategy.training_step, module.log

        def taking(*args: Any, **kwargs: Any) -> Any:
            output = training_step(*args, **kwargs)
            if self._loss is None:
                loss = output.get("loss") if isinstance(output, Mapping) else output
                self._loss = None if loss is None else as_loss(loss)
            return output

        def logging(name: str, *args: Any, **kwargs: Any) -> Any:
            self._is_logged |= self._monitor in (name, f"{name}_step")
            return log(name, *args, **kwargs)

        self._replace(strategy, "training_step", taking)
        if self._monitor is not None:
            self._replace(module, "log", logging)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Set the rates of the first update."""
        optimizer = chosen(trainer.optimizers, self._optimizer)
        self._ending.enter_context(self._test.driving(optimizer))
        self._scale = _scale(trainer)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Take the loss of the batch, and set the rates of the next update."""
        self.batches += 1
        loss = self._taken(trainer, pl_module)
        last, self._scale = self._scale, _scale(trainer)
        if not self._test.end_batch(loss, skipped=self._scale < last):
            trainer.should_stop = True

    def _taken(self, trainer: Any, module: Any) -> Any:
        """The loss of the batch that ends, or None."""
        loss, is_logged = self._loss, self._is_logged
        self._loss, self._is_logged = None, False
        has_skipped = loss is None and module.automatic_optimization
        made_update = self._test.made_update and not has_skipped
        if self._monitor is not None:
            loss = trainer.callback_metrics.get(self._monitor) if is_logged else None
            if loss is None and (is_logged or made_update):
                expected = "the name of a metric that training_step logs, with on_step=True"
                _refuse("monitor", expected, self._monitor)
        elif loss is None and made_update:
            _refuse("monitor", "the name of a metric, for training_step returns no loss", None)
        return loss

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop at an epoch without batches: data that cannot be restarted has ended."""
        if self.batches == self._before_epoch:
            trainer.should_stop = True
        self._before_epoch = self.batches

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Note what interrupted the loop."""
        self.error = exception

    def __enter__(self) -> ExitStack:
        return self._ending.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        return self._ending.__exit__(*error)


def chosen(optimizers: Sequence[Any], which: int | str) -> Any:
    """The optimizer with this index, or with a class of this name."""
    if [type(each).__name__ for each in optimizers] == ["_MockOptimizer"]:
        _refuse("configure_optimizers", "a function that returns optimizers", None)
    if isinstance(which, str):
        found = [each for each in optimizers if type(each).__name__ == which]
        if len(found) != 1:
            names = ", ".join(type(each).__name__ for each in optimizers)
            _refuse("optimizer", f"the name of the class of one optimizer (of {names})", which)
        return found[0]
    if which >= len(optimizers):
        _refuse("optimizer", f"below {len(optimizers)}, the number of optimizers", which)
    return optimizers[which]


def _scale(trainer: Any) -> float:
    """The present scale of the gradient scaler; it falls when an update is skipped."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return 0.0 if scaler is None else float(scaler.get_scale())


def _do_nothing(*_: Any, **__: Any) -> None:
    """Stand for the step of a scheduler."""
