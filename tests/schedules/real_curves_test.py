"""Curves of public training code that are no warmup and a decay, at every step."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lrsched

Formula = Callable[[int], float]


def espnet(low: float, high: float, first: int, second: int, third: int) -> tuple[Any, Formula]:
    """`PiecewiseLinearWarmupLR`: through points, on two slopes, then an inverse square root."""
    up = lrsched.interpolate((0.0, low, high), (first, second))
    recipe = lrsched.join([up, lrsched.inverse_sqrt(high, third)], [second])

    def formula(step: int) -> float:
        if step < first:
            return low * step / first
        if step < second:
            return low + (high - low) * (step - first) / (second - first)
        return float(high * (third / (third + step - second)) ** 0.5)

    return recipe, formula


def dawn_bench(peak: float, top: float, end: float, per_epoch: int) -> tuple[Any, Formula]:
    """`np.interp` over epochs."""
    recipe = lrsched.interpolate((0.0, peak, 0.0), (lrsched.epochs(top), lrsched.epochs(end)))

    def formula(step: int) -> float:
        return float(np.interp(step / per_epoch, [0, top, end], [0, peak, 0]))

    return recipe.resolve(steps_per_epoch=per_epoch), formula


def open_pc_det(low: float, peak: float, end: float, total: int, up: float) -> tuple[Any, Formula]:
    """`OneCycle`: two half cosines that meet at a share of the run."""
    recipe = lrsched.interpolate(
        (low, peak, end), (lrsched.run_fraction(up, "down"), lrsched.run_fraction(1.0)), "cosine"
    )
    first = int(total * up)

    def formula(step: int) -> float:
        if step < first:
            a, b, p = low, peak, step / first
        else:
            a, b, p = peak, end, min((step - first) / (total - first), 1.0)
        return b + (a - b) / 2 * (math.cos(math.pi * p) + 1)

    return recipe.resolve(total_steps=total), formula


def cerebras(values: list[float], steps: list[int]) -> tuple[Any, Formula]:
    """A line from each value to the next."""
    ends = np.cumsum(steps).tolist()

    def formula(step: int) -> float:
        return float(np.interp(step, [0, *ends], values))

    return lrsched.interpolate(values, ends), formula


def exponential_points(values: list[float], ends: list[float]) -> tuple[Any, Formula]:
    def formula(step: int) -> float:
        return float(np.exp(np.interp(step, [0, *ends], np.log(values))))

    return lrsched.interpolate(values, ends, "exponential"), formula


def k_diffusion(lr: float, inv_gamma: float, power: float, warmup: float) -> tuple[Any, Formula]:
    """`InverseLR`, with its exponential warmup."""
    constant = -1 / math.log(warmup) if warmup else 1.0
    recipe = lrsched.inverse_power(lr, inv_gamma, power)
    if warmup:
        recipe = recipe * lrsched.exponential_warmup(constant)

    def formula(step: int) -> float:
        return float((1 - warmup ** (step + 1)) * lr * (1 + step / inv_gamma) ** -power)

    return recipe, formula


def noam_hold(lr: float, up: int, hold: int, rate: float, low: float) -> tuple[Any, Formula]:
    """NeMo's `NoamHoldAnnealing`: up, level, and an inverse power on the clock of the warmup."""
    decay = lrsched.delay(lrsched.inverse_power(lr, up, rate), hold)
    recipe = lrsched.warmup(lrsched.maximum(decay, low) if low else decay, up)

    def formula(step: int) -> float:
        if step < up:
            return lr * step / up
        if step < up + hold:
            return lr
        return float(max(lr * up**rate / (step - hold) ** rate, low))

    return recipe, formula


def olmo_power(lr: float, up: int, beta: float, floor: float) -> tuple[Any, Formula]:
    recipe = lrsched.maximum(lrsched.inverse_power(lr, up, beta), floor)
    return recipe, lambda step: max(lr * (1 + step / up) ** -beta, floor)


def icefall(lr: float, batches: float, epochs: float, per_epoch: int, up: float) -> Any:
    recipe = lrsched.eden(lr, batches, epochs, up).resolve(steps_per_epoch=per_epoch)

    def formula(step: int) -> float:
        epoch = step // per_epoch
        factor = ((step**2 + batches**2) / batches**2) ** -0.25
        factor *= ((epoch**2 + epochs**2) / epochs**2) ** -0.25
        return float(lr * factor * (1.0 if step >= up else 0.5 + 0.5 * step / up))

    return recipe, formula


def nerfstudio(lr: float, end: float, up: int, total: int, pre: float) -> tuple[Any, Formula]:
    """Up along a sine, then along an exponential on the clock of the run."""
    recipe = lrsched.warmup(
        lrsched.exponential_ramp(lr, end, total - up), up, pre, shape="quarter-cosine"
    )

    def formula(step: int) -> float:
        if step < up:
            return pre + (lr - pre) * math.sin(0.5 * math.pi * step / up)
        t = min((step - up) / (total - up), 1.0)
        return math.exp(math.log(lr) * (1 - t) + math.log(end) * t)

    return recipe, formula


def gaussian_splatting(lr: float, end: float, delay: int, mult: float, total: int) -> Any:
    """3DGS: an exponential times a sine that rises from `lr_delay_mult`."""
    recipe = lrsched.warmup(
        lrsched.exponential_ramp(lr, end, total), delay, mult, "quarter-cosine", mode="times"
    )

    def formula(step: int) -> float:
        rate = mult + (1 - mult) * math.sin(0.5 * math.pi * min(step / delay, 1.0))
        t = min(step / total, 1.0)
        return rate * math.exp(math.log(lr) * (1 - t) + math.log(end) * t)

    return recipe, formula


def wsd_s(lr: float, low: float, begin: int, down: int) -> tuple[Any, Formula]:
    """The decay of WSD-S: the reciprocal rises along a line."""
    recipe = lrsched.join([lrsched.constant(lr), lrsched.reciprocal_decay(lr, down, low)], [begin])

    def formula(step: int) -> float:
        x = min(max(step - begin, 0) / down, 1.0)
        return 1 / (x * (1 / low) + (1 - x) * (1 / lr))

    return recipe, formula


def zipformer(lr: float, batches: float, epochs: float, per_epoch: float) -> tuple[Any, Formula]:
    """Eden on epochs that are no whole number of updates."""
    recipe = lrsched.eden(lr, batches, epochs, 300, 0.1).resolve(steps_per_epoch=per_epoch)

    def formula(step: int) -> float:
        epoch = math.floor(step / per_epoch)
        factor = (1 + (step / batches) ** 2) ** -0.25 * (1 + (epoch / epochs) ** 2) ** -0.25
        return float(lr * factor * (0.1 + 0.9 * min(step / 300, 1.0)))

    return recipe, formula


def lingua_cosine(lr: float, up: int, total: int, theta: float, floor: float) -> Any:
    """A power of the time in half a cosine."""
    recipe = lrsched.warmup(lrsched.k_decay(lr, total - up, k=theta, end_value=floor * lr), up)

    def formula(step: int) -> float:
        if step < up:
            return lr * step / up
        x = min((step - up) / (total - up), 1.0) ** theta
        return lr * (floor + 0.5 * (1 - floor) * (math.cos(math.pi * x) + 1))

    return recipe, formula


def granite(lr: float, a: float, b: float, batch: int, length: int, up: int) -> Any:
    """The power scheduler: a power of the tokens below a ceiling, times a warmup."""
    law = lrsched.power_law(lr, a * batch, b, batch * length)

    def formula(step: int) -> float:
        rate = min(lr, a * batch * max(step * batch * length, 1) ** b)
        return float(rate * min(step / up, 1.0))

    return lrsched.warmup(law, up, mode="times"), formula


def kaggle(lr: float, start: float, low: float, up: int, hold: int, rate: float, size: int) -> Any:
    """Up, level, and an exponential that falls towards a floor; by epochs."""
    decay = lrsched.exponential_decay(lr - low, rate) + low
    recipe = lrsched.warmup(lrsched.delay(decay, hold), up, start)

    def formula(step: int) -> float:
        epoch = step // size
        if epoch < up:
            return (lr - start) / up * epoch + start
        return (lr - low) * rate ** max(epoch - up - hold, 0) + low

    return lrsched.from_epochs(recipe, size, stepwise=True), formula


def averaging(decay: float) -> tuple[Any, Formula]:
    """The decay of an exponential moving average that is young: (1 + t) / (10 + t)."""
    recipe = lrsched.minimum(1 - lrsched.inverse_time(0.9, 1.0, 10), decay)
    return recipe, lambda step: min(decay, (1 + step) / (10 + step))


RECIPES = {
    "ESPnet": espnet(1e-4, 2e-3, 100, 400, 400),
    "ESPnet, short": espnet(5e-4, 1e-3, 10, 30, 50),
    "DAWNBench": dawn_bench(0.4, 5, 24, 98),
    "DAWNBench, no whole epochs": dawn_bench(0.6, 4.5, 15.75, 98),
    "OpenPCDet": open_pc_det(3e-4, 3e-3, 3e-8, 1000, 0.4),
    "OpenPCDet, odd numbers": open_pc_det(1e-4, 2e-3, 1e-7, 777, 0.33),
    "Cerebras": cerebras([0.0, 2e-4, 2e-4, 1e-5], [100, 500, 900]),
    "Cerebras, many": cerebras([0.1, 0.3, 0.2, 0.25, 0.05, 0.0], [7, 9, 30, 1, 50]),
    "exponential points": exponential_points([1e-5, 1e-2, 1e-3], [100.5, 1000.0]),
    "k-diffusion": k_diffusion(1e-4, 20_000.0, 2 / 3, 0.0),
    "k-diffusion, with a warmup": k_diffusion(2e-4, 1000.0, 0.5, 0.99),
    "k-diffusion, the default power": k_diffusion(1e-3, 50.0, 1.0, 0.9),
    "NeMo": noam_hold(5.0, 100, 50, 0.5, 0.0),
    "NeMo, another power": noam_hold(0.05, 500, 300, 1.0, 1e-3),
    "OLMo-core": olmo_power(3e-4, 2000, 0.7, 1e-5),
    "icefall": icefall(0.045, 7500, 3.5, 300, 500.0),
    "icefall, small": icefall(0.05, 500, 1.5, 77, 100.0),
    "icefall, another": icefall(0.02, 5000, 6, 412, 500.0),
    "nerfstudio": nerfstudio(1e-2, 1e-4, 200, 2000, 1e-8),
    "nerfstudio, no start": nerfstudio(5e-4, 5e-5, 100, 900, 0.0),
    "3DGS": gaussian_splatting(1.6e-4, 1.6e-6, 300, 0.01, 3000),
    "WSD-S": wsd_s(1e-2, 1e-3, 900, 100),
    "WSD-S, long": wsd_s(4e-4, 1e-5, 500, 1200),
    "Zipformer": zipformer(0.045, 7500, 3.5, 333.25),
    "lingua": lingua_cosine(3e-4, 222, 2222, 1.3, 0.1),
    "Granite": granite(0.02, 4.6, -0.51, 128, 4096, 100),
    "Kaggle": kaggle(4e-4, 1e-5, 1e-6, 5, 2, 0.8, 50),
    "Kaggle, no level": kaggle(1.25e-4, 5e-6, 1e-6, 4, 0, 0.9, 37),
    "moving average": averaging(0.999),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_is_its_formula_at_every_step(name: str) -> None:
    recipe, formula = RECIPES[name]
    for step in range(4000):
        assert recipe(step) == pytest.approx(formula(step), rel=1e-9, abs=1e-15), step
