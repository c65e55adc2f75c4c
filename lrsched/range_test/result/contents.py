"""The contents of the file of a range test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lrsched._core.schedule import Schedule
from lrsched.formats.serialize import from_dict
from lrsched.range_test.reading.probe import Probe
from lrsched.range_test.result.files import check_version

Array = npt.NDArray[np.float64]
RangeTest: TypeAlias = Any  # of the module that imports this one
VERSION = 1  # of the format
EARLIER = "earlier_"  # before the names of the earlier test's arrays


def facts(test: RangeTest) -> dict[str, Any]:
    """The contents that are not arrays."""
    return {
        "lrsched_range_test": VERSION,
        "stopped": test.stopped if isinstance(test.stopped, str) else list(test.stopped),
        "schedule": None if test.schedule is None else test.schedule.to_dict(),
        "label": test.label,
        "metrics": list(test.metrics),
        "quantity": test.quantity,
        "ratios": None if test.ratios is None else list(test.ratios),
        "earlier": None if test.earlier is None else facts(test.earlier),
    }


def arrays(test: RangeTest) -> dict[str, Array]:
    """The arrays, by name."""
    found = {"learning_rates": test.learning_rates, "losses": test.losses}
    for index, values in enumerate(test.metrics.values()):
        found[f"metric_{index}"] = np.asarray(values, np.float64)
    if test.probe is not None:
        found["probe_learning_rates"] = test.probe.learning_rates
        found["probe_losses"] = test.probe.losses
    if test.earlier is not None:
        found |= {f"{EARLIER}{name}": array for name, array in arrays(test.earlier).items()}
    return found


def fields(
    facts: Mapping[str, Any], arrays: Mapping[str, Any], build: Callable[..., RangeTest]
) -> dict[str, Any]:
    """The arguments of the test with these contents; `build` makes a test of arguments."""
    check_version(facts, "lrsched_range_test", VERSION)

    def array(name: str) -> Array:
        return np.asarray(arrays[name], np.float64)

    stopped, recipe = facts["stopped"], facts["schedule"]
    ratios = facts.get("ratios")  # older files have none
    probed, earlier = "probe_losses" in arrays, facts.get("earlier")
    if earlier is not None:
        others = {
            name.removeprefix(EARLIER): each
            for name, each in arrays.items()
            if name.startswith(EARLIER)
        }
        earlier = build(**fields(earlier, others, build))
    return {
        "learning_rates": array("learning_rates"),
        "losses": array("losses"),
        "stopped": tuple(stopped) if isinstance(stopped, list) else stopped,
        "schedule": None if recipe is None else from_dict(recipe, kind=Schedule),
        "metrics": {
            name: array(f"metric_{n}").reshape(-1, 2) for n, name in enumerate(facts["metrics"])
        },
        "probe": Probe(array("probe_learning_rates"), array("probe_losses")) if probed else None,
        "label": str(facts["label"]),
        "quantity": str(facts.get("quantity", "loss")),
        "ratios": None if ratios is None else tuple(map(float, ratios)),
        "earlier": earlier,
    }
