"""A schedule as a value. This list is what the adapters use of it."""

from lrsched._core.checks import (
    FLAG,
    Kind,
    Real,
    Refusal,
    Whole,
    choice,
    integer,
    is_traced,
    number,
    optional,
)

__all__ = [
    "FLAG",
    "Kind",
    "Real",
    "Refusal",
    "Whole",
    "choice",
    "integer",
    "is_traced",
    "number",
    "optional",
]
