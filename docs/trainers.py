"""Write the table of docs/guides/range-tests-in-trainers.md: `python -m docs.trainers`.

The figures are those of the benchmark, `python -m benchmarks.run range_test_stacks`, on a machine
without a GPU. The lines of code are counted in the page itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, section_of

PAGE = Path(__file__).parent / "guides/range-tests-in-trainers.md"
RESULTS = Path(__file__).parents[1] / "benchmarks/results"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"
HEAD = """\
| stack | lines | restored | beside the bare training | beside the stack's own finder |
|---|---|---|---|---|
"""
MODEL = "model, optimizer, `.grad`, modes"
RANDOM = "loaders, random state"
# The heading of each stack in the page, and what is restored.
STACKS = {
    "torch": ("Plain torch", f"{MODEL}, schedulers, scaler, {RANDOM}"),
    "Lightning": ("Lightning", f"{MODEL}, the trainer, its loops and callbacks, {RANDOM}"),
    "transformers": ("transformers", f"{MODEL}, the trainer, its arguments and state, {RANDOM}"),
    "Accelerate": ("Accelerate and Fabric", f"{MODEL}, scaler, accelerator, {RANDOM}"),
    "Fabric": ("Accelerate and Fabric", f"{MODEL}, scaler, {RANDOM}"),
    "JAX": ("Plain JAX", "nothing changes: the test is pure"),
    "Keras on jax": ("Keras", "model, optimizer, metrics, seeds, random state"),
    "Keras on torch": ("Keras", "the same"),
    "Keras on tensorflow": ("Keras", "the same"),
}


def table(text: str) -> str:
    """The table for a page with this text."""
    (file,) = (x for x in RESULTS.glob("machine-*.json") if not read(x)["machine"]["gpu"])
    rows = section_of(read(file)["sections"]["range_test_stacks"]).rows
    lines = [HEAD]
    for stack, (heading, restored) in STACKS.items():
        bare, *finder = (row for row in rows if row.what == stack)
        cells = [stack, str(lines_under(text, heading)), restored, shown(bare.figure)]
        cells.append(
            f"{shown(finder[0].figure)} ({finder[0].against})" if finder else "it has none"
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The results of a machine."""
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def lines_under(text: str, heading: str) -> int:
    """The lines of code of the first block under a heading of the page."""
    _, _, section = text.partition(f"## {heading}\n")
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None, heading
    return len([line for line in found[1].splitlines() if line.strip()])


def shown(figure: Ratio | float) -> str:
    """The ratio of the times."""
    assert isinstance(figure, Ratio)
    return f"{figure.median:.2f}×"  # noqa: RUF001


def with_table(text: str) -> str:
    """The page with its table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(text)}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
