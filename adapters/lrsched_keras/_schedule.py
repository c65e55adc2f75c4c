"""A Keras learning-rate schedule around a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

import lrsched
from lrsched import Schedule
from lrsched._core import Refusal

_refuse = Refusal("KerasSchedule")


@keras.saving.register_keras_serializable(package="lrsched")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A `keras.optimizers.schedules.LearningRateSchedule` whose values are the schedule's.

    `optimizer.learning_rate` is `schedule(optimizer.iterations)`, which is what the next update
    uses, in float32, computed by the backend: JAX, torch, TensorFlow (compiled or not) or NumPy.
    A `.keras` file holds the recipe; `keras.saving.load_model` needs `lrsched_keras` imported.

    With `gradient_accumulation_steps`, Keras calls learning-rate schedules with the number of
    batches, not of updates: `lrsched.stretch` the schedule by as much.

    Args:
        schedule: a schedule of plain numbers.

    Raises:
        TypeError: it is not a schedule of plain numbers.
        ValueError: its durations are in other units than steps.

    >>> import keras, lrsched
    >>> rate = KerasSchedule(lrsched.cosine_decay(0.1, 100))
    >>> optimizer = keras.optimizers.SGD(rate)
    >>> round(float(optimizer.learning_rate), 6), round(float(rate(50)), 6)
    (0.1, 0.05)
    """

    def __init__(self, schedule: Schedule) -> None:
        if not isinstance(schedule, Schedule) or not schedule.is_plain:
            _refuse("schedule", "a schedule of plain numbers", schedule, TypeError)
        if not schedule.is_resolved:
            schedule(0)  # refuses
        self.schedule = schedule

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates, a tensor of the backend."""
        # TensorFlow's variables stay variables until something is done with them.
        count = keras.ops.stop_gradient(keras.ops.convert_to_tensor(step))
        return self.schedule(count)

    def get_config(self) -> dict[str, Any]:
        """The recipe as plain data."""
        return {"schedule": self.schedule.to_dict()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> KerasSchedule:
        """The schedule of `get_config`.

        Raises:
            TypeError, ValueError: it is no such data; see `lrsched.from_dict`.
        """
        if not isinstance(config, Mapping) or "schedule" not in config:
            _refuse("config", "a mapping with the key 'schedule'", config, TypeError)
        return cls(lrsched.from_dict(config["schedule"]))

    def __repr__(self) -> str:
        return f"KerasSchedule({self.schedule!r})"
