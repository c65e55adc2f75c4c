"""Recipes under their own names, made of the schedules of the catalogue.

Each returns a composition; its `repr` and its JSON show what it is made of.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from lrsched._core.checks import Refusal, Whole, choice, integer, number
from lrsched._core.durations import durations_in
from lrsched._core.kinds import PHASE, STEPS
from lrsched._core.schedule import Schedule
from lrsched._numerics.shapes import ShapeName
from lrsched.schedules.combine import join, scale, warmup
from lrsched.schedules.decay import cosine_decay, piecewise_constant
from lrsched.schedules.inverse import inverse_sqrt
from lrsched.schedules.ramp import constant, exponential_ramp, linear
from lrsched.schedules.restarts import with_restarts
from lrsched.schedules.transform import cooldown
from lrsched.schedules.warmup_factors import untuned_linear_warmup

_fraction = number("> 0", "< 1")
_factor = number("> 0", "<= 1")
_ratio = number(">= 1")


def _refuse_long_warmup(refuse: Refusal, warmup_steps: Any, total_steps: Any) -> None:
    """Refuse a warmup that leaves no step of the run; durations are compared once resolved."""
    if not any(durations_in((warmup_steps, total_steps))) and warmup_steps >= total_steps:
        refuse("warmup_steps", f"below total_steps ({total_steps})", warmup_steps)


def warmup_stable_decay(
    peak_value: float,
    warmup_steps: Whole,
    stable_steps: Whole,
    decay_steps: Whole,
    end_value: float = 0.0,
    init_value: float = 0.0,
    shape: ShapeName = "linear",
) -> Schedule:
    """Up, level, and down at the end: WSD, the trapezoid, the knee.

    A line from `init_value` to `peak_value` over `warmup_steps`, `peak_value` for `stable_steps`,
    then down to `end_value` over `decay_steps` in one of the shapes of `anneal`.

    Source: Hu et al. 2024, "MiniCPM", arXiv:2404.06395; Hägele et al. 2024, arXiv:2405.18392 (a
    decay of 10 to 20 % of the run in the shape "1-sqrt"); with a line, Iyer et al. 2020, "Knee",
    arXiv:2003.03977.

    Elsewhere: transformers' `warmup_stable_decay(num_warmup_steps, num_stable_steps,
    num_decay_steps, decay_type, min_lr_ratio)`, whose warmup begins at the floor as well;
    Megatron's `WSD`; torchtitan's, which counts from 1.

    >>> recipe = warmup_stable_decay(1.0, 10, 70, 20)
    >>> [recipe(count) for count in (0, 5, 10, 80, 90, 100)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    stable = cooldown(constant(peak_value), stable_steps, decay_steps, end_value, shape)
    return warmup(stable, warmup_steps, init_value)


def warmup_cosine(
    peak_value: float,
    total_steps: Whole,
    warmup_steps: Whole,
    end_value: float = 0.0,
    init_value: float = 0.0,
) -> Schedule:
    """Up along a line, and down along half a cosine over the rest of the run.

    Elsewhere: `optax.warmup_cosine_decay_schedule(init_value, peak_value, warmup_steps,
    decay_steps=total_steps, end_value)`; transformers' `cosine` and `cosine_with_min_lr`.

    >>> recipe = warmup_cosine(1.0, total_steps=100, warmup_steps=20)
    >>> [round(recipe(count), 6) for count in (0, 10, 20, 60, 100)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    refuse = Refusal("warmup_cosine")
    total, before = refuse.checked(
        total_steps=(STEPS, total_steps), warmup_steps=(PHASE, warmup_steps)
    )
    _refuse_long_warmup(refuse, before, total)
    return warmup(cosine_decay(peak_value, total - before, end_value), before, init_value)


def deepseek(peak_value: float, total_steps: Whole, warmup_steps: Whole = 2000) -> Schedule:
    """Up along a line, then level, lower from 80 % of the run, and lower still from 90 %.

    The levels are `peak_value`, 0.316 and 0.1 of it; the shares are those of all steps, rounded.

    Source: DeepSeek-AI 2024, "DeepSeek LLM", arXiv:2401.02954.

    >>> recipe = deepseek(1.0, total_steps=10_000)
    >>> [recipe(count) for count in (0, 1000, 2000, 7999, 8000, 9000)]
    [0.0, 0.5, 1.0, 1.0, 0.316, 0.1]
    """
    refuse = Refusal("deepseek")
    total, before = refuse.checked(
        total_steps=(integer(1, "steps"), total_steps),
        warmup_steps=(integer(0, "steps"), warmup_steps),
    )
    _refuse_long_warmup(refuse, before, total)
    levels = [float(peak_value) * factor for factor in (1.0, 0.316, 0.1)]
    boundaries = [round(share * total) - before for share in (0.8, 0.9)]
    if boundaries[0] < 1:
        refuse("warmup_steps", "below 80 % of total_steps", warmup_steps)
    return warmup(piecewise_constant(levels, boundaries), before)


def tri_stage(
    peak_value: float,
    warmup_steps: Whole,
    hold_steps: Whole,
    decay_steps: Whole,
    init_scale: float = 0.01,
    end_scale: float = 0.01,
) -> Schedule:
    """Up along a line, level, and down exponentially.

    From `init_scale * peak_value` to `peak_value` over `warmup_steps`, `peak_value` for
    `hold_steps`, then geometrically to `end_scale * peak_value` over `decay_steps`.

    Source: Park et al. 2019, "SpecAugment", arXiv:1904.08779. Elsewhere: fairseq's `tri_stage`.

    >>> recipe = tri_stage(1.0, 10, 10, 20)
    >>> [round(recipe(count), 6) for count in (0, 10, 20, 30, 40)]
    [0.01, 1.0, 1.0, 0.1, 0.01]
    """
    first, last, hold = Refusal("tri_stage").checked(
        init_scale=(number(">= 0"), init_scale),
        end_scale=(_factor, end_scale),
        hold_steps=(PHASE, hold_steps),
    )
    decay = exponential_ramp(peak_value, last * float(peak_value), decay_steps)
    held = join([constant(peak_value), decay], [hold]) if hold else decay
    return warmup(held, warmup_steps, first * float(peak_value))


def slanted_triangular(
    peak_value: float, total_steps: Whole, cut_fraction: float = 0.1, ratio: float = 32.0
) -> Schedule:
    """Up quickly and down slowly, along two lines.

    From `peak_value / ratio` to `peak_value` over the first `floor(total_steps * cut_fraction)`
    steps, and back over the rest.

    Source: Howard and Ruder 2018, "ULMFiT", arXiv:1801.06146, equation 3 (whose way down has
    `cut * (1 / cut_fraction - 1)` steps: the rest, up to the rounding of the cut). Elsewhere:
    thinc's `slanted_triangular`.

    >>> recipe = slanted_triangular(1.0, 100)
    >>> [recipe(count) for count in (0, 10, 55, 100)]
    [0.03125, 1.0, 0.515625, 0.03125]
    """
    total, cut, low = Refusal("slanted_triangular").checked(
        total_steps=(integer(1, "steps"), total_steps),
        cut_fraction=(_fraction, cut_fraction),
        ratio=(_ratio, ratio),
    )
    up, edge = int(total * cut), float(peak_value) / low
    return warmup(linear(peak_value, edge, max(int(total) - up, 1)), up, edge)


def noam(model_size: Whole, warmup_steps: Whole, factor: float = 1.0) -> Schedule:
    """The Transformer's: a line up, then down with the inverse square root of the step.

    `factor * model_size**-0.5 * min(n**-0.5, n * warmup_steps**-1.5)` with n = count + 1.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3.

    >>> recipe = noam(512, 4000)
    >>> f"{recipe(0):.4g} {recipe(3999):.4g} {recipe(15999):.4g}"
    '1.747e-07 0.0006988 0.0003494'
    """
    size, steps, scaled = Refusal("noam").checked(
        model_size=(integer(1, "units"), model_size),
        warmup_steps=(integer(1, "steps"), warmup_steps),
        factor=(number("> 0"), factor),
    )
    peak = scaled * size**-0.5 * steps**-0.5
    return warmup(inverse_sqrt(peak, int(steps)), int(steps) - 1, peak / steps)


def infinite(
    peak_value: float,
    warmup_steps: Whole,
    cosine_steps: Whole,
    hold_value: float,
    hold_steps: Whole,
    decay_steps: Whole,
    end_value: float,
    init_value: float = 0.0,
) -> Schedule:
    """Up, down along a cosine to a level that can be held for ever, and from there to an end.

    A line from `init_value` to `peak_value` over `warmup_steps`, half a cosine to `hold_value`
    over `cosine_steps`, `hold_value` for `hold_steps`, then geometrically to `end_value` over
    `decay_steps`. A run goes on from any point of the hold.

    Source: Ibrahim et al. 2024, arXiv:2403.08763; Singh et al. 2025, arXiv:2503.02844.

    >>> recipe = infinite(1.0, 10, 40, 0.1, 100, 20, 0.001)
    >>> [round(recipe(count), 6) for count in (0, 10, 50, 149, 160, 170)]
    [0.0, 1.0, 0.1, 0.1, 0.01, 0.001]
    """
    cosine, hold = Refusal("infinite").checked(
        cosine_steps=(STEPS, cosine_steps), hold_steps=(PHASE, hold_steps)
    )
    down = cosine_decay(peak_value, cosine, hold_value)
    end = exponential_ramp(hold_value, end_value, decay_steps)
    return warmup(join([down, end], [cosine + hold]), warmup_steps, init_value)


def scale_for_batch_size(
    schedule: Schedule,
    batch_size: Whole,
    reference_batch_size: Whole,
    rule: Literal["linear", "sqrt"] = "linear",
) -> Schedule:
    """A schedule tuned at one batch size, for another.

    Times `batch_size / reference_batch_size` ("linear", for SGD) or its square root ("sqrt", for
    Adam and its kind).

    Source: Goyal et al. 2017, arXiv:1706.02677 (linear); Malladi et al. 2022, arXiv:2205.10287
    (square root).

    >>> scale_for_batch_size(constant(0.1), 1024, 256)
    scale(schedule=constant(value=0.1), factor=4.0)
    """
    examples = integer(1, "examples")
    size, reference = Refusal("scale_for_batch_size").checked(
        batch_size=(examples, batch_size),
        reference_batch_size=(examples, reference_batch_size),
    )
    Refusal("scale_for_batch_size").check("rule", choice("linear", "sqrt"), rule)
    factor = size / reference
    return scale(schedule, factor if rule == "linear" else factor**0.5)


# The public functions that compose a recipe of schedules, by name.
RECIPES: Mapping[str, Callable[..., Schedule]] = {
    recipe.__name__: recipe
    for recipe in (
        deepseek,
        infinite,
        noam,
        scale_for_batch_size,
        slanted_triangular,
        tri_stage,
        untuned_linear_warmup,
        warmup_cosine,
        warmup_stable_decay,
        with_restarts,
    )
}
