"""The losses of range tests of Keras models, beside what they must be."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lrsched_keras import range_test
from tests.scripts.keras_models import (
    BATCHES,
    QUIET,
    RAMP,
    SIZES,
    STEPS,
    WEIGHTS,
    Data,
    X,
    Y,
    array,
    compared,
    everything,
    linear,
    seed,
    state,
)


def simulated(
    weights: Any, rates: Any, accumulated: int = 1, first: int = 0, samples: Any = None
) -> list[float]:
    """The losses of the updates of `linear` on the batches in order."""
    ends = np.cumsum(SIZES)
    samples = np.ones(len(X)) if samples is None else samples
    losses: list[float] = []
    batch, done = 0, first
    for rate in rates:
        gradients: list[Any] = []
        means: list[float] = []
        while not gradients or done % accumulated:
            end = ends[batch % len(ends)]
            rows = slice(end - SIZES[batch % len(ends)], end)
            part = X[rows] * samples[rows, None]
            means.append(float(np.mean(part @ weights - samples[rows, None] * Y[rows])))
            gradients.append(part.mean(0)[:, None])
            batch, done = batch + 1, done + 1
        losses.append(float(np.mean(means)))
        weights = weights - rate * np.mean(gradients, axis=0)
    return losses


def linear_tests() -> dict[str, list[list[float]]]:
    """The losses and rates of tests, beside those of the simulation."""
    sgd, schedule = keras.optimizers.SGD, keras.optimizers.schedules.ExponentialDecay
    scaled = keras.optimizers.LossScaleOptimizer
    found = {}
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "a float": (sgd(0.5), {"jit_compile": keras.backend.backend() != "torch"}),
        "a schedule": (scaled(sgd(schedule(0.5, 10, 0.9))), {}),
        "a function": (sgd(lambda: 0.5), {"run_eagerly": True}),
        "accumulated": (
            sgd(0.5, gradient_accumulation_steps=3),
            {"accumulated": 3, "first": 2},
        ),
        "weights, several steps": (sgd(0.5), {"samples": WEIGHTS, "steps_per_execution": 2}),
    }
    for name, (optimizer, options) in cases.items():
        names = ("run_eagerly", "steps_per_execution", "jit_compile")
        compiled = {key: value for key, value in options.items() if key in names}
        if keras.backend.backend() == "torch":
            compiled.pop("steps_per_execution", None)  # which Keras refuses
        model = linear(optimizer, **compiled)
        simulation = {key: value for key, value in options.items() if key not in names}
        if "first" in options:
            model.fit(X[:48], Y[:48], batch_size=24, verbose=0, shuffle=False)
            model.optimizer._accumulated_gradients[0].assign(np.zeros((3, 1)))
        weights = array(model.weights[0]).astype(np.float64)
        samples = options.get("samples")
        test = range_test(
            model,
            X,
            Y,
            batch_size=24,
            shuffle=False,
            sample_weight=samples,
            schedule=RAMP,
            steps=STEPS,
            divergence=None,
            **QUIET,
        )
        rates = test.learning_rates
        wanted = (
            first_update(weights, rates, simulation)
            if "first" in options
            else simulated(weights, rates, **simulation)
        )
        assert model.steps_per_execution == compiled.get("steps_per_execution", 1)
        found[name] = [test.losses.tolist(), wanted, rates.tolist()]
    return found


def first_update(weights: Any, rates: Any, simulation: dict[str, Any]) -> list[float]:
    """The simulation whose first update has one batch of three, the others being zero."""
    first = np.array([rates[0] / 3, *rates[1:]])
    return simulated(weights, first, **simulation)


class Finder(keras.callbacks.Callback):  # type: ignore[misc]
    """The learning-rate finder of surmenok, for Keras 3: it records the loss of the logs."""

    def __init__(self, rates: Any) -> None:
        super().__init__()
        self.rates = iter(rates)
        self.losses: list[float] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = next(self.rates)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(float(logs["loss"]))
        rate = next(self.rates, None)
        if rate is None:
            self.model.stop_training = True
        else:
            self.model.optimizer.learning_rate = rate


def beside_a_finder() -> list[list[float]]:
    """The losses of ours and of a finder, of the batches of an epoch that have one size."""
    ours, theirs = linear(), linear()
    options: dict[str, Any] = {"batch_size": 24, "shuffle": False}
    test = range_test(
        ours, X, Y, schedule=RAMP, steps=BATCHES - 1, divergence=None, **options, **QUIET
    )
    finder = Finder(test.learning_rates)
    theirs.fit(X, Y, verbose=0, callbacks=[finder], **options)
    return [test.losses.tolist(), finder.losses]


def several_outputs() -> list[list[float]]:
    """The total losses of a model with two outputs, beside that of Keras's own evaluation."""
    keras.utils.set_random_seed(0)
    inputs = keras.layers.Input((3,))
    outputs = {name: keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")}
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), loss={"a": "mse", "b": "mae"}, loss_weights=[1.0, 0.5])
    y = {"a": Y, "b": Y}
    logs = model.evaluate(X[:24], {"a": Y[:24], "b": Y[:24]}, verbose=0, return_dict=True)
    test = range_test(model, X, y, batch_size=24, shuffle=False, steps=3, max_steps=3, **QUIET)
    return [test.losses.tolist(), [logs["loss"]]]


def in_half_precision() -> list[Any]:
    """A test with a scaled loss that overflows at first, and whose updates are repeated."""
    keras.utils.set_random_seed(0)
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False, dtype=policy)]
    )
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**40)
    model.compile(scaled, loss="mse")
    seed(1)
    before = state(model)
    options: dict[str, Any] = {"steps": STEPS, "max_steps": STEPS, "high": 1e-3, **QUIET}
    test = range_test(model, X, Y, batch_size=24, **options)
    wrong = compared(before, state(model))
    return [test.stopped, test.losses.tolist(), test.learning_rates.tolist(), wrong]


def measured() -> list[Any]:
    """What a test with metrics measures, and its losses with and without."""
    model, losses = everything(), []

    def metrics() -> dict[str, Any]:
        keras.random.uniform((1,))
        return dict(model.evaluate(X[:96], Y[:96], verbose=0, return_dict=True))

    for function in (None, metrics):
        keras.utils.set_random_seed(1)
        test = range_test(
            *(model, X[:96], Y[:96]),
            batch_size=16,
            steps=STEPS,
            max_steps=STEPS,
            metrics=function,
            every=5,
            **QUIET,
        )
        losses.append(test.losses.tolist())
    logs = model.evaluate(X[:96], Y[:96], verbose=0, return_dict=True)
    return [losses, {name: rows.tolist() for name, rows in test.metrics.items()}, logs]


def sources() -> dict[str, list[float]]:
    """The losses of tests with the same batches in different forms; which must be as they were."""
    batches = [(X[n : n + 16], Y[n : n + 16]) for n in range(0, 64, 16)]
    data = Data()
    data.workers = 2
    forms: dict[str, Callable[[], Any]] = {
        "arrays": lambda: (X[:64], Y[:64]),
        "a generator": lambda: (batch for _ in range(3) for batch in batches),
        "a PyDataset": lambda: data,
    }
    if keras.backend.backend() == "torch":
        import torch

        tensors = torch.utils.data.TensorDataset(torch.tensor(X[:64]), torch.tensor(Y[:64]))
        forms["a loader"] = lambda: torch.utils.data.DataLoader(tensors, 16)
        forms["a shuffled loader"] = lambda: loader
        random_order = torch.Generator().manual_seed(0)
        loader = torch.utils.data.DataLoader(tensors, 16, shuffle=True, generator=random_order)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow

        dataset = tensorflow.data.Dataset.from_tensor_slices((X[:64], Y[:64])).batch(16)
        forms["a tf.data.Dataset"] = lambda: dataset
    model, found = linear(loss="mse"), {}
    model.fit(X[:16], Y[:16], verbose=0)  # Keras 3.6 loses batches of a generator at a first fit
    for name, form in forms.items():
        given = form()
        x, y = given if isinstance(given, tuple) else (given, None)
        options: dict[str, Any] = {"batch_size": 16} if y is not None else {}
        seen = []
        for _ in range(1 if name == "a generator" else 2):
            options |= {"steps": 8, "max_steps": 8, **QUIET}
            test = range_test(model, x, y, shuffle=False, **options)
            seen.append(test.losses.tolist())
        assert all(each == seen[0] for each in seen), name
        found[name] = seen[0]
    assert (data.workers, data.epochs, data.order.tolist()) == (2, 0, list(range(len(X))))
    return found


def beside_torch() -> list[list[float]]:
    """The losses of ours, and of the range test of a training step in torch."""
    import torch

    import lrsched_torch

    model = linear(loss="mse")
    weights = torch.nn.Parameter(model.weights[0].value.detach().clone())
    optimizer = torch.optim.SGD([weights], lr=torch.tensor(0.5))
    batches = [(torch.tensor(X[n : n + 32]), torch.tensor(Y[n : n + 32])) for n in (0, 32, 64)]

    def step(batch: Any) -> Any:
        x, y = batch
        loss = (torch.matmul(x, weights) - y).square().mean(-1).mean()
        loss.backward()
        return loss

    options: dict[str, Any] = {"schedule": RAMP, "steps": STEPS, **QUIET}
    theirs = lrsched_torch.range_test(step, optimizer, batches, **options)
    ours = range_test(model, X[:96], Y[:96], batch_size=32, shuffle=False, **options)
    assert ours.learning_rates.tolist() == theirs.learning_rates.tolist()
    return [ours.losses.tolist(), theirs.losses.tolist()]
