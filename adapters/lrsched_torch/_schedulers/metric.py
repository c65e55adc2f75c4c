"""What the schedulers that follow a metric have in common."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, SupportsFloat

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrsched import PlateauState
from lrsched._core import Controls, Refusal
from lrsched_torch._schedulers.scheduled import ScheduledLR


class MetricLR(ScheduledLR, ReduceLROnPlateau):
    """What the schedulers that observe a metric have in common."""

    controls: Controls  # set before `__init__`, which makes the first step
    counts_updates: bool = False  # whether the optimizer's updates are counted, not the steps

    def _count_updates(self, counts_updates: bool) -> None:
        """Count the optimizer's updates from now on, if that is asked for."""
        self.counts_updates = counts_updates
        if counts_updates:
            alive = weakref.ref(self)

            def count(*_: Any) -> None:
                scheduler = alive()
                if scheduler is not None:
                    scheduler._advance()

            self.optimizer.register_step_post_hook(count)

    def _take_states(self) -> None:
        """Make the schedules anew, with the controllers' states."""
        raise NotImplementedError

    @property
    def state(self) -> Any:
        """The state of the controller; of several, a tuple."""
        states = self.controls.states
        return states[0] if len(states) == 1 else tuple(states)

    @property
    def best(self) -> float:  # type: ignore[override]  # an attribute of torch's
        """The best metric so far, of a plateau."""
        return float(self._plateau.best)

    @property
    def num_bad_epochs(self) -> int:  # type: ignore[override]
        """The observations in a row that were no better, of a plateau."""
        return int(self._plateau.bad_steps)

    @property
    def cooldown_counter(self) -> int:  # type: ignore[override]
        """The observations that will not count, of a plateau."""
        return int(self._plateau.cooldown_left)

    @property
    def _plateau(self) -> PlateauState:
        state = self.state
        if not isinstance(state, PlateauState):
            raise AttributeError("the scheduler does not follow one reduce_on_plateau alone")
        return state

    def observe(self, metric: SupportsFloat) -> None:
        """Show a metric to the controllers, and set the learning rates if that changes them.

        Args:
            metric: a number, or a tensor of one number.

        Raises:
            TypeError: metric is neither. Nothing has changed.
            ValueError: a param group has no schedule. Nothing has changed.
        """
        if type(metric) is not float:
            metric = _number("observe", "metric", metric)
        has_changed = self._groups.have_changed
        if has_changed:
            self._include_groups()  # which may refuse them, before anything is observed
        if self.controls.observe(metric):
            self._take_states()
            has_changed = True
        if has_changed:
            self._set(self.get_lr())

    def step(  # type: ignore[override]  # torch's has a metric, or an epoch
        self, metrics: SupportsFloat | None = None, epoch: int | None = None
    ) -> None:
        """Count an update, observe a metric if there is one, and set the learning rates.

        Args:
            metrics: a number, a tensor of one number, or None.
            epoch: as in torch, where it is deprecated; leave it out.

        Raises:
            TypeError: metrics is none of these. Nothing has changed.
            TypeError, ValueError: epoch is not an integer of at least 0.
        """
        if metrics is None and epoch is None and self._step_count > 1 and not self.counts_updates:
            self._advance()
            return
        metric = None if metrics is None else _number("step", "metrics", metrics)
        if not self.counts_updates:
            if metric is None or epoch is not None:
                super().step(epoch)
            else:
                self._advance()
        if metric is not None:
            self.observe(metric)

    def state_dict(self) -> dict[str, Any]:
        """The states of the controllers, the step, the learning rates and the recipe."""
        return super().state_dict() | {"states": self.controls.as_data()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the state of a checkpoint, with the recipe of the code.

        Warns if the checkpoint was written with another recipe or by another scheduler. The state
        dict of torch's own `ReduceLROnPlateau` is accepted where the recipe is a plateau alone; the
        lr of its first group is used.

        Raises:
            TypeError, ValueError: state_dict is not that of such a scheduler, or its states are not
                those of these controllers. Nothing has changed.
        """
        refuse = Refusal("load_state_dict")
        if not isinstance(state_dict, Mapping):
            refuse("state_dict", "a mapping", state_dict, TypeError)
        states = self.controls.read(refuse, self._states_in(state_dict))
        before, self.controls.states = self.controls.states, states
        self._take_states()
        try:
            self._load(_in_lists(state_dict))
        except BaseException:
            self.controls.states = before
            self._take_states()
            raise

    def _states_in(self, state_dict: Mapping[str, Any]) -> Any:
        if "states" in state_dict or not self._is_plateau_alone():
            return state_dict.get("states")
        rates = state_dict.get("_last_lr")  # the only record of the lr in torch's own state dict
        first = rates[0] if isinstance(rates, list) and rates else None
        names = ("value", *_TORCHS_NAMES)
        found = {"value": first, **state_dict}
        pairs = zip(PlateauState._fields, names, strict=True)
        return [{field: found.get(name) for field, name in pairs}]

    def _is_plateau_alone(self) -> bool:
        return False


_TORCHS_NAMES = ("best", "num_bad_epochs", "cooldown_counter")


def _in_lists(state_dict: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state dict whose recipe is a list, as it was not before 2026-12."""
    recipe = state_dict.get("recipe")
    return {**state_dict, "recipe": [recipe]} if isinstance(recipe, str) else state_dict


def _number(caller: str, parameter: str, value: SupportsFloat) -> float:
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        return Refusal(caller)(parameter, "a number", value, TypeError)
