"""Settings of every test run: one thread per process, no display, the same draws in CI."""

import gc
import importlib.util
import os
import tempfile
from collections.abc import Generator, Iterator
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("KERAS_BACKEND", "jax")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # What JAX compiles in a run is shared by the processes of the run, and gone after it.
    compiled = tempfile.TemporaryDirectory(prefix="jax-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import pytest
from hypothesis import HealthCheck, settings

from lrsched._core.definition import REGISTRY
from tests.processes import ALLOWED

settings.register_profile(
    "lrsched",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("lrsched")


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for deprecations of other versions than the pinned ones."""
    for allowed in ALLOWED:
        config.addinivalue_line("filterwarnings", allowed)


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """The schedules that a test or a docstring defines are gone after it."""
    known = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Garbage collections need not go through all that is imported, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Nor need they while the tests run."""
    gc.collect()
    gc.freeze()


def failed_if_skipped(report: Any) -> Any:
    """In CI nothing may be skipped: what is missing there would be missed by nobody."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped in CI: {report.longrepr[-1]}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A test that is skipped in CI fails."""
    return failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """A module that is skipped in CI is an error."""
    return failed_if_skipped((yield))


# Scripts that tests start in processes of their own: to import them would set up their devices.
collect_ignore_glob = ["tests/scripts/*.py"]
if importlib.util.find_spec("transformers") is None:  # whose classes these modules derive from
    collect_ignore_glob += [
        "adapters/lrsched_torch/transformers.py",
        "adapters/lrsched_torch/_transformers/*.py",
    ]
