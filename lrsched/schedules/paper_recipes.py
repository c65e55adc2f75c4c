"""Recipes of papers whose shape is known by a name, composed of the schedules in this package."""

import math
from typing import Annotated

from lrsched._arrays.namespace import promoted
from lrsched._core.checks import Real, Whole, static
from lrsched._core.decorator import counts_steps, recipe
from lrsched._core.duration_factories import epochs
from lrsched._core.kinds import (
    Phase,
    Positive,
    Power,
    Rate,
    StaticSteps,
    StaticWholeSteps,
    Steps,
    Timescale,
    Value,
)
from lrsched._core.number_kinds import integer, number
from lrsched._core.schedule import Schedule
from lrsched.schedules.combine import warmup
from lrsched.schedules.inverse import eden_decay, inverse_sqrt
from lrsched.schedules.ramp import exponential_ramp, linear
from lrsched.schedules.transform import delay, staircase

_Cut = Annotated[Real, static(number("> 0", "< 1"))]
_EndScale = Annotated[Real, number("> 0", "<= 1")]
_Ratio = Annotated[Real, number(">= 1")]
_ONE_EPOCH = epochs(1)
_Width = Annotated[Whole, static(integer(1, "units"))]


@recipe(blame={"end_value": "end_scale", "init_value": "init_scale"})
def tri_stage(
    peak_value: Positive,
    warmup_steps: Phase,
    hold_steps: Phase,
    decay_steps: Steps,
    init_scale: Rate = 0.01,
    end_scale: _EndScale = 0.01,
) -> Schedule:
    """Up along a line, level, and down exponentially, held at the end.

        value(t) = peak_value * (init_scale + (1 - init_scale) * t / W)     for t < W
                   peak_value                                               for W <= t < W + H
                   peak_value * end_scale ** p                              for t >= W + H

        W = warmup_steps,  H = hold_steps,  p = min((t - W - H) / decay_steps, 1)

    t is the count of updates made so far.

    Args:
        peak_value: the highest value, at least 1e-18.
        warmup_steps: the length of the warmup in steps, at least 0.
        hold_steps: the length of the level part in steps, at least 0.
        decay_steps: the length of the decay in steps, at least 1.
        init_scale: the ratio of the value at count 0 to `peak_value`, at least 0.
        end_scale: the ratio of the last value to `peak_value`, above 0 and at most 1.

    Raises:
        TypeError: a value or a scale is not a number, or a length is not a number.
        ValueError: `peak_value` is not finite or < 1e-18, `warmup_steps` or `hold_steps` < 0,
            `decay_steps` < 1, `init_scale` < 0, `end_scale` is not above 0 and at most 1, or
            `end_scale * peak_value` < 1e-18.

    Source: Park et al. 2019, "SpecAugment", arXiv:1904.08779.

    Elsewhere: fairseq's `tri_stage`.

    >>> recipe = tri_stage(1.0, 10, 10, 20)
    >>> [round(recipe(count), 6) for count in (0, 10, 20, 30, 40)]
    [0.01, 1.0, 1.0, 0.1, 0.01]
    """
    decay = exponential_ramp(peak_value, end_scale * peak_value, decay_steps)
    return warmup(delay(decay, hold_steps), warmup_steps, init_scale * peak_value)


@counts_steps
@recipe(is_scalable=False)
def slanted_triangular(
    peak_value: Value, total_steps: StaticSteps, cut_fraction: _Cut = 0.1, ratio: _Ratio = 32.0
) -> Schedule:
    """Up quickly and down slowly along two lines, held at the end.

        value(t) = low + (peak_value - low) * t / cut    for t < cut
                   low + (peak_value - low) * q          for t >= cut

        low = peak_value / ratio,  cut = floor(total_steps * cut_fraction)
        q = max(total_steps - t, 0) / (total_steps - cut)

    t is the count of updates made so far.

    Args:
        peak_value: the highest value.
        total_steps: the length of the run in steps, at least 1.
        cut_fraction: the fraction of the run on the way up, above 0 and below 1.
        ratio: the ratio of `peak_value` to the lowest value, at least 1.

    Raises:
        TypeError: a parameter is not a number, or JAX traces `total_steps` or `cut_fraction`.
        ValueError: a number is not finite, `total_steps` < 1, `cut_fraction` is not above 0 and
            below 1, or `ratio` < 1.

    Source: Howard and Ruder 2018, "ULMFiT", arXiv:1801.06146, equation 3. The paper's way down has
    `cut * (1 / cut_fraction - 1)` steps, which is the rest up to the rounding of the cut.

    Elsewhere: thinc's `slanted_triangular`.

    >>> recipe = slanted_triangular(1.0, 100)
    >>> [recipe(count) for count in (0, 10, 55, 100)]
    [0.03125, 1.0, 0.515625, 0.03125]
    """
    cut, edge = int(total_steps * cut_fraction), peak_value / ratio
    return warmup(linear(peak_value, edge, total_steps - cut), cut, edge)


@recipe(blame={"timescale": "epochs_timescale"})
def eden(
    peak_value: Value,
    timescale: Timescale,
    epochs_timescale: Positive,
    warmup_steps: Phase = 500,
    warmup_factor: Value = 0.5,
    epoch_steps: Steps = _ONE_EPOCH,
) -> Schedule:
    """Eden: falls with the updates and with the epochs, after a warmup that multiplies.

        value(t) = peak_value * (1 + (t / S) ** 2) ** -0.25 * (1 + (e / E) ** 2) ** -0.25 * w

        S = timescale,  E = epochs_timescale,  e = floor(t / epoch_steps)
        w = warmup_factor + (1 - warmup_factor) * min(t / warmup_steps, 1)

    t is the count of updates made so far. By default the length of an epoch is open:
    `resolve(steps_per_epoch=len(loader))` gives it.

    Args:
        peak_value: the value without warmup and decay.
        timescale: the timescale of the decay by updates, above 0.
        epochs_timescale: the timescale of the decay by epochs, in epochs, at least 1e-18.
        warmup_steps: the length of the warmup in steps, 0 or at least 1.
        warmup_factor: the factor at count 0.
        epoch_steps: the length of an epoch in steps, at least 1.

    Raises:
        TypeError: a parameter is not a number.
        ValueError: a parameter is not finite, `timescale` <= 0, `epochs_timescale` < 1e-18,
            `warmup_steps` is neither 0 nor at least 1, or `epoch_steps` < 1.

    Source: Yao et al. 2023, "Zipformer", arXiv:2310.11230, equation 8.

    Elsewhere: icefall's `Eden(lr_batches, lr_epochs, warmup_batches, warmup_start)`.

    >>> recipe = eden(0.045, 7500, 3.5).resolve(steps_per_epoch=1000)
    >>> [round(recipe(count), 6) for count in (0, 500, 3500, 40_000)]
    [0.0225, 0.04495, 0.037326, 0.005703]
    """
    by_updates = warmup(
        eden_decay(peak_value, timescale), warmup_steps, warmup_factor, mode="times"
    )
    timescale_of_epochs = math.prod(promoted(epochs_timescale, epoch_steps))
    by_epochs = staircase(eden_decay(1.0, timescale_of_epochs), epoch_steps)
    return by_updates * by_epochs


@counts_steps
@recipe(is_scalable=False)
def noam(model_size: _Width, warmup_steps: StaticWholeSteps, factor: Power = 1.0) -> Schedule:
    """Up along a line, then down with the inverse square root of the step: the Transformer's.

        value(t) = factor * model_size ** -0.5 * min(n ** -0.5, n * warmup_steps ** -1.5)

        n = t + 1

    t is the count of updates made so far. The curve has no end.

    Args:
        model_size: the width of the model (d_model), at least 1.
        warmup_steps: the steps of the way up, at least 1; the peak is at count `warmup_steps - 1`.
        factor: a factor of all values, above 0.

    Raises:
        TypeError: `model_size` or `warmup_steps` is not an integer, or `factor` is not a number.
        ValueError: `model_size` or `warmup_steps` < 1, or `factor` is not finite or <= 0.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3.

    >>> recipe = noam(512, 4000)
    >>> f"{recipe(0):.4g} {recipe(3999):.4g} {recipe(15999):.4g}"
    '1.747e-07 0.0006988 0.0003494'
    """
    peak = factor * float(model_size) ** -0.5 * float(warmup_steps) ** -0.5
    return warmup(inverse_sqrt(peak, warmup_steps), warmup_steps - 1, peak / warmup_steps)
