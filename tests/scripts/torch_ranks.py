"""One process of two that test together; `range_test_processes_test.py` starts both."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import lrsched
from lrsched.range_test import RangeTest, Suggestion
from lrsched_torch import range_test
from lrsched_torch._range_test import runner as _runner
from tests.scripts.fsdp2 import fully_shard

RAMP = lrsched.exponential_ramp(1e-3, 100.0, 49)


def image(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[bytes]:
    """All numbers of a model and its optimizer on this process, as bytes."""
    tensors = [*model.parameters(), *model.buffers(), torch.get_rng_state()]
    for state in optimizer.state.values():
        tensors += [x for x in state.values() if isinstance(x, torch.Tensor)]
    local = [x.to_local() if hasattr(x, "to_local") else x for x in tensors]
    return [x.detach().numpy().tobytes() for x in local]


class Run:
    """A model that the processes train together, each on its own batches."""

    def __init__(self, rank: int, shard: bool = False) -> None:
        torch.manual_seed(0)
        self.net: Any = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Tanh(), nn.Linear(8, 1))
        if shard:
            fully_shard(self.net[0])
            fully_shard(self.net)
            self.model: Any = self.net
        else:
            self.model = DistributedDataParallel(self.net, gradient_as_bucket_view=True)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
        generator = torch.Generator().manual_seed(rank)
        self.batches = list(torch.randn(5, 16, 4, generator=generator))
        self.own: list[float] = []
        self.update(self.batches[0])  # so that there are momenta and gradients

    def step(self, batch: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = ((self.model(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        self.own.append(loss.item())
        return loss

    def update(self, batch: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        self.step(batch)
        self.optimizer.step()
        self.own.clear()

    def test(self, batches: Any = None, **options: Any) -> Any:
        given = self.batches if batches is None else batches
        return range_test(self.step, self.optimizer, given, RAMP, 50, **options)

    def found(self, **options: Any) -> dict[str, Any]:
        before = image(self.net, self.optimizer)
        found = self.test(**options)
        own = list(self.own)
        restored = image(self.net, self.optimizer) == before
        probe = [] if found.probe is None else found.probe.losses.tolist()
        losses = found.losses.tolist()
        self.update(self.batches[1])  # the processes still work together
        return {
            "losses": losses,
            "stopped": found.stopped,
            "restored": restored,
            "own": own,
            "probe": probe,
        }


def training(rank: int, shard: bool, test: str) -> list[bytes]:
    """What the model and its optimizer are after some updates, with or without a test before."""
    run = Run(rank, shard)
    if test == "whole":
        run.test(metrics=lambda: {"norm": run.model(run.batches[0]).norm()}, every=5)
    elif test:

        def fail(*_: Any) -> None:
            if len(run.own) == 3:
                raise OSError("planned")

        hook = run.net[2].register_forward_pre_hook(fail)
        with contextlib.suppress(OSError):
            run.test()
        hook.remove()
    for batch in run.batches:
        run.update(batch)
    return image(run.net, run.optimizer)


def gone_on(rank: int) -> dict[str, Any]:
    """A test that has a further ramp and trainings, with its losses, and what is after it."""
    run = Run(rank)
    run.net[1].p = 0.0
    run.optimizer = torch.optim.SGD(run.net.parameters(), lr=0.1)
    before = image(run.net, run.optimizer)
    given = (run.step, run.optimizer, run.batches[:1], None, 60)
    found = range_test(*given, high=0.1, max_steps=240, refine=True, probe_steps=15)
    same = image(run.net, run.optimizer) == before
    count = len(run.own)
    run.update(run.batches[1])
    parts: list[Any] = [found.earlier, found, found.probe]
    return {
        "rates": [part.learning_rates.tolist() for part in parts],
        "losses": [part.losses.tolist() for part in parts],
        "updates": count,
        "restored": same,
        "after": image(run.net, run.optimizer),
    }


def main(out: Path, rank: int) -> None:
    address = f"file://{out / 'store'}"
    dist.init_process_group("gloo", address, rank=rank, world_size=2)
    results: dict[str, Any] = {}
    results["goes on"] = gone_on(rank)
    # Whatever the rules make of these curves.
    suggested = Suggestion(0.01, 0.02, 0.04)
    setattr(RangeTest, "suggest", lambda self, *_, **__: suggested)  # noqa: B010
    refined: dict[str, Any] = {"refine": True, "probe_steps": 15}
    results["ddp"] = Run(rank).found(**refined)
    results["fsdp"] = Run(rank, shard=True).found(**refined)

    for name, shard in (("ddp", False), ("fsdp", True)):
        undisturbed = training(rank, shard, "")
        # Sharded modules cannot go on after an exception in their forward pass, nor can
        # DistributedDataParallel after one in its backward pass.
        for test in ("whole",) if shard else ("whole", "failed"):
            results[f"{name} {test}"] = training(rank, shard, test) == undisturbed

    _runner.Runner._waits = lambda self: True  # type: ignore[method-assign]  # as on a GPU
    results["ddp window"] = Run(rank).found(metrics=lambda: {"one": 1.0}, every=4)
    run = Run(rank)
    before = image(run.net, run.optimizer)
    found = run.test(iter(run.batches * (2 - rank)))
    same = image(run.net, run.optimizer) == before
    results["exhausted"] = found.stopped, len(found.losses), same

    batches = iter(run.batches * (20 - 2 * rank))  # more in the first
    found = run.test(batches, refine=True, divergence=None, probe_steps=12)
    results["short probe"] = found.probe.losses.tolist()

    def failing() -> Iterator[torch.Tensor]:
        yield from run.batches[:3]
        if rank == 1:
            raise OSError("planned")
        yield from run.batches[3:] * 10

    try:
        run.test(failing())
    except Exception as error:
        same = image(run.net, run.optimizer) == before
        results["failed data"] = type(error).__name__, str(error), same

    weight = nn.Parameter(torch.full((), 2.0 + rank))

    def alone(batch: torch.Tensor) -> torch.Tensor:
        loss = weight**2
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer = torch.optim.SGD([weight], lr=0.1)
    found = range_test(alone, optimizer, [0], RAMP, 4 + 2 * rank, distributed=False)
    results["alone"] = len(found.losses), found.losses.tolist()

    calls = 0

    def step(batch: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 4:
            raise ValueError("planned")
        return run.step(batch)

    try:
        range_test(step, run.optimizer, run.batches, RAMP, 50)
    except Exception as error:
        same = image(run.net, run.optimizer) == before
        results["failed step"] = type(error).__name__, same
    torch.save(results, out / f"{rank}.pt")
    sys.stderr.flush()
    os._exit(0)  # as a process that failed: without a farewell to the other


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
