"""lrsched schedules in Keras's optimizers, on each of its backends."""

from lrsched._core import import_optional

import_optional("keras", "keras", "lrsched_keras")


from lrsched_keras._schedule import KerasSchedule

__all__ = ["KerasSchedule"]
