"""Errors of the command line: one line each, in the names of its options."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lrsched.configs.section import ARGUMENT

T = TypeVar("T")

_RESOLVE = re.compile(r"resolve it with schedule\.resolve\((.*?)\)")
_FORMAT = re.compile(r"\bformat='(\w+)'")


class Refused(click.ClickException):
    """An error of one line, without the usage that click prints before its own errors."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"lrsched: {self.message}", file=file, err=True)


def attempt(make: Callable[[], T]) -> T:
    """Return `make()`; a refusal, or a missing library or file, becomes one line."""
    try:
        return make()
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise Refused(in_options(" ".join(str(error).split()))) from None


def in_options(text: str) -> str:
    """What an error asks for as an argument in Python, asked for as an option.

    >>> in_options("linear: steps is epochs(3); resolve it with schedule.resolve(total_steps=...)")
    'linear: steps is epochs(3); give --total-steps'
    """
    text = _RESOLVE.sub(r"give \1", text)
    text = ARGUMENT.sub(lambda found: option(found[1]), text)
    return _FORMAT.sub(r"--format \1", text)


def option(argument: str) -> str:
    """The option that stands for an argument: --total-steps for total_steps."""
    return f"--{argument.replace('_', '-')}"
