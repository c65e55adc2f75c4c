"""A torch scheduler that takes its learning rate from an lrsched plateau."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, SupportsFloat

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrsched import Plateau, PlateauState
from lrsched._core import Kind, Refusal, integer, number

_refuse = Refusal("PlateauLR")


class PlateauLR(ReduceLROnPlateau):
    """A torch scheduler that lowers the learning rate as an `lrsched.reduce_on_plateau` says.

    After construction and after every `step(metrics)`, each param group's lr is the plateau's
    value: exactly this Python float, or a tensor filled in place. The lr that the optimizer was
    made with has no effect.

    It is a subclass of `ReduceLROnPlateau`. By this type Lightning and transformers recognise a
    scheduler whose `step` needs a metric, and torch's `SequentialLR` one that it cannot contain.
    The attributes `best`, `num_bad_epochs` and `cooldown_counter` of `ReduceLROnPlateau` hold the
    plateau's state.

    The `state_dict` is plain data under torch's names. Loading one continues from its state, lr
    included, with the hyperparameters of the plateau in the code. If the checkpoint was written
    with others, loading warns and names both. The state dict of torch's own `ReduceLROnPlateau` is
    accepted too; the lr of its first group is used.

    Args:
        optimizer: its param groups get the learning rate.
        plateau: an `lrsched.reduce_on_plateau(...)` of plain numbers.

    Raises:
        TypeError: optimizer is not a torch optimizer, or plateau is not a plateau of plain numbers.

    >>> import lrsched, torch
    >>> from lrsched.plateau import reduce_on_plateau
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=1.0)
    >>> scheduler = PlateauLR(optimizer, reduce_on_plateau(0.1, decay_rate=0.5, patience=0))
    >>> for loss in (2.0, 1.0, 1.0):
    ...     scheduler.step(loss)
    >>> optimizer.param_groups[0]["lr"]
    0.05
    """

    last_epoch: int
    best: float
    num_bad_epochs: int
    cooldown_counter: int

    def __init__(self, optimizer: torch.optim.Optimizer, plateau: Plateau) -> None:
        if not isinstance(optimizer, torch.optim.Optimizer):
            _refuse("optimizer", "a torch optimizer", optimizer, TypeError)
        if not isinstance(plateau, Plateau) or not plateau.is_plain:
            _refuse("plateau", "a reduce_on_plateau of plain numbers", plateau, TypeError)
        super().__init__(
            optimizer,
            factor=plateau.decay_rate,
            patience=plateau.patience,
            mode="min" if plateau.mode == "min" else "max",
            threshold=plateau.threshold,
            threshold_mode="rel" if plateau.threshold_mode == "rel" else "abs",
            cooldown=plateau.cooldown,
            min_lr=plateau.end_value,
            eps=plateau.eps,
        )
        self.plateau = plateau
        self._set(plateau.init())

    @property
    def state(self) -> PlateauState:
        """The plateau's state."""
        return PlateauState(self._value, self.best, self.num_bad_epochs, self.cooldown_counter)

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]  # epoch is deprecated
        """Observe a metric, and set the learning rates.

        Args:
            metrics: a number, or a tensor of one number.

        Raises:
            TypeError: metrics is neither.
        """
        try:
            metric = float(metrics)
        except (TypeError, ValueError, RuntimeError):
            _refuse("metrics", "a number", metrics, TypeError)
        self.last_epoch += 1
        self._set(self.plateau.update(self.state, metric))

    def _set(self, state: PlateauState) -> None:
        self._value, self.best, self.num_bad_epochs, self.cooldown_counter = state
        self._last_lr = []
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(state.value)
                self._last_lr.append(group["lr"].clone())
            else:
                group["lr"] = state.value
                self._last_lr.append(state.value)

    def state_dict(self) -> dict[str, Any]:
        """The state, the number of observations, the learning rates and the recipe."""
        return {
            "last_epoch": self.last_epoch,
            "value": self._value,
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "_last_lr": [float(lr) for lr in self._last_lr],
            "recipe": repr(self.plateau),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from the state of a checkpoint, with the hyperparameters of the code.

        Warns if the checkpoint was written with another plateau or by another scheduler.

        Raises:
            TypeError, ValueError: state_dict is not that of a `PlateauLR` or `ReduceLROnPlateau`.
                Nothing has changed.
        """
        refuse = Refusal("load_state_dict")
        if not isinstance(state_dict, Mapping):
            refuse("state_dict", "a mapping", state_dict, TypeError)
        rates = state_dict.get("_last_lr")  # the only record of the lr in torch's own state dict
        first = rates[0] if isinstance(rates, list) and rates else None
        data = {"value": first, **state_dict}
        last_epoch, *state = (refuse.check(k, kind, data.get(k)) for k, kind in _STATE.items())
        recipe = repr(self.plateau)
        written = state_dict.get("recipe", "another scheduler")
        if written != recipe:
            warnings.warn(
                f"the checkpoint was written with {written}; the plateau in the code is kept: "
                f"{recipe}",
                UserWarning,
                stacklevel=2,
            )
        self.last_epoch = last_epoch
        self._set(PlateauState(*state))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


_observations = integer(0, "observations")
_STATE = {
    "last_epoch": _observations,
    "value": number(">= 0"),
    "best": Kind("a number", _number),  # infinite before the first observation
    "num_bad_epochs": _observations,
    "cooldown_counter": _observations,
}
