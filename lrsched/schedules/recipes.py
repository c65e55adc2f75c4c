"""Named recipes, composed of the schedules in this package; `expand` shows the parts."""

from typing import Any

from lrsched._arrays.namespace import is_array, namespace_of, promoted
from lrsched._core.checks import Refusal
from lrsched._core.decorator import counts_steps, recipe
from lrsched._core.kinds import Phase, Positive, StaticPhase, StaticSteps, Steps, Value
from lrsched._core.schedule import Schedule
from lrsched._numerics.shapes import Shape
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import cosine_decay, piecewise_constant
from lrsched.schedules.ramp import constant, exponential_ramp
from lrsched.schedules.transform import cooldown


def _rest(total_steps: Any, warmup_steps: Any) -> Any:
    """The steps after the warmup: one, if it is as long as the run or longer."""
    total, before = promoted(total_steps, warmup_steps)
    rest = total - before
    return namespace_of([rest]).maximum(rest, 1) if is_array(rest) else max(rest, 1)


@recipe
def warmup_cosine(
    peak_value: Value,
    total_steps: Steps,
    warmup_steps: Phase,
    end_value: Value = 0.0,
    init_value: Value = 0.0,
) -> Schedule:
    """Up along a line, then down along half a cosine over the rest of the run, held at the end.

        value(t) = init_value + (peak_value - init_value) * t / W                     for t < W
                   end_value + (peak_value - end_value) * (1 + cos(pi * p)) / 2       for t >= W

        W = warmup_steps,  p = min((t - W) / max(total_steps - W, 1), 1)

    t is the count of updates made so far. A warmup may be as long as the run, or longer; the values
    after it then fall within one step.

    Args:
        peak_value: the value at count `warmup_steps`.
        total_steps: the length of the run in steps, at least 1.
        warmup_steps: the length of the warmup in steps, 0 or at least 1.
        end_value: the value at count `total_steps` and after.
        init_value: the value at count 0.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a value is not finite, `total_steps` < 1, or `warmup_steps` is neither 0 nor at
            least 1.

    Elsewhere: `optax.warmup_cosine_decay_schedule(init_value, peak_value, warmup_steps,
    decay_steps=total_steps, end_value)`; transformers' `cosine` and `cosine_with_min_lr`.

    >>> recipe = warmup_cosine(1.0, total_steps=100, warmup_steps=20)
    >>> [round(recipe(count), 6) for count in (0, 10, 20, 60, 100)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    decay = cosine_decay(peak_value, _rest(total_steps, warmup_steps), end_value)
    return warmup(decay, warmup_steps, init_value)


@recipe
def warmup_stable_decay(
    peak_value: Value,
    warmup_steps: Phase,
    stable_steps: Phase,
    decay_steps: Steps,
    end_value: Value = 0.0,
    init_value: Value = 0.0,
    shape: Shape = "linear",
) -> Schedule:
    """Up, level, and down at the end: WSD, the trapezoid, the knee.

        value(t) = init_value + (peak_value - init_value) * t / W     for t < W
                   peak_value                                         for W <= t < W + S
                   end_value + (peak_value - end_value) * g(p)        for t >= W + S

        W = warmup_steps,  S = stable_steps,  p = min((t - W - S) / decay_steps, 1)

    t is the count of updates made so far. `shape` selects g, as in `anneal`:

        "linear"            g(p) = 1 - p
        "cosine"            g(p) = (1 + cos(pi * p)) / 2
        "quarter-cosine"    g(p) = cos(pi * p / 2)
        "1-sqrt"            g(p) = 1 - sqrt(p)
        "1-square"          g(p) = 1 - p ** 2
        "exponential"       g(p) = 2 ** (1 - p) - 1
        "lowered-linear"    g(p) = 0.7 * (1 - p)    for p > 0
                                   1                for p = 0

    Args:
        peak_value: the highest value.
        warmup_steps: the length of the warmup in steps, at least 0.
        stable_steps: the length of the level part in steps, at least 0.
        decay_steps: the length of the decay in steps, at least 1.
        end_value: the value at the end of the decay and after.
        init_value: the value at count 0.
        shape: "linear", "cosine", "quarter-cosine", "1-sqrt", "1-square", "exponential" or
            "lowered-linear".

    Raises:
        TypeError: a value is not a number, a length is not a number, or `shape` is not a string.
        ValueError: a value is not finite, `warmup_steps` or `stable_steps` < 0, `decay_steps` < 1,
            or `shape` is not one of the seven.

    Source: Hu et al. 2024, "MiniCPM", arXiv:2404.06395; Hägele et al. 2024, arXiv:2405.18392, with
    a decay of 10 to 20 % of the run in the shape "1-sqrt"; with a line, Iyer et al. 2020, "Knee",
    arXiv:2003.03977.

    Elsewhere: transformers' `warmup_stable_decay(num_warmup_steps, num_stable_steps,
    num_decay_steps, decay_type, min_lr_ratio)`, whose warmup also begins at the floor;
    Megatron's `WSD`; torchtitan's, which counts from 1.

    >>> recipe = warmup_stable_decay(1.0, 10, 70, 20)
    >>> [recipe(count) for count in (0, 5, 10, 80, 90, 100)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    stable = cooldown(constant(peak_value), stable_steps, decay_steps, end_value, shape)
    return warmup(stable, warmup_steps, init_value)


def _warmup_before_the_first_cut(refuse: Refusal, params: dict[str, Any]) -> None:
    if round(0.8 * params["total_steps"]) - params["warmup_steps"] < 1:
        refuse("warmup_steps", "below 80 % of total_steps", params["warmup_steps"])


@counts_steps
@recipe(
    check=_warmup_before_the_first_cut,
    is_scalable=False,
    blame={"boundaries": "total_steps"},
)
def deepseek(
    peak_value: Value, total_steps: StaticSteps, warmup_steps: StaticPhase = 2000
) -> Schedule:
    """Up along a line, then level, lower from 80 % of the run, and lower still from 90 %.

        value(t) = peak_value * t / W      for t < W
                   peak_value              for W <= t < a
                   0.316 * peak_value      for a <= t < b
                   0.1 * peak_value        for t >= b

        W = warmup_steps,  a = round(0.8 * total_steps),  b = round(0.9 * total_steps)

    t is the count of updates made so far.

    Args:
        peak_value: the highest value.
        total_steps: the length of the run in steps, at least 1.
        warmup_steps: the length of the warmup in steps, at least 0, below 80 % of `total_steps`.

    Raises:
        TypeError: a parameter is not a number, or JAX traces a length.
        ValueError: `peak_value` is not finite, `total_steps` < 1, or `warmup_steps` is negative or
            not below 80 % of `total_steps`.

    Source: DeepSeek-AI 2024, "DeepSeek LLM", arXiv:2401.02954.

    >>> recipe = deepseek(1.0, total_steps=10_000)
    >>> [recipe(count) for count in (0, 1000, 2000, 7999, 8000, 9000)]
    [0.0, 0.5, 1.0, 1.0, 0.316, 0.1]
    """
    levels = [peak_value * factor for factor in (1.0, 0.316, 0.1)]
    boundaries = [round(share * total_steps) - warmup_steps for share in (0.8, 0.9)]
    return warmup(piecewise_constant(levels, boundaries), warmup_steps)


@recipe(blame={"boundaries": "hold_steps"})
def infinite(
    peak_value: Value,
    warmup_steps: Phase,
    cosine_steps: Steps,
    hold_value: Positive,
    hold_steps: Phase,
    decay_steps: Steps,
    end_value: Positive,
    init_value: Value = 0.0,
) -> Schedule:
    """Up, down along a cosine to a level that can be held forever, then down to an end value.

        value(t) = init_value + (peak_value - init_value) * t / W     for t < W
                   hold_value + (peak_value - hold_value) * g         for W <= t < W + C
                   hold_value                                         for W + C <= t < W + C + H
                   hold_value * (end_value / hold_value) ** p         for t >= W + C + H

        W = warmup_steps,  C = cosine_steps,  H = hold_steps
        g = (1 + cos(pi * (t - W) / C)) / 2
        p = min((t - W - C - H) / decay_steps, 1)

    t is the count of updates made so far. A run can be continued from any step of the hold.

    Args:
        peak_value: the value after the warmup.
        warmup_steps: the length of the warmup in steps, at least 0.
        cosine_steps: the length of the cosine in steps, at least 1.
        hold_value: the value that is held, at least 1e-18.
        hold_steps: the length of the hold in steps, at least 0.
        decay_steps: the length of the last decay in steps, at least 1.
        end_value: the value at the end of that decay and after, at least 1e-18.
        init_value: the value at count 0.

    Raises:
        TypeError: a value is not a number, or a length is not a number.
        ValueError: a value is not finite, `hold_value` or `end_value` < 1e-18, `warmup_steps` or
            `hold_steps` < 0, or `cosine_steps` or `decay_steps` < 1.

    Source: Ibrahim et al. 2024, arXiv:2403.08763; Singh et al. 2025, arXiv:2503.02844.

    >>> recipe = infinite(1.0, 10, 40, 0.1, 100, 20, 0.001)
    >>> [round(recipe(count), 6) for count in (0, 10, 50, 149, 160, 170)]
    [0.0, 1.0, 0.1, 0.1, 0.01, 0.001]
    """
    down = cosine_decay(peak_value, cosine_steps, hold_value)
    end = exponential_ramp(hold_value, end_value, decay_steps)
    both = sum(promoted(cosine_steps, hold_steps))
    return warmup(join([down, end], [both]), warmup_steps, init_value)
