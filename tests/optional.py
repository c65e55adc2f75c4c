"""Libraries that some tests need, and that need not be installed."""

import importlib
import importlib.util
import os
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement


def is_installed(library: str) -> bool:
    """Whether a library is there, in a version that a requirement such as "optax>=0.2.5" allows."""
    required = Requirement(library)
    return importlib.util.find_spec(required.name) is not None and (
        not required.specifier or version(required.name) in required.specifier
    )


def needs(module: str, library: str | None = None) -> Any:
    """Import a module that needs a library, by default the one that it belongs to.

    Where the library is not installed, the test that asks for it is skipped, and a test module that
    asks before its own imports is skipped as a whole: "needs torch". In CI it is an error.
    """
    library = library or module.partition(".")[0]
    if not is_installed(library) and not os.environ.get("CI"):
        pytest.skip(f"needs {library}", allow_module_level=True)
    return importlib.import_module(module)


def needing(library: str, *values: Any, **options: Any) -> Any:
    """Parameters of a test that is skipped with them where a library is not installed."""
    mark = pytest.mark.skipif(not is_installed(library), reason=f"needs {library}")
    return pytest.param(*values, marks=mark, **options)
