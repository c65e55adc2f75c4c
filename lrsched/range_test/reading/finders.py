"""The rules of other learning-rate finders, applied to the raw losses of a range test.

Each takes the learning rates and the finite losses of all updates, smooths and cuts the curve as
its library does, and returns the learning rate that the library would suggest. They are here for
comparison, under their libraries' names; the faults named are the libraries' and are reproduced.
All smooth by a running average, whose lag of 19 to 27 updates raises the suggestion, and the more
so the fewer updates a decade has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lrsched.range_test.reading.valley import NoSuggestion

Array = npt.NDArray[np.float64]
Finder = Callable[[Array, Array], float]


def running_average(losses: Array, kept: float, start: float) -> Array:
    """The running average that keeps the fraction `kept` of its last value, begun at `start`."""
    values, value = np.empty(len(losses)), start
    for index, loss in enumerate(losses):
        value = kept * value + (1.0 - kept) * loss
        values[index] = value
    return values


def cut_where_above(smooth: Array, times: float) -> int:
    """The number of updates until the average is above `times` its lowest value so far."""
    least = np.minimum.accumulate(smooth)
    above = np.flatnonzero(smooth[1:] > times * least[1:])
    return int(above[0]) + 2 if len(above) else len(smooth)


def require_losses(losses: Array, least: int) -> None:
    """Refuse a curve that is too short for a rule."""
    if len(losses) < least:
        raise NoSuggestion(
            f"the rule needs {least} losses after its library's cuts, got {len(losses)}: raise the "
            "rate in more steps",
            "few",
        )


def _average_from_first(losses: Array) -> Array:
    smooth = running_average(losses, 0.95, losses[0])
    return smooth[: cut_where_above(smooth, 5.0)]


def torch_lr_finder(rates: Array, losses: Array) -> float:
    """torch-lr-finder 0.2.2 (`LRFinder.plot`): the steepest fall per update.

    The average keeps 0.95 of itself; 10 updates at the start and 5 at the end are left out.
    Known fault: nothing ties the steepest fall to the first valley, so that noise after the
    divergence wins (suggestions 100 times too high).
    """
    smooth = _average_from_first(losses)[10:-5]
    require_losses(smooth, 2)
    return float(rates[10 + np.gradient(smooth).argmin()])


def ignite(rates: Array, losses: Array) -> float:
    """pytorch-ignite 0.5 (`FastaiLRFinder.lr_suggestion`): the steepest fall before the minimum.

    The average is torch-lr-finder's. Known fault: by the lag, the suggestion moves by 7 times
    when the test is 4 times longer.
    """
    smooth = _average_from_first(losses)
    falling = smooth[: smooth.argmin() + 1]
    require_losses(falling, 3)
    return float(rates[1 + (falling[2:] - falling[:-2]).argmin()])


def lightning(rates: Array, losses: Array) -> float:
    """Lightning 2.6 (`_LRFinder.suggestion`): the steepest fall per unit of learning rate.

    The average keeps 0.98 of itself; its correction for the start divides by one power too many.
    10 updates at the start and one at the end are left out. Known faults: dividing by the
    difference of the rates makes any noise at the smallest of them the steepest fall, so that
    suggestions are 100 times too low.
    """
    counts = np.arange(1, len(losses) + 1)
    smooth = running_average(losses, 0.98, 0.0) / (1.0 - 0.98 ** (counts + 1))
    smooth = smooth[: cut_where_above(smooth, 4.0)][10:-1]
    require_losses(smooth, 2)
    found = np.gradient(smooth, rates[10 : 10 + len(smooth)])
    return float(rates[10 + found.argmin()])


def _fastai(rates: Array, losses: Array) -> tuple[Array, Array]:
    """The part of the curve that fastai's four rules read."""
    smooth = running_average(losses, 0.98, 0.0) / (1.0 - 0.98 ** np.arange(1, len(losses) + 1))
    kept = slice(len(losses) // 10, max(0, cut_where_above(smooth, 4.0) - 5))
    require_losses(smooth[kept], 2)
    return rates[kept], smooth[kept]


def valley(rates: Array, losses: Array) -> float:
    """fastai 2.8 `valley`, its default: the middle of the longest valley.

    The valley is the longest falling sub-sequence of the average. Known fault: its length counts
    the members only, yet is used as if they stood side by side, so that a noisy curve gives a
    place to the right of the middle, and one whose valley begins at once may give the last rate.
    """
    rates, smooth = _fastai(rates, losses)
    lengths = np.ones(len(smooth), int)
    for index in range(1, len(smooth)):
        above = lengths[:index][smooth[:index] > smooth[index]]
        lengths[index] = 1 + above.max(initial=0)
    longest = int(lengths.max())
    end = int(lengths.argmax()) if longest > 1 else 0
    start = end - longest if longest > 1 else 0
    sections = (end - start) / 3
    return float(rates[start + int(sections) + int(sections / 2)])


def slide(rates: Array, losses: Array) -> float:
    """fastai 2.8 `slide`: from the right, where two slopes 15 updates apart agree.

    Known fault: they agree when they differ by at most 0.005, whatever the scale of the loss.
    """
    rates, smooth = _fastai(rates, losses)
    require_losses(smooth, 16)
    slopes = np.gradient(smooth)
    right, left = len(smooth) - 1, len(smooth) - 16
    found = left
    while left >= 0 and abs(slopes[right] - slopes[left]) > 0.005:
        found, right, left = left, right - 1, left - 1
    return float(rates[found])


def minimum(rates: Array, losses: Array) -> float:
    """fastai 2.8 `minimum`: a tenth of the rate at the least average.

    Known fault: the lag moves the minimum, and a valley after the divergence may be the deepest.
    """
    rates, smooth = _fastai(rates, losses)
    return float(rates[smooth.argmin()]) / 10.0


def steep(rates: Array, losses: Array) -> float:
    """fastai 2.8 `steep`: the steepest fall per log learning rate.

    Known fault: as torch-lr-finder's, the fall may lie after the divergence.
    """
    rates, smooth = _fastai(rates, losses)
    return float(rates[(np.diff(smooth) / np.diff(np.log(rates))).argmin()])


FINDERS: dict[str, Finder] = {
    "torch-lr-finder": torch_lr_finder,
    "ignite": ignite,
    "lightning": lightning,
    "valley": valley,
    "slide": slide,
    "minimum": minimum,
    "steep": steep,
}
