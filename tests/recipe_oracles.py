"""What the value of each named recipe is exactly, from its paper, in mpmath."""

from typing import Any

from mpmath import mp, mpf

from lrsched import Schedule
from tests.oracles import LAST, between, divided, exact, falling_cosine, shape_left


def warmup_cosine(
    count: Any,
    peak_value: float,
    total_steps: float,
    warmup_steps: float,
    end_value: float,
    init_value: float,
) -> Any:
    if count < warmup_steps:
        return between(init_value, peak_value, count / mpf(warmup_steps))
    rest = max(mpf(total_steps) - warmup_steps, 1)
    p = min((count - warmup_steps) / rest, mpf(1))
    return between(end_value, peak_value, falling_cosine(p))


def warmup_stable_decay(
    count: Any,
    peak_value: float,
    warmup_steps: float,
    stable_steps: float,
    decay_steps: float,
    end_value: float,
    init_value: float,
    shape: str,
) -> Any:
    if count < warmup_steps:
        return between(init_value, peak_value, count / mpf(warmup_steps))
    passed = max(count - warmup_steps - mpf(stable_steps), 0)
    left = shape_left(shape, min(passed / mpf(decay_steps), mpf(1)))
    return between(end_value, peak_value, left)


def deepseek(count: Any, peak_value: float, total_steps: float, warmup_steps: float) -> Any:
    if count < warmup_steps:
        return mpf(peak_value) * count / mpf(warmup_steps)
    level = sum(count >= round(part * total_steps) for part in (0.8, 0.9))
    return mpf(peak_value) * mpf((1.0, 0.316, 0.1)[level])


def infinite(
    count: Any,
    peak_value: float,
    warmup_steps: float,
    cosine_steps: float,
    hold_value: float,
    hold_steps: float,
    decay_steps: float,
    end_value: float,
    init_value: float,
) -> Any:
    if count < warmup_steps:
        return between(init_value, peak_value, count / mpf(warmup_steps))
    count -= mpf(warmup_steps)
    if count < cosine_steps + mpf(hold_steps):
        p = min(count / mpf(cosine_steps), mpf(1))
        return between(hold_value, peak_value, falling_cosine(p))
    p = min((count - cosine_steps - mpf(hold_steps)) / mpf(decay_steps), mpf(1))
    return mpf(hold_value) * (mpf(end_value) / mpf(hold_value)) ** p


def tri_stage(
    count: Any,
    peak_value: float,
    warmup_steps: float,
    hold_steps: float,
    decay_steps: float,
    init_scale: float,
    end_scale: float,
) -> Any:
    if count < warmup_steps:
        return peak_value * between(init_scale, 1.0, count / mpf(warmup_steps))
    passed = max(count - warmup_steps - mpf(hold_steps), 0)
    return mpf(peak_value) * mpf(end_scale) ** min(passed / mpf(decay_steps), mpf(1))


def slanted_triangular(
    count: Any, peak_value: float, total_steps: float, cut_fraction: float, ratio: float
) -> Any:
    low, cut = mpf(peak_value) / mpf(ratio), int(total_steps * cut_fraction)
    if count < cut:
        return low + (peak_value - low) * count / cut
    return low + (peak_value - low) * max(total_steps - count, 0) / (mpf(total_steps) - cut)


def eden(
    count: Any,
    peak_value: float,
    timescale: float,
    epochs_timescale: float,
    warmup_steps: float,
    warmup_factor: float,
    epoch_steps: float,
) -> Any:
    epoch = divided(count, epoch_steps)[0]
    by_updates = (1 + (count / mpf(timescale)) ** 2) ** mpf(-0.25)
    by_epochs = (1 + (epoch / mpf(epochs_timescale)) ** 2) ** mpf(-0.25)
    done = count / mpf(warmup_steps) if count < warmup_steps else mpf(1)
    return peak_value * by_updates * by_epochs * between(warmup_factor, 1.0, done)


def noam(count: Any, model_size: int, warmup_steps: int, factor: float) -> Any:
    n, w = count + 1, mpf(warmup_steps)
    return mpf(factor) / mp.sqrt(model_size) * min(1 / mp.sqrt(n), n / (w * mp.sqrt(w)))


def untuned_linear_warmup(count: Any, beta2: float) -> Any:
    steps = int(2 / (1 - beta2) * (1 + 1e-12))
    return min((count + 1) / mpf(max(steps, 1)), mpf(1))


def scale_for_batch_size(
    count: Any, schedule: Schedule, batch_size: int, reference_batch_size: int, rule: str
) -> Any:
    ratio = mpf(batch_size) / reference_batch_size
    return exact(schedule, count) * (ratio if rule == "linear" else mp.sqrt(ratio))


def with_restarts(
    count: Any,
    schedule: Schedule,
    steps: float,
    cycles: int,
    period_mult: float,
    peak_mult: float,
    warmup_steps: float,
    init_value: float,
) -> Any:
    """Of a schedule whose values are proportional to its `init_value`."""
    for cycle in range(cycles):
        growth = mpf(period_mult) ** cycle
        length = warmup_steps + steps * growth
        if count < length or cycle == cycles - 1:
            break
        count -= length
    height = mpf(peak_mult) ** cycle
    if count < warmup_steps:
        first = height * exact(schedule, 0)
        return between(init_value, first, count / mpf(warmup_steps))
    return height * exact(schedule, (count - warmup_steps) / growth)


def resume(
    count: Any,
    schedule: Schedule,
    step: float,
    batch_size: tuple[float, float] | None,
    total_steps: tuple[float, float] | None,
) -> Any:
    if batch_size is not None:
        rate = mpf(batch_size[1]) / mpf(batch_size[0])
    else:
        before, after = map(mpf, total_steps or ())
        rate = (before - step) / (after - step)
    later = min(step + rate * (count - step), mpf(LAST))
    return exact(schedule, count if count < step else later)


def switch(count: Any, first: Schedule, second: Schedule, step: float, continuous: bool) -> Any:
    if count < step:
        return exact(first, count)
    value = exact(second, count)
    if continuous:
        ratio = exact(first, step) / exact(second, step)
        value *= max(min(ratio, mpf(10) ** 18), -(mpf(10) ** 18))
    return value


def rampup_batch_size(
    count: Any, init_value: int, increment: int, ramp_examples: float, end_value: int
) -> Any:
    increments = (end_value - init_value) // increment
    size, seen = init_value, 0
    for n in range(int(count) + 1):
        reached = increments if seen >= ramp_examples else seen * increments // ramp_examples
        size = init_value + increment * min(int(reached), increments)
        if size == end_value or n == int(count):
            break
        seen += size
    return mpf(size)


RECIPES = {
    function.__name__: function
    for function in (
        warmup_cosine,
        warmup_stable_decay,
        deepseek,
        infinite,
        tri_stage,
        slanted_triangular,
        eden,
        noam,
        untuned_linear_warmup,
        scale_for_batch_size,
        with_restarts,
        resume,
        switch,
        rampup_batch_size,
    )
}
