"""lrsched schedules in Keras's optimizers, on each of its backends."""

from lrsched_keras._schedule import KerasSchedule

__all__ = ["KerasSchedule"]
