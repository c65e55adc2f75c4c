"""Range tests of Keras models that go on, beside what they must be."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import lrsched
from lrsched_keras import range_test
from tests.scripts.keras_models import (
    QUIET,
    Fault,
    X,
    Y,
    compared,
    everything,
    linear,
    seed,
    state,
)
from tests.scripts.keras_stops import Rewound

ROWS, BATCH = 96, 24
ALL_X = X[:ROWS]
ALL_Y = ALL_X[:, :1] - 2.0 * ALL_X[:, 1:2] + 0.02 * Y[:ROWS]
IN_ORDER: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, **QUIET}
# A ramp that suggests nothing surely, and trainings of 5 updates.
REFINED: dict[str, Any] = {"low": 1e-3, "high": 10.0, "steps": 30, "refine": True}
REFINED |= {"probe_steps": 5, "max_steps": 80}


def going_on() -> dict[str, list[Any]]:
    """Of tests that should go on, or not: the ends of each ramp, and the number of trainings."""
    cases: dict[str, dict[str, Any]] = {
        "certain": {"low": 1e-4, "high": 1e2, "steps": 60},
        "higher rates": {"low": 1e-5, "high": 1e-1, "steps": 60},
        "lower rates": {"low": 3.0, "high": 1e3, "steps": 30},
        "no more": {"low": 1e-5, "high": 1e-1, "steps": 60, "max_steps": 60},
        "trainings": {"low": 1e-3, "high": 10.0, "steps": 30},
    }
    found, model = {}, linear(loss="mse")
    model.fit(ALL_X, ALL_Y, verbose=0)  # so that nothing is compiled twice
    x, y = (np.tile(rows, (20, 1)) for rows in (ALL_X, ALL_Y))
    same = IN_ORDER | {"batch_size": ROWS}  # all batches
    for name, options in cases.items():
        test = range_test(model, x, y, **same, **options)
        ramps = [test] if test.earlier is None else [test.earlier, test]
        ends = [[float(each.learning_rates[0]), each.stopped] for each in ramps]
        found[name] = [ends, 0 if test.probe is None else test.probe.trainings]
    return found


def trainings() -> list[Any]:
    """The losses of trainings, and of tests with their rates on their batches from the start."""
    model = linear(keras.optimizers.Adam(0.1, gradient_accumulation_steps=3), loss="mse")
    model.fit(ALL_X, ALL_Y, verbose=0)  # so that nothing is compiled twice
    seed(1)
    before = state(model)
    probe = range_test(model, ALL_X, ALL_Y, **IN_ORDER, **REFINED).probe
    wrong = compared(before, state(model))
    assert probe is not None
    wanted = np.full_like(probe.losses, np.nan)
    for index in np.argwhere(np.isfinite(probe.losses).any(axis=-1)):
        place, repeat = index.tolist()
        x, y = (np.roll(rows, -BATCH * 3 * 5 * repeat, axis=0) for rows in (ALL_X, ALL_Y))
        schedule = lrsched.constant(probe.learning_rates[place])
        test = range_test(model, x, y, schedule=schedule, steps=5, divergence=None, **IN_ORDER)
        wanted[place, repeat, : len(test.losses)] = test.losses
    repeats = np.isfinite(probe.losses).any(axis=-1).sum(axis=0).tolist()
    return [wrong, repeats, probe.losses.tolist(), wanted.tolist()]


def faults() -> list[str]:
    """What is wrong after tests of data of their own order, and after errors in a training."""
    rewound, found = Rewound(everything()), []
    for at in (None, 45):
        model, data = rewound.model, rewound.begin()
        before = state(model, data)
        if at is not None:
            data.fault = Fault(at, RuntimeError("on purpose"))
        try:
            probe = range_test(model, data, divergence=None, **REFINED, **QUIET).probe
        except Exception:  # which TensorFlow wraps
            wrong = "" if at is not None else "an error"
        else:
            wrong = "" if at is None and probe is not None else "no error"
        data.fault = Fault()
        found.append(wrong or compared(before, state(model, data)))
        if rewound.trained(data) != rewound.wanted:
            found.append("training")
    return found


class Drawn:
    """A generator of batches, and how many of them were drawn."""

    def __init__(self, count: int) -> None:
        self.drawn = 0
        self.batches = self._made(count)

    def _made(self, count: int) -> Iterator[Any]:
        starts = itertools.cycle(range(0, ROWS, BATCH))
        for start in itertools.islice(starts, count):
            self.drawn += 1
            yield ALL_X[start : start + BATCH], ALL_Y[start : start + BATCH]


def generators() -> list[Any]:
    """Of generators with many batches and with few: the losses of the ramp, and the trainings."""
    model, found = linear(loss="mse"), []
    model.fit(X[:16], Y[:16], verbose=0)  # Keras 3.6 loses batches of a generator at a first fit
    seed(1)
    for count in (500, 34):
        before = state(model)
        test = range_test(model, Drawn(count).batches, **REFINED, **QUIET)
        assert compared(before, state(model)) == ""
        probe = test.probe
        found.append([test.losses.tolist(), 0 if probe is None else probe.trainings])
    return found
