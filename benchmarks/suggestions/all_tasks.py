"""All tasks, and their three parts."""

from __future__ import annotations

import functools

from benchmarks.suggestions.further_tasks import further_tasks
from benchmarks.suggestions.tasks import TUNED, Task, tasks

PARTS = {
    "tuned": "Tasks that chose the constants",
    "reported": "Tasks that chose nothing",
    "new": "Further tasks, unlike these",
}


@functools.cache
def all_tasks() -> dict[str, Task]:
    """The tasks by name, those that chose constants first."""
    return tasks() | {task.name: task for task in further_tasks()}


def part_of(name: str) -> str:
    """The part that a task belongs to."""
    if name in TUNED:
        return "tuned"
    return "reported" if name in tasks() else "new"
