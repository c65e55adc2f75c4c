"""A Keras learning-rate schedule that wraps an lrsched schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

import lrsched
from lrsched import Schedule
from lrsched._core import Controller, Refusal

_refuse = Refusal("KerasSchedule")
_FOR_METRICS = " (the callback ControlledRate takes one that follows a metric)"


@keras.saving.register_keras_serializable(package="lrsched")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Use a schedule as a `keras.optimizers.schedules.LearningRateSchedule`.

    `optimizer.learning_rate` is `schedule(optimizer.iterations)`, the learning rate of the next
    update, in float32. The backend computes it: JAX, torch, TensorFlow (compiled or not) or NumPy.
    Keras casts it to the type of each variable.
    A `.keras` file holds the recipe; import `lrsched_keras` before `keras.saving.load_model`.

    With `gradient_accumulation_steps`, Keras calls learning-rate schedules with the number of
    batches instead of updates: use `lrsched.stretch` with that factor on the schedule.

    Args:
        schedule: a schedule of plain numbers, with its durations in steps. The callback
            `ControlledRate` takes one that follows a metric.

    Raises:
        TypeError: schedule is not a schedule of plain numbers, or it follows a metric.
        ValueError: a duration is not in steps.

    >>> import keras, lrsched
    >>> rate = KerasSchedule(lrsched.cosine_decay(0.1, 100))
    >>> optimizer = keras.optimizers.SGD(rate)
    >>> round(float(optimizer.learning_rate), 6), round(float(rate(50)), 6)
    (0.1, 0.05)
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = checked_schedule(_refuse, schedule, _FOR_METRICS)

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates, as a tensor of the backend."""
        # `stop_gradient` turns a variable of TensorFlow into a tensor.
        count = keras.ops.stop_gradient(keras.ops.convert_to_tensor(step))
        return self.schedule(count)

    def get_config(self) -> dict[str, Any]:
        """The recipe as plain data."""
        return {"schedule": self.schedule.to_dict()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> KerasSchedule:
        """Make the schedule again from the data of `get_config`.

        Raises:
            TypeError, ValueError: config is not such data; see `lrsched.from_dict`.
        """
        if not isinstance(config, Mapping) or "schedule" not in config:
            _refuse("config", "a mapping with the key 'schedule'", config, TypeError)
        return cls(lrsched.from_dict(config["schedule"]))

    def __repr__(self) -> str:
        return f"KerasSchedule({self.schedule!r})"


def checked_schedule(refuse: Refusal, schedule: Any, for_metrics: str = "") -> Schedule:
    """A schedule of plain numbers and of the count alone, with its durations in steps.

    `for_metrics` ends the refusal of one that follows a metric.
    """
    if not isinstance(schedule, Schedule) or not schedule.is_plain:
        expected = "a schedule of plain numbers"
        if isinstance(schedule, Controller):
            expected += for_metrics
        refuse("schedule", expected, schedule, TypeError)
    if schedule.controllers:
        refuse("schedule", f"one of the count alone{for_metrics}", schedule, TypeError)
    if not schedule.is_resolved:
        schedule(0)  # raises
    return schedule
