"""What to write for a recipe: in optax, torch, Keras, on the command line, and as JSON."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from lrsched._core.duration_factories import DURATION_FACTORIES
from lrsched._core.durations import UNITS
from lrsched._core.recipe import Recipe
from lrsched.explorer.reading import Lengths, read_lengths, read_recipe
from lrsched.formats.names import known_names

WIDTH = 72  # of a line of code: what the page shows of one


class _Framework(NamedTuple):
    """What to import and to write, with a schedule and with one that follows a metric."""

    imports: str
    use: str
    follow: str


FRAMEWORKS = {
    "optax": _Framework(
        "import lrsched_jax\nimport optax",
        "optimizer = optax.sgd(schedule, momentum=0.9)",
        "optimizer = optax.chain(\n"
        "    optax.scale_by_adam(), lrsched_jax.scale_by_learning_rate(schedule)\n)",
    ),
    "torch": _Framework(
        "import lrsched_torch\nimport torch",
        "optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9)\n"
        "scheduler = lrsched_torch.lambda_lr(optimizer, schedule)",
        "optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9)\n"
        "scheduler = lrsched_torch.ControlledLR(optimizer, schedule)",
    ),
    "keras": _Framework(
        "import keras\nimport lrsched_keras",
        "optimizer = keras.optimizers.Adam(lrsched_keras.KerasSchedule(schedule))",
        'follow = lrsched_keras.ControlledRate(schedule, monitor="val_loss")',
    ),
}


def code(text: str, lengths: Lengths, steps: int = 1000) -> dict[str, str]:
    """What to write for a recipe, ready to copy.

    Args:
        text: the recipe.
        lengths: the arguments of `Schedule.resolve`, as text. Those that the recipe needs and that
            are not given are written as `...`.
        steps: how many steps the command line prints.

    Returns:
        The texts of "optax", "torch", "keras", "shell" and "json".

    Raises:
        TypeError, ValueError: the text or a length is refused.

    >>> print(code("warmup(cosine_decay(0.1, 900), 100)", {})["torch"])
    import lrsched_torch
    import torch
    from lrsched import cosine_decay, warmup
    <BLANKLINE>
    schedule = warmup(
        schedule=cosine_decay(init_value=0.1, decay_steps=900),
        warmup_steps=100
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9)
    scheduler = lrsched_torch.lambda_lr(optimizer, schedule)
    """
    recipe = read_recipe(text)
    given = read_lengths(lengths)
    wanted = [unit.argument for name, unit in UNITS.items() if name in recipe.open_units()]
    sizes = {argument: given.get(argument, ...) for argument in wanted}
    found = {name: _program(each, recipe, sizes) for name, each in FRAMEWORKS.items()}
    found["shell"] = _shell(recipe, sizes, steps)
    found["json"] = recipe.to_json(indent=1)
    return found


def _program(framework: _Framework, recipe: Recipe, sizes: dict[str, Any]) -> str:
    call = repr(recipe)
    names = ", ".join(sorted(_names(call)))
    imports = framework.imports
    use = framework.follow if recipe._controlled else framework.use
    if "lrsched_jax" not in use:
        imports = imports.replace("import lrsched_jax\n", "")
    lines = [imports, f"from lrsched import {names}", "", formatted(f"schedule = {call}")]
    if sizes:
        arguments = ", ".join(f"{name}={_shown(size)}" for name, size in sizes.items())
        lines.append(f"schedule = schedule.resolve({arguments})")
    return "\n".join([*lines, use])


def _names(call: str) -> set[str]:
    """The functions that a recipe calls."""
    known = known_names() | set(DURATION_FACTORIES)
    return {node.id for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)} & known


def _shell(recipe: Recipe, sizes: dict[str, Any], steps: int) -> str:
    quoted = shlex.quote(repr(recipe))
    options = "".join(
        f" --{name.replace('_', '-')} {'N' if size is ... else size}"
        for name, size in sizes.items()
    )
    lines = [f"lrsched json {quoted} -o recipe.json"]
    if not recipe._controlled:
        lines.insert(0, f"lrsched plot {quoted}{options}")
        lines.insert(1, f"lrsched values {quoted}{options} --steps {steps}")
    return "\n".join(lines)


def _shown(size: Any) -> str:
    return "..." if size is ... else repr(size)


def formatted(line: str) -> str:
    """A line of code whose calls are broken where it is too long.

    >>> print(formatted("x = f(" + ", ".join(f"a{n}=g({n})" for n in range(10)) + ")"))
    x = f(
        a0=g(0), a1=g(1), a2=g(2), a3=g(3), a4=g(4), a5=g(5), a6=g(6),
        a7=g(7), a8=g(8), a9=g(9)
    )
    """
    return "\n".join(_broken(line, ""))


def _broken(text: str, indent: str, after: str = "") -> Iterator[str]:
    """The lines of a text, and of what is in its first bracket, which is broken if need be."""
    begin, end = text.find("("), text.rfind(")")
    if len(indent + text + after) <= WIDTH or begin < 0:
        yield indent + text + after
        return
    yield indent + text[: begin + 1]
    deeper = f"{indent}    "
    row = ""
    parts = _parts(text[begin + 1 : end])
    for number, part in enumerate(parts):
        comma = "," if number + 1 < len(parts) else ""
        if row and len(f"{deeper}{row} {part}{comma}") > WIDTH:
            yield deeper + row
            row = ""
        if len(deeper + part + comma) > WIDTH:
            yield from _broken(part, deeper, comma)
        else:
            row = f"{row} {part}{comma}".lstrip()
    if row:
        yield deeper + row
    yield indent + text[end:] + after


def _parts(text: str) -> list[str]:
    """The arguments of a call."""
    parts, level = [""], 0
    for character in text:
        level += (character in "([") - (character in ")]")
        if character == "," and not level:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
