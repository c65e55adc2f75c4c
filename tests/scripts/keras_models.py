"""Keras models, their batches and their state, for the tests of range tests."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import lrsched

STEPS, BATCHES = 12, 5  # of a test, and of an epoch
QUIET: dict[str, Any] = {"progress": False}

SIZES = (24, 24, 24, 24, 11)  # of batches, no powers of 2
generator = np.random.default_rng(0)
X = generator.normal(size=(sum(SIZES), 3)).astype(np.float32)
Y = generator.normal(size=(sum(SIZES), 1)).astype(np.float32)
WEIGHTS = generator.uniform(0.5, 2.0, size=sum(SIZES)).astype(np.float32)
RAMP = lrsched.exponential_ramp(1e-3, 1.0, STEPS - 1)


class Fault:
    """Raises an error at a given call, or does nothing."""

    def __init__(self, at: int | None = None, error: BaseException | None = None) -> None:
        self.at, self.error, self.calls = at, error, 0

    def __call__(self, *_: Any) -> dict[str, float]:
        self.calls += 1
        if self.error is not None and self.calls == self.at:
            raise self.error
        return {}


class Data(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in an order that is shuffled in place; a fault may be in them."""

    def __init__(self) -> None:
        super().__init__()
        self.order = np.arange(len(X))
        self.generator = np.random.default_rng(1)
        self.epochs = 0
        self.fault: Callable[..., Any] = Fault()
        self.nan_at: int | None = None
        self.drawn = 0

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, index: int) -> Any:
        self.fault()
        self.drawn += 1
        rows = self.order[index * 16 : (index + 1) * 16]
        y = Y[rows].copy()
        if self.nan_at is not None and self.drawn >= self.nan_at:
            y[:] = np.nan
        return X[rows], y

    def on_epoch_end(self) -> None:
        self.generator.shuffle(self.order)
        self.epochs += 1


class Model(keras.Sequential):  # type: ignore[misc]
    """A model whose training step may have a fault, and keeps a count."""

    def train_step(self, *arguments: Any) -> Any:
        step = getattr(self, "fault", None)
        if step is not None:
            self.count = getattr(self, "count", 0) + 1
            step()
        return super().train_step(*arguments)


def everything(optimizer: Any = None, **options: Any) -> Any:
    """A model with dropout and batch statistics, and with a metric."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = Model(
        [
            layers.Input((3,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    options = {"metrics": ["mae"], **options}
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss="mse", **options)
    return model


def variables(model: Any) -> list[Any]:
    """The variables of a model and its optimizer."""
    return [*model.variables, *model.optimizer.variables]


def values(model: Any) -> list[bytes]:
    """The values of all variables, bit for bit."""
    return [array(each).tobytes() for each in [*variables(model), *model.metrics_variables]]


def array(variable: Any) -> Any:
    """The value of a variable; NumPy warns of Keras's own conversion."""
    value = variable.value
    if keras.backend.backend() == "torch":
        value = value.detach()
    return np.array(value.numpy() if hasattr(value, "numpy") else value)


def state(model: Any, data: Any = None) -> dict[str, Any]:
    """All that a test must leave as it was, to be compared by `==`."""
    found: dict[str, Any] = {
        "values": values(model),
        "variables": list(map(id, model.optimizer.variables)),
        "learning rate": id(vars(model.optimizer).get("_learning_rate")),
        "attributes": {
            name: id(value)
            for name, value in vars(model).items()
            if name != "train_function" and type(value) is not float
        },
        "trainable": [each.trainable for each in variables(model)],
        "python": random.getstate(),
        "numpy": repr(np.random.get_state(legacy=False)),
        "seeds": values_of_seed(),
    }
    if keras.backend.backend() == "torch":
        import torch

        found["torch"] = torch.get_rng_state().tolist()
        found["modes"] = [each.training for each in model.modules()]
        found["gradients"] = [
            None if each.grad is None else (id(each.grad), each.grad.tolist())
            for each in model.parameters()
        ]
    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.eager import context

        found["tensorflow"] = context.context()._rng.getstate()
    if isinstance(data, Data):
        found["data"] = [data.order.tolist(), data.generator.bit_generator.state, data.epochs]
    return found


def seed(number: int) -> None:
    """Seed everything; Keras's global generator, which draws its own seed, is there afterwards."""
    keras.utils.set_random_seed(number)
    values_of_seed()
    random.seed(number)


def values_of_seed() -> list[int]:
    """The state of Keras's global generator of seeds."""
    from keras.src.random.seed_generator import global_seed_generator

    return list(map(int, array(global_seed_generator().state)))


def difference(wanted: Any, found: Any) -> Any:
    return found - wanted


def linear(optimizer: Any = None, loss: Any = difference, **options: Any) -> Any:
    """A model of three weights; with `difference` the gradient is the mean input."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer or keras.optimizers.SGD(0.5), loss=loss, **options)
    return model


def compared(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The names of what differs."""
    return ", ".join(name for name in before if before[name] != after[name])
