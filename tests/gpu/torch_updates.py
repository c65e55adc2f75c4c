"""Updates in torch whose rates are computed on the device: replayed, compiled, never waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.optional import needs

needs("torch")

import torch
from torch._dynamo.testing import CompileCounterWithBackend

import lrsched
from lrsched import Schedule
from lrsched_torch import on_device
from tests.gpu.devices import ON_A_GPU, TORCH_DEVICE
from tests.ulp import ulps

LIMIT = 8.0  # ulp of float32
SCHEDULES = [
    lrsched.cyclic(0.001, 0.006, up_steps=20, mode="triangular2"),
    lrsched.warmup(lrsched.cosine_decay(0.1, 150), 30),
    lrsched.one_cycle(0.1, 180),
    lrsched.cosine_restarts(0.1, 10, period_mult=2),
    lrsched.exponential_decay(0.1, 0.99),
    lrsched.multi_step_decay(0.1, 0.5, [40, 80, 120]),
]


def worst(schedule: Schedule, rates: list[torch.Tensor]) -> float:
    """The largest error of the rates of all updates, in ulp."""
    return max(ulps(float(rate), schedule(count)) for count, rate in enumerate(rates))


class Training:
    """A network, its optimizer and a batch."""

    def __init__(self, lr: float | torch.Tensor) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Linear(64, 64, device=TORCH_DEVICE)
        weights = self.model.parameters()
        self.optimizer = torch.optim.Adam(weights, lr=lr, capturable=ON_A_GPU)
        self.batch = torch.randn(32, 64, device=TORCH_DEVICE)

    def differentiate(self) -> None:
        """Forward and backward."""
        self.optimizer.zero_grad()
        self.model(self.batch).square().mean().backward()

    def update(self) -> None:
        self.differentiate()
        self.optimizer.step()

    def rate(self) -> torch.Tensor:
        """A copy, made on the device."""
        rate: torch.Tensor = self.optimizer.param_groups[0]["lr"].clone()
        return rate


def on_the_device(rate: float = 1.0) -> torch.Tensor:
    return torch.tensor(rate, device=TORCH_DEVICE)


@contextmanager
def never_waiting() -> Iterator[None]:
    """In which torch raises an error as soon as the host waits for the GPU."""
    if not ON_A_GPU:
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Replayed:
    """A step that from its fourth call on is the replay of a CUDA graph, if there is a GPU."""

    SET_UP = 3  # calls in which torch's libraries set themselves up

    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        self._calls += 1
        if not ON_A_GPU:
            self._step()
        elif self._calls <= self.SET_UP:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._step()
            torch.cuda.current_stream().wait_stream(side)
        else:
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._graph):
                    self._step()  # is recorded, and does nothing
            with never_waiting():
                self._graph.replay()


def compiled_update(
    optimizer: torch.optim.Optimizer, after: Callable[[], None]
) -> tuple[Callable[[], None], Any]:
    """An update and what follows it as one compiled graph, and what counts its compilations.

    torch's wrapper of `optimizer.step` breaks graphs.
    """
    torch.compiler.reset()
    unwrapped: Any = type(optimizer).step.__wrapped__.__wrapped__  # type: ignore[attr-defined]
    counter = CompileCounterWithBackend("inductor")

    def step() -> None:
        unwrapped(optimizer)
        after()

    return torch.compile(torch.no_grad()(step), fullgraph=True, backend=counter), counter


def with_on_device(training: Training, schedule: Schedule, compiles: bool = False) -> Replayed:
    """An update and the rate after it, computed by compiled code or not, in one graph."""
    rates = on_device(training.optimizer, schedule)
    next_rate = torch.compile(rates.step, fullgraph=True) if compiles else rates.step

    def step() -> None:
        training.update()
        next_rate()

    return Replayed(step)


def replayed_rates(schedule: Schedule, steps: int, compiles: bool = False) -> list[torch.Tensor]:
    """The rates of updates that are replays of one CUDA graph, but for a few before it."""
    training = Training(on_the_device())
    step, seen = with_on_device(training, schedule, compiles), []
    for _ in range(steps):
        seen.append(training.rate())
        step()
    return seen


def compiled_rates(schedule: Schedule, steps: int) -> tuple[list[torch.Tensor], int]:
    """The rates of compiled updates, and how often they were compiled."""
    training = Training(on_the_device())
    rates = on_device(training.optimizer, schedule)
    update, counter = compiled_update(training.optimizer, rates.step)
    seen = []
    for count in range(steps):
        training.differentiate()
        seen.append(training.rate())
        if count == 0:
            update()  # which compiles it
            continue
        with never_waiting():
            update()
    return seen, counter.frame_count
