"""One process of two that train together; `tests/torch/training_test.py` starts both.

Arguments: a folder that they share, and this process's rank. Each writes, by case, the learning
rates of its updates and its part of the parameters after them, as JSON.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.nn.parallel import DistributedDataParallel

import lrsched
from lrsched_torch import lambda_lr
from tests.scripts.fsdp2 import fully_shard

RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, 10), 3)
UPDATES = 12
SAVED = 5


class Run:
    """A model that the processes train together, each on its own batches."""

    def __init__(self, rank: int) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
        self.optimizer, self.model, local = self.made()
        self.scheduler = lambda_lr(self.optimizer, RECIPE)
        self.rates: list[float] = []
        local.register_step_pre_hook(
            lambda optimizer, *_: self.rates.append(optimizer.param_groups[0]["lr"])
        )
        generator = torch.Generator().manual_seed(rank)
        self.batches = torch.randn(UPDATES, 3, 4, generator=generator)

    def made(self) -> tuple[torch.optim.Optimizer, nn.Module, torch.optim.Optimizer]:
        """The optimizer, the model, and the optimizer that makes this process's updates."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        raise NotImplementedError

    def train(self, first: int, last: int) -> None:
        for batch in self.batches[first:last]:
            self.optimizer.zero_grad()
            self.model(batch).square().mean().backward()
            self.optimizer.step()
            self.scheduler.step()

    def found(self) -> Any:
        local = [x.to_local() if hasattr(x, "to_local") else x for x in self.net.parameters()]
        return {"rates": self.rates, "parameters": [x.tolist() for x in local]}


class Redundant(Run):
    def made(self) -> tuple[torch.optim.Optimizer, nn.Module, torch.optim.Optimizer]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of the TorchScript in the same module
            from torch.distributed.optim import ZeroRedundancyOptimizer
        optimizer = ZeroRedundancyOptimizer(
            self.net.parameters(), torch.optim.SGD, lr=1.0, momentum=0.9
        )
        return optimizer, DistributedDataParallel(self.net), optimizer.optim

    def save(self, folder: Path) -> None:
        self.optimizer.consolidate_state_dict()  # type: ignore[attr-defined]
        if dist.get_rank() == 0:
            torch.save([x.state_dict() for x in self.parts()], folder / "state.pt")
        dist.barrier()

    def load(self, folder: Path) -> None:
        for part, state in zip(self.parts(), torch.load(folder / "state.pt"), strict=True):
            part.load_state_dict(state)

    def parts(self) -> list[Any]:
        return [self.net, self.optimizer, self.scheduler]


class Sharded(Run):
    def made(self) -> tuple[torch.optim.Optimizer, nn.Module, torch.optim.Optimizer]:
        fully_shard(self.net[0])
        fully_shard(self.net)
        optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0, momentum=0.9)
        return optimizer, self.net, optimizer

    def save(self, folder: Path) -> None:
        model, optimizer = get_state_dict(self.net, self.optimizer)
        state = {"model": model, "optimizer": optimizer, "scheduler": self.scheduler}
        save(state, checkpoint_id=folder / "sharded")

    def load(self, folder: Path) -> None:
        model, optimizer = get_state_dict(self.net, self.optimizer)
        state = {"model": model, "optimizer": optimizer, "scheduler": self.scheduler}
        load(state, checkpoint_id=folder / "sharded")
        set_state_dict(self.net, self.optimizer, model_state_dict=model, optim_state_dict=optimizer)
        self.rates.clear()  # of the step of lr 0 by which torch makes an optimizer have a state


def main(folder: Path, rank: int) -> None:
    dist.init_process_group("gloo", f"file://{folder / 'store'}", rank=rank, world_size=2)
    results = {}
    for kind in (Redundant, Sharded):
        whole = kind(rank)
        whole.train(0, UPDATES)
        before, after = kind(rank), kind(rank)
        before.train(0, SAVED)
        before.save(folder)
        after.load(folder)
        after.train(SAVED, UPDATES)
        results[kind.__name__] = {"whole": whole.found(), "resumed": after.found()}
    (folder / f"{rank}.json").write_text(json.dumps(results))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
