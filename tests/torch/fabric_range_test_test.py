"""Range tests with what Fabric has set up: the plain call, and nothing is left of it."""

import functools
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from lightning.fabric.plugins.precision import MixedPrecision

from tests.torch.training_run import Planned
from tests.torch.wrapped_training import (
    FATES,
    PLACES,
    RATES,
    STEPS,
    Fabricated,
    check_going_on,
    check_that_nothing_is_left,
    check_two_processes,
    in_two_processes,
)


@pytest.mark.parametrize("options", [{}, {"precision": "bf16-mixed"}])
@pytest.mark.parametrize("accumulated", [1, 3])
def test_the_losses_are_those_of_a_loop_with_fabric(accumulated: int, options: Any) -> None:
    """To the last bit."""
    run, twin = (Fabricated(accumulated=accumulated, **options) for _ in range(2))
    if accumulated > 1:  # a test draws all batches of an update before it
        run.dropout.p = twin.dropout.p = 0.0
    torch.manual_seed(1)
    losses = twin.train(RATES)
    torch.manual_seed(1)
    found = run.test(accumulate=accumulated)
    assert found.losses.tolist() == losses
    assert (found.stopped, run.used) == ("finished", RATES)


def made(accumulated: int, scaled: bool, prior: int) -> Fabricated:
    options: dict[str, Any] = {}
    if scaled:
        scaler: Any = torch.amp.GradScaler("cpu", init_scale=8.0)
        options["plugins"] = MixedPrecision("16-mixed", "cpu", scaler)
    run = Fabricated(accumulated=accumulated, **options)
    if prior:
        run.train([0.05] * prior)
    return run


@functools.cache
def undisturbed(*kind: Any) -> Any:
    """What a training ends with that has no range test before it."""
    return made(*kind).after()


@settings(max_examples=30, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.tuples(st.sampled_from([1, 3]), st.booleans(), st.sampled_from([0, 3])),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(3, 4),
    modules=st.booleans(),
)
@example((3, True, 3), "finished", "loss", 3, True)
@example((1, True, 0), "diverged", "loss", 3, False)
@example((3, False, 0), "nonfinite", "loss", 4, False)
@example((1, False, 3), Planned, "optimizer", 3, False)
def test_training_goes_on_as_if_there_had_been_no_test(
    kind: tuple[int, bool, int], fate: Any, place: str, at: int, modules: bool
) -> None:
    run, options = made(*kind), {"accumulate": kind[0]}
    if modules:
        options["modules"] = run.model
    check_that_nothing_is_left(run, fate, place, at, **options)
    assert run.after() == undisturbed(*kind)


def test_the_comparison_can_fail() -> None:
    run = Fabricated()
    before = run.image()
    run.train([0.05])
    assert [a != b for a, b in zip(before, run.image(), strict=True)] == [True, True]


def test_updates_that_a_scaler_skips_are_repeated() -> None:
    run = made(1, True, 0)
    run.overflows = range(3, 6)
    before = run.image()
    found = run.test()
    assert found.stopped == "finished"
    assert found.learning_rates.tolist() == run.used == RATES
    assert run.calls["loss"] == STEPS + 3
    assert run.image() == before


def test_a_scaler_besides_that_of_fabric_is_refused() -> None:
    run = Fabricated()
    with pytest.raises(ValueError, match="range_test: scaler must be None with an optimizer that"):
        run.test(scaler=torch.amp.GradScaler("cpu"))


def test_a_step_that_makes_the_update_is_refused() -> None:
    run = Fabricated()
    real = run.step

    def step(batch: Any) -> Any:
        loss = real(batch)
        run.optimizer.step()
        return loss

    run.step = step  # type: ignore[method-assign]
    before = run.image()
    with pytest.raises(ValueError, match="range_test: step must be a function that only computes"):
        run.test()
    assert run.image() == before


def test_a_test_that_goes_on() -> None:
    check_going_on(Fabricated)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return in_two_processes(tmp_path_factory.mktemp("ranks"), "fabric")


@pytest.mark.parametrize(
    ("fate", "updates"), [("finished", STEPS), ("diverged", 15), ("nonfinite", 2)]
)
def test_two_processes_stop_together(
    two_processes: list[dict[str, Any]], fate: str, updates: int
) -> None:
    check_two_processes(two_processes, fate, updates)
