"""The range tests of all stacks give the same curve for the same training."""

from functools import cache

from tests.optional import needs

for library in ("torch", "jax", "optax", "keras", "lightning", "transformers", "accelerate"):
    needs(library)
needs("sklearn", "scikit-learn")

import numpy as np
import numpy.typing as npt
import pytest

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


def test_a_bare_loop_of_torch_has_the_same_losses() -> None:
    assert STACKS["torch"]().bare() == curve("torch").losses.tolist()
