"""The command `lrsched`, run inside the process of the tests."""

import inspect
from typing import Any

from click.testing import CliRunner, Result

from lrsched.cli.commands import cli


def run(*arguments: str) -> Result:
    """The exit status, and what went to stdout and to stderr."""
    # Click 8.2 always keeps the two apart, and earlier versions on request.
    asks = "mix_stderr" in inspect.signature(CliRunner).parameters
    options: dict[str, Any] = {"mix_stderr": False} if asks else {}
    return CliRunner(**options).invoke(cli, arguments)
