"""Range tests in torch on a GPU: what is restored, what is recorded, and how often one waits."""

from tests.gpu.devices import ON_A_GPU, TORCH_DEVICE, TORCH_WARNINGS, needs_torch_device

needs_torch_device()

import functools
import itertools
from typing import Any

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch import nn

import lrsched
from lrsched_torch import range_test, range_test_model
from lrsched_torch._range_test import losses as _losses
from tests.gpu.torch_updates import never_waiting
from tests.torch.range_test_task import end
from tests.torch.training_run import (
    FATES,
    OPTIMIZERS,
    ORDER,
    PLACES,
    REFUSED,
    UPDATES,
    Doomed,
    World,
    image,
)

STEPS = 50
pytestmark = TORCH_WARNINGS
RAMP = lrsched.exponential_ramp(1e-4, 0.1, STEPS - 1)


@functools.cache
def undisturbed(optimizer: str) -> tuple[Any, Any, Any]:
    world = World(optimizer, 3, TORCH_DEVICE)
    return world.image(), world.train(UPDATES), world.image()


@pytest.mark.filterwarnings(ORDER)
@settings(max_examples=30, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(0, 6),
    memory=st.sampled_from(["device", "cpu", "disk"]),
)
@example("adam", "finished", "step", 0, "device")
@example("adam", "finished", "step", 0, "cpu")
@example("adam", "finished", "step", 0, "disk")
@example("amsgrad", KeyboardInterrupt, "optimizer", 3, "disk")
def test_training_goes_on_as_if_there_had_been_no_test(
    optimizer: str, fate: Any, place: str, at: int, memory: str
) -> None:
    """To the last bit, the random generators of the device included."""
    before, losses, after = undisturbed(optimizer)
    world = World(optimizer, 3, TORCH_DEVICE)
    doomed = Doomed(world, fate, place, at)
    if isinstance(fate, type) or fate in REFUSED:
        with pytest.raises(fate if isinstance(fate, type) else ValueError, match=r"planned|step"):
            doomed.run(memory)
    else:
        assert doomed.run(memory).stopped == fate
    assert world.image() == before
    assert world.train(UPDATES) == losses
    assert world.image() == after


def small_model() -> tuple[nn.Module, torch.optim.Optimizer, list[Any]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
    inputs = torch.randn(7, 24, 16, device=TORCH_DEVICE)
    labels = inputs[..., :4].argmax(-1)
    model.to(TORCH_DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return model, optimizer, list(zip(inputs, labels, strict=True))


def test_the_curve_is_that_of_a_loop_written_by_hand() -> None:
    model, optimizer, batches = small_model()
    found = range_test_model(model, nn.functional.cross_entropy, optimizer, batches, RAMP, STEPS)
    expected = []
    for count, (x, y) in zip(range(STEPS), itertools.cycle(batches), strict=False):
        optimizer.param_groups[0]["lr"] = RAMP(count)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        expected.append(loss.item())
    assert found.losses.tolist() == expected
    assert found.learning_rates.tolist() == [RAMP(count) for count in range(STEPS)]


def test_losses_are_read_every_ten_updates_and_nothing_else_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the second update on; the first is looked at for its gradients."""
    model, optimizer, batches = small_model()
    looks: list[int] = []
    real, steps = _losses.means, 0
    mode: Any = None

    def waits(allowed: bool) -> None:
        nonlocal mode
        if mode is not None:
            mode.__exit__(None, None, None)
        mode = None if allowed else never_waiting()
        if mode is not None:
            mode.__enter__()

    def looking(losses: Any) -> list[float]:
        waits(True)
        looks.append(len(losses))
        values = real(losses)
        waits(sum(looks) == STEPS)
        return values

    def step(batch: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 2:
            waits(False)
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    monkeypatch.setattr(_losses, "means", looking)
    try:
        range_test(step, optimizer, batches, RAMP, STEPS)
    finally:
        waits(True)
    assert looks == ([10] * 5 if ON_A_GPU else [1] * STEPS)


def test_a_divergence_is_where_a_look_at_each_loss_finds_it() -> None:
    model, optimizer, batches = small_model()
    ramp = lrsched.exponential_ramp(1e-3, 1e4, STEPS - 1)
    before = image([model, optimizer])
    loss_fn = nn.functional.cross_entropy
    given = (model, loss_fn, optimizer, batches, ramp, STEPS)
    found = range_test_model(*given)
    whole = range_test_model(*given, divergence=None)
    assert image([model, optimizer]) == before
    losses = whole.losses.tolist()
    assert (found.stopped, found.losses.tolist()) == ("diverged", losses[: end(losses)])


def test_a_test_that_goes_on_makes_trainings_of_their_own() -> None:
    """Each has the losses of a test at a constant rate, and nothing is left of any."""
    model, optimizer, batches = small_model()
    given = (model, nn.functional.cross_entropy, optimizer, batches)
    before = image([model, optimizer])
    found = range_test_model(*given, RAMP, STEPS, refine=True, probe_steps=25, probe_repeats=1)
    assert image([model, optimizer]) == before
    assert found.probe is not None
    assert len(found.probe.losses) >= 3
    for rate, (losses,) in zip(found.probe.learning_rates, found.probe.losses, strict=True):
        made = losses[losses == losses]
        alone = range_test_model(*given, lrsched.constant(rate), 25, divergence=None)
        assert made.tolist() == alone.losses[: len(made)].tolist()


def by_hand_in_float16(scale: float) -> tuple[list[float], int]:
    """The losses of a loop with a scaler that repeats skipped updates, and how many it skipped."""
    model, optimizer, batches = small_model()
    scaler = torch.amp.GradScaler(TORCH_DEVICE, init_scale=scale)
    losses: list[float] = []
    skipped = 0
    for x, y in itertools.cycle(batches):
        if len(losses) == STEPS:
            break
        optimizer.param_groups[0]["lr"] = RAMP(len(losses))
        optimizer.zero_grad()
        with torch.autocast(TORCH_DEVICE, torch.float16):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() < before:
            skipped += 1
        else:
            losses.append(loss.item())
    return losses, skipped


@pytest.mark.parametrize("memory", ["device", "cpu", "disk"])
@pytest.mark.parametrize("scale", [2.0**8, 2.0**26])
def test_float16_with_a_scaler_that_skips_updates(scale: float, memory: Any) -> None:
    """The larger scale overflows in the first updates."""
    losses, skipped = by_hand_in_float16(scale)
    assert (skipped > 0) == (scale > 2.0**20)
    model, optimizer, batches = small_model()
    scaler = torch.amp.GradScaler(TORCH_DEVICE, init_scale=scale)
    scaler.scale(torch.ones((), device=TORCH_DEVICE))  # which makes its tensors
    states = [model, optimizer, scaler.state_dict()]
    before = image(states)
    found = range_test_model(
        *(model, nn.functional.cross_entropy, optimizer, batches, RAMP, STEPS),
        autocast=torch.float16,
        scaler=scaler,
        memory=memory,
    )
    assert (found.stopped, found.losses.tolist()) == ("finished", losses)
    assert image([model, optimizer, scaler.state_dict()]) == before
    assert scaler.get_scale() == scale
