"""The how-to guides: each runs as it stands, in one namespace and a folder of its own."""

import functools
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.optional import needs
from tests.pages import TEXTS, Names, blocks, execute
from tests.processes import outputs, start

FOLDER = "docs/guides/"
INDEX = f"{FOLDER}index.md"
WITH_OTHER_TESTS = {f"{FOLDER}coming-from.md"}  # whose tables are tested in `coming_from_test.py`
GUIDES = sorted({page for page in TEXTS if page.startswith(FOLDER)} - WITH_OTHER_TESTS - {INDEX})
COMPILED, MANY = f"{FOLDER}compiled-steps.md", f"{FOLDER}sweeps-on-many-machines.md"
TRAINERS, RAY = f"{FOLDER}range-tests-in-trainers.md", f"{FOLDER}ray-tune.md"
RUN_BELOW = {COMPILED, MANY, TRAINERS, RAY}
LONGEST = 80  # lines
LINE = r"^- \[.+?\]\(([\w-]+)\.md\)"

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's
        "The 'train_dataloader' does not have many workers",
        "__array__ implementation:DeprecationWarning",  # Keras'
        ":DeprecationWarning:torch",  # of the compiler
    )
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # pages save files
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def run(page: str, **given: Any) -> Names:
    """The names that the blocks of a page have made, one after the other."""
    pieces = [*blocks(page)]
    for library in sorted({found for piece in pieces for found in imported(piece.code)}):
        needs(library)
    names: Names = {"__name__": "page", **given}
    for piece in pieces:
        execute(piece, page, names)
    return names


def imported(code: str) -> list[str]:
    """The packages that code imports, and those that it needs without importing them."""
    found = re.findall(r"^\s*(?:>>> )?(?:import|from) (?!lrsched)(\w+)", code, re.MULTILINE)
    found += ["matplotlib"] * bool(re.search(r"\bplot\(", code))
    return found + ["click"] * bool(re.search(r"^lrsched ", code, re.MULTILINE))


@pytest.mark.parametrize("page", [page for page in GUIDES if page not in RUN_BELOW])
def test_a_guide_runs_as_it_stands(page: str) -> None:
    run(page)


def test_the_guide_of_compiled_steps_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is only traced: `tests/torch/compile_test.py` has machine code."""
    torch = needs("torch")
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    run(COMPILED)


def test_the_guide_of_sweeps_on_many_machines_runs() -> None:
    """A thread stands for the processes, which have tests in `tests/sweep/`."""
    names = run(MANY)

    def pool(workers: int, mp_context: Any, **options: Any) -> Any:
        assert mp_context.get_start_method() == "spawn"
        return ThreadPoolExecutor(1, **options)

    futures = SimpleNamespace(ProcessPoolExecutor=pool)
    names["concurrent"] = SimpleNamespace(futures=futures)
    found = names["main"]()
    assert (found.losses.shape, found.failures) == ((3, 50), {})


def test_the_guide_of_range_tests_in_trainers_runs() -> None:
    from tests.docs import stacks  # which needs each of them

    test = run(TRAINERS, **stacks.objects())["test"]
    assert (test.label, len(test.losses)) == ("Keras", stacks.STEPS)


RAY_HERE = """
import ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
"""


def test_the_guide_of_ray_tune_runs(tmp_path: Path) -> None:
    """In a process of its own: Ray leaves sockets open. One worker makes both trials."""
    for library in ("pandas", "ray.tune", "torch"):
        needs(library)
    script = tmp_path / "tuned.py"
    script.write_text("\n".join([RAY_HERE, *(block.code for block in blocks(RAY))]))
    (text,) = outputs(
        start(script, warnings="default", RAY_AUTH_MODE="disabled", HOME=str(tmp_path))
    )
    assert text.splitlines()[-1].startswith("warmup_cosine(peak_value=0.1, ")


@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_is_short_and_has_one_question(page: str) -> None:
    lines = TEXTS[page].splitlines()
    assert len(lines) <= LONGEST
    assert lines[0].startswith("# ")
    assert [*blocks(page)]


def test_the_index_lists_every_guide_once() -> None:
    """In lists of the form of which the site makes its tree."""
    pages = [f"{FOLDER}{page}.md" for page in re.findall(LINE, TEXTS[INDEX], re.MULTILINE)]
    assert sorted(pages) == sorted({*GUIDES, *WITH_OTHER_TESTS})
