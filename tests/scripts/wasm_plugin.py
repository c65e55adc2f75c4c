"""A pytest plugin for WebAssembly: a test is skipped that imports NumPy or starts a process."""

import subprocess
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

import pytest


class Missing(MetaPathFinder, Loader):
    """Finds NumPy, and skips the test that loads it."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "numpy" else None

    def exec_module(self, module: Any) -> None:
        pytest.skip("needs numpy", allow_module_level=True)


class Popen(subprocess.Popen[Any]):
    """Skips the test that starts a process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.returncode = None
        pytest.skip("needs processes")

    def __del__(self) -> None:
        """There is no process to wait for."""


sys.meta_path.insert(0, Missing())
subprocess.Popen = Popen  # type: ignore[misc]  # for all that start processes
