"""stable-baselines3's and rl-zoo's schedules: functions of the part of the run that is left."""

from collections.abc import Callable

Left = Callable[[float], float]


def ConstantSchedule(val: float) -> Left:  # noqa: N802
    return lambda left: val


def LinearSchedule(start: float, end: float, end_fraction: float) -> Left:  # noqa: N802
    return lambda left: start + (end - start) * min((1 - left) / end_fraction, 1.0)


def SimpleLinearSchedule(initial_value: float) -> Left:  # noqa: N802
    return lambda left: left * initial_value
