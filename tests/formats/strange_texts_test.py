"""Texts that Python or JSON treat in a way of their own: read, or refused as any other text."""

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests.cli.invoke import run

from_repr, from_json, from_config = lrsched.from_repr, lrsched.from_json, lrsched.from_config
READERS: list[Callable[[Any], Schedule]] = [from_repr, from_json, from_config]

# Fragments of which Python warns when it parses or compiles them, and others beside.
FRAGMENTS = st.sampled_from(
    [
        *("constant(", "linear(1, 0, ", "join(", ")", "[", "]", ",", "(", "0.1", "1", "0x1f", "5"),
        *("1if ", "0x1for ", "1or ", "0o7and ", "1_0in ", "2else ", "1is ", "1j", "0b1"),
        *("'\\d'", "'\\ud800'", "'\\400'", "b'\\8'", "'a' 'b'", "'", "\\", "\\N{DASH}", "f'{1}'"),
        *("1(2)", "'a'(1)", "[1](2)", "(1, 2)[3, 4]", "1 is 1", "not 1", "...", "# type: int\n"),
        *("\0", "\ud800", "\ufeff", "\x0c", "\t", "\u3000", "é", "٣", "\u2028", "\r", "\n", "\x1a"),
        *("-", "+", "*", "**", "=", ":=", ":", "lambda: ", "await ", "yield ", "run_fraction(.5)"),
        *("9" * 4400, "0x" + "f" * 4400, "1" + "e400", "(" * 190, "[" * 300, "-" * 500),
    ]
)
OTHERS = ("from_config: ", "from_dict: ")  # JSON that is no recipe is data that is none
TEXTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=8).map("".join)


def outcome(read: Callable[[Any], Schedule], text: Any) -> Schedule | str:
    try:
        return read(text)
    except (TypeError, ValueError) as refused:
        return str(refused)


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=400)
@given(text=TEXTS)
def test_any_text_is_read_or_refused_without_a_warning(
    read: Callable[[Any], Schedule], text: str
) -> None:
    found = outcome(read, text)
    assert isinstance(found, Schedule) or found.startswith(("from_repr: ", "from_json: ", *OTHERS))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert outcome(read, text) == found
    assert not caught


@pytest.mark.parametrize(
    "text",
    [
        "linear(1, 0, 5if 1else 5)",
        "constant(0x1for x in y)",
        "cyclic(0, 1, shape='\\d')",
        "'constant'(1)",
        "constant(1)(2)",
    ],
)
def test_the_terminal_shows_one_line(text: str) -> None:
    """Not Python's own warning of the text, with the name of no file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = run("values", text, "--at", "0")
    assert not caught
    assert result.exit_code == 2
    assert result.stderr.startswith("lrsched: from_repr: column ")
    assert result.stderr.count("\n") == 1


def test_a_number_too_long_for_a_message_is_refused_by_name() -> None:
    """Python writes no integer of more than 4300 digits in base 10."""
    huge: Any = 10**5000
    with pytest.raises(ValueError, match=r"^constant: value must be .*, got a value of type int$"):
        lrsched.constant(huge)
    with pytest.raises(ValueError, match=r"column 1: constant: value must be .* of type int$"):
        from_repr(f"constant(0x{'f' * 5000})")
    with pytest.raises(ValueError, match="from_json: the recipe must be JSON: Exceeds the limit"):
        from_json(f'{{"lrsched": {"1" * 5000}}}')
    with pytest.raises(ValueError, match=r"from_dict: .* got a value of type int"):
        lrsched.from_dict({"lrsched": huge})
    with pytest.raises(TypeError, match="from_config: keys must be strings, got a value of type"):
        from_config({huge: 1})
    result = run("values", "constant(1)", "--at", "1" * 5000)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_list_too_deep_for_a_message_is_refused_by_name() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    shown = r"(a value of type list|\[{77}\.\.\.)"  # Python 3.14 writes it
    with pytest.raises(TypeError, match=rf"^constant: value must be .*, got {shown}$"):
        lrsched.constant(deep)


@pytest.mark.parametrize(
    "text",
    [
        '{"lrsched": 1, "schedule": "constant", "params": {"value": 0.1, "value": 0.2}}',
        '{"lrsched": 1, "lrsched": 1, "schedule": "constant", "params": {"value": 0.1}}',
        '{"lrsched": 1, "schedule": "constant", "params": {"value": 1}, "params": {"value": 2}}',
    ],
)
def test_a_key_that_occurs_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"from_json: the recipe must be JSON: .* occurs twice"):
        from_json(text)


def test_data_nested_without_end_is_refused() -> None:
    data: dict[str, Any] = {"lrsched": 1, "schedule": "repeat", "params": {"steps": 1}}
    inner: dict[str, Any] = {"schedule": "repeat", "params": {"steps": 1}}
    inner["params"]["schedule"] = data["params"]["schedule"] = inner
    with pytest.raises(ValueError, match="from_dict: the recipe must not be nested this deeply"):
        lrsched.from_dict(data)


@pytest.mark.parametrize("name", ["self", "cls", "args", "kwargs", "xp", "count"])
def test_a_parameter_with_a_name_of_pythons_own_is_unknown(name: str) -> None:
    recipe = {"lrsched": 1, "schedule": "constant", "params": {"value": 0.1, name: 1}}
    with pytest.raises(TypeError, match=f"^constant: got an unexpected keyword argument '{name}'"):
        from_json(json.dumps(recipe))
