"""One process of one or two that train with Accelerate, for `tests/torch/accelerate_test.py`.

Arguments: a folder that they share, this process's rank and their number. Each writes the
learning rates of its updates, by case, as JSON.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import (  # type: ignore[import-untyped]
    Accelerator,
    DataLoaderConfiguration,
)
from accelerate.state import (  # type: ignore[import-untyped]
    AcceleratorState,
    GradientState,
)
from torch.utils.data import DataLoader, TensorDataset

import lrsched
from lrsched_torch import ControlledLR, lambda_lr

RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, 16), 4)
BATCHES = 24  # of the whole data set
BOTH = RECIPE * lrsched.reduce_on_plateau(decay_rate=0.5, patience=1)
METRICS = (3.0, 1.0, 2.0, 2.0, 1.0, 1.0)  # each the sum of what two processes have


class Run:
    """A model that one or two processes train together."""

    def __init__(
        self,
        accumulated: int = 1,
        recipe: Any = RECIPE,
        float16: bool = False,
        follows_metric: bool = False,
        **options: Any,
    ) -> None:
        AcceleratorState._reset_state()
        GradientState._reset_state()
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulated, **options)
        if float16:  # which Accelerate itself refuses on a CPU
            self.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        net = torch.nn.Linear(1, 1, bias=False)
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        self.rates: list[float] = []
        optimizer.register_step_pre_hook(
            lambda optimizer, *_: self.rates.append(optimizer.param_groups[0]["lr"])
        )
        data = DataLoader(TensorDataset(torch.ones(2 * BATCHES, 1)), batch_size=2)
        make: Any = ControlledLR if follows_metric else lambda_lr
        self.scheduler: Any = make(optimizer, BOTH if follows_metric else recipe)
        self.net, self.optimizer, self.data = self.accelerator.prepare(net, optimizer, data)

    def prepare_scheduler(self) -> None:
        self.scheduler = self.accelerator.prepare(self.scheduler)

    def updates(self, overflow: int = -1) -> Iterator[None]:
        """Train for an epoch, one batch at a time; the scheduler is left to the caller."""
        for number, (batch,) in enumerate(self.data):
            with self.accelerator.accumulate(self.net):
                loss = self.net(batch).mean() * (float("inf") if number == overflow else 1.0)
                self.accelerator.backward(loss)
                self.optimizer.step()
                yield
                self.optimizer.zero_grad()


def as_documented(run: Run) -> bool:
    """When the scheduler is to be stepped, in the words of the docstring of `lambda_lr`."""
    accelerator = run.accelerator
    return accelerator.sync_gradients and not accelerator.optimizer_step_was_skipped


def stepped_with_the_optimizer(**options: Any) -> list[float]:
    run = Run(**options)
    run.prepare_scheduler()
    for _ in run.updates():
        run.scheduler.step()
    return run.rates


def stepped_once(prepared: bool, **options: Any) -> list[float]:
    if prepared:
        options["step_scheduler_with_optimizer"] = False
    overflow = options.pop("overflow", -1)
    run = Run(**options)
    if prepared:
        run.prepare_scheduler()
    for _ in run.updates(overflow):
        if as_documented(run):
            run.scheduler.step()
    return run.rates


def resumed(folder: Path, prepared: bool, interrupted: int) -> list[float]:
    """The rates of a run that ends after some updates and of another that goes on."""
    rates = []
    for number in range(2):
        run = Run(step_scheduler_with_optimizer=False)
        if prepared:
            run.prepare_scheduler()
        else:
            run.accelerator.register_for_checkpointing(run.scheduler)
        if number == 1:
            run.accelerator.load_state(str(folder))
        for made, _ in enumerate(run.updates(), start=1):
            if as_documented(run):
                run.scheduler.step()
            if number == 0 and made == interrupted:
                run.accelerator.save_state(str(folder))
                break
        rates += run.rates
        run.accelerator.wait_for_everyone()
    return rates


def metric_of_all(run: Run, number: int) -> float:
    """The metric that every process has, of parts that differ."""
    world, rank = run.accelerator.num_processes, run.accelerator.process_index
    part = torch.tensor([METRICS[number % len(METRICS)] * (1.0 if world == 1 else (rank + 1) / 3)])
    return float(run.accelerator.reduce(part, "sum"))


def controlled(folder: Path, interrupted: int) -> list[float]:
    """The rates of a run that observes a metric at every third update, and is resumed."""
    rates: list[float] = []
    for number in range(2):
        run = Run(step_scheduler_with_optimizer=False, follows_metric=True)
        run.accelerator.register_for_checkpointing(run.scheduler)
        if number == 1:
            run.accelerator.load_state(str(folder))
        for made, _ in enumerate(run.updates(), start=1):
            run.scheduler.step()
            if made % 3 == 0:
                run.scheduler.observe(metric_of_all(run, made // 3 - 1))
            if number == 0 and made == interrupted:
                run.accelerator.save_state(str(folder))
                break
        rates += run.rates
        run.accelerator.wait_for_everyone()
    return rates


def main(out: Path, rank: int, world: int) -> None:
    if world > 1:
        dist.init_process_group("gloo", f"file://{out / 'store'}", rank=rank, world_size=world)
        for name in ("RANK", "LOCAL_RANK"):
            os.environ[name] = str(rank)
        for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
            os.environ[name] = str(world)
    split = {"dataloader_config": DataLoaderConfiguration(split_batches=True)}
    longer = lrsched.stretch(RECIPE, world)
    found: dict[str, Any] = {}
    for accumulated in (1, 3):
        options: dict[str, Any] = {"accumulated": accumulated}
        found[f"default, {accumulated}"] = stepped_with_the_optimizer(**options)
        found[f"split, {accumulated}"] = stepped_with_the_optimizer(**options, **split)
        found[f"stretched, {accumulated}"] = stepped_with_the_optimizer(recipe=longer, **options)
        for prepared in (True, False):
            name = "prepared" if prepared else "bare"
            found[f"{name}, {accumulated}"] = stepped_once(prepared, **options)
    for prepared in (True, False):
        name = "prepared" if prepared else "bare"
        found[f"{name}, overflow"] = stepped_once(prepared, float16=True, overflow=5)
        found[f"{name}, resumed"] = resumed(out / f"{world} {name}", prepared, 5)
    found["controlled, resumed"] = controlled(out / f"{world} controlled", 5)
    assert Run().accelerator.num_processes == world
    (out / f"{world} {rank}.json").write_text(json.dumps(found))
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
