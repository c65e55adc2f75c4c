"""Libraries that are imported where they are needed."""

from __future__ import annotations

import importlib
from typing import Any


def import_optional(module: str, extra: str, caller: str = "plot") -> Any:
    """A module of an optional library, or an error that says how to install it."""
    library = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:  # something that it needs is missing
            raise
    reason = f"{caller}: {library} is needed; pip install 'lrsched[{extra}]'"
    raise ModuleNotFoundError(reason, name=library)
