"""Where each public name has its place in the reference: the pages, and the names on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import lrsched
from lrsched._core.controller_definition import CONTROLLERS

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("lrsched", "lrsched.range_test", "lrsched.sweep"),
    *("lrsched_torch", "lrsched_torch.lightning", "lrsched_torch.transformers"),
    *("lrsched_jax", "lrsched_keras"),
)


class Page(NamedTuple):
    """A page of the reference that is made of docstrings.

    Attributes:
        path: where it is, below docs/reference.
        title: its title.
        names: what is on it, each with its package.
    """

    path: str
    title: str
    names: tuple[str, ...]


@cache
def families() -> dict[str, tuple[str, ...]]:
    """The families of schedules: those of the table in the README, which is checked to be whole.

    The last family, of what follows a metric, also has the wrappers of controllers.

    >>> families()["cycles"][:2]
    ('cyclic', 'one_cycle')
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## The schedules\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w[^|]*) \|(.*)\|$", section, re.MULTILINE)
    found = {family: tuple(re.findall(r"`@?([a-z]\w+)`", names)) for family, names in rows}
    listed = {name for names in found.values() for name in names}
    others = [name for name in CONTROLLERS if name not in listed and name in lrsched.__all__]
    found[rows[-1][0]] += tuple(others)
    return found


GROUPS = {
    ("values", "Schedules and controllers as values"): (
        *("Schedule", "Controller", "Plateau", "PlateauState", "RemainingProgress"),
    ),
    ("durations", "Durations"): ("Duration", "run_fraction", "epochs", "examples", "tokens"),
    ("recipes", "Reading recipes"): (
        *("from_dict", "from_json", "load", "from_repr", "from_name", "from_config"),
        "json_schema",
    ),
    ("curves", "Drawing and comparing curves"): ("plot", "diff", "Diff"),
    ("annotations", "Annotations of formulas"): (
        *("Value", "Positive", "Rate", "Fraction", "Steps", "WholeSteps", "Inner"),
        *("Array", "Namespace"),
    ),
}


def of_package(package: str) -> tuple[str, ...]:
    """The public names of a package, each with the package."""
    return tuple(f"{package}.{name}" for name in import_module(package).__all__)


def schedule_pages() -> Iterator[Page]:
    """A page for each name in a family."""
    for names in families().values():
        yield from (Page(f"schedules/{name}", name, (f"lrsched.{name}",)) for name in names)


def group_pages() -> Iterator[Page]:
    """The pages of the other names of `lrsched`."""
    for (path, title), names in GROUPS.items():
        yield Page(f"api/{path}", title, tuple(f"lrsched.{name}" for name in names))


def package_pages() -> Iterator[Page]:
    """The pages of the other packages."""
    yield from map(package_page, PACKAGES[1:])


def package_page(package: str) -> Page:
    """The page of a package: what has no place before."""
    names = [name for name in of_package(package) if canonical(name) == name]
    return Page(f"api/{package}", package, tuple(names))


def value_of(full_name: str) -> Any:
    """What a public name stands for."""
    package, _, name = full_name.rpartition(".")
    return getattr(import_module(package), name)


@cache
def canonical(full_name: str) -> str:
    """The name under which something is documented, of several names of the same class.

    >>> canonical("lrsched.RangeTest")
    'lrsched.range_test.RangeTest'
    """
    value = value_of(full_name)
    home = getattr(value, "__module__", "") if isinstance(value, type) else ""
    package = next((x for x in reversed(PACKAGES) if f"{home}.".startswith(f"{x}.")), None)
    own = f"{package}.{value.__name__}" if package else full_name
    return own if own != full_name and value_of(own) is value else full_name
