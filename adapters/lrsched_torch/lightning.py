"""Range tests in Lightning: of a module before it is fitted, or at the beginning of a fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from lrsched import Schedule
from lrsched._core import FLAG, Refusal
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS, NoSuggestion, RangeTest
from lrsched.range_test.running.monitor import Log
from lrsched.range_test.running.options import checked_options
from lrsched_torch._lightning import packages
from lrsched_torch._lightning.driver import OPTIMIZER, chosen
from lrsched_torch._lightning.loop import Run
from lrsched_torch._lightning.suggestion import attribute_of, set_attribute, set_rates
from lrsched_torch._range_test.measurements import Metrics
from lrsched_torch._range_test.options import Options
from lrsched_torch._snapshot.storage import Location

__all__ = ["RangeTestCallback", "range_test"]

_refuse = Refusal("range_test")


def range_test(
    trainer: Any,
    module: Any,
    train_dataloaders: Any = None,
    *,
    datamodule: Any = None,
    optimizer: int | str = 0,
    monitor: str | None = None,
    schedule: Schedule | Sequence[Schedule] | None = None,
    steps: int = 200,
    low: float | None = None,
    high: float | None = None,
    max_steps: int | None = None,
    divergence: float | None = DIVERGENCE,
    keep_ratios: bool = True,
    reference_group: int | None = None,
    memory: Location = "device",
    metrics: Metrics | None = None,
    every: int = 10,
    refine: bool = False,
    probe_steps: int | None = None,
    probe_repeats: int = PROBE_REPEATS,
    log: Log | None = None,
    progress: bool = True,
    label: str = "lightning",
) -> RangeTest:
    """Fit a module with rising learning rates, record the loss of each update, undo everything.

    The test is a `trainer.fit` without the trainer's callbacks, loggers, profiler, validation and
    limits of epochs and steps. All else is as in training: the hooks of the module, automatic or
    manual optimization, accumulation, clipping, precision, the strategy. The module's schedulers
    make no steps, and those that `training_step` steps do nothing.

    The rates of the first `steps` updates rise. They stop earlier where the losses are too high,
    see `divergence`, at one that is not finite, and when the data ends: a loader is restarted after
    each epoch, an iterator cannot be. Where they leave the best rate uncertain the test goes on, up
    to `max_steps` updates in all, each time by another fit from the state in which it began: with
    rates beyond the last one, or below the first, if the best may lie there; and with short
    trainings at constant rates around the suggestion. `RangeTest.summary` says what was done. The
    recorded loss is the one that `training_step` returns, the mean over the accumulated batches. An
    update is not counted where `training_step` returns None for all of its batches, or where the
    gradient scaler skips it.

    Afterwards everything is restored, also if a hook or the data raises or is interrupted, so that
    training continues as if there had been no test: the trainer with all of its attributes, loops
    and callbacks; the module with weights, buffers, modes, `.grad` and other attributes; its
    optimizers, schedulers and metrics; the data module's attributes; and the random generators of
    torch, its devices, NumPy, Python and the loaders. No checkpoint, log or other file is written.
    Not restored are files that hooks of the module write, data sets that change, and batches drawn
    from an iterator.

    Args:
        trainer: the `Trainer`, of `lightning.pytorch` or `pytorch_lightning`.
        module: the `LightningModule`; it may be compiled, and may have been fitted before.
        train_dataloaders: the loaders, as for `trainer.fit`; by default those of the module.
        datamodule: a data module in their place.
        optimizer: the index in `configure_optimizers` of the optimizer whose rate rises, or the
            name of its class if no other optimizer has it. The other optimizers keep their rates.
            If one `training_step` steps it several times, these updates count as one.
        monitor: the name of the metric to record in place of a returned loss. `training_step` logs
            it with `self.log(name, value, on_step=True)`.
        schedule: the learning rate of update 0, 1, ..., or a list with one schedule for each param
            group; by default `exponential_ramp(low, high, steps - 1)`.
        steps: the number of updates with rising rates.
        low: the first learning rate, by default 1e-7.
        high: the last learning rate, by default 10.
        max_steps: the most updates in all, by default 3 times `steps`; with a schedule of one's own
            `steps`; and with `refine` at least `steps` and 10 times `probe_steps`. With a list of
            schedules there are no more than `steps`.
        divergence: a multiple d, above 1. The rates stop to rise where most of the last 5 losses
            are above `m + max((d - 1) * abs(m), 2 * r)`, m the median and r the range of the first
            10 losses (in a longer test of 2 %, and of the first 5 %). None or infinity never stops
            for a finite loss.
        keep_ratios: whether param groups with different learning rates keep their ratios under one
            schedule; False gives all groups the schedule's value.
        reference_group: the index of the group whose lr is the schedule's value; by default that of
            the group with the largest lr.
        memory: where the copies of tensors are kept: "device" (beside the tensors), "cpu", or
            "disk" (a private temporary file, which is always removed).
        metrics: a function that returns numbers by name, recorded in `RangeTest.metrics` as rows of
            (update, value). It is called before update 0, `every`, ..., without gradients, and
            generators and modes are restored after it.
        every: the number of updates between two calls of `metrics`.
        refine: whether there are trainings in any case, also at rates that need none, on several
            orders of the batches.
        probe_steps: the updates of each training; by default 100 with `refine`, else a sixth of
            the updates that are left, at least 50.
        probe_repeats: the trainings at the best rates with `refine`, on different batches; the
            others are drawn before, with the module's hooks for batches, but without training.
        log: called as `log({"learning_rate": rate, "loss": loss}, update)` for each update of the
            first `steps` once its loss is read.
        progress: whether to show a progress bar in terminals and notebooks, if tqdm is installed.
        label: the name of the test in figures.

    Returns:
        The test, in every process of a distributed run the same: the losses are means over the
        processes, which stop together.

    Raises:
        TypeError, ValueError: an argument is wrong, the trainer is fitting already or has
            `fast_dev_run`, there is no training data, there is no such optimizer, no loss is
            returned or logged, or something else sets the optimizer's rates, such as a hook of the
            module. Everything is restored.
        RuntimeError: part of the state could not be restored; the rest is.

    Callbacks that change what is trained are left out: freeze the layers of a `BaseFinetuning`
    before the test, or use `RangeTestCallback`.

    Elsewhere: `Tuner(trainer).lr_find` in Lightning. It takes one optimizer and sets all of its
    groups to one rate, ignores NaN, writes a checkpoint, stops at once in a module that was trained
    before, and leaves the trainer changed after an exception.

    Example::

        found = range_test(Trainer(), module, loader)
        module.lr = found.suggest().suggested
    """
    package = packages.package_of(trainer)
    if package is None:
        _refuse("trainer", "a Trainer of Lightning", trainer, TypeError)
    if not isinstance(getattr(module, "_orig_mod", module), package.LightningModule):
        _refuse("module", f"a LightningModule of {package.__name__}", module, TypeError)
    if datamodule is None and isinstance(train_dataloaders, package.LightningDataModule):
        train_dataloaders, datamodule = None, train_dataloaders
    _check_data(package, module, train_dataloaders, datamodule)
    _check_run(optimizer, monitor)
    _check_fit(trainer)
    if trainer.state.status == "running":
        _refuse("trainer", "one that is not running", str(trainer.state.fn.value))
    options = Options(
        schedule=schedule,
        steps=steps,
        low=low,
        high=high,
        divergence=divergence,
        keep_ratios=keep_ratios,
        reference_group=reference_group,
        metrics=metrics,
        every=every,
        log=log,
        progress=progress,
        label=label,
    )
    limits = options.limits(max_steps, refine, probe_steps, probe_repeats)
    (memory,) = checked_options(_refuse, memory=memory)
    run = Run(trainer, module, options, optimizer, monitor, memory)
    return run.of_fit(train_dataloaders, datamodule, limits)


class RangeTestCallback(packages.LightningCallback):
    """Runs a range test at the beginning of `trainer.fit`, which then goes on as without it.

    The test is that of `range_test`, with the data, the optimizers and the weights that the fit
    begins with. Of a checkpoint that the fit resumes, only the weights are loaded by then. The test
    does not go on: it has neither further rates nor trainings at constant rates, and no options for
    them.

    Args:
        optimizer, monitor, memory, options: as for `range_test`.
        update_attr: whether the fit trains with the suggested rate. It is set in the module's
            attribute and in the optimizer's param groups, by their ratios, as if the optimizer had
            been made with it. Where the test suggests none, the rates stay, with a warning.
        attr_name: the name of the attribute of the module or of its `hparams`; by default `lr` or
            `learning_rate`.

    Attributes:
        result: the `RangeTest`, or None before the first fit. Strategies that spawn processes
            leave it in these.

    Raises:
        TypeError, ValueError: an argument is wrong; when the fit begins also for the reasons of
            `range_test`, or because the module has no such attribute.

    It may be called at another time too, in an overridden hook such as `on_train_epoch_start`:
    `self.run(trainer, pl_module)`.

    Elsewhere: `LearningRateFinder` in Lightning.

    Example::

        trainer = Trainer(callbacks=[RangeTestCallback(steps=100, update_attr=True)])
    """

    def __init__(
        self,
        *,
        optimizer: int | str = 0,
        monitor: str | None = None,
        update_attr: bool = False,
        attr_name: str | None = None,
        memory: Location = "device",
        label: str = "lightning",
        **options: Any,
    ) -> None:
        self.result: RangeTest | None = None
        _check_run(optimizer, monitor)
        self._optimizer, self._monitor = optimizer, monitor
        self._updates = _refuse.check("update_attr", FLAG, update_attr)
        if attr_name is not None and not isinstance(attr_name, str):
            _refuse("attr_name", "a name, or None", attr_name, TypeError)
        self._attribute = attr_name
        (self._memory,) = checked_options(_refuse, memory=memory)
        self._options = Options(label=label, **options)
        if self._updates and isinstance(self._options.schedule, (list, tuple)):
            _refuse("schedule", "one schedule with update_attr", self._options.schedule)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Run the test."""
        self.run(trainer, pl_module)

    def run(self, trainer: Any, pl_module: Any) -> None:
        """Run the test in a trainer that fits, store `result`, and set the rate if that is asked.

        Everything else is as it was before.
        """
        _check_fit(trainer)
        name = attribute_of(trainer, pl_module, self._attribute) if self._updates else ""
        optimizer = chosen(trainer.optimizers, self._optimizer)
        run = Run(trainer, pl_module, self._options, self._optimizer, self._monitor, self._memory)
        self.result = run.within_fit()
        if not self._updates:
            return
        try:
            rate = self.result.suggest().suggested
        except NoSuggestion as refused:
            warnings.warn(f"RangeTestCallback leaves the learning rate: {refused}", stacklevel=2)
            return
        set_attribute(trainer, pl_module, name, rate)
        schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
        set_rates(optimizer, run.test.rates_at(rate), schedulers)


def _check_run(optimizer: Any, monitor: Any) -> None:
    _refuse.check("optimizer", OPTIMIZER, optimizer)
    if monitor is not None and not isinstance(monitor, str):
        _refuse("monitor", "the name of a metric, or None", monitor, TypeError)


def _check_fit(trainer: Any) -> None:
    if trainer.fast_dev_run:
        _refuse("trainer.fast_dev_run", "False", trainer.fast_dev_run)


def _check_data(package: Any, module: Any, train_dataloaders: Any, datamodule: Any) -> None:
    if datamodule is not None:
        if not isinstance(datamodule, package.LightningDataModule):
            _refuse("datamodule", "a LightningDataModule, or None", datamodule, TypeError)
        if train_dataloaders is not None:
            _refuse("datamodule", "None with train_dataloaders", datamodule)
    elif train_dataloaders is None:
        is_overridden = packages.part(package, "utilities.model_helpers.is_overridden")
        if not is_overridden("train_dataloader", getattr(module, "_orig_mod", module)):
            expected = "given, for the module has no train_dataloader"
            _refuse("train_dataloaders", expected, None)
