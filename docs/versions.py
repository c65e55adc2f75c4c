"""Make the table of versions, from the runs on record: `make versions` writes it."""

from pathlib import Path

from tests.scripts.recorded import EXTRAS, ROOT, Run, read_runs, requirements

PAGE = Path(__file__).parent / "reference/versions.md"
CONSTRAINTS = ROOT / "constraints.txt"
NOT_OF_USERS = ("all", "dev", "docs")
HEAD = """# Versions

What the library was tested with. `make oldest`, `make newest` and `make wasm` ran the tests and
recorded it; `make versions` writes this page. Every change is tested with the versions of the
column "each change", on CPython 3.11.
"""
DEPENDENCIES = """
| dependency | of | oldest | each change | newest |
|---|---|---|---|---|
"""
RUNS = """
## The runs

| run | date | Python | passed | skipped |
|---|---|---|---|---|
"""
NOTES = """
## What needs a newer version

- `torch.compile` of a schedule, and of `on_device(...).step`, needs torch 2.10. With earlier
  versions they compute in eager mode, and so do all schedulers and range tests.
- `to_torch` of a product that comes first in a sequence needs torch 2.6: before, torch's
  `SequentialLR` cannot begin with a `ChainedScheduler`. It is refused by name.
- Range tests with FSDP2 on a CPU need torch 2.6.
- Learning rates that are tensors: before torch 2.10, torch's own `SequentialLR` replaces them, and
  its schedulers may change the initial rate with them; those of lrsched do neither.
- A schedule as the `weight_decay` of `optax.adamw` needs optax 0.2.6, `optax.contrib.muon` 0.2.5.
- An update of an outer `nnx.Optimizer` inside the loss of a range test is refused by Flax from
  0.10.6 on; before, Flax leaves tracers in the optimizer.
- There is no NumPy for the CPython 3.14 of `make wasm`, so the core is tested there with plain
  numbers only.
"""


def pinned() -> dict[str, str]:
    """The versions that each change is tested with, by name."""
    lines = CONSTRAINTS.read_text().splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name.lower().replace("_", "-"): version for name, _, version in pairs}


def versions_of(runs: list[Run], kind: str) -> dict[str, str]:
    """The versions in the runs of a kind, by name."""
    return dict(pair for run in runs if run.name.startswith(kind) for pair in run.versions.items())


def page(runs: list[Run]) -> str:
    """The page for these runs."""
    columns = (versions_of(runs, "oldest"), pinned(), versions_of(runs, "newest"))
    sides = {"always": requirements()}
    sides |= {f"`{extra}`": requirements(extra) for extra in EXTRAS if extra not in NOT_OF_USERS}
    rows: dict[str, list[str]] = {}
    for side, names in sides.items():
        for name in names:
            if side == "always" or name not in requirements():
                rows.setdefault(name, []).append(side)
    text = HEAD + DEPENDENCIES
    for name, of in rows.items():
        cells = [name, ", ".join(of), *(known.get(name, "") for known in columns)]
        text += f"| {' | '.join(cells)} |\n"
    text += RUNS
    for run in runs:
        skipped = "; ".join(f"{number} {reason}" for reason, number in run.skipped.items())
        cells = [run.name, run.date, f"{run.python}, {run.platform}", str(run.passed), skipped]
        text += f"| {' | '.join(cells)} |\n"
    return text + NOTES


if __name__ == "__main__":
    PAGE.write_text(page(read_runs()), encoding="utf-8")
