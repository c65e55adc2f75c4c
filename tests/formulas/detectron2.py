"""detectron2's `build_lr_scheduler`, by the keys of `SOLVER`, and DeepLab's."""

import math
from collections.abc import Sequence

from tests.formulas import Curve


def build_lr_scheduler(
    *,
    BASE_LR: float,  # noqa: N803
    MAX_ITER: int,  # noqa: N803
    LR_SCHEDULER_NAME: str = "WarmupMultiStepLR",  # noqa: N803
    STEPS: Sequence[int] = (),  # noqa: N803
    GAMMA: float = 0.1,  # noqa: N803
    NUM_DECAYS: int = 3,  # noqa: N803
    BASE_LR_END: float = 0.0,  # noqa: N803
    POLY_LR_POWER: float = 0.9,  # noqa: N803
    WARMUP_ITERS: int,  # noqa: N803
    WARMUP_FACTOR: float,  # noqa: N803
    WARMUP_METHOD: str = "linear",  # noqa: N803
    RESCALE_INTERVAL: bool = False,  # noqa: N803
) -> Curve:
    """The warmup ends where the decay is by then; DeepLab's multiplies the decay."""

    def decay(p: float) -> float:
        """The rate at a part of the run, which fvcore counts as done a millionth before."""
        if LR_SCHEDULER_NAME == "WarmupMultiStepLR":
            return float(BASE_LR * GAMMA ** sum(p + 1e-6 >= step / MAX_ITER for step in STEPS))
        if LR_SCHEDULER_NAME == "WarmupStepWithFixedGammaLR":
            return float(BASE_LR * GAMMA ** min(int((p + 1e-6) * (NUM_DECAYS + 1)), NUM_DECAYS))
        if LR_SCHEDULER_NAME == "WarmupPolyLR":
            return float(BASE_LR * (1 - p) ** POLY_LR_POWER)
        return BASE_LR_END + (BASE_LR - BASE_LR_END) * (1 + math.cos(math.pi * p)) / 2

    def at(t: int) -> float:
        up = WARMUP_ITERS
        if t >= up:
            return decay((t - up) / (MAX_ITER - up) if RESCALE_INTERVAL else t / MAX_ITER)
        rise = t / up if WARMUP_METHOD == "linear" else 0.0
        if LR_SCHEDULER_NAME == "WarmupPolyLR":
            return decay(t / MAX_ITER) * (WARMUP_FACTOR + (1 - WARMUP_FACTOR) * rise)
        start, end = WARMUP_FACTOR * BASE_LR, decay(0.0 if RESCALE_INTERVAL else up / MAX_ITER)
        return start + (end - start) * rise

    return at
