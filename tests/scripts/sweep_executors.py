"""Sweeps on the executors of other libraries, in a process of its own: they leave sockets open.

    python -m tests.scripts.sweep_executors dask|ray|submitit FOLDER

prints as JSON the losses of a sweep there and here, and on Dask what becomes of a training that
kills its worker.
"""

import importlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lrsched.sweep import repeats_over, sweep_over
from tests.sweep.toys import run, setup


class OnRay:
    """An executor of Ray's tasks."""

    def submit(self, function: Any, *arguments: Any) -> Any:
        import ray

        return ray.remote(function).remote(*arguments).future()


@contextmanager
def dask(folder: str) -> Iterator[Any]:
    """An executor of Dask with two processes."""
    distributed: Any = importlib.import_module("dask.distributed")
    options: Any = {"threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=2, processes=True, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@contextmanager
def ray(folder: str) -> Iterator[Any]:
    """An executor of Ray with two workers."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # else a token is written for the user
    import ray

    options: Any = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
    ray.init(num_cpus=2, **options)
    yield OnRay()
    ray.shutdown()


@contextmanager
def submitit(folder: str) -> Iterator[Any]:
    """An executor of submitit, which starts a process for each task."""
    from submitit import LocalExecutor

    yield LocalExecutor(folder)


EXECUTORS = {"dask": dask, "ray": ray, "submitit": submitit}


def losses(rates: list[float], executor: Any) -> list[Any]:
    """The losses of a sweep with a local function, which cloudpickle takes."""
    scale = 2.0

    def given(seed: int) -> Any:
        return scale * setup(seed)["start"]

    found = sweep_over(run, given, rates, 20, executor=executor, progress=False)
    assert found.failures == {}
    rows: list[Any] = [[repr(loss) for loss in row] for row in found.losses.tolist()]
    return rows


def killed(executor: Any) -> dict[str, Any]:
    """Repeats of which the second always kills its worker: the warning, and the losses."""

    def given(seed: int) -> Any:
        if seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return setup(seed)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        test = repeats_over(run, given, 3, steps=20, executor=executor, progress=False)
    said = [str(each.message) for each in caught if each.category is UserWarning]
    wanted = [run(setup(seed), steps=20, progress=False).losses.tolist() for seed in (0, 2)]
    return {"warnings": said, "found": test.losses.tolist(), "wanted": wanted}


def main(library: str, folder: str) -> None:
    """Print the results on an executor."""
    rates = [0.1, 0.4] if library == "submitit" else [0.1, 0.2, 0.4, 9.0]
    with EXECUTORS[library](folder) as executor:
        found: dict[str, Any] = {"there": losses(rates, executor), "here": losses(rates, None)}
        if library == "dask":
            found["killed"] = killed(executor)
        print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
