"""Settings of every test run: one thread per process, no display, the same draws in CI."""

import os
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("KERAS_BACKEND", "jax")

import pytest
from hypothesis import HealthCheck, settings

from lrsched._core.definition import REGISTRY

settings.register_profile(
    "lrsched",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("lrsched")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """The schedules that a test or a docstring defines are gone after it."""
    known = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)


# Scripts that tests start in processes of their own: to import them would set up their devices.
collect_ignore_glob = ["tests/scripts/*.py"]
