"""Fit a Keras model for a range test: once, or again and again from the same state."""

from __future__ import annotations

import itertools
import threading
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self

import keras
import numpy as np

from lrsched import Schedule, constant
from lrsched._core import Refusal
from lrsched.range_test import RangeTest, Recorder
from lrsched.range_test.running.losses import LOOK_EVERY, LossReader
from lrsched.range_test.running.measurements import Measurements, as_number
from lrsched.range_test.running.monitor import Monitor
from lrsched.range_test.running.rates import curve_of
from lrsched_keras import _checks as checks
from lrsched_keras._fit import Function, Loop, Updates
from lrsched_keras._hyperparameter import is_variable

_refuse = Refusal("range_test")

_FOREVER = 2**31  # epochs


class Fits:
    """Fits a model with the rates of a test, and again, each time from the same state.

    Args:
        model: the model.
        optimizer: the optimizer that makes its updates, inside one that scales losses.
        batches: the arguments of `fit` that are its data.
        divergence: the multiple of the first losses at which a test ends.
        measure: makes what measures numbers between the updates of a test.
        monitor: shows the losses.
        label: the name of the test in figures.
        rewind: restores the state in which the first fit began.

    Attributes:
        dtype: the dtype in which rates are used, once there are some.
        train_function: the training function that Keras has compiled, once there is one.
        serves_later: whether it is right for a training after the test.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        batches: Mapping[str, Any],
        divergence: float | None,
        measure: Callable[[], Measurements],
        monitor: Monitor,
        label: str,
        rewind: Callable[[], object],
    ) -> None:
        self.dtype: Any = None
        self.train_function: Function | None = None
        self._model = model
        self._optimizer = optimizer
        self._given = {name: value for name, value in batches.items() if value is not None}
        self._divergence = divergence
        self._measure = measure
        self._monitor = monitor
        self._label = label
        self._rewind = rewind
        self._is_first = True
        x = batches["x"]
        self._drawn = _Once(x) if isinstance(x, types.GeneratorType) else None
        # On TensorFlow a training function holds the variables of metrics and of the optimizer:
        # where a fit has made these, they are made again.
        made = (model.optimizer, model._compile_loss, model._compile_metrics)
        are_made = all(each is None or each.built for each in made)
        self._serves_again = are_made or keras.backend.backend() == "jax"
        rate = optimizer._learning_rate
        self._rate = rate if is_variable(rate) else None
        has_own = self._rate is not None and model.steps_per_execution == 1
        self.serves_later = self._serves_again and has_own

    def first(self, schedule: Schedule, steps: int) -> RangeTest:
        """The test."""
        self._monitor.begin("range test", steps)
        return self._swept(schedule, steps)

    def ramp(self, schedule: Schedule, steps: int) -> RangeTest:
        """A test with other rates."""
        self._restart("further rates", steps)
        return self._swept(schedule, steps)

    def train(self, rate: float, steps: int, repeat: int, above: float) -> Sequence[float]:
        """The losses of a training at a constant rate; none where the batches ran out."""
        self._restart(f"training at {rate:.2g}", steps)
        nothing = Measurements(None, 1, nullcontext)
        recorder, skipped = Recorder(None, above=above), repeat * steps
        found = self._fit(constant(float(rate)), steps, recorder, nothing, skipped)
        return [] if found.stopped == "exhausted" else found.losses.tolist()

    def _restart(self, name: str, steps: int) -> None:
        self._rewind()
        self._is_first = False
        self._monitor.begin(name, steps)

    def _swept(self, schedule: Schedule, steps: int) -> RangeTest:
        found = self._fit(schedule, steps, Recorder(self._divergence, steps), self._measure(), 0)
        if found.stopped != "finished":
            self._monitor.fill()
        return found

    def _fit(
        self,
        schedule: Schedule,
        steps: int,
        recorder: Recorder,
        measurements: Measurements,
        skipped: int,
    ) -> RangeTest:
        """Fit the model, and return what was recorded."""
        model, optimizer = self._model, self._optimizer
        variable = self._prepared()
        rates = np.asarray(curve_of(_refuse, schedule, steps)).astype(variable.dtype)
        self.dtype = rates.dtype
        used = rates.astype(np.float64).tolist()
        look_every = 1 if _is_on_cpu(variable.value) else LOOK_EVERY
        monitor = self._monitor if self._is_first else self._monitor.unlogged()
        reader = LossReader(recorder, used, _means, monitor, look_every)
        updates = Updates(optimizer, rates, reader, optimizer is not model.optimizer, skipped)
        loop = Loop(model, variable, updates, measurements)
        self._call(loop, updates)
        reader.read()
        self.train_function = loop.train_function or self.train_function
        return reader.result(schedule, measurements.rows, self._label)

    def _prepared(self) -> Any:
        """The variable of the learning rate, once the model, its optimizer and data are ready."""
        model, optimizer, x = self._model, self._optimizer, self._given["x"]
        vars(model).setdefault("history", None)  # `fit` returns it
        if isinstance(x, keras.utils.PyDataset):
            x.workers, x.use_multiprocessing = 0, False  # Keras leaves workers that are stopped
        if model.steps_per_execution != 1:
            model.steps_per_execution, model.train_function = 1, None
        if self._rate is None:
            self._rate = keras.Variable(0.0, trainable=False, name="learning_rate")
        if optimizer._learning_rate is not self._rate:  # a schedule: it is compiled into a function
            optimizer._learning_rate, model.train_function = self._rate, None
        if self.train_function is not None and self._serves_again:
            model.train_function = self.train_function
        return self._rate

    def _call(self, loop: Loop, updates: Updates) -> None:
        """Call `fit` until the loop stops it, or the batches run out."""
        given, epochs = self._given, _FOREVER
        if self._drawn is not None:
            batches: Iterator[Any] = self._drawn
            if not self._is_first:
                first = list(itertools.islice(batches, 1))
                if not first:
                    return
                batches = itertools.chain(first, batches)
            given, epochs = {**given, "x": (batch for batch in batches)}, 1
        with warnings.catch_warnings():
            for known in ("Your input ran out of data", "`shuffle=True` was passed"):
                warnings.filterwarnings("ignore", known)
            try:
                self._model.fit(**given, epochs=epochs, verbose=0, callbacks=loop)
            except (StopIteration, UnboundLocalError):  # on JAX, where there is no batch
                if updates.batches:
                    raise
        if self._is_first and not updates.batches:
            _refuse("x", checks.BATCHES, self._given["x"])


class _Once:
    """An iterator over what is left of a generator.

    TensorFlow draws ahead in a thread, which may still do so when the next fit begins.
    """

    def __init__(self, generator: Iterator[Any]) -> None:
        self._generator = generator
        self._lock = threading.Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        with self._lock:
            return next(self._generator)


def _means(updates: list[list[Any]]) -> list[float]:
    """The mean loss of each update over its batches."""
    return [sum(map(as_number, losses)) / len(losses) for losses in updates]


def _is_on_cpu(value: Any) -> bool:
    """Whether an array is in the host's memory, so that reading one does not wait."""
    devices = value.devices() if callable(getattr(value, "devices", None)) else [value.device]
    return all("cpu" in str(device).lower() for device in devices)
