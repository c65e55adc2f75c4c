"""The data of range tests in Lightning: of every kind, skipped, limited, and at an end."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import numpy as np
import pytest
from torch.utils.data import DataLoader, IterableDataset

from lrsched_torch.lightning import range_test
from tests.torch.lightning_small import RAMP, STEPS, Net, data, found_in
from tests.torch.lightning_trainer import IGNORED, quiet_trainer

pytestmark = IGNORED


class Skipping(Net):
    """Returns None for some batches, and a dict for the others."""

    def __init__(self, skips: Callable[[int], bool], **_: Any) -> None:
        super().__init__()
        self.skips = skips

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return None if self.skips(batch_idx) else {"loss": self.loss(batch), "other": 1}


def test_skipped_batches_are_no_updates() -> None:
    kept: Any = [batch for index, batch in enumerate(data()) if index % 3]
    every = found_in(Net(), DataLoader(kept, batch_size=None))
    found = found_in(Skipping(lambda index: index % 3 == 0))
    np.testing.assert_array_equal(found.losses, every.losses)
    with pytest.raises(TypeError, match=r"^range_test: step's loss must be a number for some"):
        found_in(Skipping(lambda _: True))


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(data().dataset)


class ListOf:
    """An iterable of the first batches, and no loader."""

    def __init__(self, loader: Any, count: int | None = None) -> None:
        self.batches = [*loader][:count]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class Data(lightning.pytorch.LightningDataModule):
    """Makes its loader when it is set up."""

    def setup(self, stage: str) -> None:
        self.loader = data()

    def train_dataloader(self) -> Any:
        return self.loader


class WithData(Net):
    """Has its data with it."""

    def train_dataloader(self) -> Any:
        return data()


@pytest.mark.parametrize(
    "given",
    [
        {"train_dataloaders": DataLoader(Stream(), 8)},
        {"train_dataloaders": Data()},
        {"datamodule": Data()},
        {"train_dataloaders": ListOf(data())},
        {},
    ],
)
def test_data_of_every_kind(given: dict[str, Any]) -> None:
    """It is restarted after each epoch; and a data module is as it was."""
    module = WithData() if not given else Net()
    held = [vars(x).copy() for x in given.values() if isinstance(x, Data)]
    options: Any = {"schedule": RAMP, "steps": STEPS, "progress": False}
    found = range_test(quiet_trainer(), module, **given, **options)
    np.testing.assert_array_equal(found.losses, found_in(Net()).losses)
    assert [vars(x) for x in given.values() if isinstance(x, Data)] == held


def test_data_that_cannot_be_restarted_ends_the_test() -> None:
    found = found_in(Net(), iter([*data(5)]))
    assert (found.stopped, len(found.losses)) == ("exhausted", 5)
    np.testing.assert_array_equal(found.losses, found_in(Net(), data(5)).losses[:5])


def test_the_limit_of_batches_holds() -> None:
    """Each epoch has the first three batches."""
    found = found_in(Net(), trainer=quiet_trainer(limit_train_batches=3))
    np.testing.assert_array_equal(found.losses, found_in(Net(), ListOf(data(), 3)).losses)
