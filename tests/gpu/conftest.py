"""The checks of a GPU are collected where they are asked for, and elsewhere not even read."""

from pathlib import Path

import pytest

CHECKS = "*_check.py"  # as `make gpu` names them


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Doctests are looked for in every file, which would import these."""
    return None if CHECKS in config.getini("python_files") else True
