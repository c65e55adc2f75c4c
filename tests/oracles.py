"""What each schedule's value is exactly: the published formula in mpmath, at 200 bits.

Written from the papers and the peers' documented semantics, and independent of the library: it
takes a recipe's name and its hyperparameters.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from lrsched import Schedule

mp.prec = 200
GROWTH_LIMIT = mpf(2) ** 64
LAST = 2**31 - 1


def exact(schedule: Schedule, count: Any) -> Any:
    """The exact value of a schedule with Python numbers as hyperparameters, as an mpf."""
    return ORACLES[schedule.name](mpf(max(count, 0)), **schedule.params)


def divided(count: Any, period: float) -> tuple[int, Any]:
    """The whole periods before a count, and the rest.

    A count that misses a boundary by 2**-44 of itself or less is at it: the documented rounding.
    """
    index = int(mp.floor(count / mpf(period)))
    rest, rounding = count - index * mpf(period), count * mpf(2) ** -44
    if mpf(period) - rest <= rounding:
        return index + 1, mpf(0)
    return index, mpf(0) if rest <= rounding else rest


def power(rate: float, exponent: Any) -> Any:
    """rate ** exponent, saturating at 2**64."""
    if rate == 0:
        return mpf(1) if exponent == 0 else mpf(0)
    return min(mp.power(mpf(rate), exponent), GROWTH_LIMIT) if rate > 1 else mpf(rate) ** exponent


def falling_cosine(x: Any) -> Any:
    """(1 + cos(pi x)) / 2."""
    return (1 + mp.cospi(x)) / 2


def between(first: float, second: float, x: Any) -> Any:
    """The point x of the way from the first to the second, either of which may be tiny."""
    return first * (1 - x) + second * x


def constant(count: Any, value: float) -> Any:
    return mpf(value)


def linear(count: Any, init_value: float, end_value: float, steps: float) -> Any:
    return between(init_value, end_value, mpf(min(count, steps)) / steps)


def polynomial(
    count: Any, init_value: float, end_value: float, steps: float, power: float, cycle: bool
) -> Any:
    if cycle:
        index, rest = divided(count, steps)
        cycles = max(index + (rest > 0), 1)
        count = steps * mpf(index) + rest
        steps = cycles * mpf(steps)
    left = mpf(steps - min(count, steps)) / steps
    return between(end_value, init_value, left ** mpf(power) if left else mpf(0))


def exponential_ramp(count: Any, init_value: float, end_value: float, steps: float) -> Any:
    return mpf(init_value) * (mpf(end_value) / mpf(init_value)) ** (mpf(min(count, steps)) / steps)


def exponential_decay(
    count: Any, init_value: float, decay_rate: float, decay_steps: float, staircase: bool
) -> Any:
    exponent = divided(count, decay_steps)[0] if staircase else count / mpf(decay_steps)
    return mpf(init_value) * power(decay_rate, exponent)


def step_decay(count: Any, init_value: float, decay_rate: float, step_size: int) -> Any:
    return mpf(init_value) * power(decay_rate, divided(count, step_size)[0])


def multi_step_decay(
    count: Any, init_value: float, decay_rate: float, boundaries: tuple[int, ...]
) -> Any:
    return mpf(init_value) * power(decay_rate, sum(b <= count for b in boundaries))


def piecewise_constant(count: Any, values: tuple[float, ...], boundaries: tuple[int, ...]) -> Any:
    return mpf(values[bisect_right(boundaries, count)])


def interpolate(
    count: Any, values: tuple[float, ...], boundaries: tuple[float, ...], shape: str
) -> Any:
    index = bisect_right(boundaries, count)
    if index == len(boundaries):
        return mpf(values[-1])
    begin, first, second = (0, *boundaries)[index], mpf(values[index]), mpf(values[index + 1])
    p = (count - begin) / (mpf(boundaries[index]) - begin)
    if shape == "exponential":
        return first * (second / first) ** p
    return between(first, second, 1 - falling_cosine(p) if shape == "cosine" else p)


def cosine_decay(count: Any, init_value: float, decay_steps: float, end_value: float) -> Any:
    x = mpf(min(count, decay_steps)) / decay_steps
    return between(end_value, init_value, falling_cosine(x))


def cosine_restarts(
    count: Any,
    init_value: float,
    first_steps: float,
    period_mult: int,
    end_value: float,
    peak_mult: float,
) -> Any:
    if period_mult == 1:
        index, done = divided(count, first_steps)
        length = mpf(first_steps)
    else:
        index, start, length = 0, mpf(0), mpf(first_steps)
        while count * (1 + mpf(2) ** -44) >= start + length:
            index, start, length = index + 1, start + length, length * mpf(period_mult)
            if length < 1:
                return mpf(end_value)
        done = max(count - start, mpf(0))
    peak = mpf(init_value) * power(peak_mult, index)
    return between(end_value, peak, falling_cosine(done / length))


def cyclic(
    count: Any,
    init_value: float,
    peak_value: float,
    up_steps: float,
    down_steps: float | None,
    mode: str | Callable[[int], float],
    decay_rate: float,
    shape: str,
) -> Any:
    down_steps = up_steps if down_steps is None else down_steps
    number, position = divided(count, mpf(up_steps) + mpf(down_steps))
    if position <= up_steps:
        x = position / mpf(up_steps)
    else:
        x = (mpf(up_steps) + mpf(down_steps) - position) / mpf(down_steps)
    if shape == "cosine":
        x = 1 - falling_cosine(x)
    if callable(mode):
        scale = mpf(mode(number))
    else:
        scale = {
            "triangular": lambda: mpf(1),
            "triangular2": lambda: mpf(2) ** -number,
            "exp_range": lambda: power(decay_rate, count),
        }[mode]()
    return between(init_value, peak_value, x * scale)


def one_cycle(
    count: Any,
    peak_value: float,
    total_steps: float,
    up_fraction: float,
    div_factor: float,
    final_div_factor: float,
    anneal: str,
    three_phase: bool,
) -> Any:
    initial = mpf(peak_value) / mpf(div_factor)
    final = initial / mpf(final_div_factor)
    top = mpf(up_fraction) * total_steps - 1
    last = mpf(total_steps - 1)
    phases = [(mpf(0), top, initial, mpf(peak_value))]
    if three_phase:
        phases += [(top, 2 * top, mpf(peak_value), initial), (2 * top, last, initial, final)]
    else:
        phases += [(top, last, mpf(peak_value), final)]
    t = min(count, last)
    begin, end, first, second = next(
        phase for phase in phases if phase is phases[-1] or (t <= phase[1] and phase[1] > phase[0])
    )
    x = (t - begin) / (end - begin)
    return between(first, second, 1 - falling_cosine(x) if anneal == "cosine" else x)


def warmup(
    count: Any,
    schedule: Schedule,
    warmup_steps: float,
    init_value: float,
    shape: str,
    power: float,
    count_from: int,
    mode: str,
) -> Any:
    own = count - warmup_steps if mode == "before" else count
    if count >= warmup_steps:
        return exact(schedule, own)
    p = min((min(count, LAST - 1) + count_from) / mpf(warmup_steps), mpf(1))
    risen = p ** mpf(power) if power != 1 else shape_left(shape, 1 - p)
    if mode == "times":
        return exact(schedule, count) * between(init_value, 1.0, risen)
    return between(init_value, exact(schedule, warmup_steps if mode == "into" else 0), risen)


def join(count: Any, schedules: tuple[Schedule, ...], boundaries: tuple[int, ...]) -> Any:
    index = bisect_right(boundaries, count)
    return exact(schedules[index], count - (0, *boundaries)[index])


def scale(count: Any, schedule: Schedule, factor: float) -> Any:
    return mpf(factor) * exact(schedule, count)


def product(count: Any, first: Schedule, second: Schedule) -> Any:
    return exact(first, count) * exact(second, count)


def shape_left(shape: str, p: Any) -> Any:
    """The weight of the first value after the part p of the way."""
    return {
        "linear": lambda: 1 - p,
        "cosine": lambda: falling_cosine(p),
        "quarter-cosine": lambda: mp.cospi(p / 2),
        "1-sqrt": lambda: 1 - mp.sqrt(p),
        "1-square": lambda: 1 - p**2,
        "exponential": lambda: 2 * mpf(0.5) ** p - 1,
        "lowered-linear": lambda: mpf("0.7") * (1 - p) if p else mpf(1),
    }[shape]()


def anneal(count: Any, init_value: float, end_value: float, steps: float, shape: str) -> Any:
    return between(end_value, init_value, shape_left(shape, mpf(min(count, steps)) / steps))


def reciprocal_decay(count: Any, init_value: float, steps: float, end_value: float) -> Any:
    p = min(count, mpf(steps)) / steps
    return 1 / ((1 - p) / mpf(init_value) + p / mpf(end_value))


def rex(count: Any, init_value: float, steps: float, end_value: float, beta: float) -> Any:
    left = mpf(steps - min(count, steps)) / steps
    return between(end_value, init_value, left / (mpf(beta) + (1 - mpf(beta)) * left))


def k_decay(
    count: Any,
    init_value: float,
    steps: float,
    k: float,
    power: float,
    end_value: float,
    shape: str,
) -> Any:
    with mp.workprec(1000):  # x may be 1e-90, and 1 - cos(x) the square of that
        x = (mpf(min(count, steps)) / steps) ** mpf(k)
        g = falling_cosine(x) if shape == "cosine" else 1 - x
        return between(end_value, init_value, g ** mpf(power))


def tanh_decay(
    count: Any, init_value: float, steps: float, end_value: float, lower: float, upper: float
) -> Any:
    p = mpf(min(count, steps)) / steps
    return between(end_value, init_value, (1 - mp.tanh(lower * (1 - p) + upper * p)) / 2)


def inverse_sqrt(
    count: Any, init_value: float, timescale: int, shift: int, end_value: float
) -> Any:
    return between(
        end_value, init_value, mp.sqrt(mpf(timescale) / (mpf(timescale) + shift + count))
    )


def inverse_power(
    count: Any, init_value: float, timescale: float, power: float, shift: float, end_value: float
) -> Any:
    part = mpf(timescale) / (mpf(timescale) + shift + count)
    return between(end_value, init_value, part ** mpf(power))


def eden_decay(count: Any, init_value: float, timescale: float) -> Any:
    return mpf(init_value) * (1 + (count / mpf(timescale)) ** 2) ** mpf(-0.25)


def inverse_time(
    count: Any, init_value: float, decay_rate: float, decay_steps: float, staircase: bool
) -> Any:
    passed = divided(count, decay_steps)[0] if staircase else count / mpf(decay_steps)
    return mpf(init_value) / (1 + mpf(decay_rate) * passed)


def natural_exponential_decay(
    count: Any, init_value: float, decay_rate: float, decay_steps: float, staircase: bool
) -> Any:
    passed = divided(count, decay_steps)[0] if staircase else count / mpf(decay_steps)
    return mpf(init_value) * mp.exp(-mpf(decay_rate) * passed)


def exponential_warmup(count: Any, time_constant: float) -> Any:
    return 1 - mp.exp(-mpf(count + 1) / mpf(time_constant))


def log_warmup(count: Any, warmup_steps: float) -> Any:
    return min(mp.log(count + 1) / mp.log(warmup_steps), mpf(1))


def sigmoid_ramp_up(count: Any, steps: float, steepness: float) -> Any:
    return mp.exp(-mpf(steepness) * (mpf(steps - min(count, steps)) / steps) ** 2)


def radam_warmup(count: Any, beta2: float) -> Any:
    n, beta = count + 5, mpf(beta2)
    limit = 2 / (1 - beta) - 1
    rho = limit - 2 * n * beta**n / (1 - beta**n)
    variance = (rho - 4) * (rho - 2) * limit
    return mp.sqrt(variance / ((limit - 4) * (limit - 2) * rho))


def power_law(
    count: Any, peak_value: float, coefficient: float, exponent: float, tokens_per_step: float
) -> Any:
    tokens = max(count * mpf(tokens_per_step), mpf(1))
    return min(mpf(peak_value), mpf(coefficient) * tokens ** mpf(exponent))


def fractal_chebyshev(count: Any, peak_value: float, lowest_value: float, steps: int) -> Any:
    def order(size: int, n: int) -> int:
        if size == 1:
            return 0
        entry = order(size // 2, n // 2)
        return size - 1 - entry if n % 2 else entry

    most, least = 1 / mpf(lowest_value), 1 / mpf(peak_value)
    theta = mpf(2 * order(steps, int(count) % steps) + 1) / (2 * steps)
    return 1 / ((most + least) / 2 - (most - least) / 2 * mp.cospi(theta))


def noise(
    count: Any,
    schedule: Schedule,
    amount: float,
    key: int,
    every: int,
    begin: int,
    end: int | None,
) -> Any:
    if count < begin or (end is not None and count >= end):
        return exact(schedule, count)
    # The documented hash, on 32-bit words instead of the library's halves.
    word = divided(count, every)[0]
    rounds = ((27261, 47073), (24243, 20834), (29637, 35565), (19755, 10858), (31001, 49009))
    for index, (factor, salt) in enumerate((*rounds, (25321, 22656))):
        low = word % 65536
        mixed = (low ^ (key >> 16 * (index % 2)) % 65536 ^ salt) * factor
        mixed ^= mixed >> 15
        word = low << 16 | (word >> 16) ^ (mixed >> 4) % 65536
    word = (word & 65535) << 16 | word >> 16
    unit = mpf(2 * (word >> 9) + 1) / 2**23 - 1
    return exact(schedule, count) * (1 + mpf(amount) * unit)


def then_scale(count: Any, schedule: Schedule, begin: int, factor: Schedule) -> Any:
    if count < begin:
        return exact(schedule, count)
    return exact(schedule, begin) * exact(factor, count - begin)


def add(count: Any, first: Schedule, second: Schedule) -> Any:
    return exact(first, count) + exact(second, count)


def minimum(count: Any, first: Schedule, second: Schedule) -> Any:
    return min(exact(first, count), exact(second, count))


def maximum(count: Any, first: Schedule, second: Schedule) -> Any:
    return max(exact(first, count), exact(second, count))


def clip(count: Any, schedule: Schedule, low: float, high: float) -> Any:
    return min(max(exact(schedule, count), mpf(low)), mpf(high))


def delay(count: Any, schedule: Schedule, steps: float) -> Any:
    return exact(schedule, max(count - steps, 0))


def advance(count: Any, schedule: Schedule, steps: float) -> Any:
    return exact(schedule, min(count + steps, 2**31 - 1))


def repeat(count: Any, schedule: Schedule, steps: float) -> Any:
    return exact(schedule, divided(count, steps)[1])


def reverse(count: Any, schedule: Schedule, steps: float) -> Any:
    return exact(schedule, max(steps - count, 0))


def staircase(count: Any, schedule: Schedule, steps: float) -> Any:
    return exact(schedule, count - divided(count, steps)[1])


def cooldown(
    count: Any, schedule: Schedule, begin: int, steps: float, end_value: float, shape: str
) -> Any:
    p = mpf(min(max(count - begin, 0), steps)) / steps
    return between(end_value, exact(schedule, min(count, begin)), shape_left(shape, p))


def time_warp(
    count: Any,
    schedule: Schedule,
    rates: tuple[float, ...],
    boundaries: tuple[float, ...],
    unit: float,
) -> Any:
    passed, begin = mpf(0), mpf(0)
    for rate, end in zip(rates, (*boundaries, LAST), strict=True):
        passed += rate * (min(count, mpf(end)) - min(count, begin))
        begin = mpf(end)
    return exact(schedule, min(passed / mpf(unit), mpf(LAST)))


ORACLES: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        constant,
        linear,
        polynomial,
        exponential_ramp,
        exponential_decay,
        step_decay,
        multi_step_decay,
        piecewise_constant,
        interpolate,
        cosine_decay,
        cosine_restarts,
        cyclic,
        one_cycle,
        warmup,
        join,
        scale,
        product,
        anneal,
        rex,
        k_decay,
        tanh_decay,
        exponential_warmup,
        log_warmup,
        sigmoid_ramp_up,
        inverse_sqrt,
        inverse_power,
        eden_decay,
        reciprocal_decay,
        inverse_time,
        natural_exponential_decay,
        radam_warmup,
        power_law,
        fractal_chebyshev,
        noise,
        then_scale,
        add,
        minimum,
        maximum,
        clip,
        delay,
        advance,
        repeat,
        reverse,
        staircase,
        cooldown,
        time_warp,
    )
}

# The oracles of recipes use the functions above.
from tests.recipe_oracles import RECIPES

ORACLES |= RECIPES
