"""The benchmark of suggestions: its scores, and that its page is that of the record."""

from pathlib import Path

import numpy as np
import pytest

from tests.optional import needs

for module in ("jax", "optax", "sklearn"):
    needs(module)

from benchmarks.quality import on_record
from benchmarks.suggestions.judge import Array, Curve, curve, figures, floor
from benchmarks.suggestions.report import page
from benchmarks.suggestions.tasks import TUNED
from benchmarks.suggestions.truth import DIGITS, GRID, rounded

KNOWN = on_record()
DOCS = Path(__file__).parent.parent / "docs"


def losses(*ends: float, first: float = 1.0) -> Array:
    """Losses before and after one run at each rate of the grid, of (2 seeds, rates, 2)."""
    after = np.interp(np.arange(25), np.linspace(0, 24, len(ends)), ends)
    rows = np.stack([np.full(25, first), after], axis=-1)
    return np.stack([rows, rows])


def test_the_score_is_the_logarithm_of_the_ratio_to_the_best() -> None:
    found = curve(losses(0.8, 0.2, 0.8), False, [0])
    assert found.scores.min() == 0.0
    assert found.at(np.array([1e-5, 1e-2])) == pytest.approx([np.log(4.0), 0.0])
    assert found.at(np.array([1e-9, 1e3])) == pytest.approx([np.log(4.0)] * 2)
    assert found.best == pytest.approx(-2.0)


def test_no_suggestion_has_the_loss_before_training() -> None:
    found = curve(losses(0.8, 0.2, 0.8), False, [0])
    assert found.at(np.array([np.nan])) == pytest.approx([np.log(5.0)])


def test_losses_count_within_bounds_and_signed_ones_as_logarithms() -> None:
    exploded = losses(np.inf, 0.0, np.inf)
    assert curve(exploded, False, [0]).scores.max() == pytest.approx(np.log(4.0 / 1e-3))
    signed = curve(losses(1.0, -1.0, 5.0), True, [0])
    assert signed.untrained == pytest.approx(2.0)
    assert signed.scores.max() == pytest.approx(2.0 + np.log(4.0))


def test_figures_are_of_the_median_seed_and_count_refusals() -> None:
    line = Curve(np.linspace(0.0, 2.4, 25), untrained=3.0)
    found = figures([(line, GRID[[0, 2, 4]]), (line, np.array([GRID[0], GRID[0], np.nan]))])
    assert found.mean == pytest.approx(np.exp((0.2 + 0.0) / 2))
    assert found.worst_task == pytest.approx(np.exp(0.2))
    assert found.worst_seed == pytest.approx(np.exp(3.0))
    assert found.refused == 1


def test_the_floor_of_seeds_that_agree_is_none() -> None:
    assert floor(losses(0.8, 0.2, 0.8), False, [0]) == 0.0


def test_the_record_has_three_decimals() -> None:
    values = np.geomspace(1e-6, 1e6, 1000)
    np.testing.assert_allclose(rounded(values), values, rtol=2.0**-DIGITS)


def test_the_parts_have_tasks_of_their_own() -> None:
    parts = {part: KNOWN.names_of(part) for part in KNOWN.parts}
    assert parts["tuned"][: len(TUNED)] == list(TUNED)
    assert min(map(len, parts.values())) >= 7
    assert sum(map(len, parts.values())) == len(KNOWN.truth)


def test_the_page_is_that_of_the_record() -> None:
    written = (DOCS / "explanation" / "range-tests-quality.md").read_text(encoding="utf-8")
    assert page(KNOWN) == written
