"""NeMo's `sched`, beside the formulas of its schedulers in plain Python."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from lrsched import constant, cosine_decay, from_config, join, warmup
from tests.configs.compare import compare, refusal
from tests.configs.metrics import ARGUMENTS, METRICS, Plateau, followed, rates_of, reads

LR, LOW, TOTAL = 3e-3, 2e-4, 400
Formula = Callable[[int], float]


def nemo(name: str, **params: Any) -> dict[str, Any]:
    """The file that a run has, with the sections beside the schedule."""
    sched = {"name": name, "monitor": "val_loss", "reduce_on_plateau": False, **params}
    return {
        "name": "a run",
        "model": {
            "sample_rate": 16000,
            "train_ds": {"batch_size": 16, "shuffle": True},
            "encoder": {"d_model": 512, "n_layers": 17},
            "optim": {
                "name": "adamw",
                "lr": LR,
                "betas": [0.9, 0.98],
                "weight_decay": 1e-3,
                "sched": sched,
            },
        },
        "trainer": {
            "devices": -1,
            "max_epochs": 100,
            "max_steps": -1,
            "accumulate_grad_batches": 1,
            "strategy": "ddp",
        },
        "exp_manager": {"exp_dir": None, "name": "a run"},
    }


def warmed(up: int, after: Formula) -> Formula:
    """A warmup that counts from 1, then a formula, and after the run the lowest rate."""

    def rate(n: int) -> float:
        if up > 0 and n <= up:
            return LR * (n + 1) / (up + 1)
        return LOW if n > TOTAL else after(n)

    return rate


def poly(n: float, steps: float, power: float, low: float = LOW) -> float:
    return float((LR - low) * (1 - min(n / steps, 1)) ** power + low)


PARAMS = {"min_lr": LOW, "max_steps": TOTAL}
WARMUPS = [0, 1, 37, 399]


@pytest.mark.parametrize("up", WARMUPS)
def test_the_policies_with_a_warmup(up: int) -> None:
    left = TOTAL - up
    formulas: dict[str, Formula] = {
        "WarmupPolicy": lambda n: LR,
        "WarmupHoldPolicy": lambda n: LR,
        "WarmupAnnealing": lambda n: poly(n - up, left, 1),
        "PolynomialDecayAnnealing": lambda n: poly(n - up, left, 1),
        "SquareAnnealing": lambda n: max(poly(n - up, left, 2, 0), LOW),
        "SquareRootAnnealing": lambda n: max(poly(n, TOTAL, 0.5, 0), LOW),
        "InverseSquareRootAnnealing": lambda n: LR / math.sqrt((n + 1) / (up + 1)),
        "CosineAnnealing": lambda n: (
            LOW + (LR - LOW) * (1 + math.cos(math.pi * (n - up) / left)) / 2
        ),
    }
    for name, after in formulas.items():
        config = nemo(name, warmup_steps=up, **PARAMS)
        compare(config, warmed(up, after), range(TOTAL + 50), "nemo")


@pytest.mark.parametrize("up", WARMUPS[:-1])
def test_cosine_with_constant_steps(up: int) -> None:
    steps = TOTAL - up - 50

    def formula(n: int) -> float:
        if n < up:
            return LR * n / up
        return LOW + (LR - LOW) * (1 + math.cos(math.pi * min((n - up) / steps, 1))) / 2

    for constant_steps in ({"constant_steps": 50}, {"constant_ratio": 0.125}):
        config = nemo("CosineAnnealing", warmup_steps=up, **constant_steps, **PARAMS)
        compare(config, formula, range(TOTAL + 50), "nemo")


@pytest.mark.parametrize("hold", [None, 0, 60, 0.21])
@pytest.mark.parametrize("up", WARMUPS[:-1])
def test_holds(up: int, hold: Any) -> None:
    share = isinstance(hold, float)
    end = 0 if hold is None else up + (int(hold * TOTAL) if share else hold)
    poly_steps = TOTAL - max(up, end)

    def held(decay: Formula) -> Formula:
        return warmed(up, lambda n: LR if up <= n < end else decay(n))

    formulas: dict[str, Formula] = {
        "WarmupHoldAnnealLinear": lambda n: poly(n - end, TOTAL - end, 1),
        "WarmupHoldAnnealOneMinusSquareRoot": lambda n: max(
            LOW, LR * (1 - math.sqrt((n - end) / (TOTAL - end)))
        ),
        "PolynomialHoldDecayAnnealing": lambda n: poly(n - end, poly_steps, 3),
    }
    key = {} if hold is None else {"hold_ratio" if share else "hold_steps": hold}
    for name, decay in formulas.items():
        extra = {"power": 3} if "Poly" in name else {}
        config = nemo(name, warmup_steps=up, **key, **extra, **PARAMS)
        compare(config, held(decay), range(TOTAL + 50), "nemo")


@pytest.mark.parametrize("rate", [None, 1.0, 0.7])
def test_noam_hold(rate: float | None) -> None:
    def decay(n: int) -> float:
        power = rate or 0.5
        return LR if n < 100 else max(LOW, LR * 40**power / (n - 60) ** power)

    extra = {} if rate is None else {"decay_rate": rate}
    config = nemo("NoamHoldAnnealing", warmup_steps=40, hold_steps=60, **extra, **PARAMS)
    compare(config, warmed(40, decay), range(TOTAL + 50), "nemo")
    config = nemo("NoamHoldAnnealing", **PARAMS)
    assert "NoamHoldAnnealing must have a warmup" in refusal(config)


@pytest.mark.parametrize("up", [0, 1, 2, 90])
@pytest.mark.parametrize("d_model", [1, 512])
@pytest.mark.parametrize("low", [0.0, 1e-6, LR * 0.99])  # the last is above the rise
def test_noam(d_model: int, up: int, low: float) -> None:

    def formula(n: int) -> float:
        step = max(1, n)
        rise = step * up**-1.5 if up else math.inf
        rate = LR * d_model**-0.5 * min(step**-0.5, rise)
        return float(max(rate, low) if step > up else rate)

    params = {"d_model": d_model, "warmup_steps": up, "warmup_ratio": None, "min_lr": low}
    compare(nemo("NoamAnnealing", **params), formula, range(500), "nemo")


def test_t5() -> None:
    def formula(n: int) -> float:
        return 1 / math.sqrt(max(n, 50)) if n <= TOTAL else LOW

    config = nemo("T5InverseSquareRootAnnealing", constant_steps=50, **PARAMS)
    compare(config, formula, range(TOTAL + 50), "nemo")


def test_schedulers_of_torch() -> None:
    config = nemo("StepLR", step_size=30, gamma=0.5)
    compare(config, lambda n: LR * 0.5 ** (n // 30), range(300), "nemo")
    config = nemo("ExponentialLR", gamma=0.9)  # stepped once an epoch
    compare(config, lambda n: LR * 0.9 ** (n // 25), range(300), "nemo", steps_per_epoch=25)

    def cycle(n: int) -> float:
        r = n % 50
        return 1e-4 + (1e-2 - 1e-4) * (r / 20 if r <= 20 else (50 - r) / 30) * 0.5 ** (n // 50)

    params = {"base_lr": 1e-4, "max_lr": 1e-2, "step_size_up": 20, "step_size_down": 30}
    config = nemo("CyclicLR", mode="triangular2", cycle_momentum=False, **params)
    compare(config, cycle, range(300), "nemo")


def test_where_the_length_of_the_run_comes_from() -> None:
    sched = {"name": "CosineAnnealing", "warmup_ratio": 0.057, "min_lr": 0.0}
    expected = warmup(cosine_decay(0.1, 943), 57, 0.1 / 58)
    optim = {"optim": {"lr": 0.1, "sched": sched}}
    assert from_config(optim, total_steps=1000) == expected
    assert from_config(optim["optim"], total_steps=1000) == expected
    assert from_config(sched, total_steps=1000, learning_rate=0.1) == expected
    sched["max_steps"] = 500  # the trainer's goes before it
    assert from_config(optim | {"trainer": {"max_steps": 1000}}) == expected
    epochs = {"trainer": {"max_epochs": 8, "max_steps": -1}}
    assert from_config(optim | epochs) == warmup(cosine_decay(0.1, 472), 28, 0.1 / 29)
    del sched["max_steps"]
    assert from_config(optim | epochs, steps_per_epoch=125) == expected
    assert from_config(optim | epochs, total_steps=1000) == expected
    assert "give total_steps=... (max_steps is left out)" in refusal(optim)
    assert "give steps_per_epoch=... (the run is one of max_epochs)" in refusal(optim | epochs)


def test_parameters_in_args_and_by_class() -> None:
    params = {"warmup_steps": 10, "min_lr": 1e-3, "last_epoch": -1}
    expected = warmup(cosine_decay(0.1, 90, 1e-3), 10, 0.1 / 11)
    args = {"name": "auto", "params": params}
    sched = {"name": "CosineAnnealing", "max_steps": 100, "args": args}
    assert from_config({"lr": 0.1, "sched": sched}) == expected
    by_class = {"_target_": "nemo.core.config.CosineAnnealingParams", "max_steps": 100, **params}
    assert from_config({"lr": 0.1, "sched": by_class}) == expected


def test_the_defaults_and_the_end() -> None:
    square = nemo("SquareAnnealing", max_steps=TOTAL)
    compare(square, lambda n: max(poly(n, TOTAL, 2, 0), 1e-5), range(TOTAL + 50), "nemo")
    config = {"lr": 0.1, "sched": {"name": "WarmupPolicy", "max_steps": 100}}
    assert from_config(config) == join([constant(0.1), constant(0.0)], [101])
    cycle = nemo("PolynomialHoldDecayAnnealing", warmup_steps=90, power=2, cycle=True, **PARAMS)
    after = lambda n: poly(n, 310 * math.ceil(n / 310), 2)  # noqa: E731
    compare(cycle, warmed(90, after), range(TOTAL + 50), "nemo")


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("CosineAnnealing", {"hold_steps": 5}, "optim.sched.hold_steps is unknown (known: "),
        ("CosineAnnealing", {"min_lr": 1.0}, "min_lr must be at most the learning rate (0.003)"),
        ("CosineAnnealing", {"warmup_ratio": 0.1}, "warmup_steps and warmup_ratio are both there"),
        ("CosineAnnealing", {"constant_steps": 391}, "constant_steps (391) with the warmup must f"),
        ("CosineAnnealing", {"last_epoch": 5}, "optim.sched.last_epoch must be -1, got 5"),
        ("CosineAnnealing", {"max_steps": -1}, "max_steps must be left out, as NeMo makes no sche"),
        ("CosineAnnealing", {"warmup_steps": "x"}, "sched.warmup_steps must be an integer >= 0"),
        ("NoamAnnealing", {}, "model.optim.sched.d_model is missing"),
    ],
)
def test_refusals(name: str, params: dict[str, Any], message: str) -> None:
    found = refusal(nemo(name, **({"max_steps": TOTAL, "warmup_steps": 10} | params)))
    assert found.startswith("from_config: NeMo: ")
    assert message in found


def test_an_unknown_scheduler_and_one_without_a_rate() -> None:
    found = refusal(nemo("Cosine", max_steps=10), format="nemo")
    assert "model.optim.sched.name must be 'WarmupPolicy' or 'WarmupHoldPolicy' or " in found
    sched = {"name": "CosineAnnealing", "max_steps": 10}
    assert "lr is missing; give learning_rate=..." in refusal({"optim": {"sched": sched}})


@given(ARGUMENTS, METRICS)
def test_plateau(params: dict[str, Any], metrics: list[float]) -> None:
    made = reads(nemo("ReduceLROnPlateau", **params, max_steps=1000), "nemo")
    assert followed(made, metrics) == rates_of(Plateau(LR, **params), metrics)
    args = {"name": "ReduceLROnPlateau", "args": {"name": "auto", "params": params}}
    assert reads({"optim": {"lr": LR, "sched": args}}, "nemo") == made


def test_a_plateau_has_no_warmup() -> None:
    found = refusal(nemo("ReduceLROnPlateau", warmup_steps=9))
    assert "model.optim.sched.warmup_steps is unknown" in found
