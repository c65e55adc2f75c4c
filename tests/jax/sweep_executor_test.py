"""Sweeps whose copies are spread over an executor."""

import multiprocessing
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrsched
from lrsched_jax import Sweep, sweep
from tests.backends import jax_x64
from tests.jax.toys import (
    BATCHES,
    PARAMS,
    STATE,
    fails_for_the_last,
    fails_in_other_threads,
    initialise,
    loss_fn,
)

RATES: list[Any] = [0.1, lrsched.cosine_decay(0.1, 7), 0.01, 0.03, 1e-3, 0.3]
STEPS = 7


def swept(params: Any = PARAMS, batches: Any = BATCHES, **options: Any) -> Sweep:
    usual: dict[str, Any] = {
        "model_state": STATE,
        "key": jax.random.key(1),
        "has_aux": True,
        "keep_params": True,
    }
    return sweep(loss_fn, params, batches, RATES, optax.sgd, STEPS, **(usual | options))


def numbers(leaf: Any) -> Any:
    if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    return np.asarray(leaf)


def assert_equal(found: Sweep, wanted: Sweep, ulps: int = 0) -> None:
    """Everything is equal, or up to so many units in the last place of float32."""
    assert found.schedules == wanted.schedules
    assert dict(found.failures) == dict(wanted.failures) == {}

    def check(found: Any, wanted: Any) -> None:
        if ulps and found.dtype.kind == "f":
            np.testing.assert_allclose(found, wanted, rtol=ulps * 2**-23, atol=ulps * 2**-26)
        else:
            np.testing.assert_array_equal(found, wanted)

    for name in ("learning_rates", "losses", "metrics", "params", "model_state"):
        jax.tree.map(check, *(jax.tree.map(numbers, getattr(x, name)) for x in (found, wanted)))


class Counting(Executor):
    """Runs each task at once, and counts them."""

    def __init__(self) -> None:
        self.tasks = 0

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.tasks += 1
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **options))
        return future


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:  # two would compile the same program at once
        yield executor


def test_processes_give_what_this_process_gives() -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        found = swept(initialise, executor=processes, chunksize=3)
    assert_equal(found, swept(initialise, executor=Counting(), chunksize=3))
    # XLA compiles other programs for other numbers of copies: sums are formed in another order.
    assert_equal(found, swept(initialise), ulps=16)


def test_workers_compute_in_the_precision_of_this_process(threads: Executor) -> None:
    with jax_x64():
        found = swept(executor=threads)
        assert_equal(found, swept())
    assert np.any(found.losses != found.losses.astype(np.float32))


@pytest.mark.parametrize(("chunksize", "tasks"), [(1, 6), (4, 2), (8, 1)])
def test_a_task_has_as_many_copies_as_it_is_told(chunksize: int, tasks: int) -> None:
    executor = Counting()
    found = swept(executor=executor, chunksize=chunksize)
    assert executor.tasks == tasks
    assert_equal(found, swept(), ulps=16)


def test_all_chunks_get_the_batches_of_an_iterator(threads: Executor) -> None:
    drawn = []

    def loader() -> Iterator[Any]:
        for number, batch in enumerate(BATCHES):
            drawn.append(number)
            yield batch

    found = swept(batches=loader(), executor=threads)
    assert drawn == [0, 1, 2, 3, 4]
    assert found.losses.shape == found.learning_rates.shape == (6, 5)
    np.testing.assert_array_equal(found.losses, swept().losses[:, :5])


def test_what_fails_is_missing(threads: Executor) -> None:
    with pytest.warns(UserWarning, match=r"^sweep: missing or incomplete: schedules\[4\] \(KeyErr"):
        found = swept(fails_for_the_last, executor=threads, chunksize=2)
    wanted = swept(initialise)
    assert list(found.failures) == [4, 5]
    assert found.failures[5] == "KeyError: 'no such weights'"
    np.testing.assert_allclose(found.losses[:4], wanted.losses[:4], rtol=1e-5)
    assert np.isnan(found.losses[4:]).all()
    assert np.isnan(found.metrics["mean"][4:]).all()
    np.testing.assert_allclose(found.params["out"][:4], wanted.params["out"][:4], rtol=1e-4)
    assert np.isnan(found.params["out"][4:]).all()
    assert found.params["key"].shape == found.model_state["updates"].shape == (6,)
    assert found.params["name"] == "toy"


def test_if_all_fail_the_first_error_is_raised(threads: Executor) -> None:
    with pytest.raises(KeyError, match="no such weights") as caught:
        swept(fails_in_other_threads, executor=threads)
    assert caught.value.__notes__[0].startswith("sweep: all of 6 trainings failed, schedules[0] f")


REFUSALS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"executor": 3}, TypeError, "executor must be one with submit(function, *arguments)"),
    ({"chunksize": 0}, ValueError, "chunksize must be an integer >= 1 (schedules), got 0"),
    ({"chunksize": 1.5}, TypeError, "chunksize must be an integer >= 1 (schedules), got 1.5"),
    (
        {"executor": Counting(), "mesh": jax.make_mesh((1,), ("copies",))},
        ValueError,
        "executor must be None with a mesh, over whose devices the copies are, got",
    ),
    (
        {"executor": Counting(), "params": PARAMS | {"lock": threading.Lock()}},
        TypeError,
        "params must be one that pickles for an executor (TypeError: cannot pickle",
    ),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSALS)
def test_refusals(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match="^sweep: " + re.escape(message)):
        swept(**options)
    assert getattr(options.get("executor"), "tasks", 0) == 0


def test_faults_of_the_loss_function_appear_before_any_task() -> None:
    executor = Counting()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'key'"):
        swept(executor=executor, key=None)
    with pytest.raises(TypeError, match=r"^sweep: loss_fn must be a function that returns"):
        swept(executor=executor, has_aux=False)
    assert executor.tasks == 0
