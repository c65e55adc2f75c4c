"""Range tests with what Accelerate has prepared: the plain call, and nothing is left of it."""

import functools
from typing import Any

from tests.optional import needs

needs("torch")
needs("accelerate")

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.torch.training_run import Planned
from tests.torch.wrapped_training import (
    FATES,
    PLACES,
    RAMP,
    RATES,
    STEPS,
    Accelerated,
    check_going_on,
    check_that_nothing_is_left,
    check_two_processes,
    in_two_processes,
)


@pytest.mark.parametrize("accumulated", [1, 2, 3, 7])
@pytest.mark.parametrize("prior", [0, 1])
def test_the_losses_are_those_of_a_loop_with_accelerate(accumulated: int, prior: int) -> None:
    """To the last bit. The last update of an epoch has the batches that are left."""
    losses: list[float] = []
    found: Any = None
    for by_hand in (True, False):
        run = Accelerated(accumulated=accumulated)
        torch.manual_seed(1)
        if prior:
            run.train([0.05] * prior)
        if by_hand:
            losses = run.train(RATES)
        else:
            found = run.test()
    assert found.losses.tolist() == losses
    assert (found.stopped, run.used) == ("finished", RATES)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"accumulated": 3},
    "one long epoch": {"accumulated": 2, "examples": 200},
}


def made(kind: str, scaled: bool, prior: int) -> Accelerated:
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0) if scaled else None
    run = Accelerated(scaler=scaler, **KINDS[kind])
    if prior:
        run.train([0.05] * prior)
    return run


@functools.cache
def undisturbed(kind: str, scaled: bool, prior: int) -> Any:
    """What a training ends with that has no range test before it."""
    return made(kind, scaled, prior).after()


@settings(max_examples=30, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.sampled_from(sorted(KINDS)),
    scaled=st.booleans(),
    prior=st.sampled_from([0, 3]),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(3, 4),
    modules=st.booleans(),
)
@example("accumulated", True, 3, "finished", "loss", 3, True)
@example("plain", True, 0, "diverged", "loss", 3, False)
@example("accumulated", False, 0, "nonfinite", "loss", 4, False)
@example("plain", False, 3, Planned, "optimizer", 3, False)
def test_training_goes_on_as_if_there_had_been_no_test(
    kind: str, scaled: bool, prior: int, fate: Any, place: str, at: int, modules: bool
) -> None:
    run, options = made(kind, scaled, prior), {}
    if modules:
        options["modules"] = run.model
    check_that_nothing_is_left(run, fate, place, at, **options)
    assert run.after() == undisturbed(kind, scaled, prior)


def test_the_comparison_can_fail() -> None:
    run = Accelerated(accumulated=3)
    before = run.image()
    run.train([0.05])
    assert [a != b for a, b in zip(before, run.image(), strict=True)] == [True, True]


def test_updates_that_a_scaler_skips_are_repeated() -> None:
    run = Accelerated(scaler=torch.amp.GradScaler("cpu", init_scale=8.0))
    run.overflows = range(3, 6)
    before = run.image()
    found = run.test()
    assert found.stopped == "finished"
    assert found.learning_rates.tolist() == run.used == RATES
    assert run.calls["loss"] == STEPS + 3
    assert run.image() == before
    run.overflows = range(3, 99)
    found = run.test()
    assert (found.stopped, len(found.losses)) == ("nonfinite", 2)


def test_a_loader_that_accelerate_has_not_prepared() -> None:
    run, wanted = Accelerated(accumulated=3), Accelerated(accumulated=3)
    batches = [torch.ones(4, 4) * number for number in range(6)]
    run.loader, wanted.loader = batches, iter(batches * 10)
    found = run.test()
    assert found.losses.tolist() == wanted.test().losses.tolist()
    wanted.loader = iter(batches[:5])
    found = wanted.test()
    assert (found.stopped, len(found.losses)) == ("exhausted", 1)


def test_an_update_that_accelerate_would_leave_out_is_refused() -> None:
    run = Accelerated(accumulated=3)
    before = run.image()
    expected = "accumulate must be 3, the gradient_accumulation_steps of the Accelerator, .* got 2"
    with pytest.raises(ValueError, match=f"^range_test: {expected}"):
        run.test(accumulate=2)
    assert run.used == []
    assert run.image() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scaler": torch.amp.GradScaler("cpu")}, "scaler must be None with an optimizer that"),
        ({"refine": True}, "refine must be False where Accelerate accumulates batches, got True"),
        ({"accumulate": 0}, r"accumulate must be an integer >= 1 \(batches\), got 0"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    run = Accelerated(accumulated=3)
    before = run.image()
    with pytest.raises(ValueError, match=f"^range_test: {message}"):
        run.test(**options)
    assert run.calls["loss"] == 0
    assert run.image() == before


def test_a_test_that_goes_on() -> None:
    check_going_on(Accelerated)


@pytest.mark.parametrize("schedule", [RAMP, None])
def test_a_test_with_accumulation_does_not_go_on(schedule: Any) -> None:
    """The loader that Accelerate prepared says in its own order where an update ends."""
    run = Accelerated(accumulated=3)
    found = run.test(schedule=schedule)
    assert len(found.losses) == len(run.used) == STEPS
    with pytest.raises(ValueError, match=r"max_steps must be steps .* where Accelerate acc"):
        run.test(schedule=schedule, max_steps=200)
    assert not run.used


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return in_two_processes(tmp_path_factory.mktemp("ranks"), "accelerate")


@pytest.mark.parametrize(
    ("fate", "updates"), [("finished", STEPS), ("diverged", 19), ("nonfinite", 2)]
)
def test_two_processes_stop_together(
    two_processes: list[dict[str, Any]], fate: str, updates: int
) -> None:
    check_two_processes(two_processes, fate, updates)
