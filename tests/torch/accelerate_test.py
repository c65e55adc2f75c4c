"""Accelerate steps a prepared scheduler as its docstring says, on one process and on two."""

import json
import tempfile
from pathlib import Path

from tests.optional import needs

needs("torch")
needs("accelerate")

import pytest

from tests.processes import outputs, start
from tests.scripts.accelerate_ranks import BATCHES, BOTH, METRICS, RECIPE

RUNS = [(1, 0), (2, 0), (2, 1)]  # the number of processes, and which one


Found = dict[tuple[int, int], dict[str, list[float]]]


@pytest.fixture(scope="module")
def everywhere() -> Found:
    """The learning rates of the updates of each process, by case."""
    with tempfile.TemporaryDirectory() as folder:
        outputs(
            *(
                start(
                    "accelerate_ranks.py",
                    *(folder, rank, world),
                    warnings="error::UserWarning",
                    MASTER_ADDR="localhost",
                )
                for world, rank in RUNS
            )
        )
        return {
            (world, rank): json.loads((Path(folder) / f"{world} {rank}.json").read_text())
            for world, rank in RUNS
        }


def rates(updates: int, every: int = 1) -> list[float]:
    return [RECIPE(every * count) for count in range(updates)]


@pytest.mark.parametrize(("world", "rank"), RUNS)
@pytest.mark.parametrize("accumulated", [1, 3])
@pytest.mark.parametrize("prepared", ["prepared", "bare"])
def test_once_an_update(
    everywhere: Found, prepared: str, accumulated: int, world: int, rank: int
) -> None:
    """What the docstring of `lambda_lr` says to write, whether the scheduler is prepared or not."""
    found = everywhere[world, rank]
    assert found[f"{prepared}, {accumulated}"] == rates(BATCHES // world // accumulated)


@pytest.mark.parametrize(("world", "rank"), RUNS)
@pytest.mark.parametrize("prepared", ["prepared", "bare"])
def test_an_update_that_is_skipped_does_not_count(
    everywhere: Found, prepared: str, world: int, rank: int
) -> None:
    assert everywhere[world, rank][f"{prepared}, overflow"] == rates(BATCHES // world - 1)


@pytest.mark.parametrize(("world", "rank"), RUNS)
@pytest.mark.parametrize("prepared", ["prepared", "bare"])
def test_a_saved_state_resumes(everywhere: Found, prepared: str, world: int, rank: int) -> None:
    """After five updates; the second run has all its batches."""
    assert everywhere[world, rank][f"{prepared}, resumed"] == rates(5 + BATCHES // world)


@pytest.mark.parametrize(("world", "rank"), RUNS)
@pytest.mark.parametrize("accumulated", [1, 3])
def test_stepped_with_the_optimizer(
    everywhere: Found, accumulated: int, world: int, rank: int
) -> None:
    """By default as often as there are processes: the schedule counts one process's batches."""
    found = everywhere[world, rank]
    updates = BATCHES // world // accumulated
    assert found[f"default, {accumulated}"] == rates(updates, every=world)
    assert found[f"split, {accumulated}"] == rates(BATCHES // accumulated)
    # Rounding: what is counted is another schedule.
    assert found[f"stretched, {accumulated}"] == pytest.approx(rates(updates), rel=1e-15, abs=0)


@pytest.mark.parametrize(("world", "rank"), RUNS)
def test_a_metric_that_all_processes_have(everywhere: Found, world: int, rank: int) -> None:
    """Resumed after five updates, with a metric that is reduced over the processes."""
    state, wanted, total = BOTH.init_state(), [], 0
    for updates in (5, BATCHES // world):
        for made in range(1, updates + 1):
            wanted.append(BOTH.with_state(state)(total))
            total += 1
            if made % 3 == 0:
                state = BOTH.observe(state, METRICS[(made // 3 - 1) % len(METRICS)])
    assert everywhere[world, rank]["controlled, resumed"] == wanted
