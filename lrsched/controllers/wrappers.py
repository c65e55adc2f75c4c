"""Controllers that are shown other metrics: means of several, or none of the first ones."""

from typing import Annotated, Any, NamedTuple

from lrsched._arrays.namespace import real
from lrsched._arrays.types import Namespace
from lrsched._core.checks import Whole
from lrsched._core.controller_decorator import InnerController, controller
from lrsched._core.number_kinds import integer

Size = Annotated[Whole, integer(1, "metrics")]
Skipped = Annotated[Whole, integer(0, "metrics")]


class AccumulatedState(NamedTuple):
    """The state of the controller, the mean of the metrics that it has not seen, and their number.

    `value` is that of the controller.
    """

    inner: Any
    mean: Any
    count: Any

    @property
    def value(self) -> Any:
        """The controller's value."""
        return self.inner.value


@controller(lambda controller: AccumulatedState(controller.init(), 0.0, 0))
def accumulate_metric(
    xp: Namespace,
    state: AccumulatedState,
    metric: Any,
    controller: InnerController,
    accumulation_size: Size,
) -> AccumulatedState:
    """Show a controller the mean of every `accumulation_size` metrics, not each metric.

    A loss of one batch is noisy; the mean of a hundred is a metric that a plateau can be seen in.

    Args:
        controller: the controller.
        accumulation_size: how many metrics are averaged for one observation, 1 or more.

    Raises:
        TypeError: `controller` is not a controller, or `accumulation_size` is not an integer.
        ValueError: `accumulation_size` is below 1.

    Source: the `accumulation_size` of `optax.contrib.reduce_on_plateau`.

    Elsewhere: that of optax, with `accumulation_size` as its parameter.

    >>> from lrsched import reduce_on_plateau
    >>> rate = accumulate_metric(reduce_on_plateau(0.1, decay_rate=0.5, patience=0), 2)
    >>> state = rate.init()
    >>> for loss in (3.0, 1.0, 1.0, 3.0):
    ...     state = rate.update(state, loss)
    ...     print(state.value)
    0.1
    0.1
    0.1
    0.05
    """
    count = state.count + 1
    mean = (real(xp, state.count) * state.mean + metric) / real(xp, count)
    is_full = count == accumulation_size
    inner = _where(xp, is_full, controller.apply(xp, state.inner, mean), state.inner)
    return AccumulatedState(inner, xp.where(is_full, 0.0, mean), xp.where(is_full, 0, count))


class SkippedState(NamedTuple):
    """The state of the controller, and how many metrics it will not be shown.

    `value` is that of the controller.
    """

    inner: Any
    skipped_left: Any

    @property
    def value(self) -> Any:
        """The controller's value."""
        return self.inner.value


@controller(lambda controller, metrics: SkippedState(controller.init(), metrics))
def skip_metrics(
    xp: Namespace,
    state: SkippedState,
    metric: Any,
    controller: InnerController,
    metrics: Skipped,
) -> SkippedState:
    """Do not show a controller the first metrics, such as those of a warmup.

    A metric that falls fast during a warmup sets a bar that the training may not better for long.

    Args:
        controller: the controller.
        metrics: how many metrics are passed over, 0 or more.

    Raises:
        TypeError: `controller` is not a controller, or `metrics` is not an integer.
        ValueError: `metrics` is below 0.

    Source: timm's `PlateauLRScheduler`, which is shown no metric of its `warmup_t` epochs.

    Elsewhere: timm's `warmup_t`; the warmup of fairseq's `reduce_lr_on_plateau`.

    >>> from lrsched import reduce_on_plateau, warmup
    >>> plateau = skip_metrics(reduce_on_plateau(0.1, decay_rate=0.5, patience=0), 2)
    >>> rate = warmup(plateau, 1000)
    >>> state = rate.init_state()
    >>> for loss in (3.0, 0.1, 2.0, 1.0, 1.0):
    ...     state = rate.observe(state, loss)
    ...     print(rate.with_state(state)(2000))
    0.1
    0.1
    0.1
    0.1
    0.05
    """
    del metrics
    is_skipped = state.skipped_left > 0
    inner = _where(xp, is_skipped, state.inner, controller.apply(xp, state.inner, metric))
    return SkippedState(inner, xp.where(is_skipped, state.skipped_left - 1, 0))


def _where(xp: Namespace, condition: Any, new: Any, old: Any) -> Any:
    """`xp.where` for each number of two states."""
    if not isinstance(new, tuple):
        return xp.where(condition, new, old)
    members = [_where(xp, condition, *pair) for pair in zip(new, old, strict=True)]
    return type(new)(*members) if hasattr(new, "_fields") else tuple(members)
