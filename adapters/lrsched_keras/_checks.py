"""Check the arguments of `range_test` before anything changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from lrsched._core import Refusal
from lrsched_keras._fit import BACKENDS

_refuse = Refusal("range_test")

# What `fit` takes besides: a test makes its updates alone, and reads no other loss.
_NOT_OF_A_TEST = (
    *("callbacks", "epochs", "initial_epoch", "steps_per_epoch", "validation_batch_size"),
    *("validation_data", "validation_freq", "validation_split", "validation_steps", "verbose"),
)
BATCHES = "at least one batch, in any form that `fit` takes"


def check_others(others: Mapping[str, Any]) -> None:
    """Refuse arguments of `fit` that a test has no use for, and unknown ones as Python does."""
    for name, value in others.items():
        if name in _NOT_OF_A_TEST:
            expected = "left out: a test trains for `steps` updates, and without validation"
            _refuse(name, expected, value, TypeError)
        raise TypeError(f"range_test() got an unexpected keyword argument {name!r}")


def check_model(model: Any) -> None:
    """Refuse what is no model that `fit` could train at once."""
    if not isinstance(model, keras.Model):
        _refuse("model", "a Keras model", model, TypeError)
    backend = keras.backend.backend()
    if backend not in BACKENDS:
        _refuse("Keras's backend", f"one that trains ({', '.join(BACKENDS)})", backend)
    if not model.compiled or model.optimizer is None:
        _refuse("model", "compiled, with an optimizer and a loss", model)
    if not all(layer.built for layer in model._flatten_layers()):
        # To build it, `fit` draws a batch, and with it random numbers, which no test could undo.
        _refuse("model", "built (call it on a batch, or model.build on a shape, first)", model)
    if not model.trainable_variables:
        _refuse("model", "one with trainable variables", model)


def check_batches(x: Any) -> None:
    """Refuse batches that are none, as far as it can be told without drawing one."""
    if x is None:
        _refuse("x", BATCHES, x, TypeError)
    leaves = keras.tree.flatten(x) if isinstance(x, (dict, list, tuple)) else [x]
    for leaf in leaves or [()]:
        try:
            size = len(leaf)
        except TypeError:  # none is known
            continue
        if size == 0:
            _refuse("x", BATCHES, x)
