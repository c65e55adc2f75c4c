"""What a part refuses, refused in the name of the function that was called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lrsched._core.checks import Refused, refusal, shown

ANY = "*"  # in `blame`: every other parameter
SUCH = "such that "
NOTHING: Mapping[str, str] = MappingProxyType({})


def in_the_name_of(
    caller: str, error: Exception, params: Mapping[str, Any], blame: Mapping[str, str] = NOTHING
) -> Exception:
    """The error of a part as one of its caller, about a parameter of the caller where one is known.

    Args:
        caller: the name of the function that was called.
        error: what the part raised.
        params: the parameters of the caller. One that was passed on is found by its value.
        blame: the parameter of the caller that a parameter of a part is computed from, by the name
            of the latter.
    """
    kind = TypeError if isinstance(error, TypeError) else ValueError
    refused: Refused | None = getattr(error, "refused", None)
    reason = str(error).removeprefix(f"{caller}: ")
    if refused is None or refused.schedule == caller:
        return kind(f"{caller}: {reason}")
    own = _parameter(refused, params, blame)
    if own is None:
        return kind(f"{caller}: {reason}")
    expected, got = refused.expected, params[own]
    if got is not refused.got and not expected.startswith(SUCH):
        part = f"{refused.parameter} of {refused.schedule}"
        expected = f"{SUCH}{part} is {expected} (not {shown(refused.got)})"
    return refusal(Refused(caller, own, expected, got), kind)


def _parameter(refused: Refused, params: Mapping[str, Any], blame: Mapping[str, str]) -> str | None:
    if refused.parameter in blame:
        return blame[refused.parameter]
    same = [name for name, value in params.items() if value is refused.got]
    if refused.parameter in same:
        return refused.parameter
    return same[0] if same else blame.get(ANY)
