"""The learning rates that a range test suggests, with the band in which the best one may lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

WIDE = 9.0  # times from the lower end of the band to the upper: what is wider is uncertain


class _Rates(NamedTuple):
    low: float
    suggested: float
    high: float


class Suggestion(_Rates):
    """Smith's base and maximum rates, and the suggested one: `low <= suggested <= high`.

    It is a tuple of these three.

    Attributes:
        low: the rate at which training begins, the lowest of a cyclic schedule.
        suggested: the rate to use.
        high: the highest rate of a cyclic schedule.
        band: where the best rate lies with a chance of 80 %, as (from, to); where nothing is known
            of this, (low, high).
        warning: what makes the suggestion uncertain, and what to change; empty if nothing does.
        still_falls: whether the loss still falls at the last rates of the test.
    """

    band: tuple[float, float]
    warning: str
    still_falls: bool

    def __new__(
        cls,
        low: float,
        suggested: float,
        high: float,
        band: tuple[float, float] | None = None,
        warning: str = "",
    ) -> Self:
        """Make a suggestion; `band` is by default from `low` to `high`."""
        self = super().__new__(cls, min(low, suggested), suggested, max(suggested, high))
        self.band = (self.low, self.high) if band is None else band
        self.warning = warning
        self.still_falls = False
        return self

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]
        """The suggestion of three rates; also for `_replace`, which would set no band."""
        low, suggested, high = iterable
        return cls(low, suggested, high)

    def times(self, factor: float) -> Suggestion:
        """The suggestion with all rates multiplied by a factor."""
        low, high = self.band
        first, middle, last = (factor * rate for rate in self)
        found = Suggestion(first, middle, last, (factor * low, factor * high), self.warning)
        found.still_falls = self.still_falls
        return found

    @property
    def is_wide(self) -> bool:
        """Whether the upper end of the band is more than nine times the lower one."""
        low, high = self.band
        return high > WIDE * low

    @property
    def is_certain(self) -> bool:
        """Whether the band is narrow, and there is no warning."""
        return not self.is_wide and not self.warning

    @property
    def shown_band(self) -> str:
        """The band in words; empty where nothing is known of it."""
        if self.band == (self.low, self.high):
            return ""
        low, high = (plain(rate, 2) for rate in self.band)
        return f"80 % band {low} to {high}"

    def __repr__(self) -> str:
        rates = ", ".join(f"{name}={rate!r}" for name, rate in self._asdict().items())
        return f"Suggestion({rates})"


def plain(rate: float, digits: int = 3) -> str:
    """A rate of so many digits, with an exponent only where it is very small or very large.

    >>> plain(0.0012345), plain(1234.5), plain(1234.5, 2)
    ('0.00123', '1230', '1200')
    """
    return f"{float(f'{rate:.{digits}g}'):g}"


def said(found: Suggestion) -> str:
    """The suggestion in words: the rate, its band, and the warning."""
    band = f" ({found.shown_band})" if found.shown_band else ""
    words = f"suggested {plain(found.suggested)}{band}"
    return f"{words}; {found.warning}" if found.warning else words


def around(
    low: float,
    suggested: float,
    high: float,
    down: float,
    up: float | None = None,
    warning: str = "",
) -> Suggestion:
    """The suggestion whose band reaches so many decades down, and so many or as many up."""
    ends = suggested / 10.0**down, suggested * 10.0 ** (down if up is None else up)
    return Suggestion(low, suggested, high, ends, warning)
