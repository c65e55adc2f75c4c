"""OLMo-core: the configuration that it saves as JSON, or a scheduler alone.

    {"train_module": {"optim": {"lr": 4e-4}, "scheduler": {
        "_CLASS_": "olmo_core.optim.scheduler.CosWithWarmup", "warmup": 2000, "alpha_f": 0.1}},
     "trainer": {"max_duration": {"value": 1e5, "unit": "steps"}}}

A scheduler has its class under `_CLASS_`, or its registered name under `type`. The first update has
the rate of count 1. Lengths in tokens are in steps if `data_loader.global_batch_size` is there, and
`tokens` otherwise.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.entries import is_named
from lrsched.configs.olmo import UNITS, Clock, counted_from_1
from lrsched.configs.olmo_core_run import run_of, section_at
from lrsched.configs.olmo_core_schedulers import TYPES, schedule_of
from lrsched.configs.section import Format, Section

# Where the scheduler and the optimizer are, in newer and in older versions.
PLACES = (
    (("train_module", "scheduler"), ("train_module", "optim")),
    (("trainer", "callbacks", "lr_scheduler", "scheduler"), ("optim",)),
    (("scheduler",), ("optim",)),
)


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a scheduler of one of OLMo-core's classes."""
    found = [_at(config, place) for place, _ in PLACES]
    schedulers = [each for each in (*found, config) if isinstance(each, Mapping)]
    return any(
        str(each.get("_CLASS_")).startswith("olmo_core.optim.scheduler.")
        or (each is found[0] and is_named(each, "type", TYPES))
        for each in schedulers
    )


def read(config: Section) -> Schedule:
    """The schedule of the learning rate."""
    _refuse_batch_sizes(config)
    scheduler, optim = config, config
    for place, optimizer in PLACES:
        if isinstance(_at(config.entries, place), Mapping):
            scheduler, optim = section_at(config, place), section_at(config, optimizer)
            break
    rate = float(optim.number("lr", "> 0", context="learning_rate"))
    units = scheduler.choice("units", UNITS, default="steps")
    size = config.section("data_loader", default={}).number(
        "global_batch_size", "> 0", default=None, context="tokens_per_step"
    )
    run = run_of(config, Clock(units, size))
    return counted_from_1(schedule_of(scheduler, run, rate))


def _at(config: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config


def _refuse_batch_sizes(config: Section) -> None:
    """Refuse a batch size that changes, with which the rate changes, too."""
    callbacks = section_at(config, ("trainer", "callbacks"))
    for name in callbacks.entries:
        if not isinstance(callbacks.entries[name], Mapping):
            continue
        callback = callbacks.section(name)
        kind = callback.text("_CLASS_", default="").rpartition(".")[2]
        if kind == "BatchSizeSchedulerCallback" or name == "batch_size_scheduler":
            sizes = callback.value("batch_sizes", default=())
            if sizes and callback.flag("enabled", default=True):
                reason = "empty, as it scales the rate with the batch size"
                callback.refuse("batch_sizes", reason, sizes)


FORMAT = Format("olmo_core", "OLMo-core", recognises, read)
