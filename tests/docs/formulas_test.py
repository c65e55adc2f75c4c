"""Formulas of docstrings: every one is typeset, each in the form that the reader expects."""

import inspect
import re
from xml.etree import ElementTree

import pytest

from docs._extensions.expressions import ExpressionError, typeset
from docs._extensions.formulas import FormulaError, blocks, formula
from lrsched._core.controller_definition import CONTROLLERS
from lrsched._core.definition import REGISTRY

DEFINITIONS = {
    name: definition
    for name, definition in {**REGISTRY, **CONTROLLERS}.items()
    if definition.body.__module__.startswith("lrsched.")
}
WITHOUT = {"accumulate_metric", "skip_metrics"}  # they pass metrics on, and have no formula


def seen(mathml: str) -> str:
    """What a reader sees of it, without the layout."""
    text = "".join(ElementTree.fromstring(f"<math>{mathml}</math>").itertext())
    return text.replace("\N{FUNCTION APPLICATION}", "").replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_formula_of_the_registry_is_typeset(name: str) -> None:
    found = blocks(inspect.getdoc(DEFINITIONS[name].factory) or "")
    assert bool(found) == (name not in WITHOUT)
    for block in found:
        text = seen(formula(block))
        for number in re.findall(r"\d+", block):
            assert number in text
        named = {*re.findall(r"\w+", block)} & {*DEFINITIONS[name].parameters}
        assert all(parameter in text for parameter in named)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - (b - c)", "a−(b−c)"),  # noqa: RUF001
        ("(a - b) - c", "a−b−c"),  # noqa: RUF001
        ("(a + b) * c ** -0.5", "(a+b)·c−0.5"),  # noqa: RUF001
        ("-(a + b)", "−(a+b)"),  # noqa: RUF001
        ("2 * pi * p", "2πp"),
        ("steps * p", "steps·p"),
        ("floor(t / P)", "⌊tP⌋"),
        ("schedule(t mod steps)", "schedule(t mod steps)"),
        ("values[k + 1] <- max(a, 0)", "valuesk+1←max(a,0)"),
        ("W <= t < W + H", "W≤t<W+H"),
        ("1 + r + ... + r ** i", "1+r+…+ri"),
        ("(0, *boundaries)", "(0,boundaries)"),
    ],
)
def test_an_expression_is_typeset(text: str, expected: str) -> None:
    assert seen(typeset(text)) == expected


def test_the_structure_follows_from_the_operators() -> None:
    assert typeset("(a + b) / c") == (
        "<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>"
    )
    assert typeset("(2 * a) ** p").startswith('<msup><mrow><mo stretchy="false">(')
    assert typeset("sqrt(p)") == "<msqrt><mi>p</mi></msqrt>"


@pytest.mark.parametrize(
    "text", ["a, and b", "a if b else c", "not a", "a @ b", "f(t) or 0", '"a"']
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        typeset(text)


def test_cases_conditions_and_choices_have_places_of_their_own() -> None:
    cases = formula("    w = r / U    for r <= U\n        1        elsewhere")
    assert seen(cases) == "w={rUfor r≤U1elsewhere"
    assert cases.count("<mtable>") == 2
    choices = formula('    "a"    s = 1\n    "b"    s = 2,  n = the length of `values`')
    assert seen(choices) == '"a"s=1"b"s=2,n=the length of values'
    assert "<code>values</code>" in choices
    assert 'alttext="&quot;a&quot; s = 1' in choices


@pytest.mark.parametrize(
    "block",
    [
        "    phase    a    b    start",
        "    better as before",
        "    c = a / b if `continuous`, else 1",
        "    value(t) = 1 - t, or 0",
        "    p = t / n    in a phase",
    ],
)
def test_a_block_in_another_form_is_refused(block: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(block.split()[0])):
        formula(block)


def test_blocks_are_those_before_the_sections() -> None:
    docstring = "One line.\n\n    p = 1\n\nText.\n\nArgs:\n    x: a number.\n\n    y = 2\n"
    assert blocks(docstring) == ["    p = 1"]
    assert not blocks("One line.\n\n>>> 1\n1\n")
