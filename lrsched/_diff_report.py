"""The report of a diff: how many steps differ, where, and what relates the two curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

CONTEXT = 2  # steps shown on either side of the first difference


def report(diff: Any) -> Iterator[str]:
    """The lines of the report on what `lrsched.diff` found."""
    import numpy as np

    steps, (step, largest) = len(diff.a), diff.largest_relative
    if diff.same:
        yield f"a and b are the same at {_step_count(steps)} (rtol {diff.rtol:g})" + (
            f"; largest relative difference {largest:.3g}, at step {step}" if largest else ""
        )
        return
    which = f"{diff.number} of {_step_count(steps)}"
    if diff.same_to_rounding:
        yield f"a and b are equal to within {diff.dtype} rounding at {_step_count(steps)}"
        at, apart = diff.largest_absolute
        yield f"{which} differ by more than rtol {diff.rtol:g}, the first at step {diff.first}"
        yield f"largest difference {apart:.3g}, at step {at}"
        yield f"largest relative difference {largest:.3g}, at step {step}"
        return
    yield f"a and b differ at {which}, first at step {diff.first} (rtol {diff.rtol:g})"
    explained = int((diff.differs & diff.explained).sum())
    if explained:
        other = int((diff.differs & ~diff.explained).argmax())
        yield f"{diff.dtype} rounding explains {explained} of these, but not step {other}"
    for name, values in (("a", diff.a), ("b", diff.b)):
        wrong = ~np.isfinite(values)
        if wrong.any():
            where = f"{wrong.sum()} of {_step_count(steps)}, first at step {wrong.argmax()}"
            yield f"{name} is not finite at {where}"
    if diff.shift:
        direction, sign = ("later", "-") if diff.shift > 0 else ("earlier", "+")
        yield f"a is b one step {direction}: a(n) = b(n {sign} 1)"
    if diff.factor is not None:
        yield f"a is a constant factor of b: a(n) = {diff.factor:.8g} b(n)"
    yield from _table(diff)


def _table(diff: Any) -> Iterator[str]:
    first = diff.first or 0
    notes: dict[int, list[str]] = defaultdict(list)
    notes[first].append("first")
    notes[diff.largest_absolute[0]].append("largest difference")
    notes[diff.largest_relative[0]].append("largest relative difference")
    around = range(max(first - CONTEXT, 0), min(first + CONTEXT + 1, len(diff.a)))
    shown = sorted({*around, *notes})
    rows = [("step", "a", "b", "a - b", "relative"), *(_row(diff, step) for step in shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for step, row in zip([-1, *shown], rows, strict=True):
        if step > shown[0] and step - 1 not in shown:
            yield "...".rjust(widths[0])
        note = f"  <- {', '.join(notes[step])}" if step in notes else ""
        yield "  ".join(map(str.rjust, row, widths)) + note


def _row(diff: Any, step: int) -> tuple[str, ...]:
    a, b = float(diff.a[step]), float(diff.b[step])
    return str(step), f"{a:.8g}", f"{b:.8g}", f"{a - b:.3g}", f"{diff.relative[step]:.3g}"


def _step_count(steps: int) -> str:
    return f"{steps} step{'s' * (steps > 1)}"
