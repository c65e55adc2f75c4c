"""The commands `lrsched json` and `lrsched convert`, which write recipes down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import lrsched
from lrsched.cli import arguments
from lrsched.cli.config_file import read_config
from lrsched.cli.errors import attempt


@click.command("json")
@arguments.recipe("recipe", kind=None)
@arguments.to_file("output", "Write the file, which `lrsched.load` reads.")
@arguments.resolving()
def to_json(recipe: Any, output: Path | None) -> None:
    """Print the JSON of a recipe, or write it to a file.

    Durations in other units than steps stay as they are, unless the options give their lengths.
    """
    _write(recipe, output, as_json=True)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", help="Whose configuration it is.  [default: as its keys tell]")
@click.option("--part", default="lr", show_default=True, help="What the schedule is of.")
@click.option("--prefix", default="", help="Read only the keys that begin with it.")
@click.option("--learning-rate", type=float, help="The optimizer's learning rate.")
@click.option("--warmup-steps", type=int, help="Updates of the warmup.")
@arguments.with_lengths
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@arguments.to_file("output", "Write the recipe to a file, as JSON.")
def convert(file: Path, output: Path | None, as_json: bool, **given: Any) -> None:
    """Print the recipe that a configuration stands for.

    FILE is a JSON, TOML or YAML file in one of the formats of lrsched.from_config, such as
    "deepspeed", "transformers" or "megatron". What it leaves out is given by options. Nothing in it
    is executed.

    \b
      lrsched convert ds_config.json --total-steps 10000
      lrsched convert config.yaml --format nemo -o recipe.json
    """
    recipe = attempt(lambda: lrsched.from_config(read_config(file), **given))
    _write(recipe, output, as_json)


def _write(recipe: Any, output: Path | None, as_json: bool) -> None:
    if output is not None:
        attempt(lambda: recipe.save(output))
        click.echo(f"wrote {output}", err=True)
    else:
        click.echo(attempt(lambda: recipe.to_json(indent=1)) if as_json else repr(recipe))
