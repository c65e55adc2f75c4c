"""The command `lrsched range-test`: run the range test that a user's function sets up."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from lrsched._core.checks import shown
from lrsched._optional import import_optional
from lrsched.cli import arguments
from lrsched.cli.errors import attempt
from lrsched.cli.figures import save as save_figure

GROUP = "lrsched.range_tests"  # of entry points: framework = "module:function of a mapping"


def run(
    place: str, steps: int, low: float, high: float, refine: bool, progress: bool
) -> tuple[Any, str]:
    """The range test of `module:function`, and the name of its framework."""
    from lrsched.range_test.recorder import default_ramp

    given = _set_up(place)
    framework, runner = _runner(given)
    options: dict[str, Any] = {"steps": steps, "refine": refine, "progress": progress}
    if "schedule" not in given:
        options["schedule"] = default_ramp(steps, low, high)
    return runner(options | given), framework


def report(test: Any, method: str) -> str:
    """The result of a test in a few lines."""
    from lrsched.range_test.result import NoSuggestion

    lines = [f"updates: {len(test.learning_rates)}, {test.stopped}"]
    try:
        low, suggested, high = test.suggest(method)
    except NoSuggestion as refused:
        return "\n".join([*lines, f"no suggestion: {refused}"])
    return "\n".join([*lines, f"suggested: {suggested:.3g}", f"range: {low:.3g} to {high:.3g}"])


def _prepare(output: Path | None, save: Path | None) -> None:
    """Refuse before the test what could not be written after it."""
    for name, path in (("--output", output), ("--save", save)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"{name} must be in a folder that exists, got {str(path)!r}")
    if output is not None:
        import_optional("matplotlib.pyplot", "plot")


def _set_up(place: str) -> dict[str, Any]:
    """Call the user's function, and return the arguments that it sets up."""
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise ValueError(f"SETUP must be module:function, got {place!r}")
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        function: Callable[[], Any] = getattr(importlib.import_module(module), name)
    except AttributeError:
        raise ValueError(f"SETUP must name a function of {module}, got {name!r}") from None
    finally:
        sys.path.pop(0)
    if not callable(function):
        raise TypeError(f"{place} must be a function, got {shown(function)}")
    given = function()
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        wanted = "a mapping of the arguments of range_test"
        raise TypeError(f"{place} must return {wanted}, got a {kind}")
    return dict(given)


def _runner(given: dict[str, Any]) -> tuple[str, Callable[[dict[str, Any]], Any]]:
    """The framework that the mapping names, or the only one that is imported; and its function."""
    known = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    named = given.pop("framework", None)
    imported = [name for name in known if name in sys.modules]
    if named is None and len(imported) == 1:
        named = imported[0]
    if named not in known:
        names = " or ".join(map(repr, sorted(known)))
        raise ValueError(f"the mapping must have the key 'framework', {names}, got {named!r}")
    return str(named), known[str(named)].load()


@click.command("range-test")
@click.argument("setup", metavar="SETUP")
@click.option("--steps", "-n", default=200, show_default=True, help="Updates.")
@click.option("--low", default=1e-7, show_default=True, help="The first learning rate.")
@click.option("--high", default=10.0, show_default=True, help="The last one.")
@click.option("--refine", is_flag=True, help="Probe a few rates around the suggestion.")
@click.option("--method", default="default", show_default=True, help="How to read the curve.")
@arguments.picture
@arguments.to_file("save", "Keep the test (.json, .npz).", (".json", ".npz"))
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def range_test(
    setup: str,
    steps: int,
    low: float,
    high: float,
    refine: bool,
    method: str,
    output: Path | None,
    save: Path | None,
    quiet: bool,
) -> None:
    """Run a learning-rate range test, in JAX or in torch.

    SETUP is module:function; the function returns a mapping of the arguments of
    lrsched_torch.range_test (step, optimizer, batches), of lrsched_torch.range_test_model (model,
    loss_fn, optimizer, loader) or of lrsched_jax.range_test (loss_fn, params, batches). Its key
    "framework", "jax" or "torch", may be left out where only one of the two is imported.

    \b
      lrsched range-test train:setup -o range_test.png --save range_test.json
    """
    attempt(lambda: _prepare(output, save))
    test, framework = attempt(lambda: run(setup, steps, low, high, refine, not quiet))
    found = attempt(lambda: report(test, method))
    click.echo(f"{framework}, {found}")
    if save is not None:
        attempt(lambda: test.save(save))
        click.echo(f"wrote {save}", err=True)
    if output is not None:
        figure = attempt(lambda: test.plot(method=method).figure)
        attempt(lambda: save_figure(figure, output, found, "Range test"))
        click.echo(f"wrote {output}", err=True)
