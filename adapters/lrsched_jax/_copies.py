"""The copies of a model that a sweep trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lrsched._core import Refusal
from lrsched_jax._batches import Batches
from lrsched_jax._cache import training_of
from lrsched_jax._model import Loss, Model, is_initialiser, models_of
from lrsched_jax._types import Batch, Key, Optimizer, PyTree
from lrsched_jax._vmapped import held_of, train


class Setting(NamedTuple):
    """What all copies of a sweep have in common, as the user gave it."""

    loss_fn: Callable[..., Any]
    params: PyTree | Callable[[Key], PyTree]
    optimizer: Optimizer
    has_aux: bool
    model_state: PyTree
    key: Key

    def models(self, copies: range, refuse: Refusal) -> list[Model]:
        """The models of these copies, or one model for all."""
        copies = copies if is_initialiser(self.params) else range(1)
        options = self.model_state, self.has_aux, self.key is not None, refuse
        return list(models_of(self.loss_fn, self.params, copies, *options))


class Trained(NamedTuple):
    """Copies after their training.

    Attributes:
        records: the loss and other numbers of each copy in each update.
        names: the names of those numbers.
        loss: the loss function of the copies.
        kept: their trained parameters, model state and held arrays, with a first axis for the
            copies; None where they are not wanted.
    """

    records: Any
    names: list[str]
    loss: Loss
    kept: tuple[PyTree, PyTree, tuple[Any, ...]] | None

    def params_and_state(self) -> tuple[PyTree, PyTree]:
        """The parameters with what is held, as the user has them, and the model state."""
        if self.kept is None:
            return None, None
        params, state, held = self.kept
        return self.loss.whole(params, held), state


def train_copies(
    setting: Setting,
    rates: Any,
    first: int,
    batches: Iterable[Batch],
    keep: bool,
    mesh: Any,
    refuse: Refusal,
) -> Trained:
    """Train as many copies as there are rows of rates; `first` is the number of the first one."""
    models = setting.models(range(first, first + len(rates)), refuse)
    training = training_of(models[0].loss, setting.optimizer)
    source = Batches(batches, refuse)
    after, records, names = train(training, models, rates, setting.key, source, mesh)
    kept = (after.params, after.model_state, held_of(models, len(rates))) if keep else None
    return Trained(records, names, models[0].loss, kept)
