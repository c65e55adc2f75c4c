"""Training after a range test is the training without one, to the last bit."""

import functools
import gc
import os
import tempfile
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from lrsched_torch import range_test
from lrsched_torch._snapshot.snapshot import Snapshot
from lrsched_torch._snapshot.storage import DiskStorage, MemoryStorage, open_storage
from tests.torch.training_run import (
    FATES,
    OPTIMIZERS,
    ORDER,
    PLACES,
    RAMP,
    REFUSED,
    UPDATES,
    Doomed,
    Planned,
    World,
)


@functools.cache
def undisturbed(optimizer: str, prior: int) -> tuple[Any, Any, Any]:
    world = World(optimizer, prior)
    return world.image(), world.train(UPDATES), world.image()


@pytest.mark.filterwarnings(ORDER)
@settings(max_examples=100, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    prior=st.sampled_from([0, 3]),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(0, 6),
    memory=st.sampled_from(["device", "cpu", "disk"]),
)
@example("adam", 3, "finished", "step", 0, "device")
@example("sgd", 3, "steps the optimizer", "step", 2, "cpu")
@example("amsgrad", 0, KeyboardInterrupt, "optimizer", 3, "disk")
def test_training_goes_on_as_if_there_had_been_no_test(
    optimizer: str, prior: int, fate: Any, place: str, at: int, memory: str
) -> None:
    before, losses, after = undisturbed(optimizer, prior)
    world = World(optimizer, prior)
    doomed = Doomed(world, fate, place, at)
    if isinstance(fate, type):
        with pytest.raises(fate):
            doomed.run(memory)
    elif fate in REFUSED:
        with pytest.raises(ValueError, match=r"^range_test: step must be a function that"):
            doomed.run(memory)
    else:
        found = doomed.run(memory)
        assert found.stopped == fate
    assert sum(doomed.calls.values())
    assert world.image() == before
    assert world.train(UPDATES) == losses
    assert world.image() == after


def test_the_comparison_can_fail() -> None:
    """Without the restoration, all parts of the image differ that a test can change."""
    world, before = World(), World().image()
    world.train(3)
    torch.set_rng_state(torch.get_rng_state())
    changed = [a != b for a, b in zip(world.image(), before, strict=True)]
    assert changed == [True] * 9 + [False]  # modes


def test_parts_that_cannot_be_restored_do_not_keep_the_rest() -> None:
    class Broken:
        def __init__(self, *errors: BaseException) -> None:
            self.errors = [*errors]

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            if self.errors:
                raise self.errors.pop()

    world = World()
    before = world.image()
    doomed = Doomed(world, "finished", "step", 0)
    options: Any = {"progress": False, "divergence": None}
    with pytest.raises(RuntimeError, match=r"range_test: 1 of .* could not be restored: planned"):
        range_test(
            *(doomed.step, world.optimizer, world.loader, RAMP, 5),
            restore=[Broken(Planned("planned"))],
            **options,
        )
    assert world.image() == before
    with pytest.raises(KeyboardInterrupt):
        range_test(
            *(doomed.step, world.optimizer, world.loader, RAMP, 5),
            restore=[Broken(*[KeyboardInterrupt()] * 3)],
            **options,
        )
    assert world.image() == before


def test_an_interrupt_before_the_restoration_began(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(3)
    kept = Snapshot()
    kept.keep(weight)
    real, calls = kept.rewind, iter([KeyboardInterrupt])

    def interrupted() -> None:
        for error in calls:
            raise error
        real()

    monkeypatch.setattr(kept, "rewind", interrupted)
    with pytest.raises(KeyboardInterrupt), kept.restored():
        weight.zero_()
    assert weight.tolist() == [1.0] * 3


@pytest.mark.filterwarnings(ORDER)
def test_the_file_is_gone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    open_files = set(os.listdir("/proc/self/fd"))
    world = World()
    for fate in ("finished", Planned):
        doomed = Doomed(world, fate, "step", 2)
        if fate is Planned:
            with pytest.raises(Planned):
                doomed.run("disk")
        else:
            doomed.run("disk")
        assert os.listdir(tmp_path) == []
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) <= open_files


def test_a_file_that_was_cut_off_is_noticed() -> None:
    disk = DiskStorage()
    read = disk.store(torch.ones(100))
    disk._file.truncate(10)
    with pytest.raises(OSError, match="shorter than 400"):
        read()
    disk.close()


def test_copies_are_where_they_are_asked_for() -> None:
    """A device without memory stands for an accelerator."""
    cpu, meta = torch.ones(2), torch.ones(2, device="meta")
    on_device, on_host, on_disk = open_storage("device"), open_storage("cpu"), open_storage("disk")
    assert isinstance(on_disk, DiskStorage)
    on_disk.close()
    assert on_device.store(meta)().device.type == "meta"
    assert on_device.store(cpu)().device.type == on_host.store(cpu)().device.type == "cpu"
    assert MemoryStorage("meta").store(cpu)().device.type == "meta"
