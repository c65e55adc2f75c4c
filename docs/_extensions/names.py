"""Links from names in code to their places in the reference, in docstrings and on every page."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from functools import cache

from docs._extensions.places import PACKAGES, canonical, families, of_package, value_of

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


@cache
def bare_names() -> dict[str, str]:
    """The names that stand for something public without its package, as nothing else has them.

    These are schedules, and names of two words or with a capital; a single word is too often a
    method or a variable.

    >>> bare_names()["lambda_lr"], bare_names()["noise"], "plot" in bare_names()
    ('lrsched_torch.lambda_lr', 'lrsched.noise', False)
    """
    members = {f"lrsched.{name}" for names in families().values() for name in names}
    found: dict[str, set[str]] = defaultdict(set)
    for full_name in public_names():
        name = full_name.rpartition(".")[2]
        if full_name in members or "_" in name or name != name.lower():
            found[name].add(canonical(full_name))
    return {name: min(homes) for name, homes in found.items() if len(homes) == 1}


def target(code: str, package: str = "", is_name: bool = False) -> str | None:
    """The full name that a piece of code names, if it is public.

    With arguments it is ours only if these have the names of our parameters, as other libraries
    have functions of the same names.

    Args:
        code: the code, such as "warmup" or "Schedule.resolve".
        package: where a name without a package is looked for first.
        is_name: whether a name alone may also be that of a parameter somewhere.

    >>> target("cyclic"), target("lrsched_torch.lambda_lr"), target("Schedule.resolve")
    ('lrsched.cyclic', 'lrsched_torch.lambda_lr', 'lrsched.Schedule.resolve')
    >>> target("linear(…, transition_steps)"), target("schedule"), target("@schedule")
    (None, None, 'lrsched.schedule')
    """
    found = CALL.fullmatch(code)
    if found is None:
        return None
    decorator, path, arguments = found.groups()
    if path in public_names():
        return canonical(path)
    first, _, member = path.partition(".")
    home = f"{package}.{first}"
    home = canonical(home) if home in public_names() else bare_names().get(first, "")
    if not home or (first in parameters() and not (is_name or decorator or member)):
        return None
    value = value_of(home)
    if member:
        return f"{home}.{member}" if isinstance(value, type) and hasattr(value, member) else None
    if arguments and inspect.isfunction(value):
        words = {*WORDS.findall(QUOTED.sub("", arguments))}
        if not words <= {*inspect.signature(value).parameters}:
            return None
    return home
