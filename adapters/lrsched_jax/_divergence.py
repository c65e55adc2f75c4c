"""The rule by which a range test stops, on the device."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from lrsched.range_test.recorder import RANGES, first_losses, window

ROUNDING = 2.0**-20  # so much later than the recorder, which decides, and computes in float64


class Divergence(NamedTuple):
    """What `Recorder` gets, as numbers.

    Attributes:
        multiple: the multiple of the level of the first losses.
        above: the loss above which a loss is high; NaN where the first losses say.
        first: the number of first losses.
        window: the number of losses of which most are high where a run has diverged.
    """

    multiple: Any
    above: Any
    first: Any
    window: Any


def divergence_of(multiple: float | None, steps: int, above: float | None = None) -> Divergence:
    """The rule of a `Recorder` with these arguments."""
    given = np.inf if above is None and multiple is None else above
    return Divergence(
        np.float32(1.0 if multiple is None else multiple),
        np.float32(np.nan if given is None else given),
        np.int32(first_losses(steps) if given is None else 0),
        np.int32(window(steps)),
    )


def goes_on(losses: Any, count: Any, rule: Divergence) -> Any:
    """Whether a run of so many losses goes on: all are finite, and it has not diverged."""
    place = jnp.arange(len(losses))
    made = place < count
    is_first = place < rule.first
    ordered = jnp.sort(jnp.where(is_first, losses, jnp.inf))
    last = jnp.maximum(rule.first - 1, 0)
    level = (ordered[last // 2] + ordered[(last + 1) // 2]) / 2.0
    room = jnp.maximum((rule.multiple - 1.0) * abs(level), RANGES * (ordered[last] - ordered[0]))
    bound = jnp.where(jnp.isnan(rule.above), level + room, rule.above)
    bound += ROUNDING * abs(bound)
    high = jnp.cumsum((losses > bound) & made & ~is_first)
    before = jnp.where(place >= rule.window, high[jnp.maximum(place - rule.window, 0)], 0)
    diverged = jnp.any(2 * (high - before) > rule.window) & (count >= rule.first)
    return ~diverged & jnp.all(jnp.isfinite(losses) | ~made)
