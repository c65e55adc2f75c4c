"""What an adapter says where its framework is not installed: the extra that brings it."""

import os
import subprocess
import sys

import pytest

from tests.optional import needing, needs
from tests.processes import FOLDERS


def import_without(library: str, adapter: str, **environment: str) -> str:
    """The last line of the error of an import in a process that lacks a library."""
    code = f"import sys; sys.modules[{library!r}] = None; import {adapter}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": FOLDERS, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("adapter", "library", "extra"),
    [
        ("lrsched_torch", "torch", "torch"),
        ("lrsched_jax", "jax", "jax"),
        needing("jax", "lrsched_jax", "optax", "jax"),
        ("lrsched_keras", "keras", "keras"),
    ],
)
def test_the_extra_is_named(adapter: str, library: str, extra: str) -> None:
    expected = f"{adapter}: {library} is needed; pip install 'lrsched[{extra}]'"
    assert import_without(library, adapter) == f"ModuleNotFoundError: {expected}"


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_a_missing_backend_of_keras_is_named(backend: str) -> None:
    needs("keras")
    assert import_without(backend, "lrsched_keras", KERAS_BACKEND=backend) == (
        f"ModuleNotFoundError: lrsched_keras: {backend} is needed, Keras's backend; with "
        "KERAS_BACKEND=jax it is JAX, which pip install 'lrsched[keras]' brings"
    )
