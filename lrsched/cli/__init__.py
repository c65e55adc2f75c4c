"""The command `lrsched`."""

import sys

try:
    import click as _click  # noqa: F401
except ImportError:
    sys.stderr.write("lrsched: click is needed; pip install 'lrsched[cli]'\n")
    sys.exit(2)

from lrsched.cli.commands import cli, main

__all__ = ["cli", "main"]
