"""Make schedules of the rates that a range test or a sweep suggests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lrsched._core.checks import Real, Refusal, Whole
from lrsched._core.number_kinds import integer, number
from lrsched._core.schedule import Schedule
from lrsched.range_test.reading.lengths import Run, checked_run
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.schedules.cycles import cyclic, one_cycle
from lrsched.schedules.recipes import warmup_cosine


class ScheduleBuilder(ABC):
    """What suggests rates, and makes schedules of them."""

    @abstractmethod
    def _rates_for(self, run: Run) -> Suggestion:
        """The suggested rates (low, suggested, high) of a run."""

    def cyclic(self, steps_per_epoch: Whole, epochs: float = 4.0) -> Schedule:
        """A triangular schedule between `low` and `high`, with sides of so many epochs.

        `steps_per_epoch` is the number of updates of an epoch, `len(loader)`.

        Source: Smith 2015, arXiv:1506.01186, sections 3.2 and 3.3: sides of 2 to 10 epochs.
        """
        length, sides = Refusal(f"{type(self).__name__}.cyclic").checked(
            steps_per_epoch=(integer(1, "steps"), steps_per_epoch),
            epochs=(number("> 0"), epochs),
        )
        low, _, high = self._rates_for(Run("cyclic"))
        return cyclic(low, high, max(round(length * sides), 1))

    def one_cycle(
        self, total_steps: Whole, *, epoch_steps: Real | None = None, **options: Any
    ) -> Schedule:
        """One cycle with its peak at the rate that is suggested for such a run.

        `epoch_steps` is as for `suggest`. Options as for `lrsched.one_cycle`.
        """
        peak, _ = self._peak("one_cycle", total_steps, epoch_steps)
        return one_cycle(peak, total_steps, **options)

    def warmup_cosine(
        self,
        total_steps: Whole,
        warmup_steps: Whole | None = None,
        *,
        epoch_steps: Real | None = None,
        **options: Any,
    ) -> Schedule:
        """A warmup to the rate that is suggested for such a run, and then half a cosine.

        The warmup takes by default a twentieth of the run. `epoch_steps` is as for `suggest`.
        Options as for `lrsched.warmup_cosine`: `end_value`, `init_value`.
        """
        peak, total = self._peak("warmup_cosine", total_steps, epoch_steps)
        warmup_steps = total // 20 if warmup_steps is None else warmup_steps
        return warmup_cosine(peak, total_steps, warmup_steps, **options)

    def _peak(self, shape: str, total_steps: Any, epoch_steps: Any) -> tuple[float, int]:
        """The rate that is suggested for the peak of a run, and its number of updates."""
        refuse = Refusal(f"{type(self).__name__}.{shape}")
        (total,) = refuse.checked(total_steps=(integer(1, "steps"), total_steps))
        run = checked_run(refuse, shape, total, epoch_steps)
        return self._rates_for(run).suggested, total
