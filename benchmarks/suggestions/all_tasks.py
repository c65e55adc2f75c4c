"""All tasks, and the part that each belongs to."""

from __future__ import annotations

import functools

from benchmarks.suggestions.further_tasks import further_tasks
from benchmarks.suggestions.small_tasks import small_tasks
from benchmarks.suggestions.tasks import TUNED, Task, tasks
from benchmarks.suggestions.unseen_tasks import unseen_tasks

PARTS = {
    "tuned": "Tasks that chose the constants",
    "reported": "Tasks that chose nothing",
    "new": "Further tasks, unlike these",
    "unseen": "Unseen tasks, scored once",
}


def tuned_tasks() -> list[Task]:
    return [*(tasks()[name] for name in TUNED), *small_tasks()]


def reported_tasks() -> list[Task]:
    return [task for name, task in tasks().items() if name not in TUNED]


LISTS = {
    "tuned": tuned_tasks,
    "reported": reported_tasks,
    "new": further_tasks,
    "unseen": unseen_tasks,
}


@functools.cache
def tasks_of(part: str) -> dict[str, Task]:
    """The tasks of a part by name."""
    return {task.name: task for task in LISTS[part]()}


def all_tasks() -> dict[str, Task]:
    """The tasks by name, those that chose constants first."""
    return {name: task for part in PARTS for name, task in tasks_of(part).items()}


def part_of(name: str) -> str:
    """The part that a task belongs to."""
    return next(part for part in PARTS if name in tasks_of(part))
