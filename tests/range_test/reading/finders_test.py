"""The rules of other libraries, against plain loops written from their documented steps."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lrsched.range_test.reading.finders import FINDERS
from lrsched.range_test.reading.valley import NoSuggestion
from tests.optional import needs

Array = npt.NDArray[np.float64]


def curve(steps: int, seed: int, diverges: float = 0.1) -> tuple[list[float], list[float]]:
    """A noisy range test from 1e-7 to 10 that falls and rises, an infinite rise for 0.01."""
    noise = np.random.default_rng(seed).normal(size=steps)
    rates = np.geomspace(1e-7, 10.0, steps)
    losses = 0.2 + 2.0 / (1.0 + 1e3 * rates) + (rates / diverges) ** 2 + 0.05 * noise
    return rates.tolist(), np.abs(losses).tolist()


def averaged(losses: list[float], start: float, new: float) -> list[float]:
    found: list[float] = []
    for loss in losses:
        start = new * loss + (1.0 - new) * start
        found.append(start)
    return found


def stopped(smooth: list[float], times: float) -> int:
    for k in range(1, len(smooth)):
        if smooth[k] > times * min(smooth[: k + 1]):
            return k + 1
    return len(smooth)


def gradient(y: list[float], x: list[float]) -> list[float]:
    """Of second order inside, for any spacing, of first order at the ends."""
    found = [(y[1] - y[0]) / (x[1] - x[0])]
    for k in range(1, len(y) - 1):
        before, after = x[k] - x[k - 1], x[k + 1] - x[k]
        left, right = (y[k] - y[k - 1]) / before, (y[k + 1] - y[k]) / after
        found.append((left * after + right * before) / (before + after))
    return [*found, (y[-1] - y[-2]) / (x[-1] - x[-2])]


def least(values: list[float]) -> int:
    return values.index(min(values))


def torch_lr_finder(rates: list[float], losses: list[float]) -> float:
    smooth = averaged(losses, losses[0], 0.05)
    kept = smooth[: stopped(smooth, 5.0)][10:-5]
    return rates[10 + least(gradient(kept, [float(k) for k in range(len(kept))]))]


def ignite(rates: list[float], losses: list[float]) -> float:
    smooth = averaged(losses, losses[0], 0.05)
    smooth = smooth[: stopped(smooth, 5.0)]
    falling = smooth[: least(smooth) + 1]
    return rates[1 + least([0.5 * (c - a) for a, c in zip(falling, falling[2:], strict=False)])]


def lightning(rates: list[float], losses: list[float]) -> float:
    average = averaged(losses, 0.0, 0.02)
    smooth = [value / (1.0 - 0.98 ** (k + 2)) for k, value in enumerate(average)]
    smooth = smooth[: stopped(smooth, 4.0)]
    kept = smooth[10:-1]
    return rates[10 + least(gradient(kept, rates[10 : len(smooth) - 1]))]


def fastai(rates: list[float], losses: list[float]) -> tuple[list[float], list[float]]:
    average = averaged(losses, 0.0, 0.02)
    smooth = [value / (1.0 - 0.98 ** (k + 1)) for k, value in enumerate(average)]
    smooth = smooth[: stopped(smooth, 4.0)]
    skip = len(losses) // 10
    return rates[skip : len(smooth) - 5], smooth[skip:-5]


def valley(rates: list[float], losses: list[float]) -> float:
    rates, smooth = fastai(rates, losses)
    lengths, end, start = [1] * len(smooth), 0, 0
    for i in range(1, len(smooth)):
        for j in range(i):
            if smooth[i] < smooth[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
        if lengths[end] < lengths[i]:
            end, start = i, i - lengths[i]
    third = (end - start) / 3
    return rates[start + int(third) + int(third / 2)]


def slide(rates: list[float], losses: list[float]) -> float:
    rates, smooth = fastai(rates, losses)
    slopes = gradient(smooth, [float(k) for k in range(len(smooth))])
    right, left = -1, -16
    found = rates[left]
    while left >= -len(smooth) and abs(slopes[right] - slopes[left]) > 0.005:
        found = rates[left]
        right, left = right - 1, left - 1
    return found


def minimum(rates: list[float], losses: list[float]) -> float:
    rates, smooth = fastai(rates, losses)
    return rates[least(smooth)] / 10.0


def steep(rates: list[float], losses: list[float]) -> float:
    rates, smooth = fastai(rates, losses)
    slopes = [
        (smooth[k + 1] - smooth[k]) / (math.log(rates[k + 1]) - math.log(rates[k]))
        for k in range(len(rates) - 1)
    ]
    return rates[least(slopes)]


ORACLES: dict[str, Callable[[list[float], list[float]], float]] = {
    "torch-lr-finder": torch_lr_finder,
    "ignite": ignite,
    "lightning": lightning,
    "valley": valley,
    "slide": slide,
    "minimum": minimum,
    "steep": steep,
}


def test_every_rule_has_an_oracle() -> None:
    assert ORACLES.keys() == FINDERS.keys()


@pytest.mark.parametrize("diverges", [0.01, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("steps", [60, 100, 233, 400])
@pytest.mark.parametrize("name", FINDERS)
def test_rule(name: str, steps: int, diverges: float) -> None:
    for seed in range(5):
        rates, losses = curve(steps, seed, diverges)
        found = FINDERS[name](np.array(rates), np.array(losses))
        assert found == pytest.approx(ORACLES[name](rates, losses), rel=1e-12)


@pytest.mark.parametrize("diverges", [0.01, 0.1, 100.0])
@pytest.mark.parametrize("steps", [60, 400])
def test_ignite_itself(steps: int, diverges: float) -> None:
    """Its handler records updates one by one, and is then asked."""
    lr_finder = needs("tests.quiet_ignite", "ignite").lr_finder
    rates, losses = curve(steps, 0, diverges)
    finder: Any = lr_finder.FastaiLRFinder()
    finder._history = {"lr": [], "loss": []}
    for iteration, (rate, loss) in enumerate(zip(rates, losses, strict=True), start=1):
        finder._lr_schedule = SimpleNamespace(get_param=partial(float, rate))
        state = SimpleNamespace(output=loss, iteration=iteration)
        engine = SimpleNamespace(state=state, terminate=lambda: None)
        finder._log_lr_and_loss(engine, lambda output: output, smooth_f=0.05, diverge_th=5.0)
        if finder._diverge_flag:
            break
    assert FINDERS["ignite"](np.array(rates), np.array(losses)) == finder.lr_suggestion()


@pytest.mark.parametrize("name", FINDERS)
def test_too_short_a_curve_is_refused(name: str) -> None:
    rates, losses = np.geomspace(1e-3, 1.0, 6), np.array([6.0, 7.0, 8.0, 9.0, 10.0, 11.0])
    with pytest.raises(NoSuggestion, match=r"needs \d+ losses after its library's cuts, got \d"):
        FINDERS[name](rates, losses)


@pytest.mark.parametrize(
    ("name", "updates", "needed", "kept"),
    [
        ("torch-lr-finder", 16, 2, 1),
        ("lightning", 12, 2, 1),
        ("valley", 6, 2, 1),
        ("minimum", 6, 2, 1),
        ("steep", 6, 2, 1),
        ("slide", 22, 16, 15),
        ("ignite", 2, 3, 2),
    ],
)
def test_how_many_losses_a_rule_needs(name: str, updates: int, needed: int, kept: int) -> None:
    """Of a curve that only falls: one loss more than it refuses is enough."""

    def found(updates: int) -> float:
        return FINDERS[name](np.geomspace(1e-3, 1.0, updates), np.geomspace(2.0, 1.0, updates))

    with pytest.raises(NoSuggestion, match=f"needs {needed} losses .*, got {kept}:"):
        found(updates)
    assert 1e-4 <= found(updates + 1) <= 1.0
