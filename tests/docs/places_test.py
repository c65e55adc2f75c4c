"""The reference has a place for everything that is public, and docstrings have what it shows."""

import doctest
import inspect
import re
from collections import Counter
from importlib import import_module

import pytest

from tests.optional import needs

for library in ("jax", "keras", "lightning", "matplotlib", "optax", "torch", "transformers"):
    needs(library)

import lrsched
from docs._extensions import reference
from docs._extensions.docstrings import rewritten, sections
from docs._extensions.names import public_names, target
from docs._extensions.places import PACKAGES, canonical, families, of_package, value_of
from docs._extensions.said import is_data, of_data
from tests.docs.formulas_test import DEFINITIONS

PAGES = [*reference.all_pages()]
PLACES = Counter(name for page in PAGES for name in page.names)
DOCUMENTED = sorted({canonical(name) for name in public_names()})
FUNCTIONS = [name for name in DOCUMENTED if inspect.isfunction(value_of(name))]
CLASSES = [name for name in DOCUMENTED if isinstance(value_of(name), type)]
MODULES = ("docstrings", "expressions", "formulas", "names", "places", "said")


def docstring(name: str) -> str:
    return inspect.getdoc(value_of(name)) or ""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_one_place(package: str) -> None:
    for name in of_package(package):
        assert PLACES[canonical(name)] == 1, name


def test_the_reference_has_nothing_else() -> None:
    assert {*PLACES} == {*DOCUMENTED}
    assert len({page.path for page in PAGES}) == len(PAGES)
    assert len(FUNCTIONS) > 100
    assert len(CLASSES) > 20


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_a_docstring_begins_with_one_line_that_is_a_sentence(name: str) -> None:
    first, _, rest = docstring(name).partition("\n")
    assert first.endswith("."), first
    assert not rest or rest.startswith("\n"), first


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_says_what_every_parameter_is_and_what_is_refused(name: str) -> None:
    arguments = docstring(name).partition("Args:\n")[2].partition("\n\n")[0]
    said = {
        parameter.strip("*")
        for line in re.findall(r"^    (\*{0,2}\w[\w*, ]*):", arguments, re.MULTILINE)
        for parameter in line.split(", ")
    }
    taken = {*inspect.signature(value_of(name)).parameters}
    assert said == taken
    assert not taken or "Raises" in sections(docstring(name))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.startswith("lrsched.")])
def test_a_docstring_has_an_example(name: str) -> None:
    in_training = ("lrsched.sweep.sweep_over", "lrsched.sweep.repeats_over")  # run by adapters
    assert name in in_training or "Example" in sections(docstring(name))


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_method_has_a_docstring(name: str) -> None:
    for member, value in vars(value_of(name)).items():
        if not member.startswith("_") and isinstance(value, (property, type(docstring))):
            assert inspect.getdoc(value), member


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if is_data(name)])
def test_something_is_said_of_what_has_no_docstring(name: str) -> None:
    assert re.fullmatch(r"[A-Z].{10,}\.", of_data(name))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_page_of_a_schedule_has_its_parts(name: str) -> None:
    text = reference.documented(f"lrsched.{name}", docstring(f"lrsched.{name}"), explorer=True)
    parts = [".. rubric:: Example", ".. rubric:: See also"]
    if name in reference.examples():
        parts = [f"/reference/gallery/{name}.svg", "explore/index.html#", "<math", *parts]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    for parameter, kind in DEFINITIONS[name].kinds.items():
        assert f"    {parameter} (*{kind.expected}" in text


def test_families_have_every_schedule_and_controller_once() -> None:
    listed = Counter(name for names in families().values() for name in names)
    assert set(listed.values()) == {1}
    assert {*DEFINITIONS} <= {*listed} <= {*lrsched.__all__}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("lrsched.warmup", "lrsched.warmup"),
        ("cosine_decay(peak_value, decay_steps)", None),  # another library's
        ("cosine_decay(init_value, decay_steps)", "lrsched.cosine_decay"),
        ('warmup(mode="into")', "lrsched.warmup"),
        ("lrsched.RangeTest", "lrsched.range_test.RangeTest"),
        ("RangeTest.load", "lrsched.range_test.RangeTest.load"),
        ("lrsched_torch.PlateauLR", "lrsched_torch.ControlledLR"),
        ("RangeTest.missing", None),
        ("torch.optim.SGD", None),
        ("staircase", None),  # a parameter elsewhere
        ("lrsched.staircase", "lrsched.staircase"),
        ("a + b", None),
        ("plot", None),  # a method, more often
        ("lambda_lr", "lrsched_torch.lambda_lr"),
        ("range_test", None),  # of several packages
    ],
)
def test_code_that_names_something_public_is_known(code: str, expected: str | None) -> None:
    assert target(code) == expected


def test_a_name_is_looked_for_in_the_package_of_the_page_first() -> None:
    assert target("range_test", "lrsched_jax") == "lrsched_jax.range_test"
    assert target("sweep", "lrsched_torch") == "lrsched_torch.sweep"
    assert target("staircase", is_name=True) == "lrsched.staircase"


def test_a_block_is_a_formula_or_code() -> None:
    docstring = "One line.\n\n    q = 1 - p\n\nText."
    assert rewritten(docstring, is_formula=True).count("<math") == 1
    code = "One line.\n\n.. code-block:: python\n\n    q = 1 - p\n\n\nText."
    assert rewritten(docstring) == code
    assert ".. code-block:: text\n\n    $ make" in rewritten("One line.\n\n    $ make docs\n")


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_extension_run(module: str) -> None:
    found = doctest.testmod(import_module(f"docs._extensions.{module}"))
    assert found.failed == 0
