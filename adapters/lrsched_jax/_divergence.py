"""The rule by which a range test stops, on the device."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lrsched.range_test.reading.recorder import RANGES, first_losses, window

LOOK_EVERY = 10  # updates of the compiled loop between two looks at whether it goes on
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
    with np.errstate(over="ignore"):  # no loss in float32 is above a number beyond it
        return Divergence(
            np.float32(1.0 if multiple is None else multiple),
            np.float32(np.nan if given is None else given),
            np.int32(first_losses(steps) if given is None else 0),
            np.int32(window(steps)),
        )


def goes_on(losses: Any, count: Any, rule: Divergence) -> Any:
    """Whether a run with so many of these losses goes on: they are finite, and have not diverged.

    The last ones of `LOOK_EVERY` updates are looked at, so that this has to be asked as often.
    """
    length = len(losses)
    size = min(length, LOOK_EVERY + window(length))
    begin = jnp.maximum(count - size, 0)
    last, place = jax.lax.dynamic_slice_in_dim(losses, begin, size), begin + jnp.arange(size)
    made = place < count
    high = (last > _bound(losses, rule)) & (place >= rule.first)
    end = count - jnp.arange(LOOK_EVERY)[:, None]
    inside = (end - rule.window <= place) & (place < end)
    diverged = jnp.any(2 * jnp.sum(inside & high, axis=1) > rule.window)
    return ~diverged & jnp.all(jnp.isfinite(last) | ~made)


def _bound(losses: Any, rule: Divergence) -> Any:
    """The loss above which a loss is high, and slightly more."""
    first = losses[: first_losses(len(losses))]
    ordered = jnp.sort(jnp.where(jnp.arange(len(first)) < rule.first, first, jnp.inf))
    last = jnp.maximum(rule.first - 1, 0)
    level = ordered[last // 2] / 2.0 + ordered[(last + 1) // 2] / 2.0
    room = jnp.maximum((rule.multiple - 1.0) * abs(level), RANGES * (ordered[last] - ordered[0]))
    given = ~jnp.isnan(rule.above)
    bound, size = jnp.where(given, rule.above, level + room), jnp.where(given, 0.0, room)
    return bound + ROUNDING * (abs(bound) + size)
