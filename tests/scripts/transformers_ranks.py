"""One process of two with a Trainer, for `tests/torch/transformers_range_test_test.py`.

Arguments: a folder that they share, and this process's rank. Each writes what it found.
"""

import contextlib
import gc
import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from tests.torch.transformers_trainer import World, state_of


class Loud:
    """Goes wrong in the second process alone."""

    def __init__(self, rank: int, folder: Path) -> None:
        self.rank = rank
        self.folder = folder

    def world(self, **options: Any) -> World:
        world = World(self.folder, gradient_accumulation_steps=2, **options)
        assert world.trainer.args.world_size == 2
        return world

    def found(self, fate: str, at: int, **options: Any) -> dict[str, Any]:
        wanted = self.world(**options).train()
        world = self.world(**options)
        before, seen = state_of(world.trainer), list(world.trainer.seen)
        own: list[float] = []
        world.plan.own = own
        test = world.test(fate, "loss" if self.rank else "", at)
        assert world.trainer.seen == seen
        return {
            "losses": test.losses.tolist(),
            "own": own,
            "stopped": test.stopped,
            "restored": state_of(world.trainer) == before,
            "goes on": world.train() == wanted,
        }

    def refined(self) -> dict[str, Any]:
        """What a test has found that goes on."""
        world = self.world()
        before = state_of(world.trainer)
        options: dict[str, Any] = {"low": 1e-3, "high": 10.0, "probe_steps": 5, "max_steps": 60}
        test = world.test("finished", "", 0, schedule=None, steps=20, refine=True, **options)
        assert test.probe is not None
        return {
            "losses": test.losses.tolist(),
            "trainings": test.probe.losses[np.isfinite(test.probe.losses)].tolist(),
            "restored": state_of(world.trainer) == before,
        }


def main(out: Path, rank: int) -> None:
    dist.init_process_group("gloo", f"file://{out / 'store'}", rank=rank, world_size=2)
    for name in ("RANK", "LOCAL_RANK"):
        os.environ[name] = str(rank)
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        os.environ[name] = "2"
    gc.freeze()  # each training collects garbage
    loud = Loud(rank, out)
    with contextlib.redirect_stdout(io.StringIO()):  # what trainers print
        found = {
            "finished": loud.found("finished", 0),
            "diverged": loud.found("diverged", 4, optimizer="given"),
            "nonfinite": loud.found("nonfinite", 5, prior=True),
            "refined": loud.refined(),
        }
    torch.save(found, out / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
