"""`ControlledRate` in one process: against Keras's own callback, options, states and refusals."""

import json
import math
import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.optional import needs

needs("jax")
needs("keras")

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from lrsched_keras import ControlledRate, KerasSchedule
from tests.scripts.keras_controlled import RECIPE, difference

# Keras's own callback, and its files, read variables in a way that NumPy warns of.
reads_variables = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PLATEAU = lrsched.reduce_on_plateau(0.5, 0.5, patience=0)
SEVERAL = RECIPE * lrsched.accumulate_metric(lrsched.newbob(), 2)


def model_of(optimizer: Any = None, **options: Any) -> Any:
    """What callbacks use of a model."""
    options = {"run_eagerly": False, "jit_compile": True, **options}
    return SimpleNamespace(optimizer=optimizer or keras.optimizers.SGD(1.0), **options)


def attached(*arguments: Any, optimizer: Any = None, **options: Any) -> Any:
    """A callback that has a model."""
    callback = ControlledRate(*arguments, **options)
    callback.set_model(model_of(optimizer))
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    return callback


def fitting(callback: Any, epochs: int = 1, optimizer: Any = None, **options: Any) -> Any:
    """A model after epochs of eight batches."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer or keras.optimizers.SGD(1.0), loss=difference)
    data = np.ones((16, 3), np.float32), np.ones((16, 1), np.float32)
    model.fit(*data, batch_size=2, epochs=epochs, verbose=0, callbacks=[callback], **options)
    return model


def elsewhere() -> list[str]:
    """The call of Keras and ours, as the docstring has them."""
    text = re.sub(r"\s+", " ", str(lrsched.reduce_on_plateau.__doc__))
    found = re.search(r"Keras' `(ReduceLROnPlateau\([^`]*)` is `(reduce_on_plateau\([^`]*)`", text)
    assert found is not None
    return list(found.groups())


# Multiples of 1/8 are exact in float32, and so are their differences.
eighths = st.integers(-32, 32).map(lambda n: n / 8)
firsts = eighths | st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)
metrics = eighths | st.sampled_from([math.nan, math.inf, -math.inf])
any_floats = st.floats(width=32, allow_subnormal=False)
rates = st.floats(1e-3, 10.0)
factors = st.sampled_from([0.0, 0.1, 0.5, 0.9]) | st.floats(1e-3, 1.0, exclude_max=True)
floors = st.just(0.0) | st.floats(1e-5, 1.0)
lengths = st.integers(0, 4)


@reads_variables
@given(
    deltas=st.one_of(
        st.tuples(st.sampled_from([0.0, 0.125, 0.5, 1.0]), eighths, st.lists(metrics, max_size=20)),
        st.tuples(st.just(0.0), firsts, st.lists(metrics | any_floats, max_size=20)),
    ),
    lr=rates,
    f=factors,
    p=lengths,
    m=st.sampled_from(["min", "max"]),
    c=lengths,
    low=floors,
)
def test_the_rates_of_keras_own_callback(deltas: Any, **values: Any) -> None:
    values["d"], *(first, rest) = deltas
    names = {**vars(keras.callbacks), **vars(lrsched), **values}
    theirs, recipe = (eval(text, names) for text in elsewhere())
    ours = ControlledRate(recipe, theirs.monitor)
    models = [model_of(keras.optimizers.SGD(values["lr"])) for _ in range(2)]
    for callback, model in zip((theirs, ours), models, strict=True):
        callback.set_model(model)
        callback.on_train_begin()
    tolerance = 2.0**-24  # of our rounding, and of Keras's after each cut
    for epoch, metric in enumerate([first, *rest]):
        logs: list[dict[str, float]] = [{"val_loss": metric}, {"val_loss": metric}]
        before = float(models[0].optimizer.learning_rate)
        for callback, seen in zip((theirs, ours), logs, strict=True):
            callback.on_epoch_end(epoch, seen)
        wanted, found = (float(model.optimizer.learning_rate) for model in models)
        tolerance += (wanted != before) * 1.01 * 2.0**-24
        assert found == pytest.approx(wanted, rel=2 * tolerance, abs=1.2e-38)
        assert logs[1].keys() == logs[0].keys()


def test_observations_every_so_many_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    callback = ControlledRate(PLATEAU, "loss", every=3)
    monkeypatch.setattr(callback.controls, "observe", seen.append)
    model = fitting(callback, epochs=2)
    assert int(model.optimizer.iterations) == 16
    assert len(seen) == 16 // 3
    assert seen == sorted(seen, reverse=True)


def test_every_counts_no_batches_of_accumulated_gradients() -> None:
    callback = ControlledRate(PLATEAU.replace(mode="max"), "loss", every=3)
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    fitting(callback, epochs=2, optimizer=optimizer)
    # 8 updates: at the third the metric is the best, at the sixth it has fallen.
    assert float(optimizer.learning_rate) == 0.25


def test_every_goes_on_in_the_next_epoch_and_run() -> None:
    callback = attached(PLATEAU, "loss", every=3)
    optimizer = callback.model.optimizer
    optimizer.iterations.assign(4)
    callback.on_epoch_begin(1)
    for count in (5, 6, 7, 8, 9):
        optimizer.iterations.assign(count)
        callback.on_train_batch_end(0, {"loss": 1.0})
    callback.on_epoch_end(1, {"loss": 1.0})
    assert callback.state_dict()["states"][0]["value"] == 0.25  # observed at 6 and 9


def test_a_metric_that_is_missing() -> None:
    callback = attached(PLATEAU)
    before = callback.state_dict()
    message = (
        "ControlledRate: the logs have no 'val_loss', which is monitored, but loss, learning_rate: "
        "nothing was observed"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        callback.on_epoch_end(0, {"loss": 1.0})
    with pytest.warns(UserWarning, match="which is monitored, but nothing: nothing was observed"):
        callback.on_epoch_end(1)
    assert callback.state_dict() == before


def test_a_fit_without_validation_warns() -> None:
    with pytest.warns(UserWarning, match="no 'val_loss', which is monitored, but loss, learning_"):
        model = fitting(ControlledRate(PLATEAU))
    assert float(model.optimizer.learning_rate) == 0.5


def test_a_metric_that_is_no_number() -> None:
    with pytest.raises(TypeError, match="ControlledRate: val_loss must be a number in the logs"):
        attached(PLATEAU).on_epoch_end(0, {"val_loss": {"a": 1.0}})


def test_a_scaled_loss() -> None:
    inner = keras.optimizers.SGD(1.0)
    callback = attached(PLATEAU, optimizer=keras.optimizers.LossScaleOptimizer(inner))
    assert float(inner.learning_rate) == 0.5
    callback.on_epoch_end(0, {"val_loss": math.nan})
    assert float(inner.learning_rate) == 0.25


@pytest.mark.parametrize("recipe", [PLATEAU, RECIPE, SEVERAL], ids=lambda recipe: recipe.name)
def test_a_state_as_plain_data(recipe: Any) -> None:
    callback = attached(recipe)
    for metric in (3.0, 1.0, 2.0):
        callback.on_epoch_end(0, {"val_loss": metric})
    again = attached(recipe)
    again.load_state_dict(json.loads(json.dumps(callback.state_dict())))
    for each in (callback, again):
        each.on_epoch_begin(3)
        each.on_epoch_end(3, {"val_loss": 1.0})
    assert again.state_dict() == callback.state_dict()
    rates = [float(each.model.optimizer.learning_rate) for each in (callback, again)]
    assert rates[0] == rates[1]


@reads_variables
def test_files_of_the_optimizer_keep_the_state(tmp_path: Path) -> None:
    callback = ControlledRate(PLATEAU.replace(mode="max"), "loss")
    path = tmp_path / "model.keras"
    fitting(callback, epochs=3).save(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        loaded = keras.saving.load_model(path, {"difference": difference})  # knows no callback
    again = ControlledRate(PLATEAU.replace(mode="max"), "loss")
    again.set_model(loaded)
    assert again.state_dict() != callback.state_dict()
    loaded.load_weights(path)
    assert again.state_dict() == callback.state_dict()


@reads_variables
def test_files_without_a_state_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    fitting(keras.callbacks.Callback()).save_weights(path)
    callback = ControlledRate(PLATEAU, "loss")
    model = fitting(callback)
    before = callback.state_dict()
    model.load_weights(path)
    assert callback.state_dict() == before


def test_another_recipe_in_a_state() -> None:
    callback = attached(PLATEAU)
    state = {**callback.state_dict(), "recipe": "newbob()"}
    message = f"was written with newbob(); the recipe in the code is kept: {PLATEAU!r}"
    with pytest.warns(UserWarning, match=re.escape(message)):
        callback.load_state_dict(state)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "state_dict must be a mapping, got None"),
        ({}, "states must be a list of 1, the number of controllers, got None"),
        ({"states": []}, "states must be a list of 1, the number of controllers, got []"),
        ({"states": [3]}, "states[0] must be a mapping with value, best, bad_steps, cooldown_left"),
    ],
)
def test_what_is_no_state(state: Any, message: str) -> None:
    callback = attached(PLATEAU)
    before = callback.state_dict()
    with pytest.raises(TypeError, match=re.escape(f"load_state_dict: {message}")):
        callback.load_state_dict(state)
    assert callback.state_dict() == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0.1,), TypeError, "recipe must be a controller of plain numbers, or a schedule with one"),
        ((lrsched.linear(1.0, 0.0, 9),), ValueError, "recipe must be one that follows a metric"),
        ((PLATEAU, None), TypeError, "monitor must be a name, got None"),
        ((PLATEAU, "loss", 3), TypeError, "hyperparameter must be a name, got 3"),
        ((PLATEAU, "loss", "momentum", 0), ValueError, "every must be an integer >= 1 (updates)"),
        ((PLATEAU, "loss", "momentum", 1.5), TypeError, "every must be an integer >= 1 (updates)"),
    ],
)
def test_bad_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(f"ControlledRate: {message}")):
        ControlledRate(*arguments)


def test_a_duration_that_is_not_in_steps() -> None:
    with pytest.raises(ValueError, match="decay_steps is run_fraction"):
        ControlledRate(lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0)) * PLATEAU)


def test_a_callback_without_a_model() -> None:
    message = "ControlledRate: optimizer must be one of a compiled model that set_model was given"
    with pytest.raises(ValueError, match=message):
        ControlledRate(PLATEAU).on_train_begin()
    callback = ControlledRate(PLATEAU)
    callback.set_model(keras.Sequential([keras.layers.Dense(1)]))  # not compiled
    with pytest.raises(ValueError, match=message):
        callback.on_train_begin()


def sgd(**options: Any) -> Any:
    return keras.optimizers.SGD(0.1, **options)


def with_variable(optimizer: Any, name: str) -> Any:
    setattr(optimizer, name, keras.Variable(0.5, trainable=False))
    return optimizer


EAGER, COMPILED = {"run_eagerly": True}, {"run_eagerly": False}
ANEW = "must be one that the compiled training function reads anew (run_eagerly=True in compile)"
REFUSED: dict[str, tuple[Any, str, dict[str, bool], str]] = {
    "a schedule": (
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)),
        "learning_rate",
        EAGER,
        "learning_rate must be a float when the optimizer is made: Keras cannot set a schedule or "
        "a function, got <",
    ),
    "a function": (
        lambda: keras.optimizers.SGD(lambda: 0.1),
        "learning_rate",
        EAGER,
        "learning_rate must be a float when the optimizer is made",
    ),
    "no hyperparameter": (
        sgd,
        "beta_1",
        EAGER,
        "hyperparameter must be one of learning_rate, momentum of this optimizer, got 'beta_1'",
    ),
    "None": (
        sgd,
        "weight_decay",
        EAGER,
        "hyperparameter must be one of learning_rate, momentum of this optimizer, got 'weight_de",
    ),
    "a flag": (sgd, "nesterov", EAGER, "nesterov must be a float or a variable of the optimizer"),
    "a count": (
        lambda: sgd(gradient_accumulation_steps=2),
        "gradient_accumulation_steps",
        EAGER,
        "gradient_accumulation_steps must be a float or a variable of the optimizer, got 2",
    ),
    "iterations": (sgd, "iterations", EAGER, "hyperparameter must be one of learning_rate, mom"),
    "read once": (
        lambda: keras.optimizers.Adagrad(0.1),
        "initial_accumulator_value",
        EAGER,
        "hyperparameter must be one that Keras reads at each update, got 'initial_accumulator_v",
    ),
    "a factor that cancels": (
        lambda: sgd(loss_scale_factor=2.0),
        "loss_scale_factor",
        EAGER,
        "hyperparameter must be one that Keras reads at each update, got 'loss_scale_factor'",
    ),
    "no average": (sgd, "ema_momentum", EAGER, "ema_momentum must be of an optimizer with use_ema"),
    "no momenta": (sgd, "momentum", EAGER, "momentum must be above 0 when the optimizer is made"),
    "compiled": (
        lambda: keras.optimizers.Adam(0.1),
        "beta_1",
        COMPILED,
        "beta_1 must be one that the compiled training function reads anew (optimizer.beta_1 = "
        "keras.Variable(0.9, trainable=False), or run_eagerly=True in compile), got 0.9",
    ),
    "compiled momentum": (lambda: sgd(momentum=0.5), "momentum", COMPILED, f"momentum {ANEW}"),
    "compiled, a variable as momentum": (
        lambda: with_variable(keras.optimizers.RMSprop(0.1, momentum=0.5), "momentum"),
        "momentum",
        COMPILED,
        f"momentum {ANEW}",
    ),
    "compiled norm": (lambda: sgd(clipnorm=0.5), "clipnorm", COMPILED, f"clipnorm {ANEW}"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hyperparameters_that_cannot_be_set(case: str) -> None:
    optimizer, name, options, message = REFUSED[case]
    callback = ControlledRate(PLATEAU, hyperparameter=name)
    with pytest.raises((TypeError, ValueError), match=re.escape(f"ControlledRate: {message}")):
        callback.set_model(model_of(optimizer(), **options))


def test_a_keras_schedule_is_named() -> None:
    rate = KerasSchedule(lrsched.linear(1.0, 0.0, 9))
    message = f"Keras cannot set a schedule or a function, got {rate!r}"
    with pytest.raises(TypeError, match=re.escape(message)):
        attached(PLATEAU, optimizer=keras.optimizers.SGD(rate))


def test_several_optimizers_in_one() -> None:
    several = SimpleNamespace(optimizers=[sgd(), sgd()])
    with pytest.raises(TypeError, match="optimizer must be one optimizer, not several in one"):
        ControlledRate(PLATEAU).set_model(model_of(several))


def updated(optimizer: Any, name: str, changed: bool, variable: bool) -> list[float]:
    """Weights after two updates before and two after a hyperparameter is halved, or not."""
    if variable:
        with_variable(optimizer, name)
    draw = np.random.default_rng(0).normal
    weights = [keras.Variable(np.float32(0.1 * draw(size=shape))) for shape in ((8, 8), (8,))]
    callback = ControlledRate(PLATEAU, hyperparameter=name)
    callback.set_model(model_of(optimizer, run_eagerly=not variable))
    callback.on_train_begin()
    for losses in ([2.0], [2.0 if changed else 1.0], [], []):
        gradients = [np.float32(draw(size=weight.shape)) for weight in weights]
        optimizer.apply([keras.ops.convert_to_tensor(each) for each in gradients], weights)
        for loss in losses:
            callback.on_epoch_end(0, {"val_loss": loss})
    return [float(number) for weight in weights for number in keras.ops.ravel(weight)]


def optimizers() -> dict[str, Any]:
    """Keras's own, and what each is made with so that all of its numbers have an effect."""
    options: dict[str, Any] = {"weight_decay": 0.1, "use_ema": True, "ema_overwrite_frequency": 1}
    found = {}
    for name, kind in vars(keras.optimizers).items():
        is_one = isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
        if is_one and name not in {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}:
            momentum = {"momentum": 0.9} if name in {"SGD", "RMSprop"} else {}
            found[name] = lambda kind=kind, more=momentum: kind(0.1, **options, **more)
    return found


@reads_variables
@pytest.mark.parametrize("name", optimizers())
def test_each_number_that_is_accepted_has_an_effect(name: str) -> None:
    made = optimizers()[name]
    numbers = [key for key, value in made().get_config().items() if type(value) is float]
    accepted = []
    for key in numbers:
        try:
            ControlledRate(PLATEAU, hyperparameter=key).set_model(
                model_of(made(), run_eagerly=True)
            )
        except ValueError:
            assert key in {"initial_accumulator_value"}
            continue
        accepted.append(key)
        assert updated(made(), key, True, False) != updated(made(), key, False, False), key
    assert {"learning_rate", "weight_decay", "ema_momentum"} <= set(accepted)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_a_norm_in_an_eager_model(clip: str) -> None:
    found = [updated(sgd(**{clip: 0.1}), clip, changed, False) for changed in (True, False)]
    assert found[0] != found[1]


def test_a_variable_of_the_optimizer() -> None:
    found = [
        updated(keras.optimizers.Adam(0.1), "beta_1", changed, True) for changed in (True, False)
    ]
    assert found[0] != found[1]
