"""SlowFast's `get_lr_at_epoch`, by the keys of `SOLVER`; here an epoch is a step."""

import bisect
import math
from collections.abc import Sequence

from tests.formulas import Curve


def get_lr_at_epoch(
    *,
    BASE_LR: float,  # noqa: N803
    MAX_EPOCH: int,  # noqa: N803
    LR_POLICY: str = "cosine",  # noqa: N803
    COSINE_END_LR: float = 0.0,  # noqa: N803
    COSINE_AFTER_WARMUP: bool = False,  # noqa: N803
    STEPS: Sequence[int] = (),  # noqa: N803
    LRS: Sequence[float] = (),  # noqa: N803
    WARMUP_EPOCHS: int = 0,  # noqa: N803
    WARMUP_START_LR: float = 0.01,  # noqa: N803
) -> Curve:
    """The warmup ends where the policy is by then."""

    def policy(t: int) -> float:
        if LR_POLICY == "steps_with_relative_lrs":
            return BASE_LR * LRS[bisect.bisect_right(STEPS, t) - 1]
        begin = WARMUP_EPOCHS if COSINE_AFTER_WARMUP else 0
        p = (t - begin) / (MAX_EPOCH - begin)
        return COSINE_END_LR + (BASE_LR - COSINE_END_LR) * (1 + math.cos(math.pi * p)) / 2

    def at(t: int) -> float:
        if t >= WARMUP_EPOCHS:
            return policy(t)
        end = policy(WARMUP_EPOCHS)
        return WARMUP_START_LR + (end - WARMUP_START_LR) * t / WARMUP_EPOCHS

    return at
