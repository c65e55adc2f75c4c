"""The rate and the lengths of a run that NeMo's schedulers are made for."""

from typing import Any

from lrsched._core.schedule import Schedule
from lrsched.configs.section import Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.ramp import constant


class Run:
    """A scheduler's parameters, with the rate and the length of the run that it is for."""

    def __init__(self, config: Section, optim: Section, sched: Section, params: Section) -> None:
        self.params = params
        self._config, self._optim, self._sched = config, optim, sched

    def rate(self) -> float:
        """The optimizer's rate."""
        return float(self._optim.number("lr", ">= 0", context="learning_rate"))

    def levels(self, low: float = 0.0) -> tuple[float, float]:
        """The rate and the lowest rate, whose default is `low`."""
        rate = self.rate()
        least = float(self.params.number("min_lr", ">= 0", default=low))
        if least > rate:
            self.params.refuse("min_lr", f"at most the learning rate ({rate:g})", least)
        return rate, least

    def total(self) -> int:
        """The `max_steps` of the trainer or the scheduler, or what the call gave."""
        trainer = self._config.section("trainer", default={})
        steps = trainer.integer("max_steps", -1, default=-1)
        if steps >= 0:
            return int(trainer.integer("max_steps", 1, context="total_steps"))
        steps = self._sched.integer("max_steps", -1, default=None)
        if steps is not None and steps >= 0:
            return int(self._sched.integer("max_steps", 1))
        if steps == -1 and "trainer" in self._config:
            self._sched.refuse("max_steps", "left out, as NeMo makes no scheduler of -1", steps)
        if "total_steps" not in self._config.context and "max_epochs" in trainer:
            number = trainer.integer("max_epochs", 1)
            steps = number * self._config.given("steps_per_epoch", "the run is one of max_epochs")
            return int(steps)
        return int(self._config.given("total_steps", "max_steps is left out"))

    def length(self, name: str, default: Any = 0, context: str | None = None) -> Any:
        """A length such as `hold_steps`, or a `hold_ratio` of the run, rounded down."""
        steps = self.params.integer(f"{name}_steps", default=None, context=context)
        ratio = self.params.number(f"{name}_ratio", ">= 0", "<= 1", default=None)
        if steps is not None and ratio is not None:
            self.params.fail(f"{name}_steps and {name}_ratio are both there")
        if ratio is not None:
            return int(ratio * self.total())
        return default if steps is None else int(steps)

    def warmup(self) -> int:
        """The length of the warmup."""
        return int(self.length("warmup", context="warmup_steps"))

    def warmed(self, schedule: Schedule, rate: float) -> Schedule:
        """A schedule after the warmup, which counts from 1 and has one step more."""
        up = self.warmup()
        return warmup(schedule, up, rate / (up + 1)) if up else schedule

    def over(self, schedule: Schedule) -> Schedule:
        """The same in place of the beginning of a schedule that has the clock of the run."""
        up = self.warmup()
        return warmup(schedule, up + 1, count_from=1, mode="over") if up else schedule

    def left(self, *lengths: float) -> int:
        """What some lengths leave of the run, at least a step."""
        return max(self.total() - int(sum(lengths)), 1)

    def hold(self, name: str = "hold", default: Any = 0) -> Any:
        """The length of the level part, which must end with the run or before."""
        flat = self.length(name, default)
        if flat and self.warmup() + flat > self.total():
            self.params.fail(f"{name}_steps ({flat}) with the warmup must fit into max_steps")
        return flat

    def ended(self, schedule: Schedule, low: float, least: int = 0) -> Schedule:
        """The schedule up to `max_steps` or a last step, then the lowest rate."""
        return join([schedule, constant(low)], [max(self.total(), least) + 1])
