"""Everything that is measured beside the peers, on this machine.

    python -m benchmarks.run [--gpu] [--limit SECONDS] [SECTION ...]

runs each section's script in a process of its own, in about half an hour, and writes
`results/machine-<kind>.json`, its figures and `README.md`, which shows the results of every
machine. With names, the other sections keep what they have. A section that fails, or takes longer
than the limit, keeps what it has too.

`--gpu` is for a GPU that is there for minutes only: by default the sections that use one, in them
only the rows that use it, and fewer pairs.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.report import page

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
LIBRARIES = (
    *("jax", "optax", "flax", "torch", "numpy"),
    *("lightning", "transformers", "accelerate", "keras", "tensorflow"),
    *("pytorch-ignite", "torch-lr-finder", "fastai"),
)

SECTIONS = [
    "torch_schedulers",
    "torch_device_lr",
    "values",
    "ulp",
    "ulp_gpu",
    "train_step",
    "settings",
    "sweep",
    "range_test_torch",
    "range_test_jax",
    "range_test_stacks",
    "ensemble",
    "quality",
    "imports",
    "memory",
    "growth",
]
GPU_SECTIONS = [
    "torch_device_lr",
    "range_test_jax",
    "ensemble",
    "sweep",
    "range_test_torch",
    "memory",
    "values",
    "settings",
    "train_step",
    "ulp_gpu",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--gpu", action="store_true", help="only what uses a GPU")
    parser.add_argument("--limit", type=float, help="the seconds that a section may take")
    given = parser.parse_args()
    wanted = given.sections or (GPU_SECTIONS if given.gpu else SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"no sections: {', '.join(sorted(unknown))}")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"machine-{machine()['kind']}.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"sections": {}}
    failed = []
    for name in wanted:
        print(f"== {name}", file=sys.stderr, flush=True)
        try:
            found["sections"][name] = measured(name, given.gpu, given.limit)
        except subprocess.SubprocessError as error:
            print(error, file=sys.stderr, flush=True)
            failed.append(name)
            continue
        found |= {"machine": machine() | {"gpu_only": given.gpu}, "versions": versions()}
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page(RESULTS, SECTIONS, FOLDER / "README.md")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def versions() -> dict[str, str]:
    """Those of the libraries that are installed."""
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def measured(name: str, gpu_only: bool = False, limit: float | None = None) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "section.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", str(out)]
        environment = {**os.environ, "BENCHMARKS_GPU_ONLY": str(int(gpu_only))}
        subprocess.run(command, check=True, timeout=limit, env=environment)
        return json.loads(out.read_text(encoding="utf-8"))


def machine() -> dict[str, Any]:
    """What a reader has to know of it, and the name of its kind."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = f"{platform.system()} {platform.machine()}, {cores} cores"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    kind = re.sub(r"\W+", "-", device or f"{platform.machine()}-{cores}-cores").lower()
    return {
        "kind": kind,
        "processor": processor,
        "gpu": device,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
