"""A progress bar, where there is tqdm."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import jax


@contextlib.contextmanager
def progress_bar(wanted: bool, total: int, label: str) -> Iterator[Callable[[int], Any]]:
    """A function to call with how many more updates were made; only one process has a bar."""
    tqdm = None
    if wanted and jax.process_index() == 0:
        with contextlib.suppress(ImportError):
            tqdm = importlib.import_module("tqdm.auto").tqdm
    if tqdm is None:
        yield lambda updates: None
        return
    with tqdm(total=total, desc=f"{label} range test", unit="update", leave=False) as bar:
        yield bar.update
