"""detectron2's `SOLVER`, beside detectron2's formulas in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.configs.compare import compare, refusal


def detectron2(**solver: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    return {
        "VERSION": 2,
        "MODEL": {"META_ARCHITECTURE": "GeneralizedRCNN", "MASK_ON": True},
        "DATASETS": {"TRAIN": ["coco_2017_train"], "TEST": ["coco_2017_val"]},
        "INPUT": {"MIN_SIZE_TRAIN": [640, 800]},
        "SOLVER": {
            "IMS_PER_BATCH": 16,
            "MOMENTUM": 0.9,
            "WEIGHT_DECAY": 0.0001,
            "BIAS_LR_FACTOR": 1.0,
            "CHECKPOINT_PERIOD": 500,
            "CLIP_GRADIENTS": {"ENABLED": False},
            "AMP": {"ENABLED": True},
            **solver,
        },
        "OUTPUT_DIR": "./output",
    }


def warmed(
    decay: Callable[[float], float],
    total: int,
    up: int,
    factor: float,
    method: str = "linear",
    rescaled: bool = False,
) -> Callable[[int], float]:
    """The rate of update n: the decay is one of the part of the run that is done."""

    def rate(n: int) -> float:
        if n >= up:
            return decay((n - up) / (total - up) if rescaled else n / total)
        start = factor * decay(0.0)
        if method == "constant":
            return start
        end = decay(0.0 if rescaled else up / total)
        return start + (end - start) * n / up

    return rate


WARMUPS = pytest.mark.parametrize(
    ("up", "factor", "method", "rescaled"),
    [
        (0, 0.001, "linear", False),
        (1, 0.001, "linear", False),
        (300, 0.01, "linear", False),
        (1000, 0.5, "linear", False),
        (1500, 0.5, "linear", False),
        (300, 1.0, "linear", False),
        (300, 0.25, "constant", False),
        (1500, 0.25, "constant", False),
        (300, 0.01, "linear", True),
        (300, 0.25, "constant", True),
    ],
)


def solver(name: str, up: int, factor: float, method: str, rescaled: bool) -> dict[str, Any]:
    return {
        "LR_SCHEDULER_NAME": name,
        "BASE_LR": 0.02,
        "MAX_ITER": 2000,
        "WARMUP_ITERS": up,
        "WARMUP_FACTOR": factor,
        "WARMUP_METHOD": method,
        "RESCALE_INTERVAL": rescaled,
    }


@WARMUPS
def test_multi_step(up: int, factor: float, method: str, rescaled: bool) -> None:
    def decay(done: float) -> float:
        step = int((done + 1e-6) * 2000)
        return 0.02 * 0.2 ** sum(step >= each for each in (1200, 1600))

    config = detectron2(
        **solver("WarmupMultiStepLR", up, factor, method, rescaled),
        STEPS=(1200, 1600, 2500),
        GAMMA=0.2,
    )
    formula = warmed(decay, 2000, up, factor, method, rescaled)
    compare(config, formula, range(2000), "detectron2")


@WARMUPS
def test_cosine(up: int, factor: float, method: str, rescaled: bool) -> None:
    def decay(done: float) -> float:
        return 1e-4 + (0.02 - 1e-4) * (1 + math.cos(math.pi * done)) / 2

    config = detectron2(
        **solver("WarmupCosineLR", up, factor, method, rescaled), BASE_LR_END="1e-4"
    )
    formula = warmed(decay, 2000, up, factor, method, rescaled)
    compare(config, formula, range(2000), "detectron2")


@WARMUPS
def test_fixed_gamma(up: int, factor: float, method: str, rescaled: bool) -> None:
    def decay(done: float) -> float:
        return 0.02 * float(0.5 ** int((done + 1e-6) * 7))

    config = detectron2(
        **solver("WarmupStepWithFixedGammaLR", up, factor, method, rescaled),
        NUM_DECAYS=6,
        GAMMA=0.5,
    )
    formula = warmed(decay, 2000, up, factor, method, rescaled)
    compare(config, formula, range(2000), "detectron2")


def test_a_boundary_that_comes_early() -> None:
    def decay(done: float) -> float:
        return 0.02 * float(0.1 ** int((done + 1e-6) * 4))

    total = 270_001  # a quarter of it is 67500.25, and 1e-6 of it 0.27
    config = detectron2(
        BASE_LR=0.02, MAX_ITER=total, LR_SCHEDULER_NAME="WarmupStepWithFixedGammaLR"
    )
    counts = [n for k in range(4) for n in range(k * 67_500, k * 67_500 + 3)]
    compare(config, warmed(decay, total, 1000, 0.001), counts, "detectron2")


@pytest.mark.parametrize("ending", [0.0, 0.05])
@pytest.mark.parametrize("method", ["linear", "constant"])
@pytest.mark.parametrize("up", [0, 1, 400])
def test_poly(up: int, method: str, ending: float) -> None:
    def rate(n: int) -> float:
        left = float((1 - n / 2000) ** 0.9)
        if n >= up:
            return 0.01 * max(left, ending)
        line = 0.1 + 0.9 * n / up
        return 0.01 * left * (line if method == "linear" else 0.1)

    config = detectron2(
        LR_SCHEDULER_NAME="WarmupPolyLR",
        BASE_LR=0.01,
        MAX_ITER=2000,
        POLY_LR_POWER=0.9,
        POLY_LR_CONSTANT_ENDING=ending,
        WARMUP_FACTOR=0.1,
        WARMUP_METHOD=method,
        WARMUP_ITERS=up,
    )
    compare(config, rate, range(2000), "detectron2")


def defaults(n: int) -> float:
    """A run of 3000 updates at 0.02, its decays at 2000 and 2500, and else the defaults."""
    line = 0.001 + 0.999 * min(n / 1000, 1)
    return 0.02 * line * 0.1 ** ((n >= 2000) + (n >= 2500))


def test_other_shapes_of_the_file() -> None:
    keys = {"BASE_LR": "0.02", "STEPS": "(2000, 2500)", "MAX_ITER": 3000}
    compare(detectron2(**keys), defaults, range(3000), "detectron2")
    compare(keys, defaults, range(3000), "detectron2")
    dotted = {f"SOLVER.{key}": value for key, value in keys.items()} | {"MODEL.WEIGHTS": ""}
    compare(dotted, defaults, range(3000), "detectron2")


def test_what_is_given() -> None:
    config = detectron2(STEPS=[2000, 2500], WARMUP_FACTOR=0.001)
    given = {"learning_rate": 0.02, "total_steps": 3000, "warmup_steps": 1000}
    compare(config, defaults, range(3000), "detectron2", **given)
    config["SOLVER"]["MAX_ITER"] = 4000
    assert "SOLVER.MAX_ITER must be total_steps (3000), which" in refusal(config, **given)


def test_no_steps() -> None:
    config = detectron2(BASE_LR=0.02, STEPS=[], MAX_ITER=3000, WARMUP_ITERS=0)
    compare(config, lambda n: 0.02, range(3000), "detectron2")


def test_another_batch_size() -> None:
    """With a reference number of workers, 32 images instead of 16 make a run half as long."""
    config = detectron2(
        REFERENCE_WORLD_SIZE=8, BASE_LR=0.01, STEPS=[4000, 5001], MAX_ITER=6000, WARMUP_ITERS=2000
    )

    def rate(n: int) -> float:
        line = 0.001 + 0.999 * min(n / 1000, 1)
        return 0.02 * line * 0.1 ** ((n >= 2000) + (n >= 2500))

    compare(config, rate, range(3000), "detectron2", batch_size=32)
    assert "give batch_size=... (with a REFERENCE_WORLD_SIZE" in refusal(config)


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ({"LR_SCHEDULER_NAME": "WarmupExpLR"}, "SOLVER.LR_SCHEDULER_NAME must be 'WarmupMultiSt"),
        ({"WARMUP_METHOD": "cubic"}, "SOLVER.WARMUP_METHOD must be 'linear' or 'constant', got 'c"),
        ({"STEPS": 2000}, "SOLVER.STEPS must be a list of numbers, got 2000"),
        ({"STEPS": [2000, 1000]}, "SOLVER.STEPS must be in ascending order, got [2000, 1000]"),
        ({"STEPS": [2000.5]}, "SOLVER.STEPS[0] must be an integer"),
        ({"MAX_ITER": 2_000_000}, "SOLVER.MAX_ITER must be < 1000000, as in longer runs fvcore's"),
        (
            {"LR_SCHEDULER_NAME": "WarmupCosineLR", "BASE_LR_END": 0.1},
            "SOLVER.BASE_LR_END must be <= BASE_LR (0.02), got 0.1",
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupPolyLR", "POLY_LR_CONSTANT_ENDING": 0.99},
            "SOLVER.POLY_LR_CONSTANT_ENDING must be reached after the warmup",
        ),
    ],
)
def test_refusals(solver: dict[str, Any], message: str) -> None:
    found = refusal(detectron2(**({"BASE_LR": 0.02} | solver)))
    assert found.startswith("from_config: detectron2: ")
    assert message in found


def test_keys_with_dots_beside_the_mapping() -> None:
    config = detectron2(BASE_LR=0.02) | {"SOLVER.MAX_ITER": 3000}
    assert "SOLVER.MAX_ITER must be inside SOLVER, as that is there, too" in refusal(config)


def test_a_file_that_rests_on_another() -> None:
    config = detectron2(STEPS=[210_000, 250_000], MAX_ITER=270_000)
    config["_BASE_"] = "../Base-RCNN-FPN.yaml"
    assert "detectron2: _BASE_ must be left out, and the file that it names merged" in refusal(
        config
    )
