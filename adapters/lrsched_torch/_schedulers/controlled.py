"""A torch scheduler whose learning rates follow a metric, and a schedule as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from lrsched import Plateau, Schedule
from lrsched._core import FLAG, Controller, Controls, Recipe, Refusal, is_plain_recipe
from lrsched_torch._schedulers.arguments import (
    check_one_for_each,
    check_optimizer,
    checked_last_step,
    refuse_unresolved,
)
from lrsched_torch._schedulers.claims import claim
from lrsched_torch._schedulers.metric import MetricLR
from lrsched_torch._schedulers.param_groups import ParamGroups, check_ratio_options
from lrsched_torch._schedulers.tested_ratios import warn_if_tested_otherwise

_refuse = Refusal("ControlledLR")


class ControlledLR(MetricLR):
    """A torch scheduler whose learning rates follow a metric, and a schedule as well.

    It takes a controller (`lrsched.reduce_on_plateau`, `newbob`, `kl_adaptive`, `greedy`, or one of
    `@lrsched.controller`), or a schedule that has one in it: a product with a schedule, a warmup of
    one, a floor under it.

        rate = warmup(cosine_decay(0.1, 10_000), 500) * reduce_on_plateau(decay_rate=0.5)
        scheduler = ControlledLR(optimizer, maximum(rate, 1e-5))

        optimizer.step(); scheduler.step()      # after each update
        scheduler.observe(validation_loss)      # whenever there is a metric

    After construction and after every call, the lr of the param groups is the value of the schedule
    at n, times that of the controller: n is the number of `step()` calls, and `observe` is what
    the controller counts. `step(metric)` does both, for the trainers that call a
    `ReduceLROnPlateau` so: Lightning with a "monitor", the Trainer of transformers. With
    `count_updates=True` the scheduler counts the calls of `optimizer.step()` itself, `step()` does
    nothing and `step(metric)` only observes, so that a warmup of updates advances in the trainers
    that call the scheduler at evaluations alone, and updates that a gradient scaler skips are not
    counted.

    It is a subclass of `ReduceLROnPlateau`: by this type trainers recognise a scheduler whose
    `step` needs a metric, and torch's `SequentialLR` one that it cannot contain. The attributes
    `best`, `num_bad_epochs` and `cooldown_counter` of `ReduceLROnPlateau` are those of a plateau.

    Param groups with different learning rates keep their ratios, groups may be added and removed,
    and checkpoints are loaded in any order, as in `lambda_lr`. A list has one recipe for each
    group, each with a floor of its own if it is to have one; equal controllers in it have one
    state. The `state_dict` is plain data. What stands in a checkpoint wins for the states, the step
    and the ratios, and the code for the recipe.

    In several processes each must observe the same metric: reduce it first. Accelerate calls the
    `step` of a prepared scheduler `num_processes` times: do not prepare it, but register it for
    checkpointing, as `lambda_lr` says.

    Args:
        optimizer: its param groups get the learning rates.
        schedule: a controller, a schedule with controllers, or a list with one recipe for each
            param group, at least one of which has a controller; all of plain numbers.
        last_step: as in `lambda_lr`.
        keep_ratios: as in `lambda_lr`.
        reference_group: as in `lambda_lr`.
        count_updates: whether to count the optimizer's updates instead of calls of `step()`.

    Raises:
        TypeError: optimizer is not a torch optimizer, schedule is not such a recipe, or an option
            is of the wrong type.
        ValueError: a list does not have one recipe for each group, a duration is not in steps, the
            optimizer has a scheduler that sets the lr by its step alone, or an option is one that
            `lambda_lr` refuses. The optimizer is unchanged.

    >>> import lrsched, torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=1.0)
    >>> rate = lrsched.linear(0.1, 0.0, 10) * lrsched.reduce_on_plateau(decay_rate=0.5, patience=0)
    >>> scheduler = ControlledLR(optimizer, rate)
    >>> for loss in (2.0, 1.0, 1.0):
    ...     optimizer.step(); scheduler.step(); scheduler.observe(loss)
    ...     print(round(optimizer.param_groups[0]["lr"], 4))
    0.09
    0.08
    0.035
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedule: Recipe | Sequence[Recipe],
        last_step: int = -1,
        keep_ratios: bool = True,
        reference_group: int | None = None,
        count_updates: bool = False,
    ) -> None:
        is_one = isinstance(schedule, (Schedule, Controller))
        recipes = checked_recipes(_refuse, optimizer, schedule)
        last_step = checked_last_step(_refuse, last_step)
        keeps_ratios = check_ratio_options(
            _refuse, keep_ratios, reference_group, is_one, len(optimizer.param_groups)
        )
        _refuse.check("count_updates", FLAG, count_updates)
        keys = ["lr"] if keeps_ratios or not is_one else []
        claim(_refuse, optimizer, "lr", self, follows_metric=True)
        groups = ParamGroups(_refuse, optimizer, keeps_ratios, reference_group, keys)
        if is_one:
            warn_if_tested_otherwise("ControlledLR", optimizer, groups.ratios)
        self.schedules: tuple[Recipe, ...] = recipes
        self.recipe: list[str] = [repr(each) for each in recipes]
        self.controls = Controls(recipes)
        self._groups = groups
        self._is_one = is_one
        self._take_states()
        super().__init__(LRScheduler, optimizer, last_step)
        self._count_updates(count_updates)

    def _take_states(self) -> None:
        self._current = [self.controls.current(each) for each in self.schedules]

    def _rates(self, count: int, ratios: Sequence[float]) -> list[Any]:
        if not self._is_one:
            return [schedule(count) for schedule in self._current]
        value = self._current[0](count)
        if ratios.count(1.0) == len(ratios):
            return [value] * len(ratios)
        return [value * ratio for ratio in ratios]

    def _check_groups(self) -> None:
        if not self._is_one:
            groups = self.optimizer.param_groups
            check_one_for_each(_refuse, "schedule", list(self.schedules), groups)

    def _is_plateau_alone(self) -> bool:
        return self._is_one and isinstance(self.schedules[0], Plateau)


def checked_recipes(
    refuse: Refusal, optimizer: torch.optim.Optimizer, given: Any
) -> tuple[Recipe, ...]:
    """The checked recipes: one for all param groups, or one for each."""
    check_optimizer(refuse, optimizer)
    is_one = isinstance(given, (Schedule, Controller))
    recipes = (given,) if is_one else given
    if not isinstance(recipes, (list, tuple)) or not all(map(is_plain_recipe, recipes)):
        expected = "a controller or a schedule of plain numbers, or a list of them"
        refuse("schedule", expected, given, TypeError)
    if not is_one:
        check_one_for_each(refuse, "schedule", recipes, optimizer.param_groups)
    refuse_unresolved(each for each in recipes if isinstance(each, Schedule))
    if not Controls(recipes).controllers:
        refuse("schedule", "one that follows a metric (lambda_lr takes any other)", given)
    return tuple(recipes)
