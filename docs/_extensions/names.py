"""Links from names in code to their places in the reference, in docstrings and on every page."""

from __future__ import annotations

import inspect
import re
from functools import cache

from docs._extensions.places import PACKAGES, canonical, of_package, value_of

CALL = re.compile(r"(@?)([A-Za-z_][\w.]*)(\(.*\))?", re.DOTALL)
WORDS = re.compile(r"[A-Za-z_]\w*")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
LITERAL = re.compile(r"(?<!`)`([^`]+)`(?!`)")  # code in a docstring


@cache
def public_names() -> frozenset[str]:
    """Every public name, with its package."""
    return frozenset(name for package in PACKAGES for name in of_package(package))


@cache
def parameters() -> frozenset[str]:
    """The names of parameters: in code, such a name alone is more likely the parameter."""
    found: set[str] = set()
    for name in public_names():
        if inspect.isfunction(value_of(name)):
            found |= {*inspect.signature(value_of(name)).parameters}
    return frozenset(found)


def target(code: str, is_name: bool = False) -> str | None:
    """The full name that a piece of code names, if it is public.

    A name without its package is one of `lrsched`; one that is a parameter somewhere counts only if
    it must be a name (`is_name`). With arguments it is ours only if these have the
    names of our parameters, as other libraries have functions of the same names.

    >>> target("cyclic"), target("lrsched_torch.lambda_lr"), target("Schedule.resolve")
    ('lrsched.cyclic', 'lrsched_torch.lambda_lr', 'lrsched.Schedule.resolve')
    >>> target("linear(…, transition_steps)"), target("schedule"), target("@schedule")
    (None, None, 'lrsched.schedule')
    """
    found = CALL.fullmatch(code)
    if found is None:
        return None
    decorator, path, arguments = found.groups()
    first, _, member = path.partition(".")
    if path in public_names():
        return canonical(path)
    if path in PACKAGES:
        return None
    name = f"lrsched.{first}"
    may_be_parameter = first in parameters() and not (is_name or decorator or member)
    if name not in public_names() or may_be_parameter:
        return None
    if member:
        is_class = isinstance(value_of(name), type) and hasattr(value_of(name), member)
        return f"{canonical(name)}.{member}" if is_class else None
    if arguments and inspect.isfunction(value_of(name)):
        words = {*WORDS.findall(QUOTED.sub("", arguments))}
        if not words <= {*inspect.signature(value_of(name)).parameters}:
            return None
    return canonical(name)
