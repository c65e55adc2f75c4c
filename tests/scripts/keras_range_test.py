"""Range tests of Keras models on the backend of the environment; see `tests/keras/`."""

import json
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

import lrsched
from lrsched_keras import range_test

STEPS, BATCHES = 12, 5  # of a test, and of an epoch
QUIET: dict[str, Any] = {"progress": False}

SIZES = (24, 24, 24, 24, 11)  # of batches, no powers of 2
generator = np.random.default_rng(0)
X = generator.normal(size=(sum(SIZES), 3)).astype(np.float32)
Y = generator.normal(size=(sum(SIZES), 1)).astype(np.float32)
WEIGHTS = generator.uniform(0.5, 2.0, size=sum(SIZES)).astype(np.float32)
RAMP = lrsched.exponential_ramp(1e-3, 1.0, STEPS - 1)


class Interrupted(BaseException):
    """In the place of Ctrl-C."""


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
    options: dict[str, Any] = {**QUIET, "steps": STEPS, "divergence": None}
    expected: Any = why
    batches: Any = data
    raised: type[BaseException] | None = None
    if why == "finished":
        options["steps"] = at
    elif why == "diverged":
        options |= {"divergence": 1.0001, "low": 1e2, "high": 1e6, "steps": 500}
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


def compared(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The names of what differs."""
    return ", ".join(name for name in before if before[name] != after[name])


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
        range_test(model, data, steps=STEPS, **QUIET)
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
            test = range_test(model, X[:96], Y[:96], batch_size=16, steps=STEPS, **QUIET)
            assert test.stopped == "finished", test
            if wrong := compared(before, state(model)):
                return wrong
        model.wanted = model.fit(X[:96], Y[:96], batch_size=16, epochs=2, verbose=0).history
    return compared(
        {"history": theirs.wanted, "values": values(theirs)},
        {"history": ours.wanted, "values": values(ours)},
    )


def difference(wanted: Any, found: Any) -> Any:
    return found - wanted


def linear(optimizer: Any = None, loss: Any = difference, **options: Any) -> Any:
    """A model of three weights; with `difference` the gradient is the mean input."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer or keras.optimizers.SGD(0.5), loss=loss, **options)
    return model


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
    test = range_test(model, X, y, batch_size=24, shuffle=False, steps=3, **QUIET)
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
    test = range_test(model, X, Y, batch_size=24, steps=STEPS, high=1e-3, **QUIET)
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
            model, X[:96], Y[:96], batch_size=16, steps=STEPS, metrics=function, every=5, **QUIET
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
            test = range_test(model, x, y, shuffle=False, steps=8, **options, **QUIET)
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
    range_test(model, X, Y, steps=STEPS, **QUIET)
    return compared(before, {**state(model), "buffers": buffers()})


PARTS: dict[str, Callable[[], Any]] = {
    "in train_step": in_train_step,
    "fresh": fresh,
    "linear": linear_tests,
    "finder": beside_a_finder,
    "outputs": several_outputs,
    "half": in_half_precision,
    "measured": measured,
    "sources": sources,
}


def main(draws: int) -> None:
    results = {"stops": stops(draws), **{name: part() for name, part in PARTS.items()}}
    if keras.backend.backend() == "torch":
        results["beside torch"] = beside_torch()
        results["layers of torch"] = layers_of_torch()
    print(json.dumps(results))


if __name__ == "__main__":
    main(int(sys.argv[1]))
