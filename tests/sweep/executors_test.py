"""The executors of other libraries: what a sweep is on them is what it is in this process."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched.sweep import repeats_over, sweep_over
from tests.optional import needs
from tests.sweep.toys import run, setup


class OnRay:
    """An executor of Ray's tasks."""

    def submit(self, function: Any, *arguments: Any) -> Any:
        import ray

        return ray.remote(function).remote(*arguments).future()


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """An executor of Dask with two processes."""
    distributed = needs("distributed")
    options = {"threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=2, processes=True, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """An executor of Ray with two workers."""
    library = needs("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else a token is written for the user
        options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        library.init(num_cpus=2, **options)
        yield OnRay()
        library.shutdown()


@pytest.fixture
def submitit(tmp_path: Path) -> Any:
    """An executor of submitit, which starts a process for each task."""
    return needs("submitit").LocalExecutor(tmp_path)


@pytest.mark.parametrize("library", ["dask", "ray", "submitit"])
def test_a_sweep(library: str, request: pytest.FixtureRequest) -> None:
    """Of a local function, which cloudpickle takes."""
    executor = request.getfixturevalue(library)
    scale = 2.0

    def given(seed: int) -> Any:
        return scale * setup(seed)["start"]

    rates = [0.1, 0.4] if library == "submitit" else [0.1, 0.2, 0.4, 9.0]
    wanted = sweep_over(run, given, rates, 20, progress=False)
    found = sweep_over(run, given, rates, 20, executor=executor, progress=False)
    np.testing.assert_array_equal(found.losses, wanted.losses)
    assert found.failures == {}


def test_a_training_that_kills_its_worker_of_dask(dask: Any) -> None:
    def given(seed: int) -> Any:
        if seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return setup(seed)

    with pytest.warns(UserWarning, match=r"incomplete: seed 1 \(its worker was lost twice"):
        test = repeats_over(run, given, 3, steps=20, executor=dask, progress=False)
    for row, seed in zip(test.losses, (0, 2), strict=True):
        assert row.tolist() == run(setup(seed), steps=20, progress=False).losses.tolist()
