"""Errors in float32.

The largest difference of each schedule's values from the exact ones, in units of the last place, on
[a page of its own](../docs/explanation/numbers.md#errors-in-float32), which says how it is found;
beside it optax's, and that of the published formula in NumPy's float32. At most 8 is required, and
4 the aim.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import naive, optax_twins
from benchmarks.measure import Row, Section, run_section
from lrsched import Schedule
from tests.backends import jax_jit
from tests.oracles import exact
from tests.strategies import BY_NAME, drawn
from tests.ulp import error_of, telling_counts

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "numbers.md"
HEADING = "## Errors in float32"
Found = tuple[float, int, Schedule]


SCHEDULES, COUNTS = 60, 200  # drawn for each name; of each kind, for each schedule


def fill(section: Section) -> None:
    rows = []
    for name, strategy in BY_NAME.items():
        ours, optax, formula, where = row(drawn(strategy, SCHEDULES), COUNTS, 0)
        rows.append((name, ours, optax, formula))
        against = f"optax {shown(optax)}, formula {shown(formula)}"
        section.add(Row(f"`{name}`", against, round(ours, 2), goal=8.0, unit="ulp"))
        print(f"    {where}", file=sys.stderr, flush=True)
    above = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    PAGE.write_text(above + page(rows), encoding="utf-8")


def row(schedules: Sequence[Schedule], counts: int, start: int) -> tuple[Any, ...]:
    """The worst errors of ours, of optax's and of the plain formula, and where ours is."""
    generator = np.random.default_rng(start)
    ours: list[Found] = []
    optaxs: list[float] = []
    naives: list[float] = []
    for schedule in schedules:
        at = telling_counts(schedule, generator, counts)
        wanted = [exact(schedule, count) for count in at]

        def worst(values: Any) -> tuple[float, int]:
            errors = [
                error_of(schedule, count, float(value), right)  # noqa: B023
                for count, value, right in zip(at, values, wanted, strict=True)  # noqa: B023
            ]
            place = int(np.argmax(errors))
            return errors[place], at[place]  # noqa: B023

        ours.append((*worst(jax_jit(schedule, at)), schedule))
        naives.append(worst([naive.value(schedule, count) for count in at])[0])
        twin = optax_twins.twin(schedule)
        if twin is not None:
            optaxs.append(worst(compiled(twin, at))[0])
    error, count, schedule = max(ours, key=lambda entry: entry[0])
    where = f"{schedule} at {count}"
    return error, max(optaxs) if optaxs else None, max(naives), where


def compiled(schedule: Callable[[Any], Any], at: Sequence[int]) -> Any:
    """The values of an optax schedule, compiled."""
    return jax.jit(jax.vmap(lambda count: jnp.asarray(schedule(count))))(jnp.asarray(at, jnp.int32))


def shown(error: float | None) -> str:
    """An error for the table: from 2**23 on not a digit is right."""
    if error is None:
        return "-"
    if not error < 2**23:
        return "all digits"
    return f"{error:.1f}" if error < 100 else f"{error:.0e}".replace("e+0", "e")


def page(rows: Sequence[tuple[Any, ...]]) -> str:
    """The table as the last part of the page."""
    over = [f"`{row[0]}` ({row[1]:.2f})" for row in rows if row[1] > 4]
    return f"""{HEADING}

How far each schedule's float32 value is from the exact one at worst, in units of the last place
(ulp), compiled by JAX for the CPU; beside it the same recipe in optax, compiled in the same way,
and the published formula as it stands, in NumPy's float32. 0.5 is the rounding of a hyperparameter
itself. `make ulp` makes this part: it draws {SCHEDULES} sets of hyperparameters for each
schedule, and for each of them about {6 * COUNTS} counts from 0 to 2³¹ - 1, above all near
its boundaries. The exact values are mpmath's. [On a GPU](#on-a-gpu) the errors are others.

| schedule | lrsched | optax | formula |
|---|---|---|---|
{"".join(f"| `{row[0]}` | {' | '.join(map(shown, row[1:4]))} |{chr(10)}" for row in rows)}
The required 8 ulp hold for {sum(row[1] <= 8 for row in rows)} of {len(rows)} schedules, the aim of
4 for {len(rows) - len(over)}. "all digits": somewhere not one is right, near the end of a decay to
0 or where a boundary is missed. Durations go up to 2³¹ - 1 here. In runs of a usual length the
peers' errors are smaller, though not small: `optax.cosine_decay_schedule` over 10⁶ steps is 21 %
off a hundred steps before its end. Of optax's schedules those with the same conventions are
compared. What is below 1.2e-38, a weight included, may be flushed to 0.

Above the aim: {", ".join(over) or "none"}.

(jax {version("jax")}, optax {version("optax")}, NumPy {version("numpy")}.)
"""


if __name__ == "__main__":
    run_section(fill)
