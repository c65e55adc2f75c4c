"""The README and the pages of docs/: code runs, links lead somewhere, and names exist."""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.optional import needs

for library in ("click", "jax", "keras", "matplotlib", "optax", "torch"):
    needs(library)

import jax
import jax.numpy as jnp
import keras
import optax
import torch
from matplotlib import pyplot

import lrsched
import lrsched_jax
import lrsched_keras
import lrsched_torch
from lrsched._core.definition import REGISTRY
from tests.pages import FENCE, ROOT, TEXTS, Names, blocks, execute

OTHER_DOCS = {
    "docs/reference/gallery.md",
    "docs/explanation/numbers.md",
    "docs/tutorials/find-the-learning-rate.md",
    "docs/tutorials/one-recipe-two-frameworks.md",
}  # with tests of their own, as the guides
PAGES = [
    name for name in TEXTS if re.match("README|docs/(?!guides/)", name) and name not in OTHER_DOCS
]
SCHEDULES = {name for name in REGISTRY if name in lrsched.__all__}


def given() -> Names:
    """What the code of a page is given, and what each block of it finds as it was."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(30, 64, 4)).astype(np.float32)
    targets = (inputs @ np.array([[1.0], [-2.0], [0.5], [3.0]], np.float32))[..., 0]
    batches = list(zip(inputs, targets, strict=True))
    model = torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Flatten(0))

    def loss_fn(params: jax.Array, batch: Any) -> jax.Array:
        return jnp.mean((batch[0] @ params - batch[1]) ** 2)

    def step(batch: Any) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(model(torch.tensor(batch[0])), torch.tensor(batch[1]))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return {
        "jax": jax,
        "keras": keras,
        "lrsched": lrsched,
        "lrsched_jax": lrsched_jax,
        "lrsched_keras": lrsched_keras,
        "lrsched_torch": lrsched_torch,
        "np": np,
        "optax": optax,
        "torch": torch,
        "loss_fn": loss_fn,
        "params": jnp.zeros(4),
        "batches": batches,
        "step": step,
        "model": model,
        "criterion": torch.nn.MSELoss(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loader": [(torch.tensor(x), torch.tensor(y)) for x, y in batches],
    }


def run(page: str, first: int = 0) -> Names:
    """The names that a page's blocks have made, run one after the other from the `first` on."""
    setting = given()
    names: Names = {"schedule": lrsched.warmup(lrsched.cosine_decay(0.1, 900), 100)}
    for block in [*blocks(page)][first:]:
        names |= setting
        execute(block, page, names)
    pyplot.close("all")
    return names


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # pages save files


def test_the_schedule_is_the_same_in_optax_and_in_torch() -> None:
    optax_half, torch_half = [*blocks("README.md")][:2]
    names: Names = {"model": torch.nn.Linear(1, 1)}
    exec(optax_half.code, names)
    params = jnp.zeros(3)
    state, found = names["optimizer"].init(params), []
    for _ in range(3):  # a unit gradient: the first update is the rate, the next the momentum's too
        updates, state = names["optimizer"].update(jnp.ones(3), state, params)
        found.append(updates[0])
    np.testing.assert_allclose(found, [0, -0.001 * 1.9, -0.002 * 2.71], rtol=1e-6)
    schedule = names["schedule"]

    exec(torch_half.code, names)
    assert names["schedule"] == schedule
    optimizer, scheduler = names["optimizer"], names["scheduler"]
    for count in range(1005):
        assert optimizer.param_groups[0]["lr"] == schedule(count)
        optimizer.step()
        scheduler.step()


def test_the_tasks_of_the_readme_run() -> None:
    names = run("README.md", first=2)
    assert names["scheduler"].state_dict() == names["saved"]["scheduler"]
    assert names["schedule"](500) == names["test"].suggest(shape="warmup_cosine").suggested


def test_the_front_page_trains_a_model_in_both_frameworks() -> None:
    torch.manual_seed(0)
    pages = [*blocks("docs/index.md")]
    assert [block.language for block in pages] == ["sh", "python", "python"]
    for block in pages[1:]:
        names: Names = {}
        exec(compile(block.code, f"docs/index.md:{block.line}", "exec"), names)
        assert names["schedule"].name == "warmup_cosine"
        assert names["loss"].item() < 0.05  # 0.5 before training


RUN_ABOVE = {"README.md", "docs/index.md"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if {*blocks(page)} and page not in RUN_ABOVE]
)
def test_the_other_pages_run(page: str) -> None:
    run(page)


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_relative_links_lead_to_files_and_headings(page: str) -> None:
    for link in re.findall(r"\]\(([^()\s]+)\)", TEXTS[page]):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), link
        if anchor:
            text = FENCE.sub("", target.read_text(encoding="utf-8"))
            assert anchor in map(slug, re.findall(r"^#+ (.+)$", text, re.MULTILINE)), link


@pytest.mark.parametrize(
    "page", sorted({*TEXTS} - {"docs/guides/coming-from.md", "benchmarks/README.md"})
)
def test_public_names_exist(page: str) -> None:
    for module, name in re.findall(r"\b(lrsched(?:_\w+)?)\.([a-z]\w+)", TEXTS[page]):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_the_formula_of_the_architecture_is_that_of_the_source() -> None:
    source = (ROOT / "lrsched/schedules/cycles.py").read_text(encoding="utf-8")
    (formula,) = (x for x in blocks("docs/explanation/architecture.md") if x.language == "py")
    _, signature, *lines = (line.strip() for line in formula.code.splitlines())
    assert signature.startswith("def cyclic(xp, count, init_value")
    assert len(lines) == 8
    assert all(f"{line}\n" in source for line in lines)


def test_the_readme_lists_every_schedule_and_nothing_else() -> None:
    section = re.split(r"^## ", TEXTS["README.md"], flags=re.MULTILINE)
    (table,) = (part for part in section if part.startswith("The schedules"))
    listed = set(re.findall(r"`@?([a-z]\w+)`", table))
    assert listed >= SCHEDULES
    assert listed <= {*lrsched.__all__}


def test_the_cross_table_has_every_schedule_and_nothing_else() -> None:
    text = TEXTS["docs/reference/cross-table.md"]
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    cells += re.findall(r"^(?:- |  ).*", text, re.MULTILINE)
    named = set(re.findall(r"`(\w+)\(", "\n".join(cells)))
    assert named >= SCHEDULES
    assert named <= {*lrsched.__all__}


def test_the_tree_in_contributing_is_the_tree() -> None:
    (tree,) = (block.code for block in blocks("CONTRIBUTING.md") if block.language == "text")
    listed, folder = set(), ""
    for indent, name in re.findall(r"^( {0,2})(\S+)", tree, re.MULTILINE):
        folder = folder if indent else name
        listed.add(f"{folder}{name}" if indent else name)
    assert all((ROOT / name).exists() for name in listed), listed
    packages = [ROOT / name for name in ("lrsched", "adapters", "adapters/lrsched_torch")]
    for path in (path for package in packages for path in package.iterdir()):
        if path.name not in ("__init__.py", "__pycache__", "py.typed"):
            assert f"{path.relative_to(ROOT).as_posix()}{'/' * path.is_dir()}" in listed
