"""Run Lightning's loop for a range test, and restore the trainer and all that it trains."""

from __future__ import annotations

import contextlib
import pickle
import signal
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from lrsched._core import Refusal
from lrsched.range_test import RangeTest
from lrsched.range_test.running.continuation import Limits
from lrsched_torch._lightning import packages
from lrsched_torch._lightning.driver import Driver
from lrsched_torch._range_test.embedded import EmbeddedTest
from lrsched_torch._range_test.options import Options
from lrsched_torch._snapshot.reachable import reachable_state
from lrsched_torch._snapshot.snapshot import Snapshot
from lrsched_torch._snapshot.storage import Location
from lrsched_torch._snapshot.training_state import snapshot

_refuse = Refusal("range_test")


class Run:
    """A range test of a module in the loop of a trainer.

    Args:
        trainer: Lightning's trainer.
        module: the module, or one that `torch.compile` made of it.
        options: the options of the test.
        optimizer: the index of the optimizer, or the name of its class.
        monitor: the name of the metric that is logged in place of a returned loss, or None.
        memory: where copies of tensors are kept.
    """

    def __init__(
        self,
        trainer: Any,
        module: Any,
        options: Options,
        optimizer: int | str,
        monitor: str | None,
        memory: Location,
    ) -> None:
        self._trainer = trainer
        self._module = module
        self._optimizer = optimizer
        self._monitor = monitor
        self._memory = memory
        plain = getattr(module, "_orig_mod", module)
        self._plain = plain
        self.test = EmbeddedTest(options, list(plain.modules()))

    @property
    def _package(self) -> Any:
        return packages.package_of(self._trainer)

    def of_fit(self, train_dataloaders: Any, datamodule: Any, limits: Limits) -> RangeTest:
        """The test by `trainer.fit` with this data, and by further ones within the limits."""
        data = train_dataloaders if datamodule is None else datamodule
        launcher = self._trainer.strategy.launcher
        spawns = "strategies.launchers.multiprocessing._MultiProcessingLauncher"
        if isinstance(launcher, packages.part(self._package, spawns)):
            with self._saved(self._state(data)).restored():
                given = self, self._plain, train_dataloaders, datamodule, limits
                test: RangeTest = pickle.loads(
                    launcher.launch(_in_process, *given, trainer=self._trainer)
                )
                return test

        def fit(driver: Driver) -> None:
            with _interrupts(driver):
                self._trainer.fit(self._module, train_dataloaders, datamodule=datamodule)

        return self._tested(fit, data, limits)

    def within_fit(self) -> RangeTest:
        """The test by another run of the loop of a trainer that begins to fit."""
        trainer = self._trainer
        loop = trainer.fit_loop

        def run(driver: Driver) -> None:
            driver.on_fit_start(trainer, self._plain)
            loop._combined_loader = loop._data_fetcher = None  # those of the fit stay untouched
            self._plain.zero_grad()
            try:
                with torch.autograd.set_detect_anomaly(trainer._detect_anomaly):
                    loop.run()
            finally:
                if loop._data_fetcher is not None:
                    loop._data_fetcher.teardown()

        options = self.test.options
        return self._tested(run, loop._data_source.instance, options.limits(options.steps))

    def _tested(self, run: Callable[[Driver], None], data: Any, limits: Limits) -> RangeTest:
        objects = self._state(data)
        saved = self._saved(objects)

        def loop() -> None:
            driver = Driver(self.test, self._optimizer, self._monitor)
            self._leave_out(driver)
            for loader in objects:
                if isinstance(loader, DataLoader):
                    loader._iterator = None  # Lightning would end workers that are in use
            with driver:
                run(driver)
            if self.test.is_first and not driver.batches:
                _refuse("train_dataloaders", "data with at least one batch", data)

        with saved.restored(), torch.enable_grad():
            return self.test.run(loop, saved.rewind, limits)

    def _state(self, data: Any) -> list[Any]:
        """The objects that the test may change, with all that they hold."""
        package, module = self._package, self._plain
        is_module = isinstance(data, package.LightningDataModule)
        loaders = getattr(self._trainer.fit_loop._combined_loader, "flattened", [])
        held = [*vars(module).values(), *(vars(data).values() if is_module else [data]), *loaders]
        held = [each for each in held if not issubclass(type(each), package.Trainer)]
        found = reachable_state(*_functions(module), *held)
        return [self._trainer, module, *([data] if is_module else []), *found]

    def _saved(self, objects: list[Any]) -> Snapshot:
        holders = packages.holders(self._package)
        return snapshot(objects, [], self._memory, packages.TOP, holders)

    def _leave_out(self, driver: Driver) -> None:
        """Leave out of the loop what does not train: other callbacks, loggers, validation, ..."""
        trainer, package, part = self._trainer, self._package, packages.part
        if trainer.max_epochs is None and trainer.max_steps == -1:
            timer = part(package, "callbacks.Timer")
            is_timed = any(isinstance(each, timer) for each in trainer.callbacks)
            trainer.fit_loop.max_epochs = -1 if is_timed else 1000  # Lightning's, with a warning
        trainer.callbacks = [driver]
        self._plain.configure_callbacks = list
        no_logger, no_profiler = "loggers.logger.DummyLogger", "profilers.PassThroughProfiler"
        trainer.loggers = [part(package, no_logger)() for _ in trainer.loggers]
        trainer.profiler = part(package, no_profiler)()
        trainer.limit_val_batches = trainer.num_sanity_val_steps = 0
        trainer.should_stop = False


def _in_process(
    run: Run, module: Any, train_dataloaders: Any, datamodule: Any, limits: Limits
) -> bytes:
    """Run the test in a process that a launcher has started; bytes, for it looks into the rest."""
    strategy = run._trainer.strategy
    strategy._launcher = None
    test = run.of_fit(train_dataloaders, datamodule, limits)
    strategy._lightning_module = module  # whose state dict the launcher asks for
    return pickle.dumps(test)


def _functions(module: Any) -> Iterator[types.FunctionType]:
    """The functions of the module's class that are the user's."""
    for cls in type(module).__mro__:
        if cls.__module__.partition(".")[0] not in (*packages.TOP, "torch", "builtins"):
            yield from (x for x in vars(cls).values() if isinstance(x, types.FunctionType))


@contextlib.contextmanager
def _interrupts(driver: Driver) -> Iterator[None]:
    """Raise an interrupt as what it is, for Lightning ignores others after it and exits."""
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main else None
    try:
        yield
    except SystemExit:
        if driver.error is None:
            raise
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
    if driver.error is not None:
        raise driver.error
