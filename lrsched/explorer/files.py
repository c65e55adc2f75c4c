"""The recipe in a file: one of ours, or the configuration of another library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrsched._core.checks import Refusal
from lrsched.configs.entries import as_number
from lrsched.configs.from_config import from_config
from lrsched.configs.section import CONTEXT, arguments_in
from lrsched.configs.texts import parse_config

MAX_FILE = 1_000_000  # characters

_refuse = Refusal("file")


def open_file(name: str, content: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The recipe that a file stands for, by `lrsched.from_config`. Nothing in it is executed.

    Args:
        name: the name of the file, whose ending says what it is.
        content: its text.
        given: what the file leaves out, as text: the arguments of `from_config`.

    Returns:
        The "recipe", as its `repr`; or the "missing" arguments, and the "message" that asks for
        them.

    Raises:
        TypeError, ValueError: the file is refused.

    >>> open_file("recipe.json", '{"name": "constant", "value": 1}', {})
    {'recipe': 'constant(value=1.0)'}
    >>> scheduler = '{"type": "WarmupDecayLR", "params": {"total_num_steps": "auto"}}'
    >>> open_file("ds_config.json", f'{{"scheduler": {scheduler}}}', {})["missing"]
    ['total_steps']
    """
    if len(content) > MAX_FILE:
        _refuse("the file", f"at most {MAX_FILE} characters long", len(content))
    context = {
        argument: as_number(text, CONTEXT[argument].item_type)
        for argument, text in given.items()
        if argument in CONTEXT and text.strip()
    }
    try:
        data = parse_config(name, content)
    except ModuleNotFoundError:
        raise ValueError(
            f"file: {name} cannot be read here; the command `lrsched convert {name}` reads YAML"
        ) from None
    try:
        return {"recipe": repr(from_config(data, **context))}
    except (TypeError, ValueError) as refused:
        missing = [each for each in arguments_in(str(refused)) if each not in context]
        if not missing:
            raise
        return {"missing": missing, "message": str(refused)}
