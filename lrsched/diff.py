"""Compare two learning-rate curves step by step, whatever library each comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lrsched._core.checks import Refusal
from lrsched._core.number_kinds import integer, number
from lrsched._diff_report import report
from lrsched._evaluate import evaluate
from lrsched._optional import import_optional

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

ROUNDING = 1e-12  # the relative rounding error of a difference or a product

# Half a unit in the last place of 1.
ROUNDING_OF = {"float64": 0.0, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
NOISE = 8 * ROUNDING_OF["float32"]  # of what is computed in float32, in parts of the largest value

RTOL = 1e-6

_refuse = Refusal("diff")
_tolerance = number(">= 0")


def diff(a: Any, b: Any, steps: int, rtol: float = RTOL, atol: float = 0.0) -> Diff:
    """Compare two learning-rate curves at the steps 0, 1, ..., `steps` - 1.

    A curve is a schedule of this library or of optax, any function of the step, a torch scheduler,
    or a sequence or an array of values. optax's functions get int32 counts, as in training; others
    get Python ints. A torch scheduler is compared from its present step, by the learning rate of
    its first param group. A copy of it is stepped; the scheduler and its optimizer stay as they
    are.

    A step differs where

        abs(a - b) > rtol * max(abs(a), abs(b)) + atol

    and wherever a value is not finite. The tolerances decide alone: `same` is False also where a
    difference is only the rounding of a float32 curve, as those of optax are. What such rounding
    explains is said beside it. It explains a difference of at most

        u * max(abs(a), abs(b)) + 8 * 2**-24 * peak

    where u is half a unit in the last place of the narrowest type that a value came in (2**-24 for
    float32, 2**-11 for float16, 2**-8 for bfloat16, 0 for float64 and Python numbers), and peak is
    the largest magnitude in either curve: the first term is the rounding of a value to its type,
    the second that of the float32 numbers it was computed from. Where this explains all,
    `same_to_rounding` is True, and the report begins with "a and b are equal to within float32
    rounding". Near 0 that may be a large relative difference, which the report has, too. It does
    not explain errors that grow with the step, such as those of a rate per step that is rounded
    before it is raised to a power.

    Args:
        a: the first curve.
        b: the second curve.
        steps: the number of steps to compare, at least 1.
        rtol: the relative tolerance, 0 or more. Between a float32 curve and another one, 1e-6 is
            about 8 units in the last place of the value.
        atol: the absolute tolerance, 0 or more, for curves that reach 0, where no relative
            difference is small.

    Raises:
        TypeError: `steps` is not an integer, a tolerance is not a number, a curve is none of the
            above or a torch scheduler that needs a metric, or a value is not a number (the error
            names the step).
        ValueError: `steps` < 1, a tolerance < 0, a sequence is shorter than `steps`, or a curve
            raises (the error names the step).

    >>> import lrsched
    >>> found = diff(lrsched.linear(1.0, 0.0, 8), lambda n: 1 - max(n - 1, 0) / 8, 7)
    >>> found.same, found.first, found.number
    (False, 1, 6)
    >>> print(found)
    a and b differ at 6 of 7 steps, first at step 1 (rtol 1e-06)
    a is b one step earlier: a(n) = b(n + 1)
    step      a      b   a - b  relative
       0      1      1       0         0
       1  0.875      1  -0.125     0.125  <- first, largest difference
       2   0.75  0.875  -0.125     0.143
       3  0.625   0.75  -0.125     0.167
     ...
       6   0.25  0.375  -0.125     0.333  <- largest relative difference
    """
    steps = _refuse.check("steps", integer(1, "steps"), steps)
    rtol = _refuse.check("rtol", _tolerance, rtol)
    atol = _refuse.check("atol", _tolerance, atol)
    first, second = (
        evaluate(_refuse, name, source, range(steps)) for name, source in (("a", a), ("b", b))
    )
    dtype = max(first.dtype, second.dtype, key=ROUNDING_OF.__getitem__)
    return Diff(first.values, second.values, rtol, atol, dtype)


class Diff:
    """What `diff` found: the two curves and where they differ. Printed, it is a report.

    `a` and `b` are the values of the curves, one a step; `rtol` and `atol` are the tolerances, and
    `dtype` is the narrowest type that a value came in.

    >>> import lrsched
    >>> found = lrsched.diff([1.0, 0.5, 0.25], [2.0, 1.0, 0.5], 3)
    >>> found.same, found.number, found.factor, found.largest_absolute
    (False, 3, 0.5, (0, 1.0))
    """

    a: Array
    b: Array
    rtol: float
    atol: float
    dtype: str

    def __init__(
        self, a: Array, b: Array, rtol: float, atol: float, dtype: str = "float64"
    ) -> None:
        vars(self).update(a=a, b=b, rtol=rtol, atol=atol, dtype=dtype)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("what diff found does not change")

    def __bool__(self) -> bool:
        raise TypeError("diff: use .same or .number; a comparison is neither true nor false")

    @property
    def same(self) -> bool:
        """Whether no step differs."""
        return self.number == 0

    @property
    def same_to_rounding(self) -> bool:
        """Whether no step differs by more than the rounding of `dtype` explains; see `diff`."""
        return not (self.differs & ~self.explained).any()

    @property
    def number(self) -> int:
        """How many steps differ."""
        return int(self.differs.sum())

    @property
    def first(self) -> int | None:
        """The first step that differs, or None."""
        return None if self.same else int(self.differs.argmax())

    @property
    def largest_absolute(self) -> tuple[int, float]:
        """The step of the largest difference, and that difference."""
        return _largest(self.absolute)

    @property
    def largest_relative(self) -> tuple[int, float]:
        """The step of the largest relative difference, and that difference."""
        return _largest(self.relative)

    @cached_property
    def absolute(self) -> Array:
        """The difference abs(a - b) at each step; infinite where a value is not finite."""
        return _absolute_difference(self.a, self.b)

    @cached_property
    def relative(self) -> Array:
        """The difference at each step relative to the larger magnitude; 0 where both are 0."""
        import numpy as np

        size = np.maximum(abs(self.a), abs(self.b))
        away = np.where(np.isfinite(self.absolute), 0.0, math.inf)
        return np.divide(self.absolute, size, out=away, where=(size > 0) & np.isfinite(size))

    @cached_property
    def differs(self) -> Mask:
        """Whether a and b differ, for each step."""
        return _exceeds(self.a, self.b, self.rtol, self.atol)

    @cached_property
    def explained(self) -> Mask:
        """Whether the rounding of `dtype` explains the difference, for each step."""
        import numpy as np

        with np.errstate(invalid="ignore"):
            size = np.maximum(abs(self.a), abs(self.b))
            within: Mask = self.absolute <= ROUNDING_OF[self.dtype] * size + self._noise
        return within

    @cached_property
    def _noise(self) -> float:
        """What float32 numbers in the computation of a curve may add to any of its values."""
        import numpy as np

        both = np.abs([self.a, self.b])
        peak = both.max(initial=0.0, where=np.isfinite(both))
        return NOISE * float(peak) if self.dtype != "float64" else 0.0

    @cached_property
    def shift(self) -> int:
        """1 where a is b one step later, -1 where it is one step earlier, 0 otherwise."""
        late, early = (self.a[1:], self.b[:-1]), (self.a[:-1], self.b[1:])
        for shift, (a, b) in ((1, late), (-1, early)):
            tolerances = self.rtol, self.atol + self._noise
            moves = len(a) > 1 and _exceeds(a, a[:1], *tolerances).any()
            if not self.same and moves and not _exceeds(a, b, *tolerances).any():
                return shift
        return 0

    @cached_property
    def factor(self) -> float | None:
        """The number c if a is c times b at every step and differs from b, or None."""
        import numpy as np

        finite = np.isfinite(self.a).all() and np.isfinite(self.b).all()
        if self.same or not finite or np.count_nonzero(self.b) < 2:
            return None
        top = abs(self.b).argmax()
        factor = float(self.a[top] / self.b[top])
        rtol = max(self.rtol, ROUNDING)
        atol = self.atol + self._noise
        fits = factor and not _exceeds(self.a, factor * self.b, rtol, atol).any()
        return factor if fits else None

    def plot(self, ax: Any = None) -> Any:
        """Draw the two curves, and their relative difference below them; return the two axes.

        An axis is logarithmic where the largest of its values is more than 30 times the lowest.

        Args:
            ax: a pair of matplotlib axes, or None for new ones.

        Raises:
            ImportError: matplotlib is not installed.
            TypeError: `ax` is not a pair.
        """
        import numpy as np

        from lrsched._plotting import axis_scale

        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", "plot")
            figure = pyplot.figure(layout="constrained")
            ax = figure.subplots(2, sharex=True, height_ratios=(2, 1))
        axes = tuple(ax) if isinstance(ax, (Sequence, np.ndarray)) else (ax,)
        if len(axes) != 2:
            expected = "two axes (for the curves, for the difference) or None"
            Refusal("plot")("ax", expected, ax, TypeError)
        curves, below = axes
        curves.plot(self.a, label="a", linewidth=2.5, alpha=0.6)
        curves.plot(self.b, label="b", linewidth=1.2)
        curves.set(ylabel="learning rate", yscale=axis_scale(np.concatenate([self.a, self.b])))
        curves.legend()
        shown = np.where((self.relative > 0) & np.isfinite(self.relative), self.relative, math.nan)
        scale = axis_scale(shown[~np.isnan(shown)])
        # With dots, one difference between two zeros shows on a logarithmic axis; a line would not.
        style = {"color": "black", "linewidth": 1, "marker": ".", "markersize": 2}
        below.plot(shown if scale == "log" else np.nan_to_num(shown), **style)
        if not self.same:
            below.axvline(self.first, color="red", linewidth=0.8, linestyle=":")
        below.set(xlabel="step", ylabel="relative difference", yscale=scale)
        return axes

    def __repr__(self) -> str:
        return "\n".join(report(self))


def _largest(apart: Array) -> tuple[int, float]:
    """The first step whose value is the largest, up to rounding, and that value."""
    step = int((apart >= (1 - ROUNDING) * apart.max()).argmax())
    return step, float(apart[step])


def _absolute_difference(a: Array, b: Array) -> Array:
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.isfinite(a) & np.isfinite(b), abs(a - b), math.inf)


def _exceeds(a: Array, b: Array, rtol: float, atol: float) -> Mask:
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        apart = _absolute_difference(a, b)
        exceeding: Mask = np.isinf(apart) | (apart > bound(np, a, b, rtol, atol))
        return exceeding


def bound(xp: Any, a: Any, b: Any, rtol: float, atol: float) -> Any:
    """The largest difference of values that do not differ."""
    return atol + rtol * xp.maximum(abs(a), abs(b))
