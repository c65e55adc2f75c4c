"""`from_torch` of the schedulers of transformers, which are factors of a LambdaLR."""

from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")
needs("transformers")

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LRScheduler

from lrsched_torch import from_torch
from tests.torch.torch_schedulers import befores, check, groups, refusing, sgd, step

hugging: Any = transformers.optimization
HF: dict[str, Callable[[Any, int, int], LRScheduler]] = {
    "constant": lambda o, w, n: hugging.get_constant_schedule(o),
    "with warmup": lambda o, w, n: hugging.get_constant_schedule_with_warmup(o, w),
    "linear": hugging.get_linear_schedule_with_warmup,
    "cosine": hugging.get_cosine_schedule_with_warmup,
    "waves": lambda o, w, n: hugging.get_cosine_schedule_with_warmup(o, w, n, num_cycles=1.5),
    "restarts": lambda o, w, n: hugging.get_cosine_with_hard_restarts_schedule_with_warmup(
        o, w, n, 3
    ),
    "restarts between steps": lambda o, w, n: (
        hugging.get_cosine_with_hard_restarts_schedule_with_warmup(o, w, n, 2)
    ),
    "a single cycle": hugging.get_cosine_with_hard_restarts_schedule_with_warmup,
    "polynomial": lambda o, w, n: hugging.get_polynomial_decay_schedule_with_warmup(
        o, w, n, 1e-6, 2.0
    ),
    "inverse sqrt": lambda o, w, n: hugging.get_inverse_sqrt_schedule(o, w, 7),
    "min lr": lambda o, w, n: hugging.get_cosine_with_min_lr_schedule_with_warmup(
        o, w, n, min_lr_rate=0.1
    ),
    "from 1": lambda o, w, n: hugging.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        o, w, n, min_lr_rate=0.1
    ),
    "from a rate": lambda o, w, n: hugging.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        o, w, n, min_lr_rate=0.1, warmup_lr_rate=0.3
    ),
    "stable": lambda o, w, n: hugging.get_wsd_schedule(o, w, n, num_stable_steps=5),
    "stable, waves": lambda o, w, n: hugging.get_wsd_schedule(
        o, w, n, num_stable_steps=5, num_cycles=1.5
    ),
}


@pytest.mark.parametrize("name", HF)
@settings(max_examples=30)
@given(warmup=st.integers(0, 9), after=st.integers(1, 9), lrs=groups, before=befores)
def test_transformers_past_their_ends_too(
    name: str, warmup: int, after: int, lrs: list[float], before: int
) -> None:
    optimizer = sgd(*lrs)
    optimizer.defaults["lr"] = lrs[0]
    scheduler = HF[name](optimizer, warmup, warmup + 3 * after)
    step(scheduler, before)
    with refusing("whose restarts are not missed"):
        from_torch(scheduler)
    check(scheduler)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda o: hugging.get_linear_schedule_with_warmup(o, 10, 10),
            ValueError,
            "from_torch: num_training_steps must be above num_warmup_steps (10), got 10",
        ),
    ],
)
def test_what_cannot_be_known_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as refused:
        from_torch(make(sgd(0.1)))
    assert text in str(refused.value)
