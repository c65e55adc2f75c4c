"""Tasks in this process and on executors: results, failures, lost workers and refusals."""

import importlib
import multiprocessing
import pickle
import re
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as Threads
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched._core import Refusal
from lrsched.sweep import Failure, run_tasks
from lrsched.sweep.pools import Pool
from tests.optional import needs

REFUSE = Refusal("sweep")


class Odd(Exception):  # noqa: N818
    """An exception that does not pickle."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.lock = threading.Lock()


class Unmade:
    """What pickles, and cannot be made again."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def work(number: int) -> int:
    if number == 3:
        raise KeyError("three")
    if number == 4:
        raise Odd(4, 5)
    if number == 5:
        raise SystemExit("five")
    return number**2


class Call:
    """What an executor of another library returns: no future of concurrent.futures."""

    def __init__(self, looks: int, call: Callable[[], Any]) -> None:
        self.looks = looks
        self.call = call

    def done(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def result(self) -> Any:
        return self.call()


class Elsewhere:
    """An executor that loses these submissions, and knows nothing of the others' exceptions."""

    def __init__(self, *lost: int) -> None:
        self.lost = lost
        self.submitted = 0

    def submit(self, function: Any, *arguments: Any) -> Call:
        self.submitted += 1
        is_lost = self.submitted in self.lost

        def call() -> Any:
            if is_lost:
                raise ConnectionError("the node\nis gone")
            return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(arguments)))))

        return Call(self.submitted % 3, call)


def outcomes(found: list[Any]) -> list[Any]:
    return [each.text if isinstance(each, Failure) else each for each in found]


EXPECTED = [0, 1, 4, "KeyError: 'three'", "Odd: 4 and 5", "SystemExit: five", 36]
TASKS = [(number,) for number in range(7)]


@pytest.mark.parametrize("make", [lambda: None, Elsewhere, lambda: Threads(2)])
def test_results_and_failures_in_order(make: Callable[[], Any]) -> None:
    assert outcomes(run_tasks(REFUSE, work, TASKS, make())) == EXPECTED


def test_a_pool_of_processes_stays_the_users() -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert outcomes(run_tasks(REFUSE, work, TASKS, pool)) == EXPECTED
        assert pool.submit(work, 2).result() == 4
        (again,) = run_tasks(REFUSE, work, [(3,)], pool)
    with pytest.raises(KeyError) as raised:
        again.throw("sweep: all failed")
    (note,) = raised.value.__notes__
    assert note.startswith("sweep: all failed; its traceback:\nTraceback")
    assert 'raise KeyError("three")' in note


@settings(max_examples=60, derandomize=True)
@given(st.sets(st.integers(1, 24), max_size=12), st.integers(1, 12))
def test_any_submissions_may_be_lost(lost: set[int], number: int) -> None:
    """What is lost twice is reported, and only that."""
    executor = Elsewhere(*lost)
    found = outcomes(run_tasks(REFUSE, abs, [(-n,) for n in range(number)], executor))
    first = [n for n in range(number) if n + 1 in lost]
    twice = [n for place, n in enumerate(first) if number + place + 1 in lost]
    text = "its worker was lost twice (ConnectionError: the node)"
    assert found == [text if n in twice else n for n in range(number)]
    assert executor.submitted == number + len(first)


class Full(Executor):
    """An executor that takes nothing, or whose futures are cancelled."""

    def __init__(self, cancels: bool) -> None:
        self.cancels = cancels

    def submit(self, *call: Any, **_: Any) -> Any:
        if not self.cancels:
            raise RuntimeError("after shutdown")
        future: Future[Any] = Future()
        future.cancel()
        return future


@pytest.mark.parametrize(
    ("cancels", "reason"),
    [(False, "RuntimeError: after shutdown"), (True, CancelledError.__name__)],
)
def test_an_executor_that_does_not_work(cancels: bool, reason: str) -> None:
    found = outcomes(run_tasks(REFUSE, work, [(1,), (2,)], Full(cancels)))
    assert found == [f"its worker was lost twice ({reason})"] * 2


class OtherPool(ProcessPoolExecutor):
    """A pool that keeps other attributes, and is broken from the start."""

    def __init__(self, *forgotten: str) -> None:
        super().__init__(1, multiprocessing.get_context("spawn"))
        for name in forgotten:
            delattr(self, name)

    def submit(self, *call: Any, **_: Any) -> Any:
        raise BrokenProcessPool("broken")


def test_a_broken_pool_is_replaced_where_another_can_be_made() -> None:
    assert outcomes(run_tasks(REFUSE, work, [(2,)], OtherPool())) == [4]
    found = outcomes(run_tasks(REFUSE, work, [(2,)], OtherPool("_initargs")))
    assert found == ["its worker was lost twice (BrokenProcessPool: broken)"]


def initialize(*values: Any) -> None:
    """What a pool calls in each new process."""


def test_the_other_pool_is_like_the_first() -> None:
    context = multiprocessing.get_context("spawn")
    options: Any = {"mp_context": context, "initializer": initialize, "initargs": (1, 2)}
    first = ProcessPoolExecutor(3, **options, max_tasks_per_child=5)
    pool = Pool(first)
    assert pool.workers == 3
    assert pool.replace()
    other = pool._executor
    assert type(other) is ProcessPoolExecutor
    assert other is not first
    for name in (
        "_max_workers",
        "_mp_context",
        "_initializer",
        "_initargs",
        "_max_tasks_per_child",
    ):
        assert getattr(other, name) == getattr(first, name)
    pool.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        other.submit(work, 1)
    first.shutdown()


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (4, "executor must be one with submit(function, *arguments), as in concurrent.futures, or"),
        (Executor, "executor must be one whose submit returns what has done() and result(), got"),
    ],
)
def test_what_is_no_executor(executor: Any, message: str) -> None:
    if executor is Executor:
        executor = type("Silent", (), {"submit": lambda self, *call: None})()
    with pytest.raises(TypeError, match="^sweep: " + re.escape(message)):
        run_tasks(REFUSE, work, TASKS, executor)


def test_what_cannot_be_pickled_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor, lock = Elsewhere(), threading.Lock()
    with pytest.raises(TypeError, match=r"^sweep: setup must be one that pickles for an executor "):
        run_tasks(REFUSE, lambda n: lock, TASKS, executor, given=("setup", lock))
    with pytest.raises(TypeError, match=r"^sweep: task 1 must be one that pickles for an executor"):
        run_tasks(REFUSE, work, [(1,), (lock,)], executor)
    original = importlib.import_module

    def without(name: str) -> Any:
        if name == "cloudpickle":
            raise ImportError(name)
        return original(name)

    monkeypatch.setattr(importlib, "import_module", without)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TypeError, match="; cloudpickle, once installed, takes local functions too"):
        run_tasks(REFUSE, lambda n: n, TASKS, executor)
    assert executor.submitted == 0
    assert run_tasks(REFUSE, abs, [(-1,)], executor) == [1]  # what pickles alone needs no other


def test_cloudpickle_takes_local_functions() -> None:
    needs("cloudpickle")
    offset = 5
    assert run_tasks(REFUSE, lambda n: n + offset, [(1,)], Elsewhere()) == [6]


def test_a_failure_raises_what_the_task_raised_where_it_can() -> None:
    key, odd, _ = [
        each for each in run_tasks(REFUSE, work, TASKS, Elsewhere()) if each.__class__ is Failure
    ]
    with pytest.raises(KeyError, match="three"):
        key.throw("all failed")
    with pytest.raises(RuntimeError, match=r"^all failed: Odd: 4 and 5\nTraceback \(most"):
        odd.throw("all failed")
    here = run_tasks(REFUSE, work, [(4,)])[0]
    with pytest.raises(Odd):
        here.throw("all failed")
    for pickled in (None, b"", pickle.dumps(5), pickle.dumps(Unmade())):
        with pytest.raises(RuntimeError, match=r"^all failed: it was lost$"):
            Failure("it was lost", pickled=pickled).throw("all failed")


class Bar:
    """A bar of tqdm."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.events: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.events.append((name, *values))


@pytest.mark.parametrize("make", [lambda: None, Elsewhere])
def test_one_bar_counts_the_tasks(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tqdm, bars = needs("tqdm.auto"), []

    def bar(**options: Any) -> Bar:
        bars.append(Bar(**options))
        return bars[-1]

    monkeypatch.setattr(tqdm, "tqdm", bar)
    run_tasks(REFUSE, work, TASKS, make(), progress=True)
    (shown,) = bars
    assert shown.options["unit"] == "training"
    begin = [("reset", 7), ("set_description", "sweep")]
    assert shown.events == [*begin, *[("update", 1)] * 7, ("close",)]


def interrupts(*_: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_in_this_process_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_tasks(REFUSE, interrupts, TASKS)


def test_an_interrupt_cancels_what_waits() -> None:
    made: list[Any] = []

    class Slow(Executor):
        def submit(self, *call: Any, **_: Any) -> Any:
            future: Any = Future()
            made.append(future)
            if len(made) == 4:
                future.set_exception(KeyboardInterrupt())
            return future

    with pytest.raises(KeyboardInterrupt):
        run_tasks(REFUSE, work, TASKS, Slow())
    assert [future.cancelled() for future in made] == [n != 3 for n in range(7)]
