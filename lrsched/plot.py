"""Draw several learning-rate curves in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrsched._core.checks import Refusal, shown
from lrsched._core.curve import curve_of, sampled
from lrsched._core.nominal import over_a_nominal_run
from lrsched._core.number_kinds import integer
from lrsched._core.schedule import Schedule
from lrsched._evaluate import evaluate

_refuse = Refusal("plot")


def plot(
    *curves: Any,
    steps: int | None = None,
    labels: Sequence[str] | None = None,
    ax: Any = None,
    log: bool = False,
) -> Any:
    """Draw learning-rate curves over each other with matplotlib, and return the axes.

    A curve is what `lrsched.diff` takes: a schedule of this library or of optax, any function of
    the step, a torch scheduler, or a sequence or an array of values. Each is drawn at 401 counts at
    most. Schedules with durations in other units than steps are drawn over one nominal run, as by
    `Schedule.plot`.

    Args:
        *curves: the curves, at least one.
        steps: the last count; by default as many as show the shape of every schedule. It must be
            given if there is no schedule.
        labels: the names of the curves in the legend; by default the recipes of schedules, and the
            names of functions and types.
        ax: the axes to draw on, which are named if they have no names; by default new ones.
        log: whether the axis of the learning rates is logarithmic.

    Raises:
        TypeError: there is no curve, a curve is none of the above, `steps` is not an integer, or
            `labels` is not a list of strings.
        ValueError: `steps` < 1 or is not given without a schedule, there are not as many labels as
            curves, a curve raises or is too short (the error names it "curve 1"), or a schedule is
            refused with durations of any nominal run.
        ModuleNotFoundError: matplotlib is not installed.

    >>> import lrsched
    >>> decay = lrsched.cosine_decay(0.1, 900)
    >>> ax = lrsched.plot(decay, lrsched.warmup(decay, 100), labels=["decay", "with a warmup"])
    >>> [line.get_label() for line in ax.get_lines()]
    ['decay', 'with a warmup']
    """
    if not curves:
        _refuse("curves", "at least one curve", curves, TypeError)
    names = _names(curves) if labels is None else _checked_labels(labels, len(curves))
    drawn, axis = over_a_nominal_run(curves)
    last = (
        last_count(drawn) if steps is None else _refuse.check("steps", integer(1, "steps"), steps)
    )
    counts = sampled(last)
    values = [
        evaluate(_refuse, f"curve {number}", curve, counts).values.tolist()
        for number, curve in enumerate(drawn, 1)
    ]

    from lrsched import _plotting

    if ax is None:
        ax = _plotting.new_axes(axis.label)
    _plotting.name_axes(ax, axis.label)
    for name, rates in zip(names, values, strict=True):
        _plotting.draw(axis.places(counts), rates, ax, {"label": name})
    if log:
        ax.set_yscale("log")
    ax.legend()
    return ax


def last_count(curves: Sequence[Any]) -> int:
    """The last count that shows the shape of every schedule."""
    found = [curve_of(curve)[0][-1] for curve in curves if isinstance(curve, Schedule)]
    if not found:
        _refuse("steps", "given where no curve is a schedule", None)
    return max(found)


def _names(curves: Sequence[Any]) -> list[str]:
    return [shown(curve) if isinstance(curve, Schedule) else _name(curve) for curve in curves]


def _name(curve: Any) -> str:
    return str(getattr(curve, "__qualname__", type(curve).__name__))


def _checked_labels(labels: Any, number: int) -> list[str]:
    is_list = isinstance(labels, Sequence) and not isinstance(labels, str)
    if not is_list or not all(isinstance(label, str) for label in labels):
        _refuse("labels", "a list of strings", labels, TypeError)
    if len(labels) != number:
        _refuse("labels", f"a list of {number}, one for each curve", labels)
    return list(labels)
