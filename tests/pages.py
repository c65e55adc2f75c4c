"""The pages of the documentation, and what runs their code."""

import doctest
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md")
    for path in sorted(ROOT.glob(pattern))
}
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)

Names = dict[str, Any]


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, those in lists without their indentation."""
    for found in FENCE.finditer(TEXTS[page]):
        line = TEXTS[page].count("\n", 0, found.start()) + 1
        yield Block(found[2], textwrap.dedent(found[3]), line)


def execute(block: Block, page: str, names: Names) -> None:
    """Run a block with these names, to which it adds its own."""
    match block.language:
        case "python":
            exec(compile(block.code, f"{page}:{block.line}", "exec"), names)
        case "pycon":
            show(block, page, names)
        case "sh":
            command(block, names)


def show(block: Block, page: str, names: Names) -> None:
    """A console shows what the block shows."""
    session = doctest.DocTestParser().get_doctest(block.code, names, page, page, block.line)
    failures, attempts = doctest.DocTestRunner().run(session, clear_globs=False)
    assert failures == 0
    assert attempts > 0
    names |= session.globs


def command(block: Block, names: Names) -> None:
    """The calls of our command succeed; those of pip and make are for the tests of packaging."""
    from click.testing import CliRunner

    from lrsched.cli.commands import cli

    sys.modules["train"] = train = ModuleType("train")  # whose `setup` a page defines
    train.__dict__.update(names)
    try:
        for line in block.code.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if program == "lrsched":
                result = CliRunner().invoke(cli, arguments)
                assert result.exit_code == 0, (line, result.output)
    finally:
        del sys.modules["train"]
