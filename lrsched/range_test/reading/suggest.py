"""Suggest learning rates from the losses of a range test.

The losses are smoothed without the lag of a running average. The result is three rates, at which
training begins, should be run, and ends; or a refusal with the reason.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lrsched._core.checks import Refusal
from lrsched.range_test.reading.curves import monotone
from lrsched.range_test.reading.finders import FINDERS
from lrsched.range_test.reading.suggestion import Suggestion, around
from lrsched.range_test.reading.valley import START, NoSuggestion, Valley, valley

__all__ = ["NoSuggestion", "Suggestion", "suggest"]

SUGGESTED_FALL = 0.9  # of the fall: the rate at which it is made is suggested
REFERENCE_DENSITY = 64.0  # updates in a decade: the density for which rates are read unchanged
BELOW_DIVERGENCE = 1.8  # decades from there to the suggestion, where noise hides the fall
# The decades to either end of the band: a constant, more for a bottom wider than usual, and more
# for noise. On the tuned tasks the best rate was not farther away for 80 % of the suggestions.
CONSTANT_SHARE, WIDTH_SHARE, USUAL_BOTTOM, NOISE_SHARE = 0.25, 0.5, 0.7, 1.6
NARROWEST, WIDEST = 0.3, 1.2
STILL_FALLS = 10.0  # times the last rate: the end of the band, where the loss still falls there


def suggest(rates: npt.ArrayLike, losses: npt.ArrayLike, method: str = "default") -> Suggestion:
    """The learning rates that a range test shows.

    The default method measures how far the loss has fallen. Losses are mapped to
    `log(u + 0.1)`, where u is 1 at the level of the first updates and 0 at the lowest loss, so
    that neither their unit nor their origin matters. They are smoothed over the logarithm of the
    rate by a running median and a local straight line, 0.3 decades wide (at least 4 updates),
    which shift nothing. The loss has diverged where a fifth of the losses around are as far above
    the first ones as the fall is deep, and stay so. With r(p) the rate at which the part p of the
    fall is made, and d the number of updates in the decade below it,

        low, suggested, high = sqrt(d / 64) * (r(0.1), r(0.9), r(1))

    but never above r(1). The square root transfers rates from the test to training: progress
    grows with rate times updates, noise with the rate alone, and the rate at which they balance
    falls with the square root of the number of updates. So tests of 100 and of 400 updates
    suggest about the same rates.

    Only updates at a learning rate above all earlier ones count, so a cyclic schedule is read
    while it rises. Everything after the first loss that is not finite counts as diverged. Of
    several repeats the pointwise median is read, as far as more than half of them are finite.

    Args:
        rates: the learning rate of each update.
        losses: the raw loss of each update, or one row of them for each repeat, with NaN where a
            repeat had diverged. They may be 0 or negative.
        method: "default"; "steepest" (the rate at which the smooth curve falls fastest before its
            lowest point); or the rule of another library, its faults included: "torch-lr-finder",
            "ignite", "lightning", and fastai's "valley", "slide", "minimum" and "steep". These
            give `suggested`, and `low` or `high` is moved where it would be on the wrong side.

    Returns:
        The three rates. Those of the default method have a band: the wider, the noisier the losses
        and the wider the valley. A warning says where the loss still falls at the last rates, where
        the band is wide, and where noise hides the fall, so that the rate is a guess from where the
        loss diverged.

    Raises:
        NoSuggestion: too few losses are finite, or the loss does not fall by more than its noise;
            `cause` says which.
        ValueError: the method is unknown, or rates and losses differ in length.

    >>> rates = [10 ** (k / 20 - 6) for k in range(121)]
    >>> losses = [1 / (1 + 1e3 * rate) + rate**2 for rate in rates]
    >>> low, suggested, high = suggest(rates, losses)
    >>> print(f"{low:.1e} {suggested:.1e} {high:.1e}")
    1.4e-04 1.1e-02 3.5e-02
    >>> suggest(rates, [1.0] * 121)
    Traceback (most recent call last):
    lrsched.range_test.NoSuggestion: the loss is flat from 1e-06 to 1: raise high, and see that the
    optimizer has the parameters of the loss
    """
    check_method(method)
    rates, losses = monotone(rates, losses)
    number = int(np.isfinite(losses).sum())
    pick = FINDERS[method](rates[:number], losses[:number]) if method in FINDERS else None
    try:
        found = valley(rates, losses)
    except NoSuggestion as refused:
        if pick is not None:
            return Suggestion(pick, pick, pick)
        if refused.cause != "noise" or number == len(losses) or method != "default":
            raise
        return below_divergence(float(rates[number - 1]), str(refused))
    end = float(10.0 ** found.log_rates[found.lowest])
    low, suggested, high = (
        min(end, rate * (found.density(rate) / REFERENCE_DENSITY) ** 0.5)
        for rate in (found.rate(START), found.rate(SUGGESTED_FALL), end)
    )
    if method != "default":
        return Suggestion(low, steepest(found) if pick is None else pick, high)
    suggestion = around(low, suggested, high, uncertainty(found))
    suggestion.still_falls = found.still_falls
    if found.still_falls:
        suggestion.band = (suggestion.band[0], STILL_FALLS * float(rates[-1]))
        suggestion.warning = (
            f"the loss still falls at the last rates, to {rates[-1]:.3g}: raise high"
        )
    elif suggestion.is_wide:
        suggestion.warning = (
            f"the rate may be off by {10.0 ** uncertainty(found):.2g} times either way, as "
            f"{_cause(found)}: use more updates, more repeats or refine=True"
        )
    return suggestion


def check_method(method: Any) -> None:
    """Refuse what is no method of `suggest`.

    Raises:
        ValueError: the method is unknown.
    """
    known = ("default", "steepest", *FINDERS)
    if method not in known:
        Refusal("suggest")("method", f"one of {', '.join(known)}", method)


def uncertainty(found: Valley) -> float:
    """How many decades to either side of the suggestion the band reaches."""
    both = CONSTANT_SHARE + _of_width(found) + _of_noise(found)
    return float(np.clip(both, NARROWEST, WIDEST))


def _of_width(found: Valley) -> float:
    """The decades of the band that are due to a wide bottom of the valley."""
    return WIDTH_SHARE * max(0.0, found.bottom - USUAL_BOTTOM)


def _of_noise(found: Valley) -> float:
    """The decades of the band that are due to noise."""
    return float(NOISE_SHARE / found.standard_errors**0.5)


def _cause(found: Valley) -> str:
    noisy = _of_noise(found) > _of_width(found)
    return "losses vary between updates" if noisy else "the valley is wide"


def below_divergence(end: float, reason: str) -> Suggestion:
    """The suggestion where noise hides the fall, but not the rates at which training diverges."""
    pick = end / 10.0**BELOW_DIVERGENCE
    return around(pick / 10.0, pick, end, WIDEST, warning=f"the rate is a guess: {reason}")


def spread(rates: npt.ArrayLike, losses: npt.ArrayLike, method: str = "default") -> float:
    """The standard deviation of the suggestions of repeats, rows of losses, in decades.

    Raises:
        NoSuggestion: fewer than two of them suggest a rate.
    """
    found = []
    for row in np.atleast_2d(np.asarray(losses, float)):
        with contextlib.suppress(NoSuggestion):
            found.append(math.log10(suggest(rates, row, method).suggested))
    if len(found) < 2:
        raise NoSuggestion("a spread needs two repeats with a suggestion")
    return float(np.std(found, ddof=1))


def steepest(found: Valley) -> float:
    """The rate at which the smooth curve falls fastest, before its lowest point."""
    slopes = np.gradient(found.fall)[: found.lowest + 1]
    return float(10.0 ** found.log_rates[slopes.argmax()])
