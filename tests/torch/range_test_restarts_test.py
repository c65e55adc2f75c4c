"""Each part of a range test that goes on begins with the same state, which is restored after it."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, ClassVar

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, TensorDataset

import lrsched
from lrsched.range_test import RangeTest
from lrsched.range_test.running.monitor import Monitor
from lrsched_torch._range_test import range_test as _range_test
from lrsched_torch._snapshot.snapshot import Snapshot
from tests.torch.range_test_task import Valley
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

RAMP, FURTHER, TRAINING = 16, 9, 6  # updates
PARTS = 6  # with two rates, trained twice


def going_on(test: RangeTest, runs: Any, limits: Any) -> RangeTest:
    """In the place of `continued`: the same further parts whatever the losses are."""
    runs.ramp(lrsched.exponential_ramp(1e-3, 0.5, FURTHER - 1), FURTHER)
    for repeat in range(2):
        for rate in (0.02, 0.1):
            runs.train(rate, TRAINING, repeat, 1e3)
    return test


@pytest.fixture
def goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_range_test, "continued", going_on)


class Parts(Doomed):
    """A test that notes the state of its world when a part of it begins to draw batches."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(world, "finished", "", 0)
        self.begun = False
        self.images: list[Any] = []
        real = Monitor.begin

        def begin(monitor: Monitor, name: str, total: int) -> None:
            self.begun = True
            real(monitor, name, total)

        monkeypatch.setattr(Monitor, "begin", begin)

    def batches(self) -> Iterator[Any]:
        if self.begun:
            self.images.append(self.world.image())
        self.begun = False
        yield from super().batches()


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("memory", ["device", "cpu", "disk"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_each_part_begins_with_the_same_state(
    optimizer: str, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, buffers, gradients, the optimizer's state, modes, and all random generators."""
    world = World(optimizer, 3)
    before = world.image()
    parts = Parts(world, monkeypatch)
    parts.run(memory)
    assert parts.images == parts.images[:1] * PARTS
    assert world.image() == before


@pytest.mark.usefixtures("goes_on")
def test_the_comparison_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("sgd", 3)
    before = world.image()
    parts = Parts(world, monkeypatch)
    monkeypatch.setattr(Snapshot, "rewind", lambda self: None)
    parts.run()
    assert [image == parts.images[0] for image in parts.images] == [True] + [False] * (PARTS - 1)
    assert world.image() != before


@functools.cache
def undisturbed(optimizer: str, prior: int) -> tuple[Any, Any, Any]:
    world = World(optimizer, prior)
    return world.image(), world.train(UPDATES), world.image()


@pytest.mark.filterwarnings(ORDER)
@settings(max_examples=30, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    prior=st.sampled_from([0, 3]),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(16, 48),
    memory=st.sampled_from(["device", "cpu", "disk"]),
)
@example("adam", 3, KeyboardInterrupt, "step", 18, "device")  # in the further ramp
@example("sgd", 0, KeyboardInterrupt, "optimizer", 40, "disk")  # in a training
@example("amsgrad", 3, "nonfinite", "step", 30, "cpu")
@example("sgd", 3, "steps the optimizer", "step", 30, "device")
def test_what_goes_wrong_in_a_later_part_leaves_nothing(
    optimizer: str, prior: int, fate: Any, place: str, at: int, memory: str
) -> None:
    before, losses, after = undisturbed(optimizer, prior)
    world = World(optimizer, prior)
    at = at if place != "metrics" else RAMP // 2 + at % (FURTHER // 2)
    doomed = Doomed(world, fate, place, at)
    ended = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_range_test, "continued", going_on)
        with contextlib.suppress(fate if isinstance(fate, type) else ValueError):
            doomed.run(memory)
            ended = True
    if isinstance(fate, type):
        assert doomed.calls[place] == at + 1
    assert ended == (not isinstance(fate, type) and fate not in REFUSED)
    assert world.image() == before
    assert world.train(UPDATES) == losses
    assert world.image() == after


class Noted(DataLoader[Any]):
    """A loader that notes when an iterator over it begins and ends."""

    events: ClassVar[list[str]] = []  # not of the loader itself, whose attributes are restored

    def __iter__(self) -> Any:
        self.events.append("begin")
        try:
            yield from super().__iter__()
        finally:
            self.events.append("end")


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("shared", [False, True])
def test_a_shuffled_loader_gives_every_part_the_same_batches(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in later epochs. Trainings that are repeated begin where the first ones ended."""
    generator = None if shared else torch.Generator().manual_seed(3)
    inputs = torch.arange(14.0).repeat(2, 1).T
    Noted.events.clear()
    begin = lambda *_: Noted.events.append("part")  # noqa: E731
    monkeypatch.setattr(Monitor, "begin", begin)
    loader: Any = Noted(TensorDataset(inputs), 2, shuffle=True, generator=generator)
    torch.manual_seed(1)
    state = torch.get_rng_state() if generator is None else generator.get_state()
    task = Valley()
    step = lambda batch: task.step(batch[0])  # noqa: E731
    task.run(None, RAMP, step=step, batches=loader, low=1e-4, high=0.01)
    after = torch.get_rng_state() if generator is None else generator.get_state()
    assert torch.equal(state, after)
    order = [batch[:, 0].tolist() for batch in task.seen]
    ramp, rest = order[:RAMP], order[RAMP:]
    assert ramp[:7] != ramp[7:14]
    assert rest[:FURTHER] == ramp[:FURTHER]
    trained = [rest[FURTHER + k * TRAINING :][:TRAINING] for k in range(4)]
    assert trained == [ramp[:TRAINING]] * 2 + [ramp[TRAINING : 2 * TRAINING]] * 2
    epochs = (3, 2, 1, 1, 2, 2)  # of 7 batches; each ends before the next part begins
    assert Noted.events == [x for k in epochs for x in ("part", *["begin", "end"] * k)]


def test_a_loader_with_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers start anew for each part; so they draw the same numbers."""

    def once(test: RangeTest, runs: Any, limits: Any) -> RangeTest:
        assert runs.train(0.01, 4, 0, 1e9) == test.losses[:4].tolist()
        return test

    monkeypatch.setattr(_range_test, "continued", once)
    # Not forked: JAX may have threads in this process.
    workers: dict[str, Any] = {"num_workers": 1, "multiprocessing_context": "forkserver"}
    loader: Any = DataLoader(Drawn(), 2, shuffle=True, persistent_workers=True, **workers)
    task = Valley()
    found = task.run(lrsched.constant(0.01), 6, batches=loader)
    assert len(task.seen) == 6 + 4
    assert all(map(torch.equal, task.seen, task.seen[6:]))
    assert len(set(found.losses)) == 6
    assert loader._iterator is None


class Drawn(Dataset[torch.Tensor]):
    """Random numbers, drawn in the worker."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.rand(2)


class Counted(Iterator[torch.Tensor]):
    """An iterator over some batches, which counts them."""

    def __init__(self, count: int) -> None:
        self.left, self.count = count, 0

    def __next__(self) -> torch.Tensor:
        if not self.left:
            raise StopIteration
        self.left -= 1
        self.count += 1
        return torch.full((2, 2), 0.5)


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("count", range(1, 60, 7))
def test_batches_that_run_out_in_any_part(count: int) -> None:
    task, batches = Valley(), Counted(count)
    before = image(task.weights)
    found = task.run(None, RAMP, low=1e-4, high=0.01, batches=batches)
    assert (found.stopped, len(found.losses)) == (
        ("exhausted", count) if count < RAMP else ("finished", RAMP)
    )
    assert len(task.seen) == min(count, RAMP + FURTHER + 4 * TRAINING)
    assert image(task.weights) == before


@settings(max_examples=30, derandomize=True, deadline=None)
@given(count=st.integers(60, 300), accumulate=st.sampled_from([1, 2]))
def test_a_training_of_too_few_batches_is_none(count: int, accumulate: int) -> None:
    """The others are whole, and further rates of too few batches are read as they are."""
    task, batches = Valley(), Counted(count)
    options: dict[str, Any] = {"refine": True, "probe_steps": 15, "max_steps": 400}
    found = task.run(None, 60, high=0.01, batches=batches, accumulate=accumulate, **options)
    ramps = [found] if found.earlier is None else [found.earlier, found]
    if count < 60 * accumulate:
        assert (len(ramps), found.probe, found.stopped) == (1, None, "exhausted")
    made = sum(len(ramp.losses) for ramp in ramps)
    if found.probe is not None:
        rows = found.probe.losses.reshape(-1, 15)
        finite = np.isfinite(rows).sum(axis=1)
        made += int(finite.sum())
        assert set(finite) <= {0, 15} | set(finite[(rows > 20.0).any(axis=1)])
    assert len(task.seen) >= made * accumulate
    assert batches.count <= count
    assert len(task.seen) <= batches.count
