"""Pieces of a curve: which one a count lies in, and its value there."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from lrsched._arrays.compiler import defer
from lrsched._arrays.namespace import default_dtype, is_array, table
from lrsched._arrays.scalars import is_scalar
from lrsched._arrays.types import Array, Namespace
from lrsched._numerics.steps import Steps, as_real, is_whole, least, less, minus, since

Piece = Callable[[Steps], Array]


def segment_index(xp: Namespace, count: Steps, boundaries: Sequence[Array]) -> Array:
    """How many of the ascending `boundaries` are at or before `count`."""
    if is_scalar(xp):
        return defer(bisect_right, boundaries, count)
    if type(count) is tuple or any(is_array(x) and not is_whole(xp, x) for x in boundaries):
        return _boundaries_reached(xp, count, boundaries)
    if is_whole(xp, count):  # a whole count reaches a boundary where it reaches the next integer
        boundaries = [x if is_array(x) else math.ceil(x) for x in boundaries]
    if xp.__name__ == "numpy" and not any(map(is_array, boundaries)):
        # All comparisons of a long curve would fill the memory.
        return xp.searchsorted(xp.asarray(boundaries, count.dtype), count, side="right")
    moments = table(xp, boundaries, count.dtype, like=count)
    # JAX may be told to raise where an array is given new axes without being asked.
    new_axes = (1,) * (count.ndim + 1 - moments.ndim)
    moments = xp.reshape(moments, (*new_axes, *moments.shape))
    reached = xp.expand_dims(count, axis=-1) >= moments
    return xp.sum(xp.astype(reached, default_dtype(xp, "integral")), axis=-1)


def _boundaries_reached(xp: Namespace, count: Steps, boundaries: Sequence[Array]) -> Array:
    """`segment_index` by one comparison for each boundary, in pairs where the count is one."""
    dtype = default_dtype(xp, "integral")
    reached: Array = 0
    for boundary in boundaries:
        reached = reached + xp.astype(xp.logical_not(less(xp, count, boundary)), dtype)
    if not boundaries:
        return xp.astype(0 * as_real(xp, count), dtype)
    return reached


def piecewise(
    xp: Namespace, count: Steps, boundaries: Sequence[Array], pieces: Sequence[Piece]
) -> Array:
    """The piece that `count` lies in, as a function of the count since the piece began.

    There is one piece more than boundaries. Where all pieces must be evaluated, one that is not
    chosen gets a count inside its own segment, so that it can neither overflow nor divide by zero:
    a masked infinity would make gradients NaN.
    """
    if is_scalar(xp):
        return defer(_piecewise_scalar, count, boundaries, pieces)
    if not boundaries:
        return pieces[0](count)
    value = pieces[0](least(xp, count, boundaries[0]))
    for index, (begin, piece) in enumerate(zip(boundaries, pieces[1:], strict=True), start=1):
        elapsed = since(xp, count, begin)
        if index < len(boundaries):
            elapsed = least(xp, elapsed, minus(xp, boundaries[index], begin))
        value = xp.where(less(xp, count, begin), value, piece(elapsed))
    return value


def _piecewise_scalar(count: float, boundaries: Sequence[float], pieces: Sequence[Piece]) -> float:
    index = bisect_right(boundaries, count)
    value: float = pieces[index](count - boundaries[index - 1] if index else count)
    return value


def piecewise_numpy(count: Array, boundaries: Sequence[Array], pieces: Sequence[Piece]) -> Array:
    """`piecewise` for a NumPy array: each piece is evaluated at its own counts alone."""
    xp = count.__array_namespace__()
    flat = count.reshape(-1)
    segment = segment_index(xp, flat, boundaries)
    order = xp.argsort(segment, kind="stable")
    ends = xp.searchsorted(segment[order], xp.arange(len(pieces)), side="right")
    value, done = xp.empty(flat.shape), 0
    for piece, begin, end in zip(pieces, (0, *boundaries), ends, strict=True):
        if end > done:
            value[order[done:end]] = piece(flat[order[done:end]] - begin)
        done = end
    return value.reshape(count.shape)
