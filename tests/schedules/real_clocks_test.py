"""Other clocks than steps, in recipes that people train with: samples, tokens, shares, progress."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import lrsched
from lrsched import (
    advance,
    constant,
    cooldown,
    cosine_decay,
    cosine_restarts,
    examples,
    join,
    linear,
    piecewise_constant,
    polynomial,
    rampup_batch_size,
    resume,
    run_fraction,
    staircase,
    tokens,
    tri_stage,
    warmup,
)

Formula = Callable[[int], float]
COUNTS = 3000


def half_cosine(x: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(max(x, 0.0), 1.0)))


def seen(size: Callable[[int, float], float]) -> list[float]:
    """The examples before each update; `size` is a function of the update and of the examples."""
    total = [0.0]
    for count in range(COUNTS):
        total.append(total[-1] + size(count, total[-1]))
    return total


def megatron(
    lr: float, low: float, up: int, end: int, first: int, increment: int, ramp: int, last: int
) -> tuple[Any, Formula]:
    """`--rampup-batch-size`, with lengths in samples."""
    per_increment = ramp / ((last - first) // increment)

    def size(count: int, consumed: float) -> float:
        return last if consumed > ramp else first + increment * int(consumed / per_increment)

    samples = seen(size)
    recipe = warmup(cosine_decay(lr, examples(end - up), low), examples(up))

    def formula(step: int) -> float:
        if samples[step] <= up:
            return lr * samples[step] / up
        return low + (lr - low) * half_cosine((samples[step] - up) / (end - up))

    return recipe.resolve(batch_size=rampup_batch_size(first, increment, ramp, last)), formula


def gpt_3(lr: float, up: float, end: float, first: int, last: int, steps: int) -> Any:
    """A batch size that grows along a line, a warmup and a decay in tokens."""
    total = seen(lambda count, _: first + (last - first) * min(count / steps, 1.0))
    recipe = warmup(cosine_decay(lr, tokens(end) - tokens(up), 0.1 * lr), tokens(up))

    def formula(step: int) -> float:
        if total[step] < up:
            return lr * total[step] / up
        return lr * (0.1 + 0.9 * half_cosine((total[step] - up) / (end - up)))

    return recipe.resolve(tokens_per_step=linear(first, last, steps)), formula


def deepseek_v3(lr: float, up: int, sizes: Sequence[int], boundaries: Sequence[int]) -> Any:
    """A warmup in steps; what follows is in tokens, of batches that grow."""
    hold, down, low, level, last = 5.0e10, 4.3e10, 0.1 * lr, 3.3e9, 0.033 * lr
    total = seen(lambda count, _: sizes[sum(count >= each for each in boundaries)])
    pieces = [constant(lr), cosine_decay(lr, tokens(down), low), constant(last)]
    recipe = join(pieces, [tokens(hold), tokens(hold + down + level)])

    def formula(step: int) -> float:
        rate = low + (lr - low) * half_cosine((total[step] - hold) / down)
        return min(step / up, 1.0) * (last if total[step] >= hold + down + level else rate)

    growing = recipe.resolve(tokens_per_step=piecewise_constant(sizes, boundaries))
    return warmup(growing, up, mode="times"), formula


def edm2(lr: float, batch: int, batches: float, ramp: float) -> tuple[Any, Formula]:
    """An inverse square root after some batches, times a ramp of millions of images."""
    timescale = examples(batches * batch)
    decay = lrsched.delay(lrsched.inverse_sqrt(lr, timescale), timescale)
    recipe = linear(0.0, 1.0, examples(ramp * 1e6)) * decay

    def formula(step: int) -> float:
        images = step * batch
        factor = min(images / (ramp * 1e6), 1)
        return factor * lr / math.sqrt(max(images / (batches * batch), 1))

    return recipe.resolve(batch_size=batch), formula


def budget(lr: float, whole: float, batch: int, change: int) -> tuple[Any, Formula]:
    """A run of very many tokens, the batch of which becomes three times as large."""
    total = seen(lambda count, _: batch if count < change else 3 * batch)
    sizes = piecewise_constant((batch, 3 * batch), (change,))
    recipe = cosine_decay(lr, tokens(whole)).resolve(tokens_per_step=sizes)
    return recipe, lambda step: lr * half_cosine(total[step] / whole)


def resumed(lr: float, low: float, end: int, at: int, before: int, after: int) -> Any:
    """A run that goes on with another batch size, on the clock of its samples."""
    total = seen(lambda count, _: before if count < at else after)
    recipe = resume(cosine_decay(lr, end, low), at, batch_size=(before, after))
    return recipe, lambda step: low + (lr - low) * half_cosine(total[step] / (end * before))


def resumed_twice(lr: float, end: float) -> tuple[Any, Formula]:
    total = seen(lambda count, _: 256 if count < 300 else 384 if count < 700 else 1000)
    once = resume(linear(lr, 0.0, end / 256), 300, batch_size=(256, 384))
    return resume(once, 700, batch_size=(384, 1000)), lambda n: lr * max(1 - total[n] / end, 0)


def prolonged(lr: float, planned: int, at: int, end: int) -> tuple[Any, Formula]:
    """A line that goes on to another end from where it is."""

    def formula(step: int) -> float:
        if step < at:
            return lr * (1 - step / planned)
        return lr * (1 - at / planned) * max(end - step, 0) / (end - at)

    return resume(linear(lr, 0.0, planned), at, total_steps=(planned, end)), formula


def min_gpt(lr: float, up: int, end: int, batch: int) -> tuple[Any, Formula]:
    """Tokens that are counted after the batch, before the rate is set."""
    decay = lrsched.maximum(cosine_decay(lr, tokens(end) - tokens(up)), 0.1 * lr)

    def formula(step: int) -> float:
        count = (step + 1) * batch
        return lr * (count / up if count < up else max(0.1, half_cosine((count - up) / (end - up))))

    return advance(warmup(decay, tokens(up)), 1).resolve(tokens_per_step=batch), formula


def transformers(lr: float, total: int, ratio: float) -> tuple[Any, Formula]:
    """A `warmup_ratio`, rounded up."""
    before, up = run_fraction(ratio, "up"), math.ceil(total * ratio)
    recipe = warmup(linear(lr, 0.0, run_fraction(1.0) - before), before)

    def formula(step: int) -> float:
        return lr * (step / up if step < up else max(0, (total - step) / max(1, total - up)))

    return recipe.resolve(total_steps=total), formula


def max_text(lr: float, total: int, ratio: float, floor: float) -> tuple[Any, Formula]:
    """A `warmup_steps_fraction`, rounded down."""
    before, up = run_fraction(ratio, "down"), int(total * ratio)
    recipe = warmup(cosine_decay(lr, run_fraction(1.0) - before, floor * lr), before)

    def formula(step: int) -> float:
        if step < up:
            return lr * step / up
        return lr * (floor + (1 - floor) * half_cosine((step - up) / (total - up)))

    return recipe.resolve(total_steps=total), formula


def nanochat(lr: float, total: int, ratio: float, floor: float) -> tuple[Any, Formula]:
    """A `warmdown_ratio`, rounded to the nearest."""
    last, down = run_fraction(ratio, "nearest"), round(ratio * total)
    recipe = cooldown(constant(lr), run_fraction(1.0) - last, last, floor * lr)

    def formula(step: int) -> float:
        left = min(max(total - step, 0) / down, 1.0)
        return lr * (left + (1 - left) * floor)

    return recipe.resolve(total_steps=total), formula


def fairseq(lr: float, total: int, ratios: tuple[float, float, float]) -> tuple[Any, Formula]:
    """A `phase_ratio`, each phase of which is rounded down."""
    phases = [run_fraction(ratio, "down") for ratio in ratios]
    recipe = tri_stage(lr, phases[0], phases[1], phases[2], end_scale=0.05)
    up, hold, down = (int(total * x) for x in ratios)

    def formula(step: int) -> float:
        if step < up:
            return lr * (0.01 + 0.99 * step / up)
        return lr * math.exp(math.log(0.05) * min(max(step - up - hold, 0) / down, 1.0))

    return recipe.resolve(total_steps=total), formula


def diffusers(lr: float, rules: str) -> tuple[Any, Formula]:
    """`piecewise_constant`: a factor up to each step, and one for the rest."""
    *pairs, last = rules.split(",")
    factors = [float(pair.split(":")[0]) for pair in pairs] + [float(last)]
    steps = [int(pair.split(":")[1]) for pair in pairs]

    def formula(step: int) -> float:
        for factor, until in zip(factors, steps, strict=False):
            if step < until:
                return lr * factor
        return lr * factors[-1]

    return piecewise_constant([lr * factor for factor in factors], steps), formula


def hard_restarts(lr: float, total: int, up: int, cycles: int) -> tuple[Any, Formula]:
    """Restarts that do not divide the run, and 0 after it."""
    rest = total - up
    recipe = join([cosine_restarts(lr, rest / cycles), constant(0.0)], [rest])

    def formula(step: int) -> float:
        if step < up:
            return lr * step / up
        cycle, within = divmod((step - up) * cycles, rest)
        return lr * half_cosine(within / rest) if cycle < cycles else 0.0

    return warmup(recipe, up), formula


def snapshots(lr: float, total: int, cycles: int) -> tuple[Any, Formula]:
    """Cycles of which each has the ceiling of its share of the run."""
    length = math.ceil(total / cycles)
    return cosine_restarts(lr, length), lambda n: lr * half_cosine((n % length) / length)


def shrinking(lr: float, first: float, ratio: float) -> tuple[Any, Formula]:
    ends = list(itertools.accumulate(first * ratio**k for k in range(60) if first * ratio**k >= 1))

    def formula(step: int) -> float:
        begin = 0.0
        for end in ends:
            if step < end * (1 - 1e-13):
                return lr * half_cosine((step - begin) / (end - begin))
            begin = end
        return 0.0

    return cosine_restarts(lr, first, ratio), formula


def ppo(lr: float, total: float, rollout: int, updates: int) -> tuple[Any, Formula]:
    """stable-baselines3: the progress that remains after a rollout, for all of its updates."""
    steps = updates * total / rollout
    recipe = advance(staircase(linear(lr, 0.0, steps), updates), updates)

    def formula(step: int) -> float:
        progress_remaining = 1 - (step // updates + 1) * rollout / total
        return lr * max(progress_remaining, 0.0)

    return recipe, formula


def clean_rl(lr: float, iterations: int, updates: int) -> tuple[Any, Formula]:
    """`anneal_lr`: from the whole rate on, a stair for each iteration."""

    def formula(step: int) -> float:
        return lr * max(1 - (step // updates) / iterations, 0.0)

    return staircase(linear(lr, 0.0, iterations * updates), updates), formula


def exploration(start: float, end: float, share: float, total: int) -> tuple[Any, Formula]:
    """stable-baselines3's `LinearSchedule`, which reaches its end at `end_fraction`."""

    def formula(step: int) -> float:
        progress_remaining = 1 - step / total
        if 1 - progress_remaining > share:
            return end
        return start + (1 - progress_remaining) * (end - start) / share

    return linear(start, end, run_fraction(share)).resolve(total_steps=total), formula


def cubic(lr: float, total: int) -> tuple[Any, Formula]:
    """A power of the remaining progress."""
    return polynomial(lr, 0.0, total, 3.0), lambda step: lr * max(1 - step / total, 0.0) ** 3


RECIPES = {
    "Megatron, as BLOOM": megatron(6e-5, 6e-6, 18_310, 222_222, 192, 16, 97_656, 2048),
    "Megatron, samples that do not divide": megatron(1e-4, 1e-5, 3333, 99_999, 24, 12, 10_007, 132),
    "Megatron, a short ramp": megatron(2e-4, 0.0, 1000, 50_000, 16, 16, 200, 160),
    "GPT-3": gpt_3(6e-4, 3.75e8, 2.6e9, 32_768, 524_288, 800),
    "GPT-3, sizes that are not whole": gpt_3(2e-4, 1e7, 7e8, 33_000, 250_001, 777),
    "DeepSeek-V3": deepseek_v3(
        2.2e-4, 200, (12_582_912, 25_165_824, 37_748_736, 62_914_560), (100, 250, 480)
    ),
    "EDM2": edm2(0.012, 2048, 700.0, 0.5),
    "EDM2, odd numbers": edm2(0.01, 96, 333.3, 0.0213),
    "1e13 tokens": budget(1e-4, 1e13, 5_000_003, 1000),
    "1e13 tokens, small batches": budget(1e-4, 1e13, 4097, 77),
    "resumed with larger batches": resumed(1e-3, 1e-5, 2000, 777, 384, 640),
    "resumed with smaller batches after a step": resumed(1e-3, 0.0, 2000, 1, 48, 36),
    "resumed twice": resumed_twice(0.1, 1e6),
    "a longer run": prolonged(3e-4, 1000, 615, 2340),
    "a shorter run": prolonged(3e-4, 2000, 1500, 1777),
    "minGPT": min_gpt(6e-4, 512 * 740, 4_200_000, 1024),
    "transformers": transformers(5e-5, 1234, 0.06),
    "transformers, 777 steps": transformers(2e-5, 777, 0.03),
    "transformers, 99 steps": transformers(1e-4, 99, 0.1),
    "MaxText": max_text(3e-5, 1507, 0.1, 0.1),
    "nanochat": nanochat(0.02, 1531, 0.4, 0.05),
    "fairseq": fairseq(5e-5, 2003, (0.1, 0.4, 0.5)),
    "diffusers": diffusers(1e-4, "1:10,0.1:20,0.01:30,0.005"),
    "diffusers, late": diffusers(2e-5, "1:500,0.5:1000,0.25:2000,0.1"),
    "diffusers, up again": diffusers(1e-3, "0.1:100,1:1500,0.1"),
    "transformers' restarts": hard_restarts(1e-4, 1000, 100, 7),
    "transformers' restarts, 1234 steps": hard_restarts(1e-4, 1234, 56, 3),
    "snapshot ensembles": snapshots(0.1, 2999, 6),
    "shrinking restarts": shrinking(0.1, 733.3, 0.6),
    "shrinking restarts, slowly": shrinking(0.05, 250.0, 0.9),
    "stable-baselines3": ppo(2.5e-4, 1e6, 2048 * 8, 80),
    "stable-baselines3, rollouts that do not divide": ppo(3e-4, 1e5, 700, 13),
    "CleanRL": clean_rl(2.5e-4, 97, 16),
    "stable-baselines3's exploration": exploration(1.0, 0.05, 0.1, 2777),
    "a cubic of the remaining progress": cubic(7.3e-4, 2345),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_is_its_formula_at_every_step(name: str) -> None:
    recipe, formula = RECIPES[name]
    for step in range(COUNTS):
        assert recipe(step) == pytest.approx(formula(step), rel=1e-9, abs=1e-14), step


def test_a_budget_of_time_is_a_count() -> None:
    """A run of one day, whose updates do not all take as long: its clock may be any number."""
    schedule, day = linear(1e-3, 0.0, 600_000), 86_400.0
    for count in range(1000):
        elapsed = 80.5 * count + 3.25 * (count % 7)
        expected = pytest.approx(1e-3 * max(1 - elapsed / day, 0.0), rel=1e-9, abs=1e-15)
        assert schedule(elapsed / day * 600_000) == expected
