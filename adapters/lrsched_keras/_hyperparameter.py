"""A hyperparameter of a Keras optimizer that can be set while a model trains."""

from __future__ import annotations

from typing import Any

import keras

from lrsched._core import Refusal

# Keras reads them once, or they change no update.
_WITHOUT_EFFECT = ("initial_accumulator_value", "loss_scale_factor")
# Keras asks of them with `if` whether they are above 0, which no variable answers.
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
_WITH_MOMENTUM = (keras.optimizers.SGD, keras.optimizers.RMSprop)


class Hyperparameter:
    """A number of an optimizer, a variable or a plain attribute.

    Args:
        optimizer: the optimizer that has it.
        name: its name.
    """

    def __init__(self, optimizer: Any, name: str) -> None:
        self.optimizer = optimizer
        self.name = name

    @property
    def value(self) -> float:
        """Its value, as the next update uses it."""
        return float(getattr(self.optimizer, self.name))

    @property
    def count(self) -> int:
        """How many updates the optimizer has made."""
        return int(self.optimizer.iterations)

    def set(self, value: float) -> None:
        """Set its value for the next update."""
        held = getattr(self.optimizer, self.name)
        if is_variable(held):
            held.assign(value)
        else:
            setattr(self.optimizer, self.name, value)


def checked_hyperparameter(refuse: Refusal, model: Any, name: str) -> Hyperparameter:
    """A hyperparameter of a model's optimizer, whose changes the training of the model sees."""
    optimizer = inner_optimizer(refuse, model)
    if name == "learning_rate":
        _check_rate(refuse, optimizer)
        return Hyperparameter(optimizer, name)
    value = getattr(optimizer, name, None)
    _check_number(refuse, optimizer, name, value)
    _check_effect(refuse, optimizer, name, value)
    if _is_compiled(model):
        _check_compiled(refuse, optimizer, name, value)
    return Hyperparameter(optimizer, name)


def inner_optimizer(refuse: Refusal, model: Any) -> Any:
    """The optimizer of a model that makes the updates, which one that scales the loss may wrap."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if hasattr(optimizer, "optimizers"):
        refuse("optimizer", "one optimizer, not several in one", type(optimizer), TypeError)
    return optimizer


def _check_number(refuse: Refusal, optimizer: Any, name: str, value: Any) -> None:
    if _is_number(value):
        return
    if value is None or name not in vars(optimizer):
        names = ", ".join(_names(optimizer))
        refuse("hyperparameter", f"one of {names} of this optimizer", name)
    refuse(name, "a float or a variable of the optimizer", value, TypeError)


def _check_effect(refuse: Refusal, optimizer: Any, name: str, value: Any) -> None:
    """Refuse a number whose changes would be without effect, compiled or not."""
    if name in _WITHOUT_EFFECT:
        refuse("hyperparameter", "one that Keras reads at each update", name)
    if name == "ema_momentum" and not optimizer.use_ema:
        refuse("ema_momentum", "of an optimizer with use_ema=True", value)
    if name == "momentum" and _has_no_momenta(optimizer, value):
        refuse("momentum", "above 0 when the optimizer is made, which else keeps none", value)


def _check_rate(refuse: Refusal, optimizer: Any) -> None:
    rate = getattr(optimizer, "_learning_rate", None)
    if not is_variable(rate):
        expected = "a float when the optimizer is made: Keras cannot set a schedule or a function"
        refuse("learning_rate", expected, rate, TypeError)


def _check_compiled(refuse: Refusal, optimizer: Any, name: str, value: Any) -> None:
    """Refuse a number that stays in the compiled training function as it is."""
    hint = "run_eagerly=True in compile"
    if not _is_asked_with_if(optimizer, name):
        if is_variable(value):
            return
        hint = f"optimizer.{name} = keras.Variable({value}, trainable=False), or {hint}"
    refuse(name, f"one that the compiled training function reads anew ({hint})", value)


def _is_asked_with_if(optimizer: Any, name: str) -> bool:
    return name in _CLIPS or (name == "momentum" and isinstance(optimizer, _WITH_MOMENTUM))


def _is_compiled(model: Any) -> bool:
    if model.run_eagerly:
        return False
    return keras.backend.backend() != "torch" or bool(model.jit_compile)


def is_variable(value: Any) -> bool:
    return hasattr(value, "assign")  # in Keras 3.6, `keras.Variable` is a subclass of what it makes


def _is_number(value: Any) -> bool:
    if is_variable(value):
        return value.shape == () and "float" in value.dtype
    return type(value) is float


def _has_no_momenta(optimizer: Any, momentum: Any) -> bool:
    if not isinstance(optimizer, _WITH_MOMENTUM) or float(momentum) > 0.0:
        return False
    return not (getattr(optimizer, "momentums", None) or getattr(optimizer, "_momentums", None))


def _names(optimizer: Any) -> list[str]:
    """The hyperparameters of an optimizer that are numbers and have an effect."""
    public = [name for name in vars(optimizer) if not name.startswith("_")]
    without = (*_WITHOUT_EFFECT, *(() if optimizer.use_ema else ("ema_momentum",)))
    found = [name for name in public if name not in without and _is_number(vars(optimizer)[name])]
    return ["learning_rate", *found]
