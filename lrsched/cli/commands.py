"""The command `lrsched`: list, show, plot, tabulate and compare recipes in a terminal."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import click

import lrsched
from lrsched._core.definition import Definition
from lrsched._core.schedule import Schedule
from lrsched.cli import arguments
from lrsched.cli.errors import Refused, attempt
from lrsched.cli.explore import explore
from lrsched.cli.figures import empty_figure, figure_of, save, terminal_plot
from lrsched.cli.range_test import range_test
from lrsched.cli.recipes import convert, to_json
from lrsched.diff import RTOL
from lrsched.diff import diff as compare
from lrsched.formats.names import find, known_names


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


def _in_steps(schedule: Schedule) -> None:
    """Refuse durations that are still not in steps, as a call does."""
    schedule(0)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Completion of names and options in bash (zsh and fish alike):
  eval "$(_LRSCHED_COMPLETE=bash_source lrsched)"
""",
)
@click.version_option(lrsched.__version__)
def cli() -> None:
    """Learning-rate schedules: list, show, plot, tabulate, compare and write them.

    A RECIPE is written as in Python, or is the path of a JSON file (Schedule.save). It is parsed,
    never evaluated.

    \b
      lrsched show cyclic
      lrsched plot "warmup(cosine_decay(0.1, 900), warmup_steps=100)"
      lrsched plot "linear(1, 0, 100)" recipe.json --steps 200 -o curves.png
      lrsched values "step_decay(0.1, 0.5, 30)" --at 0,29,30
      lrsched diff "linear(1, 0, 100)" "0.5 * linear(2, 0, 100)" --steps 200
      lrsched json "warmup_cosine(0.1, run_fraction(1.0), 500)" -o recipe.json
      lrsched convert ds_config.json --total-steps 10000
      lrsched explore "warmup(cosine_decay(0.1, 900), warmup_steps=100)"
    """


@cli.command("list")
def list_names() -> None:
    """List the schedules and controllers, each with a line on its shape."""
    names = sorted(known_names())
    width = max(map(len, names))
    for name in names:
        text = inspect.getdoc(find(name).factory) or ""
        click.echo(f"{name:<{width}}  {text.split(chr(10))[0]}".rstrip())


@cli.command()
@click.argument("definition", metavar="NAME", callback=_definition, shell_complete=arguments.names)
def show(definition: Definition) -> None:
    """Show a schedule: its parameters, formula, source and peers."""
    parameters = definition.signature.parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    click.echo(f"{definition.name}{inspect.Signature(plain)}\n")
    text = inspect.getdoc(definition.factory) or "No documentation."
    click.echo(text)


@cli.command()
@arguments.recipe("recipes", "RECIPE...", nargs=-1, required=True)
@arguments.steps("Draw steps 0 to N.  [default: as many as show the shape]")
@arguments.picture
@click.option("--log", is_flag=True, help="Draw the learning rate on a logarithmic axis.")
@arguments.resolving()
def plot(recipes: tuple[Schedule, ...], steps: int | None, output: Path | None, log: bool) -> None:
    """Plot recipes, in the terminal or to a file.

    Durations whose lengths no option gives are drawn over a nominal run, of 1000 steps or with 1000
    steps of the longest duration.
    """
    if output is None:
        click.echo(attempt(lambda: terminal_plot(recipes, steps, log)))
    else:
        figure = attempt(lambda: figure_of(recipes, steps, log))
        _save(figure, output, "\n".join(map(repr, recipes)))


@cli.command()
@arguments.recipe("recipe")
@arguments.steps("Print steps 0 to N - 1.")
@click.option("--at", callback=_counts, metavar="COUNTS", help="Print these steps: 0,10,20.")
@arguments.resolving(_in_steps)
def values(recipe: Schedule, steps: int | None, at: list[int] | None) -> None:
    """Print the learning rates of a recipe as CSV."""
    if (steps is None) == (at is None):
        raise click.UsageError("Give either --steps N or --at COUNTS.")
    click.echo("step,learning_rate")
    for count in range(steps or 0) if at is None else at:
        click.echo(f"{count},{recipe(count)!r}")


@cli.command()
@arguments.recipe("a")
@arguments.recipe("b")
@arguments.steps("Compare steps 0 to N - 1.", required=True)
@click.option("--rtol", default=RTOL, show_default=True, help="Largest relative difference.")
@click.option("--atol", default=0.0, show_default=True, help="Largest absolute difference.")
@arguments.picture
@arguments.resolving(_in_steps)
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


for _command in (to_json, convert, range_test, explore):
    cli.add_command(_command)


def _save(figure: Any, output: Path, text: str) -> None:
    attempt(lambda: save(figure, output, text))
    click.echo(f"wrote {output}", err=True)


def main() -> None:
    """Run the command."""
    cli(prog_name="lrsched")
