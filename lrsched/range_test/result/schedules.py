"""Make schedules of the rates that a range test or a sweep suggests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lrsched._core.checks import Refusal, Whole
from lrsched._core.number_kinds import integer, number
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.schedules.cycles import cyclic, one_cycle
from lrsched.schedules.recipes import warmup_cosine


class ScheduleBuilder(ABC):
    """What suggests rates, and makes schedules of them."""

    @abstractmethod
    def _rates_for(self, shape: str, total_steps: int | None) -> Suggestion:
        """The suggested rates (low, suggested, high) of a run of this shape and length."""

    def cyclic(self, steps_per_epoch: Whole, epochs: float = 4.0) -> Schedule:
        """A triangular schedule between `low` and `high`, with sides of so many epochs.

        `steps_per_epoch` is the number of updates of an epoch, `len(loader)`.

        Source: Smith 2015, arXiv:1506.01186, sections 3.2 and 3.3: sides of 2 to 10 epochs.
        """
        length, sides = Refusal(f"{type(self).__name__}.cyclic").checked(
            steps_per_epoch=(integer(1, "steps"), steps_per_epoch),
            epochs=(number("> 0"), epochs),
        )
        low, _, high = self._rates_for("cyclic", None)
        return cyclic(low, high, max(round(length * sides), 1))

    def one_cycle(self, total_steps: Whole, **options: Any) -> Schedule:
        """One cycle with its peak at the rate that is suggested for such a run of this length.

        Options as for `lrsched.one_cycle`.
        """
        (total,) = Refusal(f"{type(self).__name__}.one_cycle").checked(
            total_steps=(integer(1, "steps"), total_steps)
        )
        return one_cycle(self._rates_for("one_cycle", total).suggested, total_steps, **options)

    def warmup_cosine(
        self, total_steps: Whole, warmup_steps: Whole | None = None, **options: Any
    ) -> Schedule:
        """A warmup to the rate that is suggested for such a run, and then half a cosine.

        The warmup takes by default a twentieth of the run. Options as for `lrsched.warmup_cosine`:
        `end_value`, `init_value`.
        """
        (total,) = Refusal(f"{type(self).__name__}.warmup_cosine").checked(
            total_steps=(integer(1, "steps"), total_steps)
        )
        peak = self._rates_for("warmup_cosine", total).suggested
        warmup_steps = total // 20 if warmup_steps is None else warmup_steps
        return warmup_cosine(peak, total_steps, warmup_steps, **options)
