"""Workers that are killed, and sweeps that are interrupted."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.processes import outputs, start
from tests.scripts.sweep_killed import TASKS

SECONDS = 20  # of patience
PROMPT = 10  # seconds that an exit may take where five others use the cores; alone it is one
LOST = "its worker was lost twice (BrokenProcessPool: "


def test_killed_workers_cost_only_tasks_that_are_lost_twice() -> None:
    (printed,) = outputs(start("sweep_killed.py"), seconds=60)
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["left"] for line in lines] == [0] * len(lines)
    *once, often, one_deadly, all_deadly = [line["found"] for line in lines]
    squares = [number**2 for number in range(TASKS)]
    assert once == [squares] * 20  # the one that was killed is there after its retry
    for found, wanted in zip(often, squares * 3, strict=True):
        assert found == wanted or found.startswith(LOST)
    assert one_deadly[5].startswith(LOST)
    assert one_deadly[:5] + one_deadly[6:] == squares[:5] + squares[6:]
    assert all(text.startswith(LOST) for text in all_deadly)


def is_alive(process: int) -> bool:
    """Whether it runs; one that has ended may wait for its parent to note it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def in_session(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(folder.name)) == session and is_alive(int(folder.name)):
                found.append(int(folder.name))
    return found


@contextlib.contextmanager
def sweeping(where: str) -> Iterator["tuple[Popen[str], set[int]]"]:
    """A sweep in a session of its own, once it trains; and the processes in which it does."""
    process = start("sweep_interrupted.py", where, session=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(1 if where == "this" else 2)]
        assert all(lines), process.communicate()[1]
        yield process, {int(line.split()[1]) for line in lines}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("group", [False, True], ids=["the process", "its group"])
@pytest.mark.parametrize("where", ["this", "pool", "broken", "threads"])
def test_an_interrupt_ends_all_processes(where: str, group: bool) -> None:
    with sweeping(where) as (process, training):
        (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
        begun = time.monotonic()
        _, err = process.communicate(timeout=SECONDS)
        assert time.monotonic() - begun < PROMPT
        assert process.returncode not in (0, None)
        assert "KeyboardInterrupt" in err
        assert not [each for each in training if is_alive(each)]
        assert in_session(process.pid) == []
