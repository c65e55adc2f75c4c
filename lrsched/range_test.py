"""The result of a learning-rate range test, and the learning rate that it shows.

A range test raises the learning rate over a few hundred updates and records the loss of each
(Smith 2015, arXiv:1506.01186, section 3.3). `lrsched_jax.range_test` and
`lrsched_torch.range_test` make one; this module is the same for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lrsched._schedule import Schedule
from lrsched._validate import Refusal, integer

Array = npt.NDArray[np.float64]

DIVERGED = 4.0  # times the first loss: the rule of every finder, but against a fixed mark
BANDWIDTH = 0.2  # decades of learning rate over which the loss is smoothed
FEWEST = 10  # losses that a reading needs


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The learning rates that a range test used, and the loss of each update as it was.

    `stopped` says why it ended: "finished", "diverged" (a loss above 4 times the first) or
    "nonfinite" (a NaN or an infinity, which is not among the losses).
    """

    learning_rates: Array
    losses: Array
    stopped: Literal["finished", "diverged", "nonfinite"]

    def smoothed(self) -> Array:
        """The losses smoothed over log learning rate, without the lag of a running average.

        At each learning rate, the value of the straight line that fits log loss best around it,
        the neighbours weighted by a Gaussian of 0.2 decades. Losses must be positive.
        """
        x = np.log10(self.learning_rates)
        y = np.log(self.losses)
        away = x[None, :] - x[:, None]
        weights = np.exp(-0.5 * (away / BANDWIDTH) ** 2)
        weights /= weights.sum(axis=1, keepdims=True)
        mean_x, mean_y = (weights * away).sum(axis=1), weights @ y
        spread = (weights * (away - mean_x[:, None]) ** 2).sum(axis=1)
        covariance = (weights * (away - mean_x[:, None]) * (y[None, :] - mean_y[:, None])).sum(1)
        fitted: Array = np.exp(mean_y - covariance / spread * mean_x)
        return fitted

    def steepest(self) -> float:
        """The learning rate at which the smoothed loss falls fastest, before its minimum.

        Raises:
            ValueError: there are fewer than 10 losses, a loss is not positive, or the loss never
                falls: then the curve shows no learning rate.
        """
        if len(self.losses) < FEWEST:
            raise ValueError(
                f"steepest: losses must be at least {FEWEST} to read a learning rate off, "
                f"got {len(self.losses)}"
            )
        if not (self.losses > 0).all():
            raise ValueError(f"steepest: losses must be > 0, got {self.losses.min()}")
        curve = np.log(self.smoothed())
        lowest = int(curve.argmin())
        if lowest < 2:
            raise ValueError(
                "steepest: the loss must fall before it rises, but its minimum is at the first "
                f"learning rates, got {self.learning_rates[lowest]:.3g}"
            )
        slopes = np.gradient(curve, np.log(self.learning_rates))
        return float(self.learning_rates[slopes[: lowest + 1].argmin()])


class Recorder:
    """Collects a range test while it runs, and says when to stop."""

    def __init__(self, schedule: Schedule, steps: int) -> None:
        self._rates: list[float] = []
        self._losses: list[float] = []
        self._stopped: Literal["finished", "diverged", "nonfinite"] = "finished"
        self._schedule = schedule
        self._steps = Refusal("range_test").check("steps", integer(1, "steps"), steps)
        self._rate = math.nan

    def __iter__(self) -> Iterator[float]:
        """The learning rates to use one after the other, until the losses say stop."""
        for count in range(self._steps):
            self._rate = float(self._schedule(count))
            yield self._rate
            if self._stopped != "finished":
                return

    def record(self, loss: float) -> None:
        """Take the loss of the update with the learning rate that was given out last."""
        if not math.isfinite(loss):
            self._stopped = "nonfinite"
            return
        self._rates.append(self._rate)
        self._losses.append(loss)
        if loss > DIVERGED * self._losses[0]:
            self._stopped = "diverged"

    def result(self) -> RangeTest:
        """What was recorded."""
        return RangeTest(np.asarray(self._rates), np.asarray(self._losses), self._stopped)
