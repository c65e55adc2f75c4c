"""Range tests of Keras models that stop anywhere, and what has changed after them."""

import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from lrsched_keras import range_test
from tests.scripts.keras_models import (
    QUIET,
    STEPS,
    Data,
    Fault,
    Model,
    X,
    Y,
    array,
    compared,
    everything,
    seed,
    state,
    values,
    variables,
)


class Interrupted(BaseException):
    """In the place of Ctrl-C."""


class Rewound:
    """A model and data that can be put back to one point of a training, by means of their own."""

    def __init__(self, model: Any) -> None:
        self.model = model
        keras.utils.set_random_seed(2)
        model.fit(Data(), epochs=1, verbose=0)
        model.fit(X[:96], Y[:96], batch_size=16, epochs=1, verbose=0)
        self._variables = variables(model)
        self._values = list(map(array, self._variables))
        self.wanted = self.trained(self.begin())

    def begin(self) -> Data:
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)
        self.model.reset_metrics()
        seed(3)
        return Data()

    def trained(self, data: Data) -> list[Any]:
        """What two epochs of training make of the model, and their history."""
        data.fault, data.nan_at = Fault(), None
        first = self.model.fit(data, epochs=1, verbose=0).history
        second = self.model.fit(X[:96], Y[:96], batch_size=16, epochs=1, verbose=0).history
        return [values(self.model), first, second, data.order.tolist()]


WHYS = ("finished", "diverged", "nonfinite", "exhausted", "data", "log", "metrics", "interrupt")


def one_stop(rewound: Rewound, why: str, at: int) -> str:
    """Run a test that stops at that update for a reason; return what is wrong afterwards."""
    model, data = rewound.model, rewound.begin()
    options: dict[str, Any] = {**QUIET, "steps": STEPS, "max_steps": STEPS, "divergence": None}
    expected: Any = why
    batches: Any = data
    raised: type[BaseException] | None = None
    if why == "finished":
        options |= {"steps": at, "max_steps": at}
    elif why == "diverged":
        options |= {"divergence": 1.0001, "low": 1e-3, "high": 1e6, "steps": 500}
        options["max_steps"] = 500
    elif why == "nonfinite":
        data.nan_at = at
    elif why == "exhausted":
        order = data.order.copy()

        def finite() -> Iterator[Any]:
            for n in range(at + 1):
                rows = order[n : n + 16]
                yield X[rows], Y[rows]

        batches = finite()
    else:
        raised = Interrupted if why == "interrupt" else RuntimeError
        error = raised("on purpose")
        if why == "data":
            data.fault, raised = Fault(at, error), Exception  # which TensorFlow wraps
        else:
            fault = Fault(at, error)
            options |= {"metrics": fault, "every": 1} if why == "metrics" else {"log": fault}
    before = state(model, data)
    stopped: Any = None
    try:
        test = range_test(model, batches, **options)
        stopped = test.stopped
    except BaseException as error:
        if raised is None or not isinstance(error, raised):
            raise
        stopped, expected = raised, raised
    if stopped != expected:
        return f"stopped {stopped}"
    if expected in ("finished", "exhausted") and len(test.losses) != at + (why == "exhausted"):
        return f"{len(test.losses)} losses"
    # TensorFlow draws batches ahead, and throws some away.
    if expected == "nonfinite" and not (len(test.losses) < at and np.all(np.isfinite(test.losses))):
        return f"{len(test.losses)} losses before the NaN"
    return compared(before, state(model, data)) or compared(
        {"training": rewound.wanted}, {"training": rewound.trained(data)}
    )


def stops(draws: int) -> list[str]:
    """What is wrong after stops for all reasons at random updates."""
    draw, rewound = random.Random(0), Rewound(everything())
    cases = [(why, draw.randint(2, STEPS - 2)) for why in WHYS for _ in range(draws)]
    found = [(why, at, one_stop(rewound, why, at)) for why, at in cases]
    return [f"{why} at {at}: {wrong}" for why, at, wrong in found if wrong]


def in_train_step() -> list[str]:
    """What is wrong after an error in a training step that Python runs."""
    model = Model([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", run_eagerly=True)
    rewound = Rewound(model)
    data = rewound.begin()
    model.fault = Fault(3, RuntimeError("on purpose"))
    before = state(model, data)
    try:
        range_test(model, data, steps=STEPS, max_steps=STEPS, **QUIET)
    except RuntimeError:
        pass
    else:
        return ["no error"]
    wrong = compared(before, state(model, data))
    del model.fault
    training = rewound.trained(data) == rewound.wanted
    return [wrong or "", "" if training and "count" not in vars(model) else "training"]


def demanding() -> Any:
    """An optimizer with all that one of Keras can have."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    options = {"use_ema": True, "weight_decay": 0.01, "gradient_accumulation_steps": 3}
    inner = keras.optimizers.SGD(rate, momentum=0.9, clipnorm=0.5, **options)
    return keras.optimizers.LossScaleOptimizer(inner)


def fresh() -> str:
    """What differs after a test of a model that was never trained, from one without a test."""
    ours, theirs = everything(demanding()), everything(demanding())
    for model in (ours, theirs):
        seed(1)
        before = state(model)
        if model is ours:
            options: dict[str, Any] = {"steps": STEPS, "max_steps": STEPS, **QUIET}
            test = range_test(model, X[:96], Y[:96], batch_size=16, **options)
            assert test.stopped == "finished", test
            if wrong := compared(before, state(model)):
                return wrong
        model.wanted = model.fit(X[:96], Y[:96], batch_size=16, epochs=2, verbose=0).history
    return compared(
        {"history": theirs.wanted, "values": values(theirs)},
        {"history": ours.wanted, "values": values(ours)},
    )


def layers_of_torch() -> str:
    """What differs after a test of a model whose layers are modules of torch, with buffers."""
    import torch

    norm = torch.nn.BatchNorm1d(3)
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.TorchModuleWrapper(torch.nn.Sequential(norm, torch.nn.Dropout(0.5))),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.fit(X, Y, verbose=0)
    seed(1)

    def buffers() -> list[Any]:
        return [each.tolist() for each in norm.buffers()]

    before = {**state(model), "buffers": buffers()}
    assert before["buffers"][-1] == 4  # batches that it has seen
    range_test(model, X, Y, steps=STEPS, max_steps=STEPS, **QUIET)
    return compared(before, {**state(model), "buffers": buffers()})
