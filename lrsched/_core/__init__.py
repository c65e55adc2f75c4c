"""A schedule as a value. This list is what the adapters use of it."""

from lrsched._core.checks import (
    FLAG,
    Kind,
    Real,
    Refusal,
    Refused,
    Whole,
    choice,
    is_traced,
    optional,
)
from lrsched._core.controller import Controller
from lrsched._core.controls import Controls, Recipe, is_plain_recipe
from lrsched._core.number_kinds import integer, number
from lrsched._optional import import_optional

__all__ = [
    "FLAG",
    "Controller",
    "Controls",
    "Kind",
    "Real",
    "Recipe",
    "Refusal",
    "Refused",
    "Whole",
    "choice",
    "import_optional",
    "integer",
    "is_plain_recipe",
    "is_traced",
    "number",
    "optional",
]
