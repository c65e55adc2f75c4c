"""The noise: even, unlike itself at another step or key, and the same everywhere."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from tests.optional import needing, needs

KEYS = [0, 1, 2, 65536, 2**31 - 1]
FLAT = lrsched.constant(1.0)


def draws(key: int, number: int = 2**16) -> npt.NDArray[np.float64]:
    """u at the first steps."""
    return np.asarray(lrsched.noise(FLAT, 1.0, key)(np.arange(number))) - 1.0


@pytest.mark.parametrize("key", KEYS)
def test_it_is_spread_evenly(key: int) -> None:
    u = draws(key)
    found, _ = np.histogram(u, bins=256, range=(-1, 1))
    chi_squared = np.sum((found - 256) ** 2 / 256)
    assert 255 - 5 * np.sqrt(2 * 255) < chi_squared < 255 + 5 * np.sqrt(2 * 255)
    assert abs(np.mean(u)) < 5 / np.sqrt(3 * len(u))
    assert -1 < np.min(u) < -0.999
    assert 0.999 < np.max(u) < 1


@pytest.mark.parametrize("key", KEYS)
def test_no_step_tells_of_a_later_one(key: int) -> None:
    u = draws(key)
    for lag in (1, 2, 3, 7, 16, 256, 4096, 32768):
        correlation = np.mean(u[lag:] * u[:-lag]) * 3
        assert abs(correlation) < 5 / np.sqrt(len(u) - lag), lag


def test_neighbouring_keys_are_unlike() -> None:
    for first in KEYS:
        for bit in (0, 1, 7, 15, 16, 23, 30):
            correlation = np.mean(draws(first) * draws(first ^ (1 << bit))) * 3
            assert abs(correlation) < 5 / np.sqrt(2**16), (first, bit)


def test_each_bit_of_the_step_and_of_the_key_changes_half_of_the_bits() -> None:
    n = np.arange(0, 2**31 - 1, 2**31 // 4099)

    def bits(key: int, at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        u = np.asarray(lrsched.noise(FLAT, 1.0, key)(at)) - 1.0
        return ((u + 1.0) * 2**22).astype(np.int64)

    for bit in range(31):
        for changed in (bits(5, n ^ (1 << bit)), bits(5 ^ (1 << bit), n)):
            flipped = np.mean([((bits(5, n) ^ changed) >> place) & 1 for place in range(23)], 1)
            assert np.all(abs(flipped - 0.5) < 0.06), bit


@pytest.mark.parametrize(
    ("module", "ulps"),
    [("numpy", 0), needing("jax", "jax.numpy", 1), needing("torch", "torch", 1)],
)
@given(key=st.integers(0, 2**31 - 1), count=st.integers(0, 2**31 - 1))
def test_it_is_the_same_in_every_framework(module: str, ulps: int, key: int, count: int) -> None:
    noisy = lrsched.noise(FLAT, 0.5, key)
    wanted = np.float32(noisy(count))
    found = noisy(needs(module).asarray(count))
    assert abs(np.float32(found) - wanted) <= ulps * np.spacing(wanted)


def test_it_begins_ends_and_holds_where_it_should() -> None:
    noisy = lrsched.noise(lrsched.linear(1.0, 0.0, 100), 0.5, key=3, every=5, begin=20, end=60)
    factors = [noisy(n) / (1 - n / 100) for n in range(100)]
    assert factors[:20] + factors[60:] == pytest.approx([1.0] * 60, rel=1e-12)
    for begin in range(20, 60, 5):
        stair = factors[begin : begin + 5]
        assert max(stair) - min(stair) < 1e-12
        assert stair[0] != 1.0


def test_a_batch_of_keys_is_a_batch_of_noises() -> None:
    jax = needs("jax")
    keys = jax.numpy.arange(4)
    found = jax.vmap(lambda key: lrsched.noise(FLAT, 0.5, key)(7))(keys)
    assert np.asarray(found).tolist() == pytest.approx(
        [lrsched.noise(FLAT, 0.5, key)(7) for key in range(4)], rel=1e-6
    )
