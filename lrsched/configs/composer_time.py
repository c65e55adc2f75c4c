"""Composer's times, such as "100ba", "2ep" and "0.06dur", as lengths in updates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lrsched._core.checks import MAX_VALUE
from lrsched._core.duration_factories import epochs, examples, run_fraction, tokens
from lrsched._core.durations import Duration
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import as_number, is_list
from lrsched.configs.section import REQUIRED, Section
from lrsched.schedules.transform import delay, staircase

_TIME = re.compile(r"(.+?)(iter|ep|ba|sp|tok|dur|sec)", re.IGNORECASE)
_EXPECTED = "a time with its unit, such as '100ba', '2ep' or '0.06dur'"
_REFUSED = {"iter": "a configuration does not say how long they are", "sec": "no clock of updates"}


class Length(NamedTuple):
    """A number of batches ("ba"), samples ("sp") or tokens ("tok"), cut to a whole one.

    A number of batches may be a duration, where the call does not say how long an epoch or the run
    is.
    """

    amount: Any
    unit: str

    def after(self, other: Length) -> Length:
        """The rest of it after another length of the same unit."""
        return self._replace(amount=self.amount - other.amount)

    @property
    def is_known(self) -> bool:
        """Whether it is a number, not a duration."""
        return not isinstance(self.amount, Duration)


class Clock:
    """The times of a configuration, whose trainer may scale the run."""

    def __init__(self, config: Section) -> None:
        self._config = config
        has_trainer = isinstance(config.entries.get("trainer"), Mapping)
        self._trainer = config.section("trainer") if has_trainer else config
        key = "scale_schedule_ratio"
        self.ratio = float(self._with(key).number(key, "> 0", default=1.0))
        self._epoch = config.context.get("steps_per_epoch")
        self._amount, self._unit = self._max_duration()
        self.run = self._run()

    def length(
        self, params: Section, key: str, default: Any = REQUIRED, scaled: bool = True
    ) -> Length:
        """The time under a key, scaled with the run."""
        return self._length(*_parsed(params, key, params.value(key, default)), scaled)

    def milestones(self, params: Section, key: str) -> list[Any]:
        """The times in a list in updates, in ascending order where their units allow it."""
        texts = params.value(key)
        if not is_list(texts):
            params.refuse(key, "a list of times", texts, TypeError)
        times = sorted(_parsed(params, f"{key}[{n}]", text) for n, text in enumerate(texts))
        steps = [self.steps(self._length(*time, scaled=True)) for time in times]
        return steps if any(isinstance(each, Duration) for each in steps) else sorted(steps)

    def steps(self, length: Length) -> Any:
        """A length in updates, or as a duration."""
        if length.unit == "ba":
            return length.amount
        if length.unit == "tok":
            return tokens(length.amount)
        key = "global_train_batch_size"
        size = self._config.number(key, "> 0", default=None, context="batch_size")
        return examples(length.amount) if size is None else length.amount / size

    def in_updates(self, schedule: Schedule) -> Schedule:
        """The schedule of the updates, from one of the batches that are counted."""
        key = "step_schedulers_every_batch"
        if schedule.name == "constant":
            return schedule
        if self._with(key).flag(key, default=True):
            return delay(schedule, 1)
        return staircase(schedule, epochs(1))

    def _with(self, key: str) -> Section:
        """The section that has a key of the trainer."""
        return self._config if key in self._config else self._trainer

    def require(self, *lengths: Length) -> None:
        """Ask for the length of an epoch, or of the run, if lengths are not known without it."""
        if not all(length.is_known for length in lengths):
            name = "steps_per_epoch" if self._unit == "ep" else "total_steps"
            self._config.given(name, "the order of its phases depends on it")

    def _length(self, number: Any, unit: str, scaled: bool) -> Length:
        if unit == "dur":
            return self._part_of_run(number)
        ratio = self.ratio if scaled else 1.0
        if unit == "ep":
            return Length(self._epochs(number, ratio), "ba")
        return Length(int(number * ratio), unit)

    def _epochs(self, number: float, times: float) -> Any:
        """Epochs in batches."""
        if self._epoch is not None:
            return int(number * int(self._epoch) * times)
        product = number * times
        return epochs(int(product)) if product == int(product) else epochs(product, "down")

    def _max_duration(self) -> tuple[Any, str]:
        """The length of the run in the unit of the configuration; a plain number is of epochs."""
        section, total = self._with("max_duration"), self._config.context.get("total_steps")
        text = section.value("max_duration", None)
        if text is None:
            return (run_fraction(1.0) if total is None else total), "ba"
        is_number = not isinstance(as_number(text, float), str)
        number, unit = _parsed(section, "max_duration", f"{text}ep" if is_number else text)
        if unit == "dur":
            section.refuse("max_duration", "in another unit than a part of the run", text)
        if number * self.ratio < 1:
            section.refuse("max_duration", "a time of one or more", text)
        number = int(number * self.ratio)
        if unit == "ep" and self._epoch is None and total is not None and total % number == 0:
            self._epoch = total // number
        batches = self._epochs(number, 1) if unit == "ep" else number
        if unit in ("ep", "ba") and total not in (None, batches) and isinstance(batches, int):
            expected = f"that of total_steps ({total}), which was given, or left out"
            section.refuse("max_duration", expected, text)
        return number, unit

    def _run(self) -> Length:
        if self._unit == "ep":
            return Length(self._epochs(self._amount, 1), "ba")
        return Length(self._amount, self._unit)

    def _part_of_run(self, part: float) -> Length:
        if part == 1:
            return self.run
        if self._unit == "ep":
            return Length(self._epochs(part, self._amount), "ba")
        if not self.run.is_known:
            return Length(run_fraction(part, "down"), "ba")
        return Length(int(part * self._amount), self._unit)


def is_time(value: Any) -> bool:
    """Whether a value is the text of a time, or a list of such."""
    if is_list(value):
        return any(map(is_time, value))
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    return found is not None and not isinstance(as_number(found[1], float), str)


def _parsed(params: Section, key: str, text: Any) -> tuple[Any, str]:
    """The number and the unit of a time."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        params.refuse(key, _EXPECTED, text, TypeError)
    number, unit = as_number(found[1], float), found[2].lower()
    if unit in _REFUSED:
        params.refuse(key, f"in another unit than {unit!r} ({_REFUSED[unit]})", text)
    if isinstance(number, str) or not 0 <= number < math.inf:
        params.refuse(key, _EXPECTED, text)
    if number > MAX_VALUE:
        params.refuse(key, f"a time of at most {MAX_VALUE:g}", text)
    if unit == "dur":
        return float(number), unit
    if number != int(number):
        params.refuse(key, f"a whole number of {unit!r}", text)
    return int(number), unit
