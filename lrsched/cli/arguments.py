"""Arguments and options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from lrsched._arrays.namespace import MAX_COUNT
from lrsched._core.schedule import Schedule
from lrsched.cli.errors import Refused, attempt, option
from lrsched.cli.figures import ENDINGS
from lrsched.formats.names import known_names
from lrsched.formats.parse import from_repr
from lrsched.formats.serialize import from_json

F = TypeVar("F", bound=Callable[..., Any])


def recipe(
    name: str, metavar: str = "RECIPE", kind: type | None = Schedule, **settings: Any
) -> Callable[[F], F]:
    """An argument that is a recipe, or several; `kind` is as for `from_repr`."""

    def read(ctx: Any, param: Any, texts: str | tuple[str, ...]) -> Any:
        if isinstance(texts, str):
            return _recipe_of(texts, kind)
        return tuple(_recipe_of(text, kind) for text in texts)

    return click.argument(
        name, metavar=metavar, callback=read, shell_complete=_names_or_files, **settings
    )


def _recipe_of(text: str, kind: Any) -> Any:
    """The recipe of a text: its repr, or the path of a JSON file."""
    if "(" in text and not text.endswith(".json"):
        return attempt(lambda: from_repr(text, kind))
    try:
        written = Path(text).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        wanted = "a call such as cyclic(0.1, 1.0), or the path of a JSON file"
        raise Refused(f"column 1: RECIPE must be {wanted}, got {text!r} ({error})") from None
    return attempt(lambda: from_json(written, kind))


def names(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """The names that complete a text in a shell."""
    return [CompletionItem(name) for name in sorted(known_names()) if name.startswith(incomplete)]


def _names_or_files(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    calls = [CompletionItem(f"{item.value}(") for item in names(ctx, param, incomplete)]
    return calls or [CompletionItem(incomplete, type="file")]


def steps(text: str, **settings: Any) -> Callable[[F], F]:
    """The option --steps."""

    def positive(ctx: Any, param: Any, steps: int | None) -> int | None:
        if steps is not None and not 1 <= steps <= MAX_COUNT:
            wanted = f"an integer from 1 to {MAX_COUNT} (steps)"
            raise Refused(f"--steps must be {wanted}, got {steps}")
        return steps

    return click.option(
        "--steps", "-n", type=int, callback=positive, metavar="N", help=text, **settings
    )


LENGTHS = {
    "total_steps": "Updates of the run, for run_fraction(...).",
    "steps_per_epoch": "Updates of an epoch, len(loader), for epochs(...).",
    "batch_size": "Examples in an update, for examples(...).",
    "tokens_per_step": "Tokens in an update, for tokens(...).",
}


def with_lengths(command: F) -> F:
    """Add the options that say how long the units of durations are."""
    for name, text in reversed(LENGTHS.items()):
        kind = click.INT if name.endswith("_steps") else click.FLOAT
        command = click.option(option(name), type=kind, help=text)(command)
    return command


def resolving(check: Callable[[Schedule], Any] = lambda schedule: None) -> Callable[[Any], Any]:
    """Add the options that turn durations in other units into steps; then `check` the schedules."""

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def with_steps(**given: Any) -> Any:
            lengths = {name: given.pop(name) for name in LENGTHS}

            def resolved(value: Any) -> Any:
                if isinstance(value, tuple):
                    return tuple(map(resolved, value))
                if not isinstance(value, Schedule):
                    return value
                schedule = value.resolve(**lengths)
                check(schedule)
                return schedule

            return command(
                **attempt(lambda: {name: resolved(value) for name, value in given.items()})
            )

        return with_lengths(with_steps)

    return decorate


def to_file(name: str, text: str, endings: Sequence[str] = ()) -> Callable[[F], F]:
    """An option that is the path of a file to write, whose ending is one of some."""

    def check(ctx: Any, param: Any, path: Path | None) -> Path | None:
        if path is not None and endings and path.suffix.lower() not in endings:
            raise Refused(f"--{name} must end in {', '.join(endings)}, got {str(path)!r}")
        return path

    flags = (f"--{name}", "-o") if name == "output" else (f"--{name}",)
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option(*flags, type=path, callback=check, metavar="FILE", help=text)


def picture(command: F) -> F:
    """Add the option --output of a figure."""
    text = "Write a picture (.png, .svg, .pdf) or a page (.html)."
    return to_file("output", text, ENDINGS)(command)
