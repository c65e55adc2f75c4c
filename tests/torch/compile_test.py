"""Schedules compiled by torch.compile."""

from tests.backends import TORCH_COMPILES, Values
from tests.optional import needs

needs("torch", TORCH_COMPILES)

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
