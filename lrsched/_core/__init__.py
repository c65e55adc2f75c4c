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
from lrsched._core.number_kinds import integer, number
from lrsched._optional import import_optional

__all__ = [
    "FLAG",
    "Kind",
    "Real",
    "Refusal",
    "Refused",
    "Whole",
    "choice",
    "import_optional",
    "integer",
    "is_traced",
    "number",
    "optional",
]
