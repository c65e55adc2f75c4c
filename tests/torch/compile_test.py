"""Schedules compiled by torch.compile."""

from tests.backends import TORCH_COMPILES, Values
from tests.optional import needs

needs("torch", TORCH_COMPILES)

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lrsched
from lrsched import Schedule
from tests.ulp import telling_counts, worst


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # from its own modules
def test_torch_compile_with_the_default_backend() -> None:
    """Machine code of torch's own compiler keeps the exact float32 arithmetic."""
    schedule = lrsched.exponential_decay(0.3, 0.999999)
    at = telling_counts(schedule, np.random.default_rng(0), 50)

    def inductor(schedule: Schedule, counts: object) -> Values:
        compiled = torch.compile(lambda count: schedule(count), fullgraph=True)
        return np.asarray(compiled(torch.asarray(counts)), np.float64)

    assert worst(schedule, at, inductor)[0] <= 8


MAKES: dict[str, Callable[[int], Schedule]] = {
    "exponential_decay": lambda n: lrsched.exponential_decay(0.1, 1 - 1 / n),
    "natural_exponential_decay": lambda n: lrsched.natural_exponential_decay(0.1, 1 / n),
    "k_decay": lambda n: lrsched.k_decay(0.1, 1000, k=n / 1000),
    "one_cycle": lambda n: lrsched.one_cycle(1 / n, n),
    "cosine_restarts": lambda n: lrsched.cosine_restarts(1 / n, n, 3),
    "exp_range": lambda n: lrsched.cyclic(0.0, 1.0, n, mode="exp_range", decay_rate=1 - 1 / n),
    "join": lambda n: lrsched.join([lrsched.linear(1.0, 0.0, n), lrsched.constant(0.1)], [n]),
    "join of many": lambda n: lrsched.join(
        [lrsched.linear(0.0, k / n, k * n) for k in range(1, 7)], [k * n for k in range(1, 6)]
    ),
}


@pytest.mark.parametrize("name", MAKES)
def test_the_same_code_is_compiled_again_for_other_numbers(name: str) -> None:
    """From the second time on, torch.compile takes a number that has changed as unknown."""
    torch.compiler.reset()
    counts = torch.asarray([0, 1, 7, 100, 999, 1000, 2**24 + 1, 2**31 - 1])
    at = counts[4] if name == "join of many" else counts  # which is grouped at a single count
    for n in (1000, 1001):
        schedule: Any = MAKES[name](n)
        compiled = torch.compile(lambda count: schedule(count), fullgraph=True, backend="eager")  # noqa: B023  # called at once
        assert torch.equal(compiled(at), schedule(at))
