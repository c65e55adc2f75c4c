"""Train the copies of a sweep in chunks, as tasks of an executor."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrsched._core import Refusal
from lrsched.sweep import Failure, run_tasks
from lrsched.sweep.failure import dumps, succeeded, warn
from lrsched.sweep.result import Index
from lrsched_jax._batches import Batches
from lrsched_jax._cache import training_of
from lrsched_jax._copies import Setting, Trained, train_copies
from lrsched_jax._model import Fixed
from lrsched_jax._types import Batch

Outcome = tuple[Any, list[str], list[Any]]  # records, names of the numbers, leaves of what is kept


@dataclass(frozen=True)
class Chunk:
    """Trains some copies of a sweep in a worker.

    Attributes:
        setting: what all copies have in common.
        batches: the batches; they begin anew when they run out.
        keep: whether to return the leaves of `Trained.kept`.
        x64: whether JAX computes in float64 in the process of the sweep.
        name: the name of the user's function, in errors.
    """

    setting: Setting
    batches: list[Batch]
    keep: bool
    x64: bool
    name: str

    def __call__(self, rates: Any, first: int) -> Outcome:
        """Train as many copies as there are rows of rates; `first` is the number of the first."""
        with _x64(self.x64):
            found = train_copies(
                *(self.setting, rates, first, self.batches, self.keep, None, Refusal(self.name))
            )
            return found.records, found.names, jax.tree.leaves(found.kept)


def train_in_chunks(
    setting: Setting,
    rates: Any,
    batches: Any,
    keep: bool,
    executor: Any,
    chunksize: int,
    refuse: Refusal,
) -> tuple[Trained, dict[Index, str]]:
    """Train all copies, and say of those that failed what happened; their losses are NaN."""
    (model,) = setting.models(range(1), refuse)
    source = Batches(batches, refuse)
    fixed = Fixed(setting.key, model.held)
    after = (  # the faults of the user's functions appear before anything runs
        training_of(model.loss, setting.optimizer)
        .outline(model.params, model.state, rates[0, 0], fixed, source.first)
        .after
    )
    sent, updates = source.drawn(rates.shape[1])
    rates = rates[:, :updates]
    chunk = Chunk(setting, sent, keep, rates.dtype == np.float64, refuse.schedule)
    starts = range(0, len(rates), chunksize)
    tasks = [(rates[first : first + chunksize], first) for first in starts]
    found = run_tasks(refuse, chunk, tasks, executor, given=_to_refuse(setting, sent))

    each = {f"schedules[{copy}]": found[copy // chunksize] for copy in range(len(rates))}
    succeeded(refuse.schedule, each)
    lost = {name: chunk.text for name, chunk in each.items() if isinstance(chunk, Failure)}
    warn(refuse.schedule, lost)
    failures: dict[Index, str] = {n: lost[name] for n, name in enumerate(each) if name in lost}
    records, names, leaves = _joined(found, [len(rows) for rows, _ in tasks])
    kept: Any = None
    if keep:
        structure: Any = jax.tree.structure((after.params, after.model_state, model.held))
        kept = structure.unflatten(leaves)
    return Trained(records, names, model.loss, kept), failures


def _joined(found: Sequence[Outcome | Failure], sizes: Sequence[int]) -> Outcome:
    """The outcomes of all chunks as one; a chunk that failed has the place of so many copies."""
    example = next(each for each in found if not isinstance(each, Failure))
    records, names, leaves = example
    columns = [
        (_missing(records, size), [_missing(leaf, size) for leaf in leaves])
        if isinstance(each, Failure)
        else (each[0], each[2])
        for each, size in zip(found, sizes, strict=True)
    ]
    joined = [
        jnp.concatenate(column) for column in zip(*(each for _, each in columns), strict=True)
    ]
    return np.concatenate([rows for rows, _ in columns]), names, joined


def _missing(array: Any, number: int) -> Any:
    """In the place of so many copies: NaN, or where there is none what another copy has."""
    example = array[np.zeros(number, int)]
    is_real = jnp.issubdtype(array.dtype, jnp.floating)
    return example * np.array(np.nan, array.dtype) if is_real else example


def _to_refuse(setting: Setting, batches: Any) -> tuple[str, Any]:
    """The name and value of the first argument that cannot be pickled, or else the batches."""
    for name, value in setting._asdict().items():
        try:
            dumps(value)
        except Exception:
            return name, value
    return "batches", batches


def _x64(enabled: bool) -> contextlib.AbstractContextManager[None]:
    """JAX computes in float64 inside the block, or does not."""
    module = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    context: contextlib.AbstractContextManager[None] = module.enable_x64(enabled)
    return context
