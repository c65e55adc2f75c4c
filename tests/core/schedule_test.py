"""A schedule's arithmetic, and hyperparameters from array libraries."""

import numpy as np
import pytest

import lrsched
from lrsched import linear
from tests.optional import needing, needs

MODULES = [needing("jax", "jax.numpy"), needing("torch", "torch")]


def test_products() -> None:
    schedule = linear(1.0, 0.0, 10)
    half = lrsched.scale(schedule, 0.5)
    assert schedule * 0.5 == half == 0.5 * schedule == np.float64(0.5) * schedule
    assert schedule * schedule == lrsched.product(schedule, schedule)
    with pytest.raises(TypeError, match="unsupported operand"):
        schedule * object()
    with pytest.raises(ValueError, match="scale: factor must be a finite number, got nan"):
        schedule * float("nan")
    huge = lrsched.constant(1e18) * lrsched.constant(1e18) * lrsched.constant(1e18)
    assert huge(0) == 1e38


@pytest.mark.parametrize("module", MODULES)
def test_products_with_numbers_of_other_libraries(module: str) -> None:
    half = needs(module).asarray(0.5)
    schedule = linear(1.0, 0.0, 10)
    assert half * schedule == lrsched.scale(schedule, 0.5) == schedule * half


def test_products_are_finite_in_float32() -> None:
    jnp = needs("jax.numpy")
    huge = lrsched.constant(1e18) * lrsched.constant(1e18) * lrsched.constant(1e18)
    assert np.isfinite(huge(jnp.int32(0)))


def test_numbers_of_other_libraries_become_python_numbers() -> None:
    plain = linear(1.0, 0.25, 10)
    assert plain == linear(np.float32(1), np.asarray(0.25), np.int64(10))
    assert all(type(value) in (int, float) for value in plain.params.values())
    assert lrsched.join([plain, plain], list(np.asarray([5]))) == lrsched.join((plain, plain), (5,))


@pytest.mark.parametrize("module", MODULES)
def test_scalar_arrays_become_python_numbers(module: str) -> None:
    scalar = needs(module).asarray
    found = linear(scalar(1.0), scalar(0.25), scalar(10))
    assert found == linear(1.0, 0.25, 10)
    assert [type(value) for value in found.params.values()] == [float, float, int]


def test_a_tensor_under_autograd_stays_and_gets_its_gradient() -> None:
    torch = needs("torch")
    peak = torch.tensor(0.1, requires_grad=True)
    value = lrsched.cosine_decay(peak, 10)(torch.tensor(5))
    value.backward()
    assert value.item() == pytest.approx(0.05)
    assert peak.grad == pytest.approx(0.5)
