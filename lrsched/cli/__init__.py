"""The command `lrsched`."""

import sys

try:
    from lrsched.cli.commands import cli, main
except ModuleNotFoundError as _error:
    if _error.name != "click":
        raise

    def main() -> None:
        """Say what is missing, in one line."""
        sys.stderr.write("lrsched: click is needed; pip install 'lrsched[cli]'\n")
        sys.exit(2)


__all__ = ["cli", "main"]
