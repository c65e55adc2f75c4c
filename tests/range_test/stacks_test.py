"""The range tests of all stacks have the same options, and give the same curves."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any
from unittest.mock import patch

from tests.optional import needs

for library in ("torch", "jax", "optax", "keras", "lightning", "transformers", "accelerate"):
    needs(library)
needs("sklearn")

import numpy as np
import numpy.typing as npt
import pytest

import lrsched_jax
import lrsched_keras
import lrsched_torch
import lrsched_torch.lightning
import lrsched_torch.transformers
from benchmarks import stacks
from benchmarks.stacks import RAMP, STACKS, UPDATES
from lrsched.range_test import RangeTest

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (  # Lightning's
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        "The 'train_dataloader' does not have many workers",
    )
]
Array = npt.NDArray[np.float64]


@cache
def curve(name: str) -> RangeTest:
    return STACKS[name]().test()


@pytest.mark.parametrize("name", [*STACKS])
def test_each_update_has_the_rate_of_the_ramp(name: str) -> None:
    """In float32 in JAX and in Keras, and else in Python's floats."""
    found = curve(name)
    assert (found.stopped, len(found.losses)) == ("finished", UPDATES)
    rates = [RAMP(count) for count in range(UPDATES)]
    if name in ("JAX", "Keras"):
        np.testing.assert_allclose(found.learning_rates, rates, rtol=2.0**-23)
    else:
        assert found.learning_rates.tolist() == rates


@pytest.mark.parametrize("name", ["Lightning", "transformers", "Accelerate", "Fabric"])
def test_the_stacks_of_torch_agree_to_the_last_bit(name: str) -> None:
    assert curve(name).losses.tolist() == curve("torch").losses.tolist()


@pytest.mark.parametrize("name", ["JAX", "Keras"])
def test_jax_agrees_within_the_rounding_of_float32(name: str) -> None:
    """200 updates that each round at 2**-24 differ by 3e-7 in the loss."""
    np.testing.assert_allclose(curve(name).losses, curve("torch").losses, rtol=2e-6)


# Options of tests that go on.
GOING_ON: dict[str, dict[str, Any]] = {
    "higher rates": {"low": 1e-6, "high": 0.1, "steps": 66},
    "refined": {"low": 1e-4, "steps": 60, "refine": True, "probe_steps": 30},
}


@cache
def gone_on(case: str, name: str) -> RangeTest:
    with patch.object(stacks, "OPTIONS", {**GOING_ON[case], "progress": False}):
        return STACKS[name]().test()


@pytest.mark.parametrize("case", GOING_ON)
@pytest.mark.parametrize("name", [each for each in STACKS if each != "torch"])
def test_the_stacks_go_on_alike(name: str, case: str) -> None:
    """At the same rates, on the same batches, also in trainings on other ones."""
    found, wanted = gone_on(case, name), gone_on(case, "torch")
    assert found.summary == wanted.summary
    assert (found.earlier is None) == (case == "refined")
    assert found.probe is not None
    assert wanted.probe is not None
    assert found.probe.losses.shape[1] == (2 if case == "refined" else 1)
    pairs = [(found.losses, wanted.losses), (found.probe.losses, wanted.probe.losses)]
    if name not in ("JAX", "Keras"):
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours, theirs)
        return
    np.testing.assert_allclose(found.suggest(), wanted.suggest(), rtol=0.02)
    stable = wanted.learning_rates < wanted.suggest().suggested  # beyond, rounding errors grow
    np.testing.assert_allclose(found.losses[stable], wanted.losses[stable], rtol=1e-4)
    first = found.probe.losses[0], wanted.probe.losses[0]
    np.testing.assert_allclose(*first, rtol=1e-4)


def test_a_bare_loop_of_torch_has_the_same_losses() -> None:
    assert STACKS["torch"]().bare() == curve("torch").losses.tolist()


TESTS: dict[str, Callable[..., RangeTest]] = {
    "torch": lrsched_torch.range_test,
    "Lightning": lrsched_torch.lightning.range_test,
    "transformers": lrsched_torch.transformers.range_test,
    "JAX": lrsched_jax.range_test,
    "Keras": lrsched_keras.range_test,
}
DEFAULTS: dict[str, Any] = {
    "schedule": None,
    "steps": 200,
    "low": None,
    "high": None,
    "max_steps": None,
    "divergence": 4.0,
    "metrics": None,
    "every": 10,
    "refine": False,
    "probe_steps": None,
    "probe_repeats": 2,
    "log": None,
    "progress": True,
}
OF_GROUPS = {"keep_ratios": True, "reference_group": None}


@pytest.mark.parametrize("name", TESTS)
def test_the_options_of_every_stack(name: str) -> None:
    parameters = inspect.signature(TESTS[name]).parameters
    expected = DEFAULTS | ({} if name in ("JAX", "Keras") else OF_GROUPS)
    assert {option: parameters[option].default for option in expected} == expected
    assert isinstance(parameters["label"].default, str)


def test_the_options_of_sweeps() -> None:
    for name in ("sweep", "repeated_range_test"):
        expected = inspect.signature(getattr(lrsched_torch, name)).parameters
        found = inspect.signature(getattr(lrsched_keras, name)).parameters
        assert list(found) == list(expected)
        options = [option for option in expected if option != "label"]
        assert [found[x].default for x in options] == [expected[x].default for x in options]
