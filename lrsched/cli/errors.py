"""Errors of the command line: one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

T = TypeVar("T")


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
        raise Refused(str(error)) from None
