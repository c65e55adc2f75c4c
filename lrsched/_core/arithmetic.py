"""Sums, differences, products and quotients of schedules and numbers."""

from __future__ import annotations

from typing import Any, Self, cast

from lrsched._core.definition import REGISTRY


class Arithmetic:
    """The operators of a schedule.

    They find the schedules of sums and products in the registry: `lrsched.schedules` imports the
    core.
    """

    __slots__ = ()

    def __mul__(self, other: Any) -> Self:
        if isinstance(other, Arithmetic):
            return self._with("product", other)
        return self._with("scale", other) if _is_number(other) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Self:
        return self * (1 / other) if _is_number(other) else NotImplemented

    def __neg__(self) -> Self:
        return self * -1.0

    def __add__(self, other: Any) -> Self:
        takes = isinstance(other, Arithmetic) or _is_number(other)
        return self._with("add", other) if takes else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        takes = isinstance(other, Arithmetic) or _is_number(other)
        return self + -other if takes else NotImplemented

    def __rsub__(self, other: Any) -> Self:
        return (-self).__add__(other)

    def _with(self, name: str, other: Any) -> Self:
        return cast(Self, REGISTRY[name].factory(self, other))


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, Arithmetic)
