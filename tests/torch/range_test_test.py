"""Range tests in torch: what is used and recorded, when they stop, and what they refuse."""

import io
import itertools
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import lrsched
from lrsched.range_test import RangeTest, Suggestion
from lrsched.range_test import probe as _probe
from lrsched_torch import range_test, range_test_model
from lrsched_torch._range_test import runner as _runner
from lrsched_torch._range_test import updates as _updates

RAMP = lrsched.exponential_ramp(1e-3, 0.3, 19)
STEPS = 20
SCRIPTS = Path(__file__).parents[1] / "scripts"


class Task:
    """A regression on fixed batches, and the rates that its optimizer was called with."""

    def __init__(self, *lrs: Any, batches: int = 7) -> None:
        generator = torch.Generator().manual_seed(0)
        self.weights = [nn.Parameter(torch.ones(2)) for _ in lrs or (1.0,)]
        groups = [{"params": [w], "lr": lr} for w, lr in zip(self.weights, lrs or (1.0,))]  # noqa: B905
        self.use(torch.optim.SGD(groups))
        self.batches = list(torch.rand(batches, 8, 2, generator=generator))
        self.seen: list[Any] = []

    def use(self, optimizer: torch.optim.Optimizer) -> None:
        """Drive it, and note the rates of its groups at each call: not on it, as it is restored."""
        self.optimizer = optimizer
        self.used: list[list[float]] = []
        groups, used = optimizer.param_groups, self.used
        optimizer.register_step_pre_hook(lambda *_: used.append([float(g["lr"]) for g in groups]))

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return sum(((batch * w).sum(1) ** 2).mean() for w in self.weights)  # type: ignore[return-value]

    def step(self, batch: torch.Tensor) -> torch.Tensor:
        self.seen.append(batch)
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def run(self, schedule: Any = RAMP, steps: int = STEPS, **options: Any) -> RangeTest:
        batches = options.pop("batches", self.batches)
        step = options.pop("step", self.step)
        options.setdefault("progress", False)
        return range_test(step, self.optimizer, batches, schedule, steps, **options)


# Rates


@pytest.mark.parametrize(
    "schedule",
    [
        RAMP,
        lrsched.linear(0.0, 0.3, 19),
        lrsched.cyclic(0.01, 0.2, 5),
        lrsched.exponential_ramp(1e-2, 1.0, 19) * lrsched.warmup_cosine(0.2, 20, 4),
    ],
    ids=repr,
)
def test_the_rates_recorded_are_those_used(schedule: Any) -> None:
    task = Task()
    found = task.run(schedule)
    assert [[rate] for rate in found.learning_rates] == task.used
    assert found.learning_rates.tolist() == [schedule(count) for count in range(STEPS)]
    assert (found.stopped, found.schedule, found.label) == ("finished", schedule, "torch")


@pytest.mark.parametrize("steps", [1, 2, 50])
def test_by_default_both_ends_of_the_ramp_are_used(steps: int) -> None:
    task = Task()
    found = task.run(None, steps, divergence=None)
    ends = [1e-7, 10.0] if steps > 1 else [1e-7]
    assert found.learning_rates[[0, -1][: len(ends)]].tolist() == pytest.approx(ends, rel=1e-12)


def test_a_tensor_is_filled_in_place_and_recorded_as_it_is() -> None:
    tensor = torch.tensor(0.5)
    task = Task(tensor)
    found = task.run()
    assert [[rate] for rate in found.learning_rates] == task.used
    assert found.learning_rates.tolist() == [torch.tensor(RAMP(n)).item() for n in range(STEPS)]
    assert task.optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == 0.5


def test_the_groups_keep_their_ratios() -> None:
    task = Task(0.4, 0.1, 0.8, 0.0)
    found = task.run()
    assert task.used == [[x, x * 0.25, x * 2.0, 0.0] for x in found.learning_rates]
    assert [group["lr"] for group in task.optimizer.param_groups] == [0.4, 0.1, 0.8, 0.0]


def test_the_groups_have_the_ratios_that_they_were_made_with() -> None:
    """A warmup may be at 0 for all of them."""
    task = Task(0.4, 0.1)
    torch.optim.lr_scheduler.LinearLR(task.optimizer, 1e-9)
    for group in task.optimizer.param_groups:
        group["lr"] = 0.0
    found = task.run()
    assert task.used == [[x, x * 0.25] for x in found.learning_rates]


def test_all_groups_the_same_and_each_its_own() -> None:
    task = Task(0.4, 0.1)
    found = task.run(keep_ratios=False)
    assert task.used == [[x, x] for x in found.learning_rates]
    task = Task(0.4, 0.0)
    other = lrsched.linear(1e-2, 0.0, STEPS)
    found = task.run([RAMP, other])
    assert task.used == [[RAMP(n), other(n)] for n in range(STEPS)]
    assert found.schedule == RAMP


def test_a_scheduler_in_the_step_steers_nothing() -> None:
    task = Task()

    def step(batch: torch.Tensor) -> torch.Tensor:
        task.optimizer.param_groups[0]["lr"] = 77.0
        return task.step(batch)

    found = task.run(step=step)
    assert [[rate] for rate in found.learning_rates] == task.used


# Losses


def plain_losses(task: Task, rates: Any, each: int = 1) -> list[float]:
    """A training loop as anybody writes it."""
    weights = [w.detach().clone().requires_grad_() for w in task.weights]
    optimizer = torch.optim.SGD(weights)
    task.weights, losses = weights, []  # type: ignore[assignment]
    batches = itertools.cycle(task.batches)
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        parts = []
        for batch in itertools.islice(batches, each):
            loss = task.loss(batch)
            (loss / each).backward()  # type: ignore[no-untyped-call]
            parts.append(loss.item())
        optimizer.step()
        losses.append(sum(parts) / each)
    return losses


def test_the_losses_are_those_of_a_plain_loop() -> None:
    task = Task()
    found = task.run()
    assert found.losses.tolist() == plain_losses(task, found.learning_rates)


def test_accumulation_advances_the_rate_once_an_update() -> None:
    task = Task()

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        (loss / 3).backward()  # type: ignore[no-untyped-call]
        return loss

    found = task.run(step=step, accumulate=3)
    assert len(task.used) == STEPS
    assert found.losses.tolist() == plain_losses(task, found.learning_rates, 3)


def test_a_step_that_returns_a_number_and_one_that_zeroes_itself() -> None:
    expected = Task().run()
    task = Task()

    def step(batch: torch.Tensor) -> float:
        task.optimizer.zero_grad(set_to_none=False)
        return task.step(batch).item()

    assert task.run(step=step).losses.tolist() == expected.losses.tolist()


def test_losses_on_a_device_are_looked_at_every_few_updates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU; what was trained past the stop does not show."""
    ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
    task = Task()
    metrics = {"metrics": lambda: {"norm": task.weights[0].norm()}, "every": 3}
    expected = task.run(ramp, 50, **metrics)
    assert expected.stopped == "diverged"
    updates = len(task.used)
    task.used.clear()
    looks: list[int] = []
    real = _updates.means
    monkeypatch.setattr(_updates, "_as_loss", lambda loss: loss.detach().reshape(()).clone())

    def looking(losses: Any) -> list[float]:
        looks.append(len(losses))
        return real(losses)

    monkeypatch.setattr(_runner, "means", looking)
    monkeypatch.setattr(_runner.Runner, "_waits", lambda self: True)
    found = task.run(ramp, 50, **metrics)
    assert found.losses.tolist() == expected.losses.tolist()
    assert found.metrics["norm"].tolist() == expected.metrics["norm"].tolist()
    assert updates <= len(task.used) == sum(looks) == 10 * len(looks)


def test_gradients_of_parameters_that_another_optimizer_has_do_not_pile_up() -> None:
    """A step may clip the gradients of the whole model."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)

    def step(batch: torch.Tensor) -> torch.Tensor:
        assert all(p.grad is None for p in model.parameters())
        loss = model(batch).mean()
        loss.backward()
        return torch.as_tensor(loss)

    assert len(range_test(step, optimizer, [torch.ones(4, 2)], RAMP, 3).losses) == 3


# Stops


def test_it_stops_at_divergence() -> None:
    ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
    found = Task().run(ramp, 50)
    assert found.stopped == "diverged"
    above = found.losses > 4 * found.losses[0]
    assert above[-2:].all()
    assert not (above[:-2] & above[1:-1]).any()
    assert len(found.learning_rates) == len(found.losses) < 50
    assert len(Task().run(ramp, 50, divergence=1e6).losses) > len(found.losses)
    assert len(Task().run(ramp, 43, divergence=None).losses) == 43


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_it_stops_at_the_first_loss_that_is_not_finite(bad: float) -> None:
    task = Task()
    found = task.run(step=lambda batch: task.step(batch) + (bad if len(task.seen) == 6 else 0))
    assert (found.stopped, len(found.losses), len(task.seen)) == ("nonfinite", 5, 6)
    assert np.isfinite(found.losses).all()


def test_what_can_be_begun_anew_is_and_what_cannot_ends_the_test() -> None:
    task = Task(batches=7)
    assert task.run().stopped == "finished"
    assert all(map(torch.equal, task.seen, itertools.cycle(task.batches)))
    for one_shot in (iter(task.batches), (batch for batch in task.batches), zip(task.batches)):
        task.seen.clear()
        step = task.step if not isinstance(one_shot, zip) else lambda b: task.step(b[0])
        found = task.run(step=step, batches=one_shot)
        assert (found.stopped, len(found.losses), len(task.seen)) == ("exhausted", 7, 7)
    found = task.run(batches=iter(task.batches), accumulate=3)
    assert (found.stopped, len(found.losses)) == ("exhausted", 2)


def test_an_iterator_that_begins_anew_when_it_is_asked() -> None:
    task = Task()

    class Loader:
        def __iter__(self) -> Iterator[torch.Tensor]:
            self.left: list[torch.Tensor] = list(task.batches)
            return self

        def __next__(self) -> torch.Tensor:
            if not self.left:
                raise StopIteration
            return self.left.pop(0)

    assert task.run(batches=Loader()).stopped == "finished"
    assert all(map(torch.equal, task.seen, itertools.cycle(task.batches)))


def test_batches_without_a_length() -> None:
    class Stream(IterableDataset[torch.Tensor]):
        def __iter__(self) -> Iterator[torch.Tensor]:
            return iter(task.batches)

    task = Task()
    loader: Any = DataLoader(Stream(), batch_size=None)
    assert task.run(batches=loader).stopped == "finished"


@pytest.mark.parametrize("nothing", [[], iter(()), DataLoader([])])  # type: ignore[arg-type]
def test_no_batch_at_all(nothing: Any) -> None:
    with pytest.raises(ValueError, match="range_test: batches must be an iterable of at least one"):
        Task().run(batches=nothing)


# Mixed precision


def scaled(task: Task, scaler: torch.amp.GradScaler, infinite: Any) -> Any:
    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = task.loss(batch)
        factor = float("inf") if len(task.seen) in infinite else 1.0
        task.seen.append(batch)
        (scaler.scale(loss) * factor).backward()  # type: ignore[no-untyped-call]
        return loss

    return step


def test_a_skipped_update_advances_no_rate() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    found = task.run(step=scaled(task, scaler, {0, 1, 5}), scaler=scaler)
    assert (found.stopped, len(found.losses)) == ("finished", STEPS)
    assert [[rate] for rate in found.learning_rates] == task.used
    assert len(task.seen) == STEPS + 3
    assert scaler.get_scale() == 4.0


def test_updates_that_are_always_skipped_end_the_test() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    found = task.run(step=scaled(task, scaler, range(3, 1000)), scaler=scaler)
    assert (found.stopped, len(found.losses)) == ("nonfinite", 3)
    assert len(task.seen) < 60


def test_a_scaler_that_is_turned_off() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    found = task.run(step=scaled(task, scaler, ()), scaler=scaler)
    assert found.losses.tolist() == plain_losses(Task(), found.learning_rates)


# Closures


def test_a_closure_where_the_optimizer_takes_one() -> None:
    expected = Task().run().losses
    task = Task()
    assert task.run(closure=True).losses.tolist() == expected.tolist()


def test_lbfgs_needs_one() -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = torch.optim.LBFGS([weight], max_iter=2)
    calls = []

    def step(batch: Any) -> torch.Tensor:
        calls.append(optimizer.param_groups[0]["lr"])
        loss = (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    found = range_test(step, optimizer, [0], RAMP, STEPS, progress=False)
    assert found.losses[0] == 9.0
    assert len(found.losses) == STEPS < len(calls)
    assert sorted(set(calls)) == found.learning_rates.tolist()


# Metrics


def test_metrics_every_few_updates() -> None:
    task = Task()
    model = nn.Dropout(0.5)
    modes = []

    def step(batch: torch.Tensor) -> torch.Tensor:
        modes.append((model.training, torch.is_grad_enabled()))
        return task.step(model(batch))

    def metrics() -> dict[str, Any]:
        assert not torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        model.eval()
        torch.rand(5), np.random.rand(2)
        return {"norm": task.weights[0].norm(), "half": 0.5}

    torch.manual_seed(0)
    without = task.run(step=step)
    torch.manual_seed(0)
    found = task.run(step=step, metrics=metrics, every=6)
    assert found.losses.tolist() == without.losses.tolist()
    assert set(modes) == {(True, True)}
    assert found.metrics["half"].tolist() == [[0, 0.5], [6, 0.5], [12, 0.5], [18, 0.5]]
    assert found.metrics["norm"][0, 1] == pytest.approx(2**0.5)  # before any update
    assert len(set(found.metrics["norm"][:, 1])) == 4
    assert without.metrics == {}


def test_a_metric_of_an_update_that_does_not_count_is_dropped() -> None:
    task = Task()
    found = task.run(
        step=lambda batch: task.step(batch) + (float("nan") if len(task.seen) == 6 else 0),
        metrics=lambda: {"one": 1.0},
        every=5,
    )
    assert found.metrics["one"].tolist() == [[0, 1.0]]


def test_a_skipped_update_is_measured_once() -> None:
    task = Task()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    step = scaled(task, scaler, {4, 5})
    found = task.run(step=step, scaler=scaler, metrics=lambda: {"one": 1}, every=4)
    assert found.metrics["one"].tolist() == [[n, 1.0] for n in range(0, STEPS, 4)]


def test_metrics_that_are_no_numbers_by_name() -> None:
    with pytest.raises(TypeError, match="range_test: metrics must be a function that returns num"):
        Task().run(metrics=lambda: 3)


# Refinement


class Valley(Task):
    """A loss that falls, and rises where the rate is too high; nothing else is random."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = [nn.Parameter(torch.tensor([1.0, 1.0]))]
        self.use(torch.optim.SGD(self.weights, lr=1.0, momentum=0.5))
        self.scale = torch.tensor([1.0, 10.0])

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return (self.scale * self.weights[0] ** 2).sum() + 0.01 * batch.mean()


@pytest.fixture
def suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suggestion for every curve, and the rates of the probe of it."""
    suggestion = Suggestion(0.01, 0.02, 0.04)
    monkeypatch.setattr(RangeTest, "suggest", lambda self, method="default": suggestion)
    rates = np.array([0.01, 0.02, 3.0])
    monkeypatch.setattr(_probe, "probe_rates", lambda suggestion, steps: rates)
    monkeypatch.setattr(_probe, "further_rates", lambda rates, losses: np.array([]))


@pytest.mark.usefixtures("suggested")
def test_each_rate_of_a_probe_starts_from_the_same_state() -> None:
    task = Valley()
    ramp = lrsched.exponential_ramp(1e-4, 1.0, 79)
    found = task.run(ramp, 80, refine=True)
    assert found.probe is not None
    rates, losses = found.probe.learning_rates, found.probe.losses
    assert rates.tolist() == [0.01, 0.02, 3.0]
    assert losses.shape == (3, 2, 40)
    assert np.isnan(losses[2, :, -1]).all()
    for first in losses[:, :, 0].T:
        assert len(set(first)) == 1  # of the same weights on the same batch
    swept = task.used[: len(found.losses)]
    assert [x for (x,) in swept] == found.learning_rates.tolist()
    made = len(found.losses)
    assert 40 < made < 80  # so that the second order begins in the middle of them
    for rate, rows in zip(rates, losses, strict=True):
        for row, start in zip(rows, (0, made // 2), strict=True):
            other = Valley()
            places = [(start + k) % made for k in range(40)]
            batches = [other.batches[place % len(other.batches)] for place in places]
            alone = other.run(lrsched.constant(rate), 40, divergence=None, batches=batches)
            expected = np.full(40, np.nan)
            expected[: len(alone.losses)] = alone.losses
            np.testing.assert_array_equal(row, expected)


def test_a_sweep_that_suggests_nothing_has_no_probe() -> None:
    task = Task()
    found = task.run(RAMP, 3, refine=True)
    assert found.probe is None
    assert len(task.seen) == 3


@pytest.mark.usefixtures("suggested")
def test_a_probe_of_few_batches_and_of_accumulated_ones() -> None:
    task = Valley()
    found = task.run(RAMP, refine=True, batches=iter(task.batches), accumulate=2)
    assert (found.stopped, len(found.losses)) == ("exhausted", 3)
    assert found.probe is not None
    assert found.probe.losses.shape == (3, 2, 3)
    task = Valley()
    found = task.run(RAMP, refine=True, probe_steps=5)
    assert found.probe is not None
    assert found.probe.losses.shape == (3, 2, 5)
    found = task.run(RAMP, refine=True, probe_steps=5, probe_repeats=1)
    assert found.probe is not None
    assert found.probe.losses.shape == (3, 1, 5)


# A model and a loss


def model_task() -> tuple[nn.Module, torch.optim.Optimizer, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    data = torch.randn(40, 4)
    loader = DataLoader(TensorDataset(data, data[:, :3].argmax(1)), 8, shuffle=True)
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), loader


def test_a_model_and_a_loss_are_a_step() -> None:
    model, optimizer, loader = model_task()
    torch.manual_seed(1)
    found = range_test_model(model, nn.CrossEntropyLoss(), optimizer, loader, RAMP, STEPS)

    def step(batch: Any) -> torch.Tensor:
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    torch.manual_seed(1)
    expected = range_test(step, optimizer, loader, RAMP, STEPS)
    assert found.losses.tolist() == expected.losses.tolist()
    assert len(found.losses) == STEPS


def test_a_model_with_accumulation_and_autocast() -> None:
    model, optimizer, loader = model_task()
    seen = []
    model.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    loss_fn = nn.CrossEntropyLoss()
    options: Any = {"accumulate": 2, "autocast": torch.bfloat16, "modules": None}
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    found = range_test_model(model, loss_fn, optimizer, loader, RAMP, 4, scaler=scaler, **options)
    assert len(found.losses) == 4
    assert seen == [torch.bfloat16] * 8


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model(backend: str) -> None:
    model, optimizer, loader = model_task()
    torch.manual_seed(1)
    expected = range_test_model(model, nn.CrossEntropyLoss(), optimizer, loader, RAMP, 6)
    before = [tensor.clone() for tensor in model.state_dict().values()]
    compiled: Any = torch.compile(model, backend=backend)
    torch.manual_seed(1)
    found = range_test_model(compiled, nn.CrossEntropyLoss(), optimizer, loader, RAMP, 6)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)
    assert all(map(torch.equal, model.state_dict().values(), before))
    assert found.learning_rates.tolist() == expected.learning_rates.tolist()


# The bar


def test_it_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Task().run(progress=True)
    assert capfd.readouterr() == ("", "")


BAR = """
import sys
import torch, lrsched, lrsched_torch
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=0.1)

def step(batch):
    loss = (weight ** 2).sum()
    loss.backward()
    return loss

ramp = lrsched.exponential_ramp(1e-3, 100.0, 49)
found = lrsched_torch.range_test(step, optimizer, [0], ramp, 50)
assert found.stopped == "diverged"
"""


def test_a_terminal_shows_a_bar_that_is_taken_away() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen([sys.executable, "-c", BAR], stdout=theirs, stderr=theirs)
    os.close(theirs)
    content = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        content += part
    os.close(ours)
    text = content.decode()
    assert process.wait() == 0, text
    assert "range test" in text
    shown = re.findall(r"(\d+)/(\d+)", text)
    assert shown[-1][0] == shown[-1][1] != "50"  # full, at the update where it stopped
    assert "\n" not in text


class Terminal(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("way", ["shown", "quiet", "without tqdm"])
def test_a_bar_only_where_it_is_wanted_and_possible(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    if way == "without tqdm":
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    Task().run(progress=way != "quiet")
    assert bool(terminal.getvalue()) == (way == "shown")


# Refusals


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"step": 3}, TypeError, "step must be a function from a batch to its loss, got 3"),
        ({"optimizer": None}, TypeError, "optimizer must be a torch optimizer, got None"),
        ({"batches": 3}, TypeError, "batches must be an iterable of batches, got 3"),
        ({"steps": 0}, ValueError, r"steps must be an integer >= 1 \(updates\), got 0"),
        ({"steps": 2.0}, TypeError, r"steps must be an integer >= 1 \(updates\), got 2.0"),
        ({"accumulate": 0}, ValueError, r"accumulate must be an integer >= 1 \(batches\), got 0"),
        ({"probe_steps": 0}, ValueError, r"probe_steps must be an integer >= 1 \(updates\), got 0"),
        (
            {"probe_repeats": 0},
            ValueError,
            r"probe_repeats must be an integer >= 1 \(runs\), got 0",
        ),
        ({"every": 0}, ValueError, r"every must be an integer >= 1 \(updates\), got 0"),
        ({"divergence": 1}, ValueError, "divergence must be a number > 1, or None, got 1"),
        ({"memory": "gpu"}, ValueError, "memory must be 'device' or 'cpu' or 'disk', got 'gpu'"),
        ({"refine": 1}, TypeError, "refine must be True or False, got 1"),
        ({"metrics": {}}, TypeError, "metrics must be a function .* got {}"),
        ({"schedule": 0.1}, TypeError, "schedule must be a schedule of plain numbers, or a list"),
        ({"schedule": [RAMP]}, ValueError, "schedule must be a list of 2, one for each"),
        ({"schedule": [RAMP, 3]}, TypeError, "schedule must be a schedule of plain numbers"),
        ({"schedule": lrsched.linear(0.1, -0.1, 9)}, ValueError, "schedule must be one of rates"),
        ({"schedule": [RAMP] * 2, "refine": True}, ValueError, "refine must be False with a list"),
        ({"modules": 3}, TypeError, "modules must be a module, several, or None, got 3"),
        ({"modules": [3]}, TypeError, r"modules must be a module, several, or None, got \[3\]"),
        ({"restore": [3]}, TypeError, "restore must be modules, optimizers, generators, or"),
        ({"distributed": True}, ValueError, "distributed must be None or False where torch"),
        ({"distributed": 3}, TypeError, "distributed must be True, False, None or a process g"),
        ({"closure": True, "scaler": object()}, ValueError, "scaler must be None with a closure"),
    ],
)
def test_a_refusal_comes_before_anything_is_touched(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    task = Task(0.1, 0.2)
    given = {"step": task.step, "optimizer": task.optimizer, "batches": task.batches}
    with pytest.raises(error, match=f"^range_test: {message}"):
        range_test(**{**given, "schedule": RAMP, "steps": STEPS, **arguments})
    assert task.seen == task.used == []
    assert [group["lr"] for group in task.optimizer.param_groups] == [0.1, 0.2]


@pytest.mark.parametrize("bad", [0.0, -0.1, float("nan"), None])
def test_ratios_to_nothing(bad: Any) -> None:
    task = Task(0.1, 0.2)
    task.optimizer.param_groups[0]["lr"] = bad
    with pytest.raises(ValueError, match="lr of param group 0 must be a number > 0 with keep_rat"):
        task.run()
    assert task.run(keep_ratios=False).stopped == "finished"


def test_a_schedule_that_is_not_resolved() -> None:
    with pytest.raises(ValueError, match=r"resolve it with schedule.resolve\(total_steps=...\)"):
        Task().run(lrsched.cosine_decay(0.1, lrsched.run_fraction(1.0)))


def test_parameters_that_are_not_there_yet() -> None:
    model = nn.LazyLinear(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="one of initialised parameters"):
        range_test(model, optimizer, [torch.ones(2)])


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (
            lambda loss: loss.expand(3, 2),
            ValueError,
            r"shape of step's loss must be \(\).*\(3, 2\)",
        ),
        (lambda loss: None, TypeError, "step's loss must be a real tensor of one number, got None"),
        (lambda loss: loss + 1j, TypeError, "step's loss must be a real tensor of one number"),
        (lambda loss: "low", TypeError, "step's loss must be a real tensor of one number"),
    ],
)
def test_a_step_without_a_loss(returned: Any, error: Any, message: str) -> None:
    task = Task()
    with pytest.raises(error, match=f"range_test: .*{message}"):
        task.run(step=lambda batch: returned(task.step(batch)))
    assert task.used == []


def test_a_step_without_gradients() -> None:
    task = Task()
    with pytest.raises(ValueError, match=r"step must be a function that leaves gradients"):
        task.run(step=lambda batch: task.loss(batch))


def test_a_model_that_is_none_and_batches_that_are_no_pairs() -> None:
    model, optimizer, _ = model_task()
    with pytest.raises(TypeError, match="range_test_model: model must be a torch module"):
        range_test_model(lambda x: x, nn.MSELoss(), optimizer, [])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="range_test_model: loss_fn must be a function"):
        range_test_model(model, None, optimizer, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="range_test_model: model must be a module with param"):
        range_test_model(nn.ReLU(), nn.MSELoss(), optimizer, [])
    with pytest.raises(TypeError, match=r"range_test_model: a batch must be a pair"):
        range_test_model(model, nn.MSELoss(), optimizer, [{"x": torch.ones(2, 4)}])


# Two processes


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes of one distributed run found, each in its own file."""
    out = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPTS / "torch_ranks.py"), str(out)]
    processes = [
        subprocess.Popen([*command, str(rank)], env=environment, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    timer = threading.Timer(60, lambda: list(map(subprocess.Popen.kill, processes)))
    timer.start()
    errors = [process.communicate()[1] for process in processes]
    timer.cancel()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    return [torch.load(out / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", ["ddp", "fsdp", "ddp window"])
def test_two_processes_stop_together(two_processes: list[dict[str, Any]], case: str) -> None:
    first, second = (each[case] for each in two_processes)
    assert first["losses"] == second["losses"]
    assert first["stopped"] == second["stopped"] == "diverged"
    assert first["restored"]
    assert second["restored"]
    own = first["own"], second["own"]
    assert own[0] != own[1]  # each has other batches
    count = len(first["losses"])
    mean = np.mean([own[0][:count], own[1][:count]], axis=0)
    np.testing.assert_array_equal(first["losses"], mean)


@pytest.mark.parametrize("case", ["ddp", "fsdp"])
def test_a_probe_of_two_processes(two_processes: list[dict[str, Any]], case: str) -> None:
    first, second = (each[case]["probe"] for each in two_processes)
    assert first == second
    assert first


@pytest.mark.parametrize("case", ["ddp whole", "ddp failed", "fsdp whole"])
def test_two_processes_train_as_if_there_had_been_no_test(
    two_processes: list[dict[str, Any]], case: str
) -> None:
    """Also after both have failed in the middle of it."""
    assert [each[case] for each in two_processes] == [True, True]


def test_a_probe_has_as_many_updates_as_every_process_has_batches_for(
    two_processes: list[dict[str, Any]],
) -> None:
    first, second = (each["short probe"] for each in two_processes)
    assert first == second
    assert len(first) >= 5
    assert {len(row) for rows in first for row in rows} == {20}
    assert {len(rows) for rows in first} == {2}


def test_data_that_ends_in_one_process_ends_the_test_in_all(
    two_processes: list[dict[str, Any]],
) -> None:
    for each in two_processes:
        assert each["exhausted"] == ("exhausted", 5, True)


def test_data_that_fails_in_one_process_ends_the_test_in_all(
    two_processes: list[dict[str, Any]],
) -> None:
    first, second = (each["failed data"] for each in two_processes)
    assert first == ("RuntimeError", "range_test: another process could not draw its batches", True)
    assert second == ("OSError", "planned", True)


def test_processes_that_test_alone(two_processes: list[dict[str, Any]]) -> None:
    first, second = (each["alone"] for each in two_processes)
    assert first[0] == 4
    assert second[0] == 6
    assert first[1] != second[1][:4]


def test_a_process_that_ends_with_an_error_ends_the_others(
    two_processes: list[dict[str, Any]],
) -> None:
    """They were waiting for it in the next collective."""
    first, second = (each["failed step"] for each in two_processes)
    assert second == ("ValueError", True)
    assert first == ("RuntimeError", True)
