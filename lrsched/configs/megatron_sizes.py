"""Megatron-LM's batch size: a number, or one that grows with the samples seen."""

import itertools
from collections.abc import Callable, Mapping
from typing import NoReturn

from lrsched._core.checks import MAX_VALUE
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import as_list, as_number
from lrsched.configs.section import Section
from lrsched.schedules.batch_size import rampup_batch_size, sizes_after_examples

UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def changing_batch_size(config: Section) -> Schedule | None:
    """The schedule of a batch size that changes; None where it does not."""
    return next((read(config) for key, read in CHANGING.items() if key in config), None)


def _rampup(config: Section) -> Schedule:
    numbers = config.amounts("rampup_batch_size")
    if len(numbers) != 3:
        expected = "three numbers (the first size, the increment, the samples)"
        config.refuse("rampup_batch_size", expected, list(numbers))
    begin, increment, samples = numbers
    end = config.integer("global_batch_size", 1, context="batch_size")
    return rampup_batch_size(begin, increment, samples, end)


def _steps(config: Section) -> Schedule:
    """Sizes such as "0:384 200B:768", each after so many tokens."""
    text = config.text("step_batch_size_schedule")
    pairs = [item.partition(":")[::2] for item in as_list(text)]
    steps = sorted((_read(config, begin), _read(config, size)) for begin, size in pairs)
    length = config.integer("seq_length", 1)
    begins, sizes = [begin // length for begin, _ in steps], [size for _, size in steps]
    ascending = all(x < y for x, y in itertools.pairwise(begins))
    if begins[:1] != [0] or not ascending or min(sizes) < 1:
        _refuse(config)
    return sizes_after_examples(sizes, begins[1:])


def _read(config: Section, text: str) -> int:
    """A number such as "200B"."""
    unit = text[-1:].upper() if text[-1:].upper() in UNITS else ""
    number = as_number(text.removesuffix(text[-1:]) if unit else text, float)
    value = MAX_VALUE if isinstance(number, str) else number * UNITS.get(unit, 1)
    return int(value) if 0 <= value < MAX_VALUE else _refuse(config)


def _refuse(config: Section) -> NoReturn:
    key = "step_batch_size_schedule"
    config.refuse(key, "like '0:384 200B:768' (tokens, and a size from there)", config.value(key))


CHANGING: Mapping[str, Callable[[Section], Schedule]] = {
    "rampup_batch_size": _rampup,
    "step_batch_size_schedule": _steps,
}
