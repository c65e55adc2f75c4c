"""The states of controllers: nested named tuples of numbers, or of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lrsched._arrays.namespace import default_dtype, device_of, is_array, namespace_of
from lrsched._arrays.types import Namespace


def state_leaves(state: Any) -> Iterator[Any]:
    for member in state if isinstance(state, tuple) else (state,):
        if isinstance(member, tuple):
            yield from state_leaves(member)
        else:
            yield member


def state_as_arrays(
    xp: Namespace, state: Any, template: Any, like: Any, shape: Any = None, name: str = "value"
) -> Any:
    """A state as arrays of the default dtypes, on the device of `like`.

    What begins as an integer is one, but for `value`.
    """
    if isinstance(state, tuple):
        names = getattr(state, "_fields", ("",) * len(state))
        members = [
            state_as_arrays(xp, member, first, like, shape, each)
            for member, first, each in zip(state, template, names, strict=True)
        ]
        return type(state)(*members) if hasattr(state, "_fields") else tuple(members)
    counts = name != "value" and _is_whole(template)
    dtype = default_dtype(xp, "integral" if counts else "real floating")
    array = xp.asarray(state, dtype=dtype, device=device_of(like))
    return array if shape is None else xp.broadcast_to(array, shape)


def _is_whole(value: Any) -> bool:
    if is_array(value):
        return bool(namespace_of([value]).isdtype(value.dtype, "integral"))
    return isinstance(value, int)
