"""The command `lrsched range-test`: run the range test that a user's function sets up."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from lrsched._core.checks import Refusal, shown
from lrsched._optional import import_optional
from lrsched.cli import arguments
from lrsched.cli.errors import attempt
from lrsched.cli.figures import save as save_figure
from lrsched.cli.setup_examples import EXAMPLES

GROUP = "lrsched.range_tests"  # of entry points: framework = "module:function"
# What tells a framework in the arguments of a test: their names, or the packages of their classes.
NAMES = {
    "keras": {"x", "y", "validation_data"},
    "torch": {"step", "loader", "trainer", "module"},
    "jax": {"params", "model_state", "has_aux"},
}
PACKAGES = {
    "keras": {"keras"},
    "torch": {"torch", "lightning", "pytorch_lightning", "transformers", "accelerate"},
    "jax": {"jax", "jaxlib", "flax", "optax", "equinox"},
}


def run(place: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The range test of `module:function`, and the name of its framework.

    Options that are None are left to what the function returns.
    """
    given = _set_up(place)
    framework, runner = _runner(given)
    kept = {name: value for name, value in options.items() if value is not None}
    return runner(given, **kept), framework


def report(test: Any, run: Mapping[str, Any]) -> str:
    """The result of a test in a few lines; `run` are arguments of `suggest`."""
    from lrsched.range_test.reading.suggestion import plain
    from lrsched.range_test.reading.valley import NoSuggestion

    lines = [test.summary]
    try:
        found = test.suggest(**run)
    except NoSuggestion as refused:
        return "\n".join([*lines, f"no suggestion: {refused}"])
    lines.append(f"suggested: {plain(found.suggested)}")
    lines.append(found.shown_band)
    lines.append(f"range: {plain(found.low)} to {plain(found.high)}")
    lines.append(found.warning and f"warning: {found.warning}")
    return "\n".join(filter(None, lines))


def _prepare(output: Path | None, save: Path | None, run: Mapping[str, Any]) -> None:
    """Refuse before the test what could not be written or suggested after it."""
    from lrsched.range_test.reading.lengths import checked_run
    from lrsched.range_test.reading.suggest import check_method

    check_method(run["method"])
    checked_run(Refusal("range-test"), run["shape"], run["total_steps"], run["epoch_steps"])
    for name, path in (("--output", output), ("--save", save)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"{name} must be in a folder that exists, got {str(path)!r}")
    if output is not None:
        import_optional("matplotlib.pyplot", "plot")


def _set_up(place: str) -> Any:
    """Call the user's function, and return the arguments that it sets up."""
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise ValueError(f"SETUP must be module:function, got {place!r}")
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        function = getattr(importlib.import_module(module), name, None)
    finally:
        sys.path.pop(0)
    if not callable(function):
        got = "no such name" if function is None else shown(function)
        raise TypeError(f"SETUP must name a function of {module}, got {got} for {name!r}")
    needed = [x for x in inspect.signature(function).parameters.values() if x.default is x.empty]
    given = function(0) if needed else function()  # of a seed, as for sweeps
    return dict(given) if isinstance(given, Mapping) else given


def _runner(given: Any) -> tuple[str, Callable[..., Any]]:
    """The framework of the arguments, and its function that runs the test."""
    known = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    named = given.pop("framework", None) if isinstance(given, dict) else None
    if named is None:
        named = _framework(given)
    if named not in known:
        names = " or ".join(map(repr, sorted(known)))
        raise ValueError(
            "SETUP must return the arguments of a range test, or a mapping of them that names its "
            f"'framework', {names}, got {shown(given if named is None else named)}; "
            "`lrsched range-test --example torch` prints one"
        )
    return str(named), known[str(named)].load()


def _framework(given: Any) -> str | None:
    """The framework that the arguments show, or the only one that is imported."""
    if isinstance(given, Mapping):
        for framework, names in NAMES.items():
            if not names.isdisjoint(given):
                return framework
    parts = given.values() if isinstance(given, Mapping) else given
    parts = parts if isinstance(given, (Mapping, tuple, list)) else [given]
    bases = {x.__module__.partition(".")[0] for part in parts for x in type(part).__mro__}
    for framework, packages in PACKAGES.items():
        if not packages.isdisjoint(bases):
            return framework
    imported = [name for name in PACKAGES if name in sys.modules]
    return imported[0] if len(imported) == 1 else None


def _print_example(ctx: Any, param: Any, name: str | None) -> None:
    if name is not None:
        click.echo(EXAMPLES[name], nl=False)
        ctx.exit()


@click.command("range-test")
@click.argument("setup", metavar="SETUP")
@click.option("--steps", "-n", default=200, show_default=True, help="Updates.")
@click.option("--low", type=float, help="The first learning rate.  [default: 1e-07]")
@click.option("--high", type=float, help="The last one.  [default: 10]")
@click.option("--max-steps", type=int, metavar="N", help="Updates in all.  [default: 3 x steps]")
@click.option("--refine", is_flag=True, help="Train at a few rates around the suggestion.")
@click.option("--method", default="default", show_default=True, help="How to read the curve.")
@click.option("--total-steps", type=int, metavar="N", help="Updates of the run to suggest for.")
@click.option("--shape", default="constant", show_default=True, help="The shape of that run.")
@click.option("--epoch-steps", type=float, metavar="N", help="Updates in a pass over its data.")
@arguments.picture
@arguments.to_file("save", "Keep the test (.json, .npz).", (".json", ".npz"))
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
@click.option(
    "--example",
    type=click.Choice(list(EXAMPLES)),
    is_eager=True,
    expose_value=False,
    callback=_print_example,
    help="Print a SETUP to begin with, and exit.",
)
def range_test(
    setup: str,
    output: Path | None,
    save: Path | None,
    quiet: bool,
    refine: bool,
    method: str,
    total_steps: int | None,
    shape: str,
    epoch_steps: float | None,
    **options: Any,
) -> None:
    """Run a learning-rate range test, in JAX, torch or Keras.

    SETUP is module:function; the function returns the arguments of the range test of a framework or
    of a trainer, as a mapping or as a tuple, for example those of lrsched_torch.range_test_model:
    {"model": ..., "loss_fn": ..., "optimizer": ..., "loader": ...}. The command finds out which;
    else the key "framework" says it: "jax", "torch" or "keras".

    Where the rates leave the best one uncertain, a test in JAX or torch goes on, up to --max-steps.
    The suggestion is a constant rate for about 200 updates, or the highest rate of the run that
    --total-steps and --shape (constant, warmup_cosine, one_cycle or cyclic) describe. With
    --epoch-steps it is lower for a run that passes more than 20 times over the same examples.

    \b
      lrsched range-test --example torch > train.py
      lrsched range-test train:setup -o range_test.png --save range_test.json
    """
    run_ahead = {"total_steps": total_steps, "shape": shape, "epoch_steps": epoch_steps}
    suggested = {"method": method, **run_ahead}
    options |= {"progress": not quiet, "refine": refine or None}
    attempt(lambda: _prepare(output, save, suggested))
    test, framework = attempt(lambda: run(setup, options))
    found = attempt(lambda: report(test, suggested))
    click.echo(f"{framework}: {found}")
    if save is not None:
        attempt(lambda: test.save(save))
        click.echo(f"wrote {save}", err=True)
    if output is not None:
        figure = attempt(lambda: test.plot(**suggested).figure)
        attempt(lambda: save_figure(figure, output, found, "Range test"))
        click.echo(f"wrote {output}", err=True)
