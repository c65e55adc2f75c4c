"""Durations that are no whole number of steps, in recipes that people train with."""

import math
from collections.abc import Callable
from typing import Any

import pytest

import lrsched
from lrsched import epochs, run_fraction

Formula = Callable[[int], float]


def efficient_net(steps_per_epoch: float) -> tuple[Any, Formula]:
    """Stairs of 2.4 epochs after a warmup of 5, on the clock of the run."""
    stairs = lrsched.exponential_decay(0.256, 0.97, epochs(2.4), staircase=True)
    recipe = lrsched.minimum(stairs, lrsched.linear(0.0, 0.256, epochs(5)))
    begin, every = 5 * steps_per_epoch, 2.4 * steps_per_epoch

    def formula(step: int) -> float:
        decayed = 0.256 * 0.97 ** math.floor(step / every * (1 + 1e-13))
        return min(decayed, 0.256 * min(step / begin, 1.0))

    return recipe.resolve(steps_per_epoch=steps_per_epoch), formula


def fastai_one_cycle(total: int) -> tuple[Any, Formula]:
    """Half a cosine up for a quarter of the run, and one down: the peak is between two steps."""
    peak, up = 2e-3, 0.25
    recipe = lrsched.interpolate(
        (peak / 25, peak, peak / 1e5), (run_fraction(up), run_fraction(1.0)), "cosine"
    )

    def formula(step: int) -> float:
        x = min(step / total, 1.0)
        first, second, p = (
            (peak / 25, peak, x / up) if x < up else (peak, peak / 1e5, (x - up) / (1 - up))
        )
        return first + (1 + math.cos(math.pi * (1 - p))) * (second - first) / 2

    return recipe.resolve(total_steps=total), formula


def long_cooldown(total: int) -> tuple[Any, Formula]:
    """Constant, and down along a line over the last 45 % of the run."""
    last = run_fraction(0.45)
    recipe = lrsched.cooldown(lrsched.constant(0.0036), run_fraction(1.0) - last, last)

    def formula(step: int) -> float:
        return 0.0036 * min((total - step) / (0.45 * total), 1.0) if step < total else 0.0

    return recipe.resolve(total_steps=total), formula


def timm_restarts(period: float) -> tuple[Any, Formula]:
    """Cycles of which each is 1.5 times as long as the one before, with half its height."""
    recipe = lrsched.cosine_restarts(0.1, period, 1.5, 1e-4, peak_mult=0.5)

    def formula(step: int) -> float:
        cycle = math.floor(math.log(1 - step / period * (1 - 1.5), 1.5) + 1e-13)
        begin, length = (1 - 1.5**cycle) / (1 - 1.5) * period, 1.5**cycle * period
        top = 0.1 * 0.5**cycle
        return 1e-4 + (top - 1e-4) * (1 + math.cos(math.pi * (step - begin) / length)) / 2

    return recipe, formula


def shrinking_restarts(period: float) -> tuple[Any, Formula]:
    """Each cycle is 0.7 times as long as the one before, until they would have no step."""
    recipe = lrsched.cosine_restarts(0.1, period, 0.7)

    def formula(step: int) -> float:
        begin, length = 0.0, period
        while step >= (begin + length) * (1 - 1e-13):
            begin, length = begin + length, 0.7 * length
            if length < 1:
                return 0.0
        return 0.1 * (1 + math.cos(math.pi * (step - begin) / length)) / 2

    return recipe, formula


def big_vision_rsqrt(timescale: float) -> tuple[Any, Formula]:
    return (
        lrsched.inverse_sqrt(1e-3, timescale),
        lambda step: 1e-3 / math.sqrt(1 + step / timescale),
    )


def clr_of_epochs(steps_per_epoch: float) -> tuple[Any, Formula]:
    """A triangle of two and a half epochs up and one down."""
    recipe = lrsched.cyclic(1e-4, 1e-2, epochs(2.5), epochs(1.0))
    up, down = 2.5 * steps_per_epoch, steps_per_epoch

    def formula(step: int) -> float:
        x = math.fmod(step, up + down)
        return 1e-4 + (1e-2 - 1e-4) * (x / up if x <= up else (up + down - x) / down)

    return recipe.resolve(steps_per_epoch=steps_per_epoch), formula


RECIPES = {
    "EfficientNet": efficient_net(312.75),
    "EfficientNet on eight devices": efficient_net(39.09375),
    "EfficientNet with epochs of 1251 batches": efficient_net(1251),
    "fastai": fastai_one_cycle(777),
    "fastai, 10 steps": fastai_one_cycle(10),
    "fastai, 1234 steps": fastai_one_cycle(1234),
    "a cooldown of 0.45": long_cooldown(1750),
    "a cooldown of 0.45, 1751 steps": long_cooldown(1751),
    "a cooldown of 0.45, 99 steps": long_cooldown(99),
    "timm": timm_restarts(10),
    "timm, 12.5 steps": timm_restarts(12.5),
    "timm, 781.25 steps": timm_restarts(781.25),
    "shrinking": shrinking_restarts(60),
    "shrinking, 60.5 steps": shrinking_restarts(60.5),
    "shrinking, 1000 / 3 steps": shrinking_restarts(1000 / 3),
    "big_vision": big_vision_rsqrt(10_000.5),
    "cyclic": clr_of_epochs(62.5),
    "cyclic, short epochs": clr_of_epochs(3.3),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_is_its_formula_at_every_step(name: str) -> None:
    recipe, formula = RECIPES[name]
    for step in range(4000):
        assert recipe(step) == pytest.approx(formula(step), rel=1e-9, abs=1e-13), step


def test_whole_durations_are_integers() -> None:
    """However they come about."""
    assert lrsched.linear(1.0, 0.0, 125.0) == lrsched.linear(1.0, 0.0, 125)
    assert repr(lrsched.linear(1.0, 0.0, 125.0)).endswith("steps=125)")
    assert 0.07 * 100 != 7
    part = lrsched.linear(1.0, 0.0, run_fraction(0.07)).resolve(total_steps=100)
    assert part == lrsched.linear(1.0, 0.0, 7)
    assert lrsched.stretch(lrsched.linear(1.0, 0.0, 3), 1 / 3) == lrsched.linear(1.0, 0.0, 1)


@pytest.mark.parametrize("ratio", [1.4, 1.5, 0.75, 0.5])
def test_a_stretched_time_constant_is_exact(ratio: float) -> None:
    stretched = lrsched.stretch(lrsched.exponential_decay(0.1, 0.99), ratio)
    assert stretched(100) == pytest.approx(0.1 * 0.99 ** (100 / ratio), rel=1e-12)
