"""The length of a run of OLMo-core, which its schedulers end with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from lrsched._core.duration_factories import epochs, tokens
from lrsched.configs.olmo import Clock
from lrsched.configs.section import Section


def section_at(config: Section, place: tuple[str, ...]) -> Section:
    """The section at a path, an empty one where it is left out."""
    for key in place:
        config = config.section(key, default={})
    return config


class Run(NamedTuple):
    """The `t_max` of a scheduler.

    Attributes:
        config: the whole configuration.
        clock: what the scheduler counts in.
        amount: `t_max` in that unit; None if it is not known.
        steps: `t_max` in steps, or a duration.
        epochs: the epochs that it is, if it is known as such.
        begin: where the scheduler begins, in its unit.
    """

    config: Section
    clock: Clock
    amount: float | None
    steps: Any
    epochs: float | None = None
    begin: float = 0

    def until(self, amount: float | None) -> Run:
        """The same for another `t_max`, unless it is None."""
        if amount is None:
            return self
        return self._replace(amount=amount, steps=self.clock.steps(amount), epochs=None)

    def without(self, amount: float) -> Run:
        """What follows a first part."""
        rest = self._replace(begin=self.begin + amount)
        if self.amount is not None:
            return rest.until(self.amount - amount)
        return rest._replace(steps=known(self).steps - self.clock.steps(amount), epochs=None)

    def fraction(self, share: float) -> Any:
        """A share in steps; OLMo-core rounds it in the scheduler's unit."""
        if self.amount is not None:
            return self.clock.steps(round(self.amount * share))
        if self.epochs is not None and self.clock.units == "steps":
            return epochs(self.epochs * share, round="nearest")
        if self.clock.size is None:
            self.config.given("tokens_per_step", "a share of the run is rounded")
        return self.config.given("steps_per_epoch", "a share of the run is rounded")


def run_of(config: Section, clock: Clock) -> Run:
    """The run, from `trainer.max_duration` or from the call."""
    duration = section_at(config, ("trainer", "max_duration"))
    given: Mapping[str, Any] = config.context
    if not duration.entries:
        return _of_steps(config, clock, config.context.get("total_steps"))
    unit = duration.choice("unit", ("steps", "epochs", "tokens"))
    if unit == "steps":
        return _of_steps(config, clock, duration.integer("value", 1, context="total_steps"))
    value = duration.amount("value", 1)
    if unit == "epochs":
        if "total_steps" in given or "steps_per_epoch" in given:
            steps = given.get("total_steps", value * given.get("steps_per_epoch", 0))
            return _of_steps(config, clock, steps)
        return Run(config, clock, None, epochs(value), value)
    if clock.units == "tokens":
        return Run(config, clock, value, clock.steps(value))
    if clock.size is None:
        return Run(config, clock, None, tokens(value, round="up"))
    steps = math.ceil(value / clock.size)
    return Run(config, clock, steps, steps)


def _of_steps(config: Section, clock: Clock, steps: float | None) -> Run:
    if steps is None or clock.units == "steps":
        return Run(config, clock, steps, steps)
    return Run(config, clock, None if clock.size is None else steps * clock.size, steps)


def known(run: Run) -> Run:
    """The run; if its length is not known, an error asks for it."""
    if run.steps is None:
        run.config.given("total_steps", "trainer.max_duration is left out")
    return run
