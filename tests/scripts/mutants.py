"""Mutation testing: changes the sources one place at a time, and shows what no test notices.

    python tests/scripts/mutants.py PYTHON [--sample N] [--only ROOM ...]

`make mutants` runs it; PYTHON is that of the environment of `draw_mutants.py`. The same sample is
drawn each time. What a test file has noticed is kept in `build/mutants.txt`: a run that is begun
again, or has a larger sample, tries only what is left.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

# The sources of a room, and the test files that can notice a change there, the cheap ones first.
# A file named like the changed one goes before them, and the doctests of that one before all.
ROOMS = {
    "core": (
        "lrsched/_core/*.py",
        "tests/core/*_test.py tests/formats/serialize_test.py tests/formats/*_test.py"
        " tests/schedules/counts_test.py tests/jax/transformations_test.py",
    ),
    "controllers": (
        "lrsched/controllers/*.py lrsched/_core/control*.py lrsched/_core/feedback.py",
        "tests/controllers/*_test.py tests/torch/controlled_lr_test.py",
    ),
    "numerics": (
        "lrsched/_numerics/*.py",
        "tests/numerics/*_test.py tests/schedules/[!e]*_test.py tests/schedules/*_test.py",
    ),
    "explorer": ("lrsched/explorer/*.py", "tests/explorer/[!s]*_test.py"),
    "range_test": (
        "lrsched/range_test/*/*.py",
        "tests/range_test/*/[!f]*_test.py tests/torch/range_test_progress_test.py"
        " tests/cli/range_test_test.py tests/range_test/*/*_test.py tests/range_test/*_test.py",
    ),
    "torch_schedulers": (
        "adapters/lrsched_torch/_schedulers/*.py",
        "tests/torch/lambda_lr_test.py tests/torch/param_groups_test.py"
        " tests/torch/schedule_hyperparameters_test.py tests/torch/[clop]*_test.py",
    ),
    "torch_snapshot": (
        "adapters/lrsched_torch/_snapshot/*.py",
        "tests/torch/snapshot*_test.py tests/torch/reachable_test.py"
        " tests/torch/range_test_[gu]*_test.py",
    ),
    "torch_convert": (
        "adapters/lrsched_torch/_convert/*.py",
        "tests/torch/from_*_test.py tests/torch/to_torch_test.py",
    ),
    "torch_range_test": (
        "adapters/lrsched_torch/_range_test/*.py",
        "tests/torch/range_test_test.py tests/torch/range_test_*_test.py",
    ),
    "jax": (
        "adapters/lrsched_jax/*.py",
        "tests/jax/range_test_test.py tests/jax/range_test_*_test.py tests/jax/[cprs]*_test.py",
    ),
    "keras": ("adapters/lrsched_keras/*.py", "tests/keras/*_test.py"),
}

# Imported once, by the process from which those of the tests are forked.
PRELOADED = ["mpmath", "pytest", "hypothesis.strategies", "jax", "optax", "flax", "torch._dynamo"]
MEMORY = 8 << 30  # bytes of address space for a process: a loop without end must not take them all

PROCESSOR_SECONDS = 120  # of a test: a loop without end must stop, whatever else the machine does
WALL_SECONDS = 1800  # of a test file: what only waits must stop, too

FORKS = multiprocessing.get_context("forkserver")


class Task(NamedTuple):
    """A file with one change, and the test files that are still to run, the next one first."""

    path: str
    source: str
    tests: list[str]


class Running(NamedTuple):
    """A test file that runs in one of the copies of the tree."""

    task: Task
    copy: Path
    unchanged: str
    process: multiprocessing.process.BaseProcess
    started: float


def run_pytest(copy: Path, tests: str) -> None:
    """Run a test file in a copy of the tree, in this process; it ends with pytest's exit code."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with open(copy / "log.txt", "w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.dont_write_bytecode = False  # what is unchanged is compiled once
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folders = [str(copy), str(copy / "adapters")]
    sys.path[:0] = folders
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    os.chdir(copy)
    import pytest
    from hypothesis import Phase, settings

    class Hasty:
        """Ends a test that takes too long, and shrinks no example: one failure is enough."""

        def pytest_configure(self) -> None:
            phases = [Phase.explicit, Phase.generate]
            settings.register_profile("mutants", settings.get_profile("lrsched"), phases=phases)
            settings.load_profile("mutants")

        def pytest_runtest_setup(self) -> None:
            signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)

    options = "-x -q --tb=short -p no:cacheprovider -W ignore::pytest.PytestAssertRewriteWarning"
    os._exit(pytest.main([*options.split(), tests], plugins=[Hasty()]))


class Copies:
    """Copies of the tree, one for each test file that runs at a time."""

    def __init__(self, folder: Path) -> None:
        self._free = [folder / str(n) for n in range(os.cpu_count() or 1)]
        for copy in self._free:
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "dist"))
        self._running: list[Running] = []

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, str]]:
        """Each task with "killed", "timed out" or "survived"; its first test file ran last."""
        queue = list(tasks)[::-1]
        try:
            while queue or self._running:
                while queue and self._free:
                    self._start(queue.pop())
                for running in self._ended():
                    outcome, task = self._finish(running), running.task
                    if outcome == "survived" and task.tests[1:]:
                        queue.append(task._replace(tests=task.tests[1:]))
                    else:
                        yield task, outcome
        finally:
            for running in list(self._running):
                self._finish(running)

    def _ended(self) -> list[Running]:
        """What has ended by now, or has run for too long."""
        wait([running.process.sentinel for running in self._running], timeout=1.0)
        now = time.monotonic()
        return [
            running
            for running in self._running
            if running.process.exitcode is not None or now - running.started > WALL_SECONDS
        ]

    def _start(self, task: Task) -> None:
        copy = self._free.pop()
        unchanged = (copy / task.path).read_text()
        _write(copy / task.path, task.source)
        process = FORKS.Process(target=run_pytest, args=(copy, task.tests[0]))
        process.start()
        self._running.append(Running(task, copy, unchanged, process, time.monotonic()))

    def _finish(self, running: Running) -> str:
        code = running.process.exitcode
        running.process.kill()
        with contextlib.suppress(ProcessLookupError):  # what the tests have started, too
            os.killpg(running.process.pid or 0, signal.SIGKILL)
        running.process.join()
        _write(running.copy / running.task.path, running.unchanged)
        self._running.remove(running)
        self._free.append(running.copy)
        if code in (None, -signal.SIGPROF):
            return "timed out"
        return "survived" if code in (0, 5) else "killed"  # 5: a file without a doctest


def _write(path: Path, text: str) -> None:
    """Write a file with a time of change that it never had: bytecode caches go by its seconds."""
    last = path.stat().st_mtime
    path.write_text(text)
    os.utime(path, (last + 1, last + 1))


def diff(path: str, source: str) -> str:
    before = (ROOT / path).read_text().splitlines()
    lines = difflib.unified_diff(before, source.splitlines(), path, path, lineterm="", n=0)
    return "\n".join(lines)


def draw(python: str, sample: int, paths: list[str]) -> tuple[int, list[tuple[str, str]]]:
    """How many mutants some files have, and a sample of them: the path and the changed source."""
    command = [python, "tests/scripts/draw_mutants.py", str(sample), *paths]
    drawn = json.loads(subprocess.check_output(command, cwd=ROOT))
    return drawn["count"], drawn["mutants"]


def files(patterns: str) -> list[str]:
    """The files that match some patterns, in the order of these."""
    found = (sorted(ROOT.glob(pattern)) for pattern in patterns.split())
    return list(dict.fromkeys(str(path.relative_to(ROOT)) for paths in found for path in paths))


def nearest_first(path: str, tests: list[str]) -> list[str]:
    """The doctests of a file, then its test file, then the others."""
    name = Path(path).stem.strip("_")
    return [path, *sorted(tests, key=lambda test: name not in Path(test).name)]


class Noticed:
    """The mutants that a test file has noticed, by a hash of the changed source; kept in a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.touch()
        self._path = path
        self._tests = dict(line.split() for line in path.read_text().splitlines())

    @staticmethod
    def _key(task: Task) -> str:
        return hashlib.sha256(f"{task.path}\n{task.source}".encode()).hexdigest()

    def __contains__(self, task: Task) -> bool:
        return self._key(task) in self._tests

    def add(self, task: Task) -> None:
        """Keep a task whose first test file has failed."""
        self._tests[self._key(task)] = task.tests[0]
        with self._path.open("a") as file:
            print(self._key(task), task.tests[0], file=file)

    def test_of(self, task: Task) -> str:
        return self._tests[self._key(task)]

    def forget(self, test: str) -> None:
        self._tests = {key: value for key, value in self._tests.items() if value != test}
        self._path.write_text("".join(f"{key} {test}\n" for key, test in self._tests.items()))


def try_room(copies: Copies, noticed: Noticed, room: str, tasks: list[Task]) -> Counter[str]:
    """Try mutants, and print what survives; the result counts the outcomes."""
    counts = Counter(killed=sum(task in noticed for task in tasks))
    for task, outcome in copies.outcomes(task for task in tasks if task not in noticed):
        counts[outcome] += 1
        if outcome == "killed":
            noticed.add(task)
        else:
            print(f"{room}: {outcome}\n{diff(task.path, task.source)}\n", flush=True)
    return counts


def prove(copies: Copies, noticed: Noticed, tasks: list[Task]) -> None:
    """Exit where a test file that has noticed mutants also fails on the unchanged sources."""
    tests = sorted({noticed.test_of(task) for task in tasks if task in noticed})
    unchanged = (Task(test, (ROOT / test).read_text(), [test]) for test in tests)
    failed = [task.path for task, outcome in copies.outcomes(unchanged) if outcome != "survived"]
    for test in failed:
        noticed.forget(test)
    if failed:
        sys.exit(f"The counts are void: these fail on the unchanged sources: {', '.join(failed)}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("python")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each room")
    parser.add_argument("--only", nargs="*", choices=ROOMS, default=list(ROOMS), metavar="ROOM")
    arguments = parser.parse_args()
    FORKS.set_forkserver_preload(PRELOADED)
    os.environ |= {"CI": "true", "PYTHONWARNINGS": "ignore:os.fork:RuntimeWarning"}
    titles = ("mutants", "sample", "killed", "timed out", "survived")
    table = [f"{'room':16}" + "".join(f"{title:>10}" for title in titles)]
    noticed = Noticed(ROOT / "build" / "mutants.txt")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{folder}/jax"
        copies = Copies(Path(folder))
        for room in arguments.only:
            sources, tests = map(files, ROOMS[room])
            count, mutants = draw(arguments.python, arguments.sample, sources)
            tasks = [Task(path, source, nearest_first(path, tests)) for path, source in mutants]
            counts = try_room(copies, noticed, room, tasks)
            counts |= Counter(mutants=count, sample=len(tasks))
            table.append(f"{room:16}" + "".join(f"{counts[title]:10}" for title in titles))
            prove(copies, noticed, tasks)
    print("\n".join(table))


if __name__ == "__main__":
    main()
