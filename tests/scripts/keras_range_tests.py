"""Range tests of Keras models on the backend of the environment; see `tests/keras/`."""

from collections.abc import Callable
from typing import Any

import keras

from tests.scripts.keras_going_on import faults, generators, trainings
from tests.scripts.keras_losses import (
    beside_a_finder,
    beside_torch,
    in_half_precision,
    linear_tests,
    measured,
    several_outputs,
    sources,
)
from tests.scripts.keras_stops import fresh, in_train_step, layers_of_torch, stops

PARTS: dict[str, Callable[[], Any]] = {
    "in train_step": in_train_step,
    "fresh": fresh,
    "linear": linear_tests,
    "finder": beside_a_finder,
    "outputs": several_outputs,
    "half": in_half_precision,
    "measured": measured,
    "sources": sources,
    "trainings": trainings,
    "faults": faults,
    "generators": generators,
}


def run(draws: int) -> dict[str, Any]:
    results = {"stops": stops(draws), **{name: part() for name, part in PARTS.items()}}
    if keras.backend.backend() == "torch":
        results["beside torch"] = beside_torch()
        results["layers of torch"] = layers_of_torch()
    return results
