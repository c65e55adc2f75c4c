"""Rates of `lrsched_torch.on_device` on a GPU: in a CUDA graph, compiled, never waited for.

    python -m benchmarks.torch_device_lr [--steps N]

trains a small network with each schedule in two ways, and prints for each how far the learning
rates were from the schedule at worst, in units of float32's last place. One is a CUDA graph of the
whole step, captured once and replayed; the other is the update compiled as one graph, with the
number of its compilations. Both run where torch raises an error as soon as the host waits for the
device. Below stand torch's own scheduler and a float rate, compiled in the same way. It fails where
a rate is more than 8 units off or anything is compiled twice; without a CUDA device it says so.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._dynamo.testing import CompileCounterWithBackend

import lrsched
from lrsched import Schedule
from lrsched_torch import on_device
from tests.ulp import ulps

LIMIT = 8.0
SCHEDULES = [
    lrsched.cyclic(0.001, 0.006, up_steps=20, mode="triangular2"),
    lrsched.warmup(lrsched.cosine_decay(0.1, 150), 30),
    lrsched.one_cycle(0.1, 180),
    lrsched.cosine_restarts(0.1, 10, period_mult=2),
    lrsched.exponential_decay(0.1, 0.99),
    lrsched.multi_step_decay(0.1, 0.5, [40, 80, 120]),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here: nothing was run.")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {steps} steps")
    print(f"{'':<20} {'graph, ulp':>12} {'compiled, ulp':>14} {'compilations':>13}")
    failed = False
    for schedule in SCHEDULES:
        graph = worst(schedule, replayed(schedule, steps))
        rates, compilations = compiled(schedule, steps)
        failed |= not max(graph, worst(schedule, rates)) <= LIMIT or compilations != 1
        found = f"{graph:>12.2f} {worst(schedule, rates):>14.2f} {compilations:>13}"
        print(f"{schedule.name:<20} {found}", flush=True)
    print(f"{'torch, a float lr':<20} {'-':>12} {'-':>14} {of_torch(steps):>13}")
    if failed:
        raise SystemExit("failed")


def worst(schedule: Schedule, rates: list[torch.Tensor]) -> float:
    """The largest error of the rates of all updates."""
    return max(ulps(float(rate), schedule(count)) for count, rate in enumerate(rates))


class Training:
    """A network, its optimizer and a batch."""

    def __init__(self, lr: float | torch.Tensor) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Linear(64, 64, device="cuda")
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, capturable=True)
        self.batch = torch.randn(32, 64, device="cuda")

    def differentiate(self) -> None:
        """Forward and backward."""
        self.optimizer.zero_grad()
        self.model(self.batch).square().mean().backward()

    def rate(self) -> torch.Tensor:
        """A copy, made on the device."""
        rate: torch.Tensor = self.optimizer.param_groups[0]["lr"].clone()
        return rate


@contextmanager
def never_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def replayed(schedule: Schedule, steps: int) -> list[torch.Tensor]:
    """The rates of updates that are replays of one CUDA graph, but for a few before it."""
    training = Training(torch.tensor(1.0, device="cuda"))
    rates = on_device(training.optimizer, schedule)
    seen = []

    def step() -> None:
        training.differentiate()
        training.optimizer.step()
        rates.step()

    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):  # torch's libraries set themselves up
            seen.append(training.rate())
            step()
    torch.cuda.current_stream().wait_stream(side)
    training.optimizer.zero_grad()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    with never_waiting():
        for _ in range(steps - 3):
            seen.append(training.rate())
            graph.replay()
    return seen


def compiled(schedule: Schedule, steps: int) -> tuple[list[torch.Tensor], int]:
    """The rates of compiled updates, and how often they were compiled."""
    training = Training(torch.tensor(1.0, device="cuda"))
    rates = on_device(training.optimizer, schedule)
    update, counter = compiled_update(training.optimizer, rates.step)
    seen = []
    for count in range(steps):
        training.differentiate()
        if count == 0:
            seen.append(training.rate())
            update()
            continue
        with never_waiting():
            seen.append(training.rate())
            update()
    return seen, counter.frame_count


def of_torch(steps: int) -> int:
    """How often an update with torch's own scheduler and a float rate is compiled."""
    training = Training(1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(training.optimizer, SCHEDULES[0])
    update, counter = compiled_update(training.optimizer, lambda: None)
    training.optimizer._opt_called = True  # type: ignore[attr-defined]  # by its unwrapped `step`
    for _ in range(steps):
        training.differentiate()
        update()
        scheduler.step()
    return int(counter.frame_count)


def compiled_update(
    optimizer: torch.optim.Optimizer, after: Callable[[], None]
) -> tuple[Callable[[], None], Any]:
    """An update and what follows it as one compiled graph; torch's wrapper of it breaks graphs."""
    torch.compiler.reset()
    unwrapped: Any = type(optimizer).step.__wrapped__.__wrapped__  # type: ignore[attr-defined]
    counter = CompileCounterWithBackend("inductor")

    def step() -> None:
        unwrapped(optimizer)
        after()

    return torch.compile(torch.no_grad()(step), fullgraph=True, backend=counter), counter


if __name__ == "__main__":
    main()
