"""The command `lrsched`: list, show, plot, tabulate and compare recipes in a terminal."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

import lrsched
from lrsched._arrays.namespace import MAX_COUNT
from lrsched._core.definition import REGISTRY, Definition
from lrsched._core.schedule import Schedule
from lrsched.cli.errors import Refused, attempt
from lrsched.cli.figures import empty_figure, figure_of, save, terminal_plot
from lrsched.cli.range_test import range_test
from lrsched.diff import diff as compare
from lrsched.formats.parse import find, from_repr

F = TypeVar("F", bound=Callable[..., Any])

ENDINGS = (".png", ".svg", ".html")


def _schedule(text: str) -> Schedule:
    """The schedule of a recipe: its repr, or the path of a JSON file."""
    if "(" in text and not text.endswith(".json"):
        return attempt(lambda: from_repr(text))
    try:
        written = Path(text).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        wanted = "a call such as cyclic(0.1, 1.0), or the path of a JSON file"
        raise Refused(f"column 1: RECIPE must be {wanted}, got {text!r} ({error})") from None
    return attempt(lambda: lrsched.from_json(written))


def _schedules(ctx: Any, param: Any, texts: str | tuple[str, ...]) -> Any:
    return _schedule(texts) if isinstance(texts, str) else tuple(map(_schedule, texts))


def _names(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(REGISTRY) if name.startswith(incomplete)]


def _names_or_files(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    calls = [CompletionItem(f"{item.value}(") for item in _names(ctx, param, incomplete)]
    return calls or [CompletionItem(incomplete, type="file")]


def _definition(ctx: Any, param: Any, name: str) -> Definition:
    return attempt(lambda: find(name))


def _counts(ctx: Any, param: Any, text: str | None) -> list[int] | None:
    if text is None:
        return None
    items, column = text.split(","), 1
    for item in items:
        if not (item.strip().isascii() and item.strip().isdecimal()):
            wanted = "integers >= 0 separated by commas"
            raise Refused(f"column {column}: --at must be {wanted}, got {item!r}")
        column += len(item) + 1
    return attempt(lambda: [int(item) for item in items])  # Python reads 4300 digits


def _output(ctx: Any, param: Any, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in ENDINGS:
        raise Refused(f"--output must end in {', '.join(ENDINGS)}, got {str(path)!r}")
    return path


def _positive(ctx: Any, param: Any, steps: int | None) -> int | None:
    if steps is not None and not 1 <= steps <= MAX_COUNT:
        wanted = f"an integer from 1 to {MAX_COUNT} (steps)"
        raise Refused(f"--steps must be {wanted}, got {steps}")
    return steps


def _recipe(name: str, metavar: str = "RECIPE", **settings: Any) -> Callable[[F], F]:
    return click.argument(
        name, metavar=metavar, callback=_schedules, shell_complete=_names_or_files, **settings
    )


def _steps(text: str, **settings: Any) -> Callable[[F], F]:
    return click.option(
        "--steps", "-n", type=int, callback=_positive, metavar="N", help=text, **settings
    )


_LENGTHS = {
    "total_steps": "Updates of the run, for run_fraction(...).",
    "steps_per_epoch": "Updates of an epoch, len(loader), for epochs(...).",
    "batch_size": "Examples in an update, for examples(...).",
    "tokens_per_step": "Tokens in an update, for tokens(...).",
}


def _resolving(command: Any) -> Any:
    """Add the options that turn durations in other units into steps."""

    @functools.wraps(command)
    def with_steps(**given: Any) -> Any:
        lengths = {name: given.pop(name) for name in _LENGTHS}

        def resolved(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(resolved, value))
            if not isinstance(value, Schedule):
                return value
            recipe = value.resolve(**lengths)
            recipe(0)  # refuses durations that are still not in steps
            return recipe

        return command(**attempt(lambda: {name: resolved(value) for name, value in given.items()}))

    for name, text in reversed(_LENGTHS.items()):
        kind = click.INT if name == "total_steps" else click.FLOAT
        with_steps = click.option(f"--{name.replace('_', '-')}", type=kind, help=text)(with_steps)
    return with_steps


_to_file = click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_output,
    metavar="FILE",
    help="Write a picture (.png, .svg) or a page (.html).",
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Completion of names and options in bash (zsh and fish alike):
  eval "$(_LRSCHED_COMPLETE=bash_source lrsched)"
""",
)
@click.version_option(lrsched.__version__)
def cli() -> None:
    """Learning-rate schedules: list, show, plot, tabulate and compare them.

    A RECIPE is written as in Python, or is the path of a JSON file (Schedule.to_json). It is
    parsed, never evaluated.

    \b
      lrsched show cyclic
      lrsched plot "warmup(cosine_decay(0.1, 900), warmup_steps=100)"
      lrsched plot "linear(1, 0, 100)" recipe.json --steps 200 -o curves.png
      lrsched values "step_decay(0.1, 0.5, 30)" --at 0,29,30
      lrsched diff "linear(1, 0, 100)" "0.5 * linear(2, 0, 100)" --steps 200
    """


@cli.command("list")
def list_names() -> None:
    """List the schedules, each with a line on its shape."""
    width = max(map(len, REGISTRY))
    for name in sorted(REGISTRY):
        text = inspect.getdoc(REGISTRY[name].factory) or ""
        click.echo(f"{name:<{width}}  {text.split(chr(10))[0]}".rstrip())


@cli.command()
@click.argument("definition", metavar="NAME", callback=_definition, shell_complete=_names)
def show(definition: Definition) -> None:
    """Show a schedule: its parameters, formula, source and peers."""
    parameters = definition.signature.parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    click.echo(f"{definition.name}{inspect.Signature(plain)}\n")
    text = inspect.getdoc(definition.factory) or "No documentation."
    click.echo(text)


@cli.command()
@_recipe("recipes", "RECIPE...", nargs=-1, required=True)
@_steps("Draw steps 0 to N.  [default: as many as show the shape]")
@_to_file
@click.option("--log", is_flag=True, help="Draw the learning rate on a logarithmic axis.")
@_resolving
def plot(recipes: tuple[Schedule, ...], steps: int | None, output: Path | None, log: bool) -> None:
    """Plot recipes, in the terminal or to a file."""
    drawn = steps or max(recipe._curve()[0][-1] for recipe in recipes)
    if output is None:
        click.echo(attempt(lambda: terminal_plot(recipes, drawn, log)))
    else:
        figure = attempt(lambda: figure_of(recipes, drawn, log))
        _save(figure, output, "\n".join(map(repr, recipes)))


@cli.command()
@_recipe("recipe")
@_steps("Print steps 0 to N - 1.")
@click.option("--at", callback=_counts, metavar="COUNTS", help="Print these steps: 0,10,20.")
@_resolving
def values(recipe: Schedule, steps: int | None, at: list[int] | None) -> None:
    """Print the learning rates of a recipe as CSV."""
    if (steps is None) == (at is None):
        raise click.UsageError("Give either --steps N or --at COUNTS.")
    click.echo("step,learning_rate")
    for count in range(steps or 0) if at is None else at:
        click.echo(f"{count},{recipe(count)!r}")


@cli.command()
@_recipe("a")
@_recipe("b")
@_steps("Compare steps 0 to N - 1.", required=True)
@click.option("--rtol", default=1e-6, show_default=True, help="Largest relative difference.")
@click.option("--atol", default=0.0, show_default=True, help="Largest absolute difference.")
@_to_file
@_resolving
def diff(
    a: Schedule, b: Schedule, steps: int, rtol: float, atol: float, output: Path | None
) -> None:
    """Compare two recipes step by step.

    The exit code is 0 where they are the same, 1 where they differ, 2 after an error.
    """
    found = attempt(lambda: compare(a, b, steps, rtol, atol))
    click.echo(str(found))
    if output is not None:
        figure = attempt(empty_figure)
        found.plot(figure.subplots(2, sharex=True, height_ratios=(2, 1)))
        _save(figure, output, f"a = {a!r}\nb = {b!r}\n\n{found}")
    sys.exit(0 if found.same else 1)


cli.add_command(range_test)


def _save(figure: Any, output: Path, text: str) -> None:
    attempt(lambda: save(figure, output, text))
    click.echo(f"wrote {output}", err=True)


def main() -> None:
    """Run the command."""
    cli(prog_name="lrsched")
