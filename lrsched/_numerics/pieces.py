"""Pieces of a curve: which one a count lies in, and its value there."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from lrsched._arrays.compiler import defer, entry
from lrsched._arrays.namespace import default_dtype, is_array, look_up, table
from lrsched._arrays.scalars import is_scalar


def segment_index(xp: Any, count: Any, boundaries: Sequence[Any]) -> Any:
    """How many of the ascending `boundaries` are at or before `count`."""
    if is_scalar(xp):
        return defer(bisect_right, boundaries, count)
    if xp.__name__ == "numpy" and not any(map(is_array, boundaries)):
        # All comparisons of a long curve would fill the memory.
        return xp.searchsorted(xp.asarray(boundaries, count.dtype), count, side="right")
    reached = xp.expand_dims(count, axis=-1) >= table(xp, boundaries, count.dtype, like=count)
    return xp.sum(xp.astype(reached, default_dtype(xp, "integral")), axis=-1)


def pick(xp: Any, values: Sequence[Any], index: Any, like: Any = None) -> Any:
    """The values at an integer `index` of any shape, in the dtype of `like` or the default real."""
    if is_scalar(xp):
        return entry(values, index)
    dtype = default_dtype(xp, "real floating") if like is None else like.dtype
    return look_up(xp, table(xp, values, dtype, like=index), index)


def piecewise(
    xp: Any, count: Any, boundaries: Sequence[Any], pieces: Sequence[Callable[[Any], Any]]
) -> Any:
    """The piece that `count` lies in, as a function of the count since the piece began.

    A piece that is not chosen is evaluated, where it must be, inside its own stretch, so that it
    can neither overflow nor divide by zero there: a masked infinity would make gradients NaN.
    """
    if is_scalar(xp):
        return defer(_piece_at, count, boundaries, pieces)
    if not boundaries:
        return pieces[0](count)
    value = pieces[0](xp.minimum(count, boundaries[0]))
    for index, (begin, piece) in enumerate(zip(boundaries, pieces[1:], strict=True), start=1):
        elapsed = xp.maximum(count - begin, 0)
        if index < len(boundaries):
            elapsed = xp.minimum(elapsed, boundaries[index] - begin)
        value = xp.where(count < begin, value, piece(elapsed))
    return value


def _piece_at(count: Any, boundaries: Sequence[Any], pieces: Sequence[Callable[[Any], Any]]) -> Any:
    index = bisect_right(boundaries, count)
    return pieces[index](count - boundaries[index - 1] if index else count)


def piecewise_numpy(
    count: Any, boundaries: Sequence[Any], pieces: Sequence[Callable[[Any], Any]]
) -> Any:
    """`piecewise` for a NumPy array: each piece is evaluated at its own counts alone."""
    xp = count.__array_namespace__()
    flat = count.reshape(-1)
    place = segment_index(xp, flat, boundaries)
    order = xp.argsort(place, kind="stable")
    ends = xp.searchsorted(place[order], xp.arange(len(pieces)), side="right")
    value, done = xp.empty(flat.shape), 0
    for piece, begin, end in zip(pieces, (0, *boundaries), ends, strict=True):
        if end > done:
            value[order[done:end]] = piece(flat[order[done:end]] - begin)
        done = end
    return value.reshape(count.shape)
