"""One process of two with Accelerate or Fabric, for the tests of their range tests.

Arguments: a folder that they share, this process's rank and the library. Each writes what it found.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.torch.wrapped_training import RATES, Accelerated, Fabricated, Run


def made(library: str) -> Run:
    if library == "accelerate":
        return Accelerated(accumulated=2)
    run = Fabricated(accumulated=2, devices=2, strategy="ddp")
    run.dropout.p = 0.0  # its loop draws batches in between
    return run


def found(library: str, fate: str, rank: int) -> dict[str, Any]:
    after = made(library).after()
    twin = made(library)
    losses = twin.train(RATES)
    run = made(library)
    before = run.image()
    test = run.test(fate, "loss" if rank else "", 4, accumulate=2)
    own = list(run.own)
    return {
        "losses": test.losses.tolist(),
        "own": own,
        "by hand": losses,
        "stopped": test.stopped,
        "restored": run.image() == before,
        "goes on": run.after() == after,
    }


def main(out: Path, rank: int, library: str) -> None:
    dist.init_process_group("gloo", f"file://{out / 'store'}", rank=rank, world_size=2)
    for name in ("RANK", "LOCAL_RANK"):
        os.environ[name] = str(rank)
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        os.environ[name] = "2"
    os.environ["TORCHELASTIC_RUN_ID"] = "0"  # how Fabric knows that it was launched
    results = {fate: found(library, fate, rank) for fate in ("finished", "diverged", "nonfinite")}
    torch.save(results, out / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
