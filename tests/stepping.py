"""torch's schedulers, stepped for real. What is called here needs torch."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from lrsched import Schedule
from tests.optional import needs

TOLERANCE = 1e-9  # of the largest rate involved
STEPS = 100

Make = Callable[[Any], Any]  # from an optimizer to a scheduler
Resume = Callable[[Any, int], Any]  # with torch's last_epoch


def sgd(*lrs: Any, **options: Any) -> Any:
    """An optimizer with a param group for each learning rate, by default one of 1."""
    torch = needs("torch")
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs or (1.0,)]
    return torch.optim.SGD(groups, **({"lr": groups[0]["lr"]} | options))


def lr_of(optimizer: Any) -> float:
    return float(optimizer.param_groups[0]["lr"])


def advance(optimizer: Any, scheduler: Any, steps: int) -> list[float]:
    """The first group's learning rate at each of the next updates."""
    lrs = []
    optimizer.step()  # once, as torch's schedulers ask for: without gradients it changes nothing
    for _ in range(steps):
        lrs.append(lr_of(optimizer))
        scheduler.step()
    return lrs


def stepped(make: Make, steps: int, lr: float = 1.0) -> list[float]:
    """The learning rate of each update of an optimizer with a scheduler."""
    optimizer = sgd(lr)
    scheduler = make(optimizer)
    return [*advance(optimizer, scheduler, steps - 1), lr_of(optimizer)]


def resumed(make: Resume, count: int, lr: float, **group: float) -> float:
    """The lr that a scheduler sets when it is made for an optimizer after `count` steps."""
    optimizer = sgd(lr)
    optimizer.param_groups[0].update(group)
    make(optimizer, count - 1)
    return lr_of(optimizer)


def reloaded(state: Any) -> Any:
    """What a checkpoint gives back where nothing but plain data is allowed in it."""
    torch = needs("torch")
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def close(lrs: list[float], base: float) -> object:
    """What equals values within the tolerance of the largest of `lrs` and `base`."""
    return pytest.approx(lrs, rel=0.0, abs=TOLERANCE * max(base, *map(abs, lrs)))


def check(make: Make, schedule: Schedule, lr: float, steps: int = STEPS) -> None:
    """The schedule's values are a scheduler's within the tolerance of the largest rate."""
    lrs = stepped(make, steps, lr)
    ours = [schedule(count) for count in range(steps)]
    allowed = TOLERANCE * max(lr, *map(abs, lrs))
    assert all(abs(x - y) <= allowed for x, y in zip(ours, lrs, strict=True)), (ours, lrs)
