"""The contents of the file of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lrsched._core.schedule import Schedule
from lrsched.formats.serialize import from_dict
from lrsched.range_test.result.files import Content, check_version

Array = npt.NDArray[np.float64]
Sweep: TypeAlias = Any  # of the module that imports this one

VERSION = 1  # of the format
CONTENT = Content("Sweep", "sweep")


def facts(sweep: Sweep) -> dict[str, Any]:
    """The contents that are not arrays."""
    failures = [
        [list(index) if isinstance(index, tuple) else index, text]
        for index, text in sweep.failures.items()
    ]
    return {
        "lrsched_sweep": VERSION,
        "schedules": [schedule.to_dict() for schedule in sweep.schedules],
        "label": sweep.label,
        "metrics": list(sweep.metrics),
        "failures": failures,
    }


def arrays(sweep: Sweep) -> dict[str, Array]:
    """The arrays, by name."""
    found = {"learning_rates": sweep.learning_rates, "losses": sweep.losses}
    return found | {f"metric_{n}": each for n, each in enumerate(sweep.metrics.values())}


def fields(facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the sweep with these contents."""
    check_version(facts, "lrsched_sweep", VERSION)

    def array(name: str) -> Array:
        return np.asarray(arrays[name], np.float64)

    return {
        "schedules": tuple(from_dict(recipe, kind=Schedule) for recipe in facts["schedules"]),
        "learning_rates": array("learning_rates"),
        "losses": array("losses"),
        "metrics": {str(name): array(f"metric_{n}") for n, name in enumerate(facts["metrics"])},
        "failures": {
            tuple(index) if isinstance(index, list) else index: str(text)
            for index, text in facts["failures"]
        },
        "label": str(facts["label"]),
    }
