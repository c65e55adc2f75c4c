"""The page for those who come from other libraries: both columns of its tables run, and agree."""

import doctest
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.optional import needs

for library in (
    "fvcore",
    "jax",
    "keras",
    "optax",
    "pytorch_optimizer",
    "pytorch_warmup",
    "torch",
    "transformers",
):
    needs(library)

import fvcore.common.param_scheduler
import jax
import keras
import numpy as np
import optax
import pytorch_optimizer.lr_scheduler
import pytorch_warmup
import torch
import transformers.optimization
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytorch_optimizer.base.scheduler import BaseLinearWarmupScheduler

import lrsched
from lrsched import Controller, Schedule
from lrsched.configs.formats import FORMATS
from tests.backends import jax_x64
from tests.formulas import (
    axlearn,
    big_vision,
    composer,
    deepspeed,
    detectron2,
    diffusers,
    dino,
    espnet,
    fairseq,
    fastai,
    icefall,
    levanter,
    megatron,
    mlx,
    mmengine,
    nanogpt,
    nanotron,
    nemo,
    olmo,
    open_clip,
    others,
    paddle,
    praxis,
    scenic,
    slowfast,
    stable_baselines3,
    thinc,
    timm,
    torchtitan,
    ultralytics,
)
from tests.quiet_ignite import param_scheduler as ignite_schedulers

Names = dict[str, Any]

TORCH = vars(torch.optim.lr_scheduler)
FORMULAS: dict[str, ModuleType] = {
    "diffusers": diffusers,
    "timm": timm,
    "Composer": composer,
    "mmengine": mmengine,
    "ultralytics": ultralytics,
    "fastai": fastai,
    "detectron2": detectron2,
    "SlowFast": slowfast,
    "big_vision": big_vision,
    "DINO": dino,
    "open_clip": open_clip,
    "scenic": scenic,
    "T5X": scenic,
    "axlearn": axlearn,
    "praxis": praxis,
    "Megatron-LM": megatron,
    "torchtitan": torchtitan,
    "OLMo-core": olmo,
    "NeMo": nemo,
    "nanotron": nanotron,
    "nanoGPT and its kin": nanogpt,
    "levanter and marin": levanter,
    "fairseq": fairseq,
    "ESPnet": espnet,
    "icefall": icefall,
    "MLX": mlx,
    "thinc": thinc,
    "DeepSpeed": deepspeed,
    "Paddle": paddle,
    "stable-baselines3": stable_baselines3,
    "others": others,
}
NAMES: dict[str, Names] = {
    "torch": TORCH,
    "optax": {"optax": optax},
    "transformers": vars(transformers.optimization),
    "Keras": vars(keras.optimizers.schedules),
    "ignite": TORCH | vars(ignite_schedulers),
    "fvcore": vars(fvcore.common.param_scheduler),
    "pytorch_warmup": TORCH | vars(pytorch_warmup),
    "pytorch_optimizer": vars(pytorch_optimizer.lr_scheduler),
} | {library: vars(module) for library, module in FORMULAS.items()}
SLOW = {"optax", "Keras"}  # JAX, one step at a time
TOLERANCE = {"Keras": 1e-6}  # of the largest rate; Keras computes in float32
CALLS: dict[str, Callable[[Any, int, Names], float]] = {
    "Composer": lambda made, count, names: names["lr"] * made(count, names["total"]),
    "OLMo-core": lambda made, count, names: made(names["lr"], count, names["total"]),
    "fvcore": lambda made, count, names: made(count / names["total"]),
    "fastai": lambda made, count, names: made(count / names["total"]),
    "stable-baselines3": lambda made, count, names: made(1 - count / names["total"]),
}
PAGE = (Path(__file__).parents[1] / "docs/guides/coming-from.md").read_text(encoding="utf-8")
HERE = {name: getattr(lrsched, name) for name in lrsched.__all__}


@dataclass(frozen=True)
class Row:
    """A row of one of the tables; `call` is what the table's cells are arguments of, if any."""

    library: str
    there: str
    here: str
    differs: str
    call: str

    def __str__(self) -> str:
        return f"{self.library}: {self.there}"

    @property
    def code(self) -> str | None:
        """What is to be written here, if there is something."""
        return _code(self.here)

    @property
    def theirs(self) -> str | None:
        """What is written there, if it is complete."""
        cell = _code(self.there)
        if cell is None or "…" in cell:
            return None
        if self.library == "fairseq":
            return _call_of_arguments(cell)
        return self.call.replace("…", cell) if self.call else cell


def _code(cell: str) -> str | None:
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else None


def _call_of_arguments(text: str) -> str:
    """`--lr-scheduler cosine --t-mult 2` as a call of `cosine`."""
    (_, name), *rest = [argument.split() for argument in text.split("--")[1:]]
    given_ = [f"{key.replace('-', '_')}={value}" for key, value in rest]
    return f"{name}({', '.join(['lr=lr', *given_])})"


def _sections() -> dict[str, str]:
    """The texts below the headings."""
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = _sections()


def _rows() -> list[Row]:
    found = []
    for library, text in SECTIONS.items():
        intro, *lines = re.split(r"^(?=\|)", text, flags=re.MULTILINE)
        call = re.search(r"`([^`]*\([^`]*…[^`]*)`", intro)
        for line in lines[2:]:
            there, here, differs = (cell.strip() for cell in line.strip().strip("|").split("|"))
            found.append(Row(library, there, here, differs, call[1] if call else ""))
    return found


ROWS = _rows()


def documented() -> Names:
    """The variables of the page, with its numbers."""
    names: Names = {}
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(block, names)
    del names["__builtins__"]
    return names


@st.composite
def drawn(draw: st.DrawFn) -> Names:
    """The same with other numbers: a run that has room for all that the rows put into it."""
    lr, ratio = draw(st.floats(1e-4, 1.0)), draw(st.floats(1e-3, 0.9))
    up, down = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    first = up + draw(st.integers(1, 10))
    second = first + draw(st.integers(1, 10))
    total = 20 * draw(st.integers(3, 9))
    for step in (first, second):  # optax finds a step of its fraction
        assume(int(step / total * total) == step)
    return {
        "lr": lr,
        "ratio": ratio,
        "low": ratio * lr,
        "gamma": draw(st.floats(0.1, 0.95)),
        "power": draw(st.floats(1.0, 4.0)),
        "total": total,
        "up": up,
        "down": down,
        "every": 2 * draw(st.integers(7, 20)),
        "first": first,
        "second": second,
    }


def here(row: Row, names: Names) -> Any:
    assert row.code is not None
    return eval(row.code, HERE | names)


def there(row: Row, names: Names, counts: Sequence[int]) -> list[float]:
    """The rates of the other library at these counts."""
    assert row.theirs is not None
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=names["lr"])
    with jax_x64():
        given_ = {"optimizer": optimizer, "loss": None}
        made = eval(row.theirs, NAMES[row.library] | names | given_)
        if row.library in CALLS:
            return [CALLS[row.library](made, count, names) for count in counts]
        if "CosineDecay" in type(made).__name__:  # Keras', whose branches compile at each count
            padded = np.pad(counts, (0, 80 - len(counts)), mode="edge")  # one shape, compiled once
            return [float(rate) for rate in jax.vmap(made)(padded)[: len(counts)]]
        update = _update(made, optimizer)
        if update is None:
            return [float(made(count)) for count in counts]
        rates = [update(count) for count in range(max(counts) + 1)]
        return [rates[count] for count in counts]


def _update(made: Any, optimizer: Any) -> Callable[[int], float] | None:
    """For a scheduler that moves an optimizer: the rate of the next update, which is then made."""

    def rate() -> float:
        return float(optimizer.param_groups[0]["lr"])

    def before(count: int) -> float:
        """ignite's and pytorch_optimizer's set the rate of the update that follows."""
        made(None) if callable(made) else made.step()
        return rate()

    def after(count: int) -> float:
        now = rate()
        optimizer.step()
        scheduler, factor = made if isinstance(made, tuple) else (made, None)
        if isinstance(scheduler, pytorch_warmup.BaseWarmup):
            scheduler, factor = None, scheduler
        if factor is None:
            scheduler.step()
        else:
            with factor.dampening():
                if scheduler is not None:
                    scheduler.step()
        return now

    if isinstance(made, ignite_schedulers.BaseParamScheduler):
        return before
    if isinstance(made, BaseLinearWarmupScheduler):
        return before
    stepped = (torch.optim.lr_scheduler.LRScheduler, pytorch_warmup.BaseWarmup, tuple)
    return after if isinstance(made, stepped) else None


def telling(row: Row, names: Names) -> list[int]:
    """All counts of the run, or for slow libraries those around what the row may change at."""
    total = names["total"]
    if row.library not in SLOW:
        return list(range(total))
    marks = [0, total - names["down"], total - 1, *range(0, total, max(total // 12, 1))]
    marks += [names[name] for name in ("up", "every", "first", "second")]
    near = {mark + away for mark in marks for away in (-1, 0, 1)}
    return sorted(count for count in near if 0 <= count < total)


def exceptions(row: Row, names: Names) -> list[int]:
    """The counts at which the row says that they differ."""
    return [eval(code, dict(names)) for code in re.findall(r"except at count `(.*?)`", row.differs)]


def check(row: Row, names: Names) -> None:
    counts = [count for count in telling(row, names) if count not in exceptions(row, names)]
    recipe, theirs = here(row, names), there(row, names, counts)
    ours = [recipe(count) for count in counts]
    tolerance = TOLERANCE.get(row.library, 1e-9) * max(names["lr"], *map(abs, ours))
    np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=tolerance)


WRITTEN = [row for row in ROWS if row.code is not None]
COMPARED = [
    row
    for row in WRITTEN
    if row.theirs is not None and not isinstance(here(row, documented()), Controller)
]


def _slow(yes: bool) -> list[Row]:
    return [row for row in COMPARED if (row.library in SLOW) is yes]


@pytest.mark.parametrize("row", COMPARED, ids=str)
def test_both_columns_agree_with_the_numbers_of_the_page(row: Row) -> None:
    check(row, documented())


@pytest.mark.parametrize("row", _slow(False), ids=str)
@settings(max_examples=8)
@given(names=drawn())
def test_both_columns_agree_with_other_numbers(row: Row, names: Names) -> None:
    check(row, names)


@pytest.mark.parametrize("row", _slow(True), ids=str)
@settings(max_examples=2)
@given(names=drawn())
def test_both_columns_agree_with_other_numbers_in_jax(row: Row, names: Names) -> None:
    check(row, names)


@pytest.mark.parametrize("row", WRITTEN, ids=str)
def test_what_stands_here_is_a_finite_schedule(row: Row) -> None:
    recipe = here(row, documented())
    if isinstance(recipe, Controller):
        recipe = lrsched.constant(recipe.init().value)
    assert isinstance(recipe, Schedule)
    recipe = recipe.with_state(recipe.init_state())
    assert all(math.isfinite(recipe(count)) for count in (0, 1, 99, 1000, 10**6, 2**31 - 1))


@pytest.mark.parametrize("row", [row for row in COMPARED if "except at" in row.differs], ids=str)
def test_the_exceptions_are_real(row: Row) -> None:
    names = documented()
    counts = exceptions(row, names)
    assert counts
    for theirs, count in zip(there(row, names, counts), counts, strict=True):
        assert theirs != pytest.approx(here(row, names)(count), rel=1e-6)


def test_libraries_that_are_not_installed_name_the_version_that_was_read() -> None:
    version = r"(core )?\d+\.\d+\.\d+|\d{6}|the code of \d{4}-\d\d-\d\d|commit \w{7}"
    texts = {library: " ".join(text.split()) for library, text in SECTIONS.items()}
    named = {
        library for library, text in texts.items() if re.search(f"Read from ({version})", text)
    }
    assert named == set(FORMULAS)


def test_the_list_of_configurations_is_that_of_from_config() -> None:
    text = SECTIONS["A whole configuration file"]
    listed = re.split(r"\s·\s", text.strip().split("\n\n")[1])
    assert listed == sorted((each.title for each in FORMATS.values()), key=str.lower)
    (block,) = re.findall(r"^```pycon\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(block, {"lrsched": lrsched}, "page", None, None)
    assert doctest.DocTestRunner().run(example) == (0, 2)


def test_stable_baselines3_takes_a_schedule() -> None:
    (code,) = re.findall(r"`(lambda[^`]*schedule[^`]*)`", SECTIONS["stable-baselines3"])
    schedule, total = lrsched.warmup_cosine(0.1, 1000, 70), 1000
    rate = eval(code, {"schedule": schedule, "total": total})
    for count in range(total):
        assert rate(1 - count / total) == pytest.approx(schedule(count), rel=1e-9, abs=1e-12)


def test_a_row_that_is_wrong_is_found() -> None:
    """Rows with a floor, a boundary and a warmup that are off by a little."""
    wrong = {
        "torch": ("CosineAnnealingLR(optimizer, total, low)", "cosine_decay(lr, total)"),
        "timm": ("StepLRScheduler(optimizer, every, gamma)", "step_decay(lr, gamma, every + 1)"),
        "optax": ("optax.warmup_constant_schedule(0.0, lr, up)", "warmup(constant(lr), up + 1)"),
        "Keras": ("PiecewiseConstantDecay([up], [lr, low])", "piecewise_constant([lr, low], [up])"),
    }
    for library, (theirs, ours) in wrong.items():
        row = Row(library, f"`{theirs}`", f"`{ours}`", "", "")
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            check(row, documented())


def test_the_tables_are_whole() -> None:
    """Each library has rows, each row a schedule or a reason, and no cell breaks its table."""
    assert {row.library for row in ROWS} == set(NAMES)
    for row in ROWS:
        assert row.there
        assert row.code is not None or row.here.startswith("not here"), row
        assert (
            row.here.count("`") % 2 == row.there.count("`") % 2 == row.differs.count("`") % 2 == 0
        )
    assert len(COMPARED) >= 350


def test_the_readme_has_the_numbers_of_schedules_and_libraries() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    claim = re.search(r"compares (\d+) schedules of (\d+) libraries.*: (\d+) of the", readme)
    assert claim is not None
    schedules, libraries, installed = map(int, claim.groups())
    assert schedules <= len(COMPARED) < schedules + 50
    named = {*NAMES} - {"others"}
    assert (libraries, installed) == (len(named), len({*NAMES} - {*FORMULAS}))


def test_the_table_of_contents_has_every_library() -> None:
    contents = dict(re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", PAGE.split("\n## ")[0]))
    assert list(contents) == list(dict.fromkeys(row.library for row in ROWS))
    for library, anchor in contents.items():
        assert anchor == library.lower().replace(" ", "-")
