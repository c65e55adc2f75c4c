"""The README and the pages of docs/: code runs, links lead somewhere, and names exist."""

import doctest
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

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
from click.testing import CliRunner
from matplotlib import pyplot

import lrsched
import lrsched_jax
import lrsched_keras
import lrsched_torch
from lrsched._core.definition import REGISTRY
from lrsched.cli.commands import cli
from lrsched.range_test import RangeTest

ROOT = Path(__file__).parents[1]
OTHER_DOCS = {
    "docs/guides/coming-from.md",
    "docs/reference/gallery.md",
    "docs/explanation/numbers.md",
    "docs/tutorials/find-the-learning-rate.md",
    "docs/tutorials/one-recipe-two-frameworks.md",
}  # with tests of their own
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md")
    for path in sorted(ROOT.glob(pattern))
}
PAGES = [name for name in TEXTS if re.match("README|docs/", name) and name not in OTHER_DOCS]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SCHEDULES = {name for name in REGISTRY if name in lrsched.__all__}

Names = dict[str, Any]


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    for found in FENCE.finditer(TEXTS[page]):
        yield Block(found[1], found[2], TEXTS[page].count("\n", 0, found.start()) + 1)


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
        "network": torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)),
        "criterion": torch.nn.MSELoss(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loader": [(torch.tensor(x), torch.tensor(y)) for x, y in batches],
        "other_test": lrsched_jax.range_test(loss_fn, jnp.zeros(4), batches, progress=False),
    }


def run(page: str, first: int = 0, **others: Any) -> Names:
    """The names that a page's blocks have made, run one after the other from the `first` on."""
    setting = given() | others
    names: Names = {"schedule": lrsched.warmup(lrsched.cosine_decay(0.1, 900), 100)}
    for block in [*blocks(page)][first:]:
        names |= setting
        match block.language:
            case "python":
                exec(compile(block.code, f"{page}:{block.line}", "exec"), names)
            case "pycon":
                show(block, page, names)
            case "sh":
                command(block, names)
    pyplot.close("all")
    return names


def show(block: Block, page: str, names: Names) -> None:
    """A console shows what the block shows."""
    session = doctest.DocTestParser().get_doctest(block.code, names, page, page, block.line)
    failures, attempts = doctest.DocTestRunner().run(session, clear_globs=False)
    assert failures == 0
    assert attempts > 0
    names |= session.globs


def command(block: Block, names: Names) -> None:
    """The calls of our command succeed; those of pip and make are for the tests of packaging."""
    sys.modules["train"] = train = ModuleType("train")  # whose `setup` a page defines
    train.__dict__.update(names)
    try:
        for line in block.code.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if program == "lrsched":
                result = CliRunner().invoke(cli, arguments)
                assert result.exit_code == 0, (line, result.output)
    finally:
        del sys.modules["train"]


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


def test_the_page_of_schedules_runs() -> None:
    assert run("docs/guides/schedules.md")["halving"](0.1, 50)(50) == 0.05


def test_the_page_of_training_loops_runs() -> None:
    names = run("docs/guides/training-loops.md")
    assert isinstance(names["theirs"], torch.optim.lr_scheduler.SequentialLR)
    assert names["found"].losses.shape == (32, 200)
    assert names["configure_optimizers"](names["model"])["lr_scheduler"]["interval"] == "step"


def test_the_page_of_range_tests_runs() -> None:
    names = run("docs/guides/range-tests.md")
    assert names["schedule"](500) == names["test"].suggest(shape="warmup_cosine").suggested
    assert RangeTest.load("range_test.json").suggest() == names["test"].suggest()
    assert Path("range_test.png").exists()


@pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated")
@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_the_page_of_trainers_runs() -> None:
    names = run("docs/guides/trainers.md", **trainers())
    assert names["callback"].result is None
    assert names["test"].label == "Keras"
    assert names["schedule"](10_000) == 1e-6


def trainers() -> Names:
    """The objects of each stack, for the same problem."""
    pl, transformers = needs("lightning.pytorch", "lightning"), needs("transformers")
    setting = given()

    class Module(pl.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Flatten(0))

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            return torch.nn.functional.mse_loss(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    class WithLoss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 1)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> Any:
            return {"loss": torch.nn.functional.mse_loss(self.linear(x)[..., 0], labels)}

    def step(batch: Any) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(setting["model"](batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    x, y = (np.concatenate(part) for part in zip(*setting["batches"], strict=True))
    rows = [
        {"x": torch.tensor(inputs), "labels": torch.tensor(target)}
        for inputs, target in zip(x, y, strict=True)
    ]
    arguments = transformers.TrainingArguments("unused", report_to="none", use_cpu=True)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    quiet = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    return {
        "pl_trainer": pl.Trainer(accelerator="cpu", **dict.fromkeys(quiet, False)),
        "module": Module(),
        "hf_trainer": transformers.Trainer(WithLoss(), arguments, train_dataset=rows),
        "loader": torch.utils.data.DataLoader(setting["loader"], batch_size=None),
        "step": step,
        "model": setting["model"],
        "optimizer": setting["optimizer"],
        "keras_model": model,
        "x": x,
        "y": y,
    }


RUN_ABOVE = {
    "README.md",
    "docs/index.md",
    "docs/guides/schedules.md",
    "docs/guides/training-loops.md",
    "docs/guides/range-tests.md",
}
RUN_ABOVE |= {"docs/guides/trainers.md"}


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
