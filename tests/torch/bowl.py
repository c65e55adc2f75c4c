"""A task whose range tests go on as expected, and those of a training step in torch."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from tests.optional import needs

needs("torch")

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import lrsched_torch
from lrsched.range_test import RangeTest

ROWS, BATCH, WEIGHTS = 24, 4, 12

# Options of range tests; how many ramps there are, and whether there are trainings.
CASES: dict[str, tuple[dict[str, Any], int, bool]] = {
    "certain": ({"low": 1e-4, "high": 1e2, "steps": 60}, 1, False),
    "higher rates": ({"low": 1e-5, "high": 0.1, "steps": 60}, 2, False),
    "lower rates": ({"low": 3.0, "high": 1e3, "steps": 30}, 2, False),
    "trainings": ({"low": 1e-4, "high": 1e2, "steps": 60, "noise": 0.3}, 1, True),
    "refined": (
        {"low": 1e-3, "high": 1e2, "steps": 40, "refine": True, "probe_steps": 9, "noise": 0.1},
        *(1, True),
    ),
    "no more": ({"low": 1e-5, "high": 0.1, "steps": 60, "max_steps": 60}, 1, False),
}


class Bowl(nn.Module):
    """The mean of squares of different curvatures, around targets that vary."""

    curvatures: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WEIGHTS))
        self.register_buffer("curvatures", torch.logspace(-1.0, 1.0, WEIGHTS))

    def forward(self, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.curvatures * (self.weight - targets) ** 2).mean()}


class Targets(Dataset[dict[str, torch.Tensor]]):
    """Targets with so much noise."""

    def __init__(self, noise: float) -> None:
        generator = torch.Generator().manual_seed(0)
        self.rows = noise * torch.randn(ROWS, WEIGHTS, generator=generator)

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"targets": self.rows[index]}


def loader(noise: float) -> DataLoader[Any]:
    """The batches in their order."""
    return DataLoader(Targets(noise), BATCH)


def sgd(module: nn.Module, updates: list[float]) -> torch.optim.Optimizer:
    """An optimizer that appends the rate of each update."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    optimizer.register_step_pre_hook(lambda made, *_: updates.append(made.param_groups[0]["lr"]))
    return optimizer


class Gone(NamedTuple):
    """A range test, and the rates of all its updates."""

    test: RangeTest
    updates: list[float]


@cache
def in_torch(case: str, accumulate: int = 1, clipped: float = 0.0) -> Gone:
    """The range test of a training step."""
    options = {**CASES[case][0]}
    bowl, batches, updates = Bowl(), loader(options.pop("noise", 0.01)), list[float]()

    def step(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        loss: torch.Tensor = bowl(**batch)["loss"]
        (loss / accumulate).backward()  # type: ignore[no-untyped-call]
        return loss

    def clip() -> None:
        if clipped:
            nn.utils.clip_grad_norm_(bowl.parameters(), clipped)

    test = lrsched_torch.range_test(
        *(step, sgd(bowl, updates), batches),
        accumulate=accumulate,
        before_update=clip,
        progress=False,
        **options,
    )
    return Gone(test, updates)


def check_goes_on(
    case: str,
    run: Callable[..., RangeTest],
    updates: list[float],
    rtol: float = 0.0,
    **wanted: Any,
) -> None:
    """Check that a range test of the same bowl goes on as that of a training step.

    Losses are the same up to a relative tolerance, and the rates that are chosen by them.
    """
    options, ramps, trains = CASES[case]
    expected = in_torch(case, **wanted)
    noise = options.get("noise", 0.01)
    others = {name: value for name, value in options.items() if name != "noise"}
    found = run(loader(noise), progress=False, **others)
    check_same(found, expected.test, rtol)
    np.testing.assert_allclose(updates, expected.updates, rtol=rtol)
    assert (found.earlier is not None) == (ramps > 1)
    assert (found.probe is not None) == trains
    steps = sum(len(each.losses) for each in (found, found.earlier) if each is not None)
    assert len(updates) == steps + (0 if found.probe is None else found.probe.updates)


def check_same(found: RangeTest, wanted: RangeTest, rtol: float = 0.0) -> None:
    """Check that two tests are the same, with what was before and after them."""
    assert found.stopped == wanted.stopped
    assert found.summary == wanted.summary
    np.testing.assert_array_equal(found.learning_rates, wanted.learning_rates)
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=rtol)
    assert (found.earlier is None) == (wanted.earlier is None)
    if found.earlier is not None and wanted.earlier is not None:
        check_same(found.earlier, wanted.earlier, rtol)
    assert (found.probe is None) == (wanted.probe is None)
    if found.probe is not None and wanted.probe is not None:
        rates = found.probe.learning_rates, wanted.probe.learning_rates
        np.testing.assert_allclose(*rates, rtol=rtol)
        np.testing.assert_allclose(found.probe.losses, wanted.probe.losses, rtol=rtol)
