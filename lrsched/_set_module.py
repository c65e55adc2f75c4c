"""Public names are known by the module that users import them from."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any


def set_module(module: str, names: Iterable[str], namespace: Mapping[str, Any]) -> None:
    """Make `module` the `__module__` of these functions and classes of ours.

    Pickles, tracebacks and `help` then name the path that stays when files move.
    """
    for name in names:
        value = namespace.get(name)  # None for what is imported on first use
        if isinstance(value, (type, types.FunctionType)) and value.__module__.startswith("lrsched"):
            value.__module__ = module
            members = vars(value).values() if isinstance(value, type) else ()
            for member in members:
                if isinstance(member, types.FunctionType):
                    member.__module__ = module
