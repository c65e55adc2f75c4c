"""Configurations in files, whose ending says how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lrsched.configs.texts import parse_config, reader_of


def read_config(path: Path) -> Any:
    """The data of a file, as `parse_config` reads it.

    Raises:
        OSError: the file cannot be read.
        ValueError, ModuleNotFoundError: as for `parse_config`.
    """
    reader_of(str(path))  # before a file is read that is none of these
    return parse_config(str(path), path.read_text(encoding="utf-8"))
