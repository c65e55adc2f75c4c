"""Memory of a range test.

The highest memory of a process that trains and then makes a range test, beyond that of one that
only trains, the median of three processes each, in copies of the training state to a hundredth:
parameters, buffers and what the optimizer keeps. The test begins in the midst of training, so that
there are gradients too, which torch's test puts back and which are not counted as state. JAX's
training gives its state to the compiled update (`donate_argnums`); the test has to leave what it
was given, and makes a state of its own. A GPU's memory is what its allocator gave at once at most,
of one process.
"""

from __future__ import annotations

import functools
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import GPU_ONLY, Row, Section, run_section

LAYERS, WIDTH, BATCH, UPDATES = 4, 2048, 8, 5  # 67 MB of parameters
REPEATS = 3  # the allocator's luck is half a copy
STATUS = Path("/proc/self/status")
CODE = "from benchmarks.memory import {library}; print(*{library}({case}, {place!r}))"
GOALS = {"device": 2.0, "cpu": 2.0, "disk": 1.0}


def fill(section: Section) -> None:
    if not STATUS.exists():
        section.missing.append("memory of range tests, which is read from Linux's `/proc`")
        return
    if not GPU_ONLY:
        for name, case in (("Adam", "'Adam', 'cpu'"), ("SGD with momentum", "'SGD', 'cpu'")):
            for place, goal in GOALS.items():
                what = f'torch, {name}, `memory="{place}"`'
                figure = copies("torch", case, place)
                section.add(Row(what, "training", figure, goal, unit="copies"))
        figure = copies("jax", "'cpu'", "device")
        section.add(Row("JAX, Adam", "training", figure, 2.0, unit="copies"))
    if on_a_gpu():
        for place, goal in GOALS.items():
            what = f'torch, Adam, `memory="{place}"`, the GPU\'s memory'
            figure = copies("torch", "'Adam', 'cuda'", place)
            section.add(Row(what, "training", figure, goal, unit="copies"))
        figure = copies("jax", "'cuda'", "device")
        what = "JAX, Adam, the GPU's memory"
        section.add(Row(what, "training", figure, 2.0, unit="copies"))
    else:
        section.missing.append("memory of range tests on a GPU")


def copies(library: str, case: str, place: str) -> float:
    """What a test takes more than training, over the training state."""
    tested, size = measured(library, case, place)
    trained, _ = measured(library, case, None)
    return round((tested - trained) / size, 2)


@functools.cache
def measured(library: str, case: str, place: str | None) -> tuple[float, int]:
    """The peak, the median of several processes, and the state."""
    repeats = 1 if "cuda" in case else REPEATS
    peaks, sizes = zip(*(once(library, case, place) for _ in range(repeats)), strict=True)
    return statistics.median(peaks), sizes[0]


def once(library: str, case: str, place: str | None) -> tuple[int, int]:
    code = CODE.format(library=f"peak_{library}", case=case, place=place)
    peak, size = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    return int(peak), int(size)


def on_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def highest() -> int:
    """The most memory, in bytes, that this process has ever had at once."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def peak_torch(optimizer: str, device: str, place: Any) -> tuple[int, int]:
    """The peak of training, with a range test after it where `place` is one, and its state."""
    import torch
    from torch import nn

    from lrsched import constant
    from lrsched_torch import range_test

    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))).to(device)
    made: torch.optim.Optimizer = (
        torch.optim.Adam(model.parameters(), lr=1e-6)
        if optimizer == "Adam"
        else torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    )
    batch = torch.ones(BATCH, WIDTH, device=device)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = model(batch).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(UPDATES):
        made.zero_grad()
        step(batch)
        made.step()
    if place is not None:
        range_test(step, made, [batch], constant(1e-6), UPDATES, memory=place, progress=False)
    kept = [x for state in made.state.values() for x in state.values()]
    size = sum(x.nbytes for x in (*model.state_dict().values(), *kept) if torch.is_tensor(x))
    return (highest() if device == "cpu" else torch.cuda.max_memory_allocated()), size


def peak_jax(device: str, place: Any) -> tuple[int, int]:
    """The same in JAX."""
    import jax
    import jax.numpy as jnp
    import optax

    from lrsched import constant
    from lrsched_jax import range_test

    jax.config.update("jax_platforms", device)  # type: ignore[no-untyped-call]
    params = [jnp.full((WIDTH, WIDTH), (1 + layer) / WIDTH) for layer in range(LAYERS)]
    batch = jnp.ones((BATCH, WIDTH))
    adam = optax.adam(1e-6)

    def loss_fn(params: Any, batch: Any) -> Any:
        for weight in params:
            batch = batch @ weight
        return jnp.mean(batch**2)

    def update(params: Any, state: Any, batch: Any) -> Any:
        gradients = jax.grad(loss_fn)(params, batch)
        changes, state = adam.update(gradients, state)
        return optax.apply_updates(params, changes), state

    compiled, state = jax.jit(update, donate_argnums=(0, 1)), adam.init(params)
    for _ in range(UPDATES):
        params, state = compiled(params, state, batch)
    size = sum(x.nbytes for x in jax.tree.leaves((params, state)))
    if place is not None:
        batches = [batch] * UPDATES
        range_test(loss_fn, params, batches, optax.adam, constant(1e-6), UPDATES, progress=False)
    if device == "cpu":
        return highest(), size
    return jax.devices()[0].memory_stats()["peak_bytes_in_use"], size


if __name__ == "__main__":
    run_section(fill)
